"""The user's query, restricted to the units of a batch, and its units alone.

Owns: the text of a restriction, and what leads PostgreSQL's planner to an index. Promises: what is left out belongs to no unit
of the batch; `maintenance.restrict` says where it goes, so that it can reach an index. Where every scan of the query can be
looked up, each unit is computed by look-ups, whatever the statistics say (`docs/why/looked-up.md`).
"""

from __future__ import annotations

from collections.abc import Sequence

from tidemark.maintenance.program import KeyedProgram, KeyPart, Placement
from tidemark.maintenance.restrict import expressions_of, is_looked_up
from tidemark.query.indexed import has_index
from tidemark.query.reached import is_led
from tidemark.render.listed import listed
from tidemark.render.steering import look_up, weigh_batch
from tidemark.render.store import Store

ROW = "tidemark_x"
"""A row of the batch beside the user's own aliases."""


def restricted(store: Store, program: KeyedProgram, *, nulls: bool, batch: str = "") -> str:
    """The user's query for the units of the batch: those without NULL, or those with one (rows of others may be left).

    `batch` is what stands in FROM for the batch, when it is not the session's own table of it.
    """
    if not program.unit:
        return program.query.sql()
    units, rows = store.units, batch or store.names.temporary("batch")
    seal = store.dialect.language.seal_of_outer_joins
    kinds = {block.number: {item.kind for item in block.items} for block in program.query.blocks}
    padded = {number for number, found in kinds.items() if seal and found & {"right", "full"}}
    conditions = {
        place.block: _condition(units, place, rows, nulls=nulls, padded=place.block in padded)
        for place in program.placements
    }
    query = program.query.sql(conditions)
    return f"SELECT * FROM ({query}) AS z {seal}" if padded else query


def is_steered(store: Store, program: KeyedProgram) -> bool:
    """Whether the units of a batch are computed one by one, by look-ups, and a planner has to be told: one that has no other way
    goes that by itself."""
    looked_up = program.is_bounded and bool(program.unit) and is_looked_up(program.query, program.placements)
    return store.dialect.planner.joins_by_hash and looked_up


def rows_of_batch(
    store: Store, program: KeyedProgram, columns: Sequence[str], on: str, *, nulls: bool, batch: str = ""
) -> str:
    """SELECT of columns of the query's rows ``q`` and of their units in the batch, `ROW`, where `on` is true.

    `batch` is as for `restricted`.
    """
    batch, shown = batch or store.names.temporary("batch"), ", ".join(columns)
    if nulls or not is_steered(store, program):
        query = restricted(store, program, nulls=nulls, batch=batch)
        # The other way round SQLite would first make a filter of all that the source has.
        joined = f"({query}) AS q {store.dialect.in_order} {batch} AS {ROW} ON {on}"
        return f"SELECT {shown} FROM {joined}{_unless_none(store, batch, nulls)}"
    query = program.query.sql({place.block: _look_up(store.units, place) for place in program.placements})
    # OFFSET 0 keeps the planner from taking the query apart again and joining it to the batch as a whole.
    return f"SELECT {shown} FROM {batch} AS {ROW} CROSS JOIN LATERAL (SELECT * FROM ({query}) AS z OFFSET 0) AS q WHERE {on}"


def _unless_none(store: Store, batch: str, nulls: bool) -> str:
    """What ends a SELECT for units with a NULL before it begins where the batch has none."""
    some = f"EXISTS (SELECT 1 FROM {batch} AS {ROW} WHERE {store.units.has_null(ROW)})"
    return store.phrases.only_where(some) if nulls else ""


def steered(store: Store, program: KeyedProgram, statements: Sequence[str]) -> tuple[str, ...]:
    """The statements that compute units, run so that they look everything up where that is what is wanted."""
    return look_up(store, statements) if is_steered(store, program) else tuple(statements)


def weigh(store: Store, program: KeyedProgram) -> tuple[str, ...]:
    """What the planner has to know of the batch; nothing where it does not choose."""
    return () if is_steered(store, program) else weigh_batch(store)


def _look_up(units: Store, place: Placement) -> str:
    tests = [f"({scalar.text}) = {ROW}.{units.column(units.key[number])}" for number, scalar in place.terms]
    return " AND ".join(tests)


def _condition(units: Store, place: Placement, batch: str, *, nulls: bool, padded: bool) -> str:
    """The restriction of a block; one that is `padded` has a RIGHT or FULL JOIN that `seal_of_outer_joins` is for."""
    parts = [units.key[number] for number, _ in place.terms]
    scalars = [f"({scalar.text})" for _, scalar in place.terms]
    if nulls and not place.sideways and any(part.nullable for part in parts):
        match = " AND ".join(
            f"{ROW}.{units.column(part)} {units.equal(part, nulls=True)} {scalar}"
            for part, scalar in zip(parts, scalars, strict=True)
        )
        some = units.has_null(ROW)
        whole = len(parts) == len(units.key)
        here = " OR ".join(f"{s} IS NULL" for part, s in zip(parts, scalars, strict=True) if part.nullable)
        led = ""
        if place.lead is not None and len(parts) > 1:
            led = _led_by(units, parts[place.lead], scalars[place.lead], f"{batch} AS {ROW} WHERE {some}") + " AND "
        found = f"EXISTS (SELECT 1 FROM {batch} AS {ROW} WHERE {some}) AND EXISTS (SELECT 1 FROM {batch} AS {ROW} WHERE {match})"
        return f"({here}) AND {led}{found}" if whole else f"{led}{found}"
    columns, rows = [f"{ROW}.{units.column(part)}" for part in parts], f"{batch} AS {ROW}"
    return listed(scalars, columns, rows, place.rowid, (place.lead or 0) if padded else None)


def _led_by(units: Store, part: KeyPart, value: str, rows: str) -> str:
    """That a value is that of one of the rows or NULL, if it is NULL in one of them, so that an index finds what it is in."""
    column = f"{ROW}.{units.column(part)}"
    if units.dialect.has_arrays:
        listed = f"{value} = ANY (ARRAY(SELECT {column} FROM {rows}))"
        return f"({listed} OR {value} IS NULL)" if part.nullable else listed
    listed = f"{value} IN (SELECT {column} FROM {rows})"
    # NULL comes first; where there is none, what comes first is in the list anyway.
    return f"({listed} OR {value} IS (SELECT {column} FROM {rows} ORDER BY 1 LIMIT 1))" if part.nullable else listed


def keys_of_query(store: Store, program: KeyedProgram) -> str:
    """SELECT of every unit that the query has; of the one that there is where it has no columns."""
    if not program.unit:
        return f"SELECT 1 AS {store.units.key_list}"
    keys = ", ".join(f"q.{store.column(part)}" for part in store.units.key)
    return f"SELECT {keys} FROM ({program.query.sql()}) AS q"


def is_indexed(program: KeyedProgram) -> bool:
    """True when every part of the query is restricted through an index, or every scan of it is looked up."""
    direct = all(_is_led(program, place) for place in program.placements)
    return program.is_bounded and (direct or is_looked_up(program.query, program.placements))


def _is_led(program: KeyedProgram, place: Placement) -> bool:
    if place.source is not None:
        return has_index(place.source[0], (place.source[1],))
    return any(is_led(scan.table, scalar) for scan, scalar in expressions_of(program.query, place))
