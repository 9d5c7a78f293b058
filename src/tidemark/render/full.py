"""The whole result in the place of what changed: the texts of a tick that asks the query once and writes what differs.

Owns: `Full` of a program of either class. Promises: what it leaves in the store is what a recompute of every key would; rows that
are equal are not written; a NULL in a key is a value like any other. There is none where a row is more than what the query says
of it (memory, sampled inputs, the clock), where values cannot be compared by grouping, and for single rows over everything.
"""

from __future__ import annotations

from tidemark.maintenance.program import KeyedProgram, KeyPart, LinearProgram, Part
from tidemark.render.numbered import RANGE, remove
from tidemark.render.statements import EVERYTHING, ORDINAL, Store
from tidemark.render.whole import can_group, cast, rows_of_keyed, rows_of_linear
from tidemark.ways import Full


def of_keyed(store: Store, program: KeyedProgram) -> Full | None:
    """The texts for a keyed program; None where they cannot be."""
    more = not program.memory.is_empty or program.sampled or program.samples_rows or program.due is not None
    # A whole result says nothing of the positions that it has seen.
    if more or program.scanned or EVERYTHING in store.key or not can_group(store):
        return None
    drained = (f"DELETE FROM {store.names.own('dirty')}",)
    return _full(store, rows_of_keyed(store, program), proven=program.proven, drained=drained)


def of_linear(store: Store, program: LinearProgram) -> Full | None:
    """The texts for a linear program; None where they cannot be."""
    rows = rows_of_linear(store, program)
    return _full(store, rows, proven=True, drained=()) if rows and can_group(store) else None


def _full(store: Store, rows: str, *, proven: bool, drained: tuple[str, ...]) -> Full:
    names = store.names
    whole, fresh, gone = names.temporary("whole"), names.temporary("fresh"), names.temporary("stored")
    columns, keys = ", ".join(store.columns), store.key_list
    place = f"row_number() OVER (ORDER BY {keys})"
    spelled = ", ".join((columns, *store.spelled))
    return Full(
        create=_create(store),
        read=(
            *_evaluate(store, rows),
            f"DELETE FROM {fresh}",
            f"INSERT INTO {fresh} ({ORDINAL}, {columns}) SELECT {place}, {columns} FROM "
            f"(SELECT {spelled} FROM {whole} EXCEPT SELECT {spelled} FROM {names.store}) AS d",
            f"DELETE FROM {gone}",
            f"INSERT INTO {gone} ({ORDINAL}, {keys}) SELECT {place}, {keys} FROM "
            f"(SELECT {keys} FROM {names.store} EXCEPT SELECT {keys} FROM {whole}) AS d",
        ),
        duplicate="" if proven else f"SELECT {keys} FROM {whole} GROUP BY {keys} HAVING count(*) > 1 LIMIT 1",
        count=f"SELECT max(n) FROM (SELECT count(*) AS n FROM {fresh} UNION ALL SELECT count(*) FROM {gone}) AS c",
        write=(*remove(store, gone, RANGE), _upsert(store)),
        drained=drained,
    )


def _create(store: Store) -> tuple[str, ...]:
    """PostgreSQL makes the table anew each time: several processes take part in that, and in no other way of filling one."""
    if store.dialect.has_schemas:
        return ()
    every: tuple[KeyPart | Part, ...] = (*store.key, *store.parts)
    columns = ", ".join(store.definition(part) for part in every)
    return (f"CREATE TEMP TABLE IF NOT EXISTS {store.names.temporary('whole')} ({columns})",)


def _evaluate(store: Store, rows: str) -> tuple[str, ...]:
    whole = store.names.temporary("whole")
    if not store.dialect.has_schemas:
        return f"DELETE FROM {whole}", f"INSERT INTO {whole} ({', '.join(store.columns)}) {rows}"
    every: tuple[KeyPart | Part, ...] = (*store.key, *store.parts)
    values = ", ".join(f"{cast(store, part, f'z.{store.column(part)}')} AS {store.column(part)}" for part in every)
    return f"DROP TABLE IF EXISTS {whole}", f"CREATE TEMP TABLE {whole} AS SELECT {values} FROM ({rows}) AS z"


def _upsert(store: Store) -> str:
    columns = ", ".join(store.columns)
    action = f"DO UPDATE SET {store.assignments}" if store.assignments else "DO NOTHING"
    return (
        f"INSERT INTO {store.names.store} AS s ({columns}) SELECT {columns} FROM {store.names.temporary('fresh')} AS b "
        f"WHERE {RANGE} ORDER BY b.{ORDINAL} ON CONFLICT ({store.conflict}) {action}"
    )
