"""A keyed program's applier: recompute of given keys. The same on both engines.

Owns: the statements of a batch. Promises: `fresh` is the user's own query over the batch's keys.
"""

from __future__ import annotations

from tidemark.contract.script import Applier
from tidemark.dialect import Dialect
from tidemark.maintenance.program import KeyedProgram, KeyPart
from tidemark.memory import dated
from tidemark.names import Names
from tidemark.render import statements, units, whole
from tidemark.render.live import live_query
from tidemark.render.memory import carry, fold, values_of_query
from tidemark.render.newest import last_ticked, newest_of_keyed
from tidemark.render.numbered import write
from tidemark.render.restriction import ROW, is_indexed, is_steered, keys_of_query, rows_of_batch, steered, weigh
from tidemark.render.statements import EVERYTHING, ORDINAL
from tidemark.render.store import Store


def store_of(program: KeyedProgram, names: Names, dialect: Dialect) -> Store:
    """The store of a keyed program."""
    key: tuple[KeyPart, ...] = program.key or (EVERYTHING,)
    unit: tuple[KeyPart, ...] | None = program.unit or (EVERYTHING,)
    direct = program.proven and key == unit and key != (EVERYTHING,)
    unit = None if direct else unit
    return Store(dialect, names, key, program.columns, keeps_default=True, unit=unit, nulls=program.nulls)


def recompute(store: Store, program: KeyedProgram) -> tuple[str, ...]:
    """Fill ``stored`` and ``fresh`` for the batch."""
    fresh = store.names.temporary("fresh")
    names = ", ".join((ORDINAL, *store.columns))
    values = [f"{ROW}.{ORDINAL}", *values_of_query(store, program.memory).values()]

    def fill(nulls: bool) -> str:
        rows = rows_of_batch(store, program, values, units.in_unit(store, "q", nulls), nulls=nulls)
        return f"INSERT INTO {fresh} ({names}) {rows}"

    found = [*statements.fill_stored(store), f"DELETE FROM {fresh}", *steered(store, program, [fill(False)])]
    return (*weigh(store, program), *found, *([fill(True)] if store.nullable else []))


def public_select(store: Store, program: KeyedProgram) -> str:
    """What readers see of the stored rows ``s``."""
    if not program.shown:
        shown = ", ".join(f"s.{store.dialect.quote(name)}" for name in program.public)
        return f"SELECT {shown} FROM {store.names.store} AS s {program.cut}".rstrip()
    return f"SELECT {shown_columns(store, program)} FROM {store.names.store} AS s{_having(program)}"


def shown_columns(store: Store, program: KeyedProgram) -> str:
    """The public columns over a stored row, with the types that the query gives them."""
    dialect = store.dialect
    return ", ".join(f"({one.sql}){dialect.cast(one.type)} AS {dialect.quote(one.name)}" for one in program.shown)


def _tolerant(store: Store, program: KeyedProgram) -> tuple[str, ...]:
    floating = [part for part in store.parts if part.floating]
    shown = [one.name for one in program.shown if any(f"s.{store.column(part)}" in one.sql for part in floating)]
    return (*shown, *(part.name for part in floating))


def _having(program: KeyedProgram) -> str:
    return f" WHERE {program.having}" if program.having else ""


def public_live(store: Store, program: KeyedProgram) -> str:
    """A SELECT of the public rows as of now, or an empty text."""
    rows = live_query(store, program)
    if not rows or not program.shown:
        return rows
    return f"SELECT {shown_columns(store, program)} FROM ({rows}) AS s{_having(program)}"


def index_terms(store: Store, program: KeyedProgram, columns: tuple[str, ...]) -> str:
    """The terms of an index on the stored rows over columns that readers see."""
    by_name = {one.name: f"({one.sql.replace('s.', '')})" for one in program.shown}
    return ", ".join(by_name.get(name, store.dialect.quote(name)) for name in columns)


def applier(store: Store, program: KeyedProgram, lock: tuple[str, ...] = ()) -> Applier:
    """The applier of a keyed program. At tick freshness one writer of the rows at a time is what the fenced lease says, so that
    nothing is locked; where writers compute units too, `lock` keeps them apart."""
    temporary = statements.temporary_tables(store)
    direct = store.unit is None
    unit = store.units
    # Where what is stored is what is shown, every column is compared once.
    own = {part.name for part in store.key}
    query, compared = statements.compare(store, [(one.name, one.sql) for one in program.shown if one.name not in own])
    names = store.names
    hidden = unit.key == (EVERYTHING,)
    places = "1" if hidden else ", ".join(f":k{number}" for number in range(len(unit.key)))
    return Applier(
        create_batch=temporary["batch" if hidden or is_steered(store, program) else "searched"],
        create_fresh=temporary["fresh"],
        create_stored=temporary["stored"],
        create_todo=temporary["todo"],
        clear_batch=statements.clear_batch(store),
        add_key=f"INSERT INTO {names.temporary('batch')} ({unit.key_list}) VALUES ({places})",
        lock=lock,
        recompute=(*(recompute(store, program) if direct else units.recompute(store)), *fold(store, program.memory)),
        compare=query,
        write=write(store),
        list_keys=statements.todo(store, [] if program.memory.from_now else [keys_of_query(store, program)]),
        take_todo=f"INSERT INTO {names.temporary('batch')} ({ORDINAL}, {unit.key_list}) "
        f"SELECT {ORDINAL}, {unit.key_list} FROM {names.temporary('todo')} WHERE {ORDINAL} > :low AND {ORDINAL} <= :high",
        count_todo=f"SELECT count(*) FROM {names.temporary('todo')}",
        indexed=is_indexed(program),
        key_columns=tuple(part.name for part in store.key),
        compared_columns=compared,
        tolerant=_tolerant(store, program),
        unit_columns=None if direct else tuple(part.name for part in program.unit),
        create_rows=() if direct else units.temporary_tables(store),
        gather=() if direct else units.gather(store, program),
        duplicate="" if direct else units.find_duplicate(store),
        sampled=(*program.sampled, *dated(program.memory.columns)),
        samples_rows=program.samples_rows,
        carry=carry(store, program.memory),
        count_rows="" if direct else f"SELECT count(*) FROM {store.numbered}",
        whole=whole.of_keyed(store, program),
        newest=(*newest_of_keyed(store, program), *(last_ticked(store, "batch") if program.locking is None else ())),
        begins_at=statements.place(store, "min", ">="),
        ends_at=statements.place(store, "max", "<="),
    )
