"""The user's query, restricted to the units of a batch, and its units alone.

Owns: the text of a restriction. Promises: what is left out belongs to no unit of the batch; `maintenance.restrict` says where
it goes, so that it can reach an index.
"""

from __future__ import annotations

from tidemark.maintenance.program import KeyedProgram, Placement
from tidemark.query.unique import has_index
from tidemark.render.statements import Store

ROW = "tidemark_x"
"""A row of the batch beside the user's own aliases."""


def restricted(store: Store, program: KeyedProgram, *, nulls: bool) -> str:
    """The user's query for the units of the batch: those without NULL, or those with one (rows of others may be left)."""
    if not program.unit:
        return program.query.sql()
    units = store.units
    return program.query.sql({place.block: _condition(units, place, nulls=nulls) for place in program.placements})


def _condition(units: Store, place: Placement, *, nulls: bool) -> str:
    batch = units.names.temporary("batch")
    parts = [units.key[number] for number, _ in place.terms]
    scalars = [f"({scalar.text})" for _, scalar in place.terms]
    if nulls and not place.sideways and any(part.nullable for part in parts):
        match = " AND ".join(
            f"{ROW}.{units.column(part)} {units.equal(part, nulls=True)} {scalar}"
            for part, scalar in zip(parts, scalars, strict=True)
        )
        some = " OR ".join(f"{ROW}.{units.column(part)} IS NULL" for part in units.key if part.nullable)
        whole = len(parts) == len(units.key)
        here = " OR ".join(f"{s} IS NULL" for part, s in zip(parts, scalars, strict=True) if part.nullable)
        return (
            (f"({here}) AND " if whole else "")
            + f"EXISTS (SELECT 1 FROM {batch} AS {ROW} WHERE {some}) AND EXISTS (SELECT 1 FROM {batch} AS {ROW} WHERE {match})"
        )
    columns = ", ".join(f"{ROW}.{units.column(part)}" for part in parts)
    values = scalars[0] if len(scalars) == 1 else f"({', '.join(scalars)})"
    return f"{values} IN (SELECT {columns} FROM {batch} AS {ROW})"


def keys_of_query(store: Store, program: KeyedProgram) -> str:
    """SELECT of every unit that the query has; of the one that there is where it has no columns."""
    if not program.unit:
        return f"SELECT 1 AS {store.units.key_list}"
    keys = ", ".join(f"q.{store.column(part)}" for part in store.units.key)
    return f"SELECT {keys} FROM ({program.query.sql()}) AS q"


def is_indexed(program: KeyedProgram) -> bool:
    """True when every part of the query is restricted through an index."""
    return program.is_bounded and all(
        place.source is not None and has_index(place.source[0], (place.source[1],)) for place in program.placements
    )
