"""The whole result in the place of what changed: the texts of a tick that asks the query once and writes what differs.

Owns: `Full` of a program of either class. Promises: what it leaves in the store is what a recompute of every key would; rows that
are equal are not written; a NULL in a key is a value like any other; what is remembered is folded into the result before that is
compared. There is none where a row may show when it was computed (sampled inputs that nothing freezes, rows that begin with a
change), where values cannot be compared by grouping, and for single rows over everything.
"""

from __future__ import annotations

from collections.abc import Callable

from tidemark.contract.ways import Full
from tidemark.maintenance.program import KeyedProgram, LinearProgram, Remembered
from tidemark.memory import First
from tidemark.render.lists import Lists
from tidemark.render.memory import folded
from tidemark.render.numbered import RANGE, remove
from tidemark.render.postgres import full as postgres_full
from tidemark.render.sqlite import full as sqlite_full
from tidemark.render.statements import EVERYTHING, ORDINAL
from tidemark.render.store import Store
from tidemark.render.whole import can_group, rows_of_keyed, rows_of_linear

NOTHING = Remembered()
_LISTS: dict[str, Callable[[Store, str], Lists]] = {"sqlite": sqlite_full.lists, "postgres": postgres_full.lists}


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
    lists = _LISTS[store.dialect.name](store, rows)
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


def _remember(store: Store, memory: Remembered) -> tuple[str, ...]:
    """Bring what is stored into the columns of the whole result that remember it."""
    if not memory.columns:
        return ()
    values = {store.dialect.quote(name): folded(store, name, kept, "o", "f") for name, kept in memory.columns}
    sets = ", ".join(f"{column} = {value}" for column, value in values.items())
    alike = " AND ".join(store.phrases.spelled_alike(f"f.{column}", f"({value})") for column, value in values.items())
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
