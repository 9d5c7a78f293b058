"""The whole result in the place of what changed: the texts of a tick that asks the query once and writes what differs.

Owns: `Full` of a program of either class. Promises: what it leaves in the store is what a recompute of every key would; rows that
are equal are not written; a NULL in a key is a value like any other; what is remembered is folded into the result before that is
compared. There is none where a row may show when it was computed (sampled inputs that nothing freezes, rows that begin with a
change), where values cannot be compared by grouping, and for single rows over everything.
"""

from __future__ import annotations

from dataclasses import dataclass

from tidemark.maintenance.program import KeyedProgram, KeyPart, LinearProgram, Part, Remembered
from tidemark.memory import First
from tidemark.render.memory import folded
from tidemark.render.numbered import RANGE, remove
from tidemark.render.statements import EVERYTHING, ORDINAL, Store
from tidemark.render.whole import can_group, cast, number, rows_of_keyed, rows_of_linear
from tidemark.ways import Full

NOTHING = Remembered()
UNSEARCHED_BYTES_MAX = 8 * 1024**2
"""Where so much is listed, its places are found by an index."""


def of_keyed(store: Store, program: KeyedProgram) -> Full | None:
    """The texts for a keyed program; None where they cannot be."""
    timely = program.memory.from_now or not _is_frozen(program)
    # A whole result says nothing of the positions that it has seen.
    if timely or program.scanned or EVERYTHING in store.key or not can_group(store):
        return None
    drained = (f"DELETE FROM {store.names.own('dirty')}",)
    rows = rows_of_keyed(store, program)
    return _full(store, rows, proven=program.proven, drained=drained, memory=program.memory)


def _is_frozen(program: KeyedProgram) -> bool:
    """Whether no row shows when it was computed last: what sampled inputs can reach is frozen from its first value on."""
    kept = [program.memory.of(name) for name in program.sampled]
    frozen = all(isinstance(one, First) and (one.when is None or one.value is not None) for one in kept)
    return frozen and not program.samples_rows


def of_linear(store: Store, program: LinearProgram) -> Full | None:
    """The texts for a linear program; None where they cannot be."""
    rows = rows_of_linear(store, program)
    return _full(store, rows, proven=True, drained=()) if rows and can_group(store) else None


def _full(store: Store, rows: str, *, proven: bool, drained: tuple[str, ...], memory: Remembered = NOTHING) -> Full:
    lists = _one_list(store, rows) if store.dialect.has_schemas else _three_lists(store, rows)
    keys = store.key_list
    return Full(
        create=lists.create,
        read=(
            *lists.evaluate,
            *_remember(store, memory),
            *lists.differ,
            *(() if memory.keeps_rows else lists.went),
            *lists.ready,
        ),
        duplicate="" if proven else f"SELECT {keys} FROM {lists.result} GROUP BY {keys} HAVING count(*) > 1 LIMIT 1",
        count=f"SELECT max(n) FROM ({lists.places}) AS c",
        write=(*remove(store, lists.gone, lists.gone_range), _upsert(store, lists.fresh)),
        drained=drained,
    )


@dataclass(frozen=True)
class _Lists:
    """Where the whole result is, and the numbered rows that differ and keys that went; how each is found. `ready` comes last."""

    create: tuple[str, ...]
    evaluate: tuple[str, ...]
    differ: tuple[str, ...]
    went: tuple[str, ...]
    ready: tuple[str, ...]
    result: str
    places: str
    fresh: str
    gone: str
    gone_range: str


def _three_lists(store: Store, rows: str) -> _Lists:
    """Three tables, of which SQLite numbers two by itself."""
    whole, fresh, gone = (store.names.temporary(kind) for kind in ("whole", "fresh", "stored"))
    every: tuple[KeyPart | Part, ...] = (*store.key, *store.parts)
    columns = ", ".join(store.columns)
    return _Lists(
        create=(f"CREATE TEMP TABLE IF NOT EXISTS {whole} ({', '.join(store.definition(part) for part in every)})",),
        evaluate=(f"DELETE FROM {whole}", f"INSERT INTO {whole} ({columns}) {rows}", f"DELETE FROM {fresh}"),
        differ=(number(store, fresh, _differ(store, whole), columns), f"DELETE FROM {gone}"),
        went=(number(store, gone, _went(store, whole), store.key_list),),
        ready=(),
        result=whole,
        places=f"SELECT count(*) AS n FROM {fresh} UNION ALL SELECT count(*) FROM {gone}",
        fresh=fresh,
        gone=gone,
        gone_range=RANGE,
    )


def _one_list(store: Store, rows: str) -> _Lists:
    """One table, since each costs PostgreSQL three or four files: the result at place 0, what differs from 1 on, what went from
    -1 down. It is made anew each time: several processes take part in that, and in no other way of filling one."""
    whole, columns = store.names.temporary("whole"), ", ".join(store.columns)
    every: tuple[KeyPart | Part, ...] = (*store.key, *store.parts)
    values = ", ".join(f"{cast(store, part, f'z.{store.column(part)}')} AS {store.column(part)}" for part in every)
    place = f"row_number() OVER (ORDER BY {store.key_list})"
    into, dialect = f"INSERT INTO {whole} ({ORDINAL}, ", store.dialect
    many = f"pg_catalog.pg_relation_size({dialect.literal(whole)}) > {UNSEARCHED_BYTES_MAX}"
    index = f"BEGIN IF {many} THEN CREATE INDEX ON {whole} ({ORDINAL}); END IF; END"
    return _Lists(
        create=(),
        evaluate=(
            f"DROP TABLE IF EXISTS {whole}",
            f"CREATE TEMP TABLE {whole} AS SELECT CAST(0 AS bigint) AS {ORDINAL}, {values} FROM ({rows}) AS z",
        ),
        differ=(f"{into}{columns}) SELECT {place}, {columns} FROM {_differ(store, whole)} AS z",),
        went=(f"{into}{store.key_list}) SELECT -{place}, {store.key_list} FROM {_went(store, whole)} AS z",),
        ready=(f"DO {dialect.literal(index)}",),
        result=f"{whole} WHERE {ORDINAL} = 0",
        places=f"SELECT coalesce(greatest(max({ORDINAL}), -min({ORDINAL})), 0) AS n FROM {whole}",
        fresh=whole,
        gone=whole,
        gone_range=f"b.{ORDINAL} < -CAST(:low AS bigint) AND b.{ORDINAL} >= -CAST(:high AS bigint)",
    )


def _differ(store: Store, whole: str) -> str:
    spelled = ", ".join((*store.columns, *store.spelled))
    return f"(SELECT {spelled} FROM {whole} EXCEPT SELECT {spelled} FROM {store.names.store})"


def _went(store: Store, whole: str) -> str:
    keys = store.key_list
    return f"(SELECT {keys} FROM {store.names.store} EXCEPT SELECT {keys} FROM {whole})"


def _remember(store: Store, memory: Remembered) -> tuple[str, ...]:
    """Bring what is stored into the columns of the whole result that remember it."""
    if not memory.columns:
        return ()
    values = {store.dialect.quote(name): folded(store, name, kept, "o", "f") for name, kept in memory.columns}
    sets = ", ".join(f"{column} = {value}" for column, value in values.items())
    alike = " AND ".join(store.spelled_alike(f"f.{column}", f"({value})") for column, value in values.items())
    keys = [f"f.{store.column(part)}" for part in store.key]
    update = f"UPDATE {store.names.temporary('whole')} AS f SET {sets} FROM {store.names.store} AS o"
    if not store.finds_nulls_apart:
        return (f"{update} WHERE {store.join('o', keys)} AND NOT ({alike})",)
    plain = " AND ".join(f"o.{store.column(part)} = {key}" for part, key in zip(store.key, keys, strict=True))
    nulls = f"({store.has_null('f')}) AND {store.match('o', keys)}"
    return f"{update} WHERE {plain} AND NOT ({alike})", f"{update} WHERE {nulls} AND NOT ({alike})"


def _upsert(store: Store, fresh: str) -> str:
    columns = ", ".join(store.columns)
    action = f"DO UPDATE SET {store.assignments}" if store.assignments else "DO NOTHING"
    return (
        f"INSERT INTO {store.names.store} AS s ({columns}) SELECT {columns} FROM {fresh} AS b "
        f"WHERE {RANGE} ORDER BY b.{ORDINAL} ON CONFLICT ({store.conflict}) {action}"
    )
