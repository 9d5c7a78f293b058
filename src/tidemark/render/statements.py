"""The applier's statements, the same on both engines but for facts of the dialect.

Owns: the temporary tables of a batch, the true state of a batch's keys, comparison and writing. Promises: `fresh` is what the
sources say now for exactly the keys in `batch`; a stored row exists exactly when its state is not the default one; NULL keys
match NULL keys. Every join between the temporary tables is by the batch's ordinal.
"""

from __future__ import annotations

from collections.abc import Sequence

from tidemark.dialect import Dialect
from tidemark.maintenance.program import KeyPart
from tidemark.model import Table
from tidemark.render.store import Store

ORDINAL = "tidemark_n"
"""The ordinal of a key in its batch; names that begin with ``tidemark_`` are refused in declarations."""

EVERYTHING = KeyPart("tidemark_all", "integer", None, False, hidden=True)
"""Stands for a key or a unit without columns: there is one of them, and its value is 1."""


def apart(name: str, *texts: str) -> str:
    """A name for what WITH gives, that nothing in those texts has: SQLite would take a table of the user's for it."""
    said = "".join(texts).lower()
    while f'"{name}"' in said:
        name += "_"
    return name


def qualified(table: Table, dialect: Dialect) -> str:
    """The quoted name of a source."""
    return dialect.quote(table.schema, table.name)


def temporary_tables(store: Store) -> dict[str, str]:
    """CREATE statements of the temporary tables, and of a batch that is ``searched`` for its units."""
    keys = ", ".join(store.definition(part) for part in store.key)
    units = ", ".join(store.definition(part) for part in store.units.key)
    parts = "".join(f", {store.definition(part)}" for part in store.parts)
    name, batch = store.names.bare_temporary, store.names.temporary("batch")
    ordinal, plain = store.dialect.ordinal, f"{store.dialect.big_integer} PRIMARY KEY"
    searched = f"; {store.phrases.index(name('batch_unit'), name('batch'), batch, store.units.key_list)}"
    kinds = ("batch", "todo", "fresh", "stored")
    temp = {kind: f"CREATE TEMP TABLE IF NOT EXISTS {store.names.temporary(kind)}" for kind in kinds}
    batch = f"{temp['batch']} ({ORDINAL} {ordinal}, {units})"
    return {
        "batch": batch if store.dialect.planner.joins_by_hash else f"{batch}{searched}",
        "searched": f"{batch}{searched}",
        "fresh": f"{temp['fresh']} ({ORDINAL} {plain}, {keys}{parts})",
        "stored": f"{temp['stored']} ({ORDINAL} {plain}, {keys}{parts})",
        "todo": f"{temp['todo']} ({ORDINAL} {ordinal}, {units})",
    }


def batch_rows(
    store: Store,
    table: str,
    columns: Sequence[str],
    key: Sequence[str],
    guard: str | None,
    batch: str = "",
    *,
    looked_up: bool = False,
) -> str:
    """SELECT b.n, columns FROM batch JOIN `table` AS r ON its key, GROUP left to the caller's columns.

    `key` are texts over ``r``, `batch` is what stands in FROM for the numbered keys when it is not the session's batch. NULL keys
    come from a second branch, so that the first can use an index or a hash. With `looked_up` SQLite goes through the
    batch, a temporary table, and looks each of its keys up.
    """
    batch = batch or store.names.temporary("batch")
    columns_text = ", ".join((f"b.{ORDINAL} AS {ORDINAL}", *columns))
    also = f" AND ({guard})" if guard else ""

    def branch(nulls: bool) -> str:
        on = " AND ".join(
            f"{value} {store.equal(part, nulls=nulls)} b.{store.column(part)}"
            for part, value in zip(store.key, key, strict=True)
        )
        only = ""
        if nulls:
            only = f" AND ({store.has_null('b')})"
        return f"SELECT {columns_text} FROM {batch} AS b JOIN {table} AS r ON {on}{only}{also}"

    if store.dialect.planner.finds_nulls:
        on = " AND ".join(
            f"{value} {'IS' if part.nullable else '='} b.{store.column(part)}"
            for part, value in zip(store.key, key, strict=True)
        )
        joined = f"{store.phrases.few(batch)} AS b CROSS JOIN" if looked_up else f"{batch} AS b JOIN"
        return f"SELECT {columns_text} FROM {joined} {table} AS r ON {on}{also}"
    if not store.nullable:
        return branch(nulls=False)
    return branch(nulls=False) + "{group} UNION ALL " + branch(nulls=True)


def grouped(select: str) -> str:
    """`batch_rows` with one row for each key of the batch."""
    if "{group}" in select:
        return select.replace("{group}", f" GROUP BY b.{ORDINAL}") + f" GROUP BY b.{ORDINAL}"
    return select + f" GROUP BY b.{ORDINAL}"


def fill_stored(store: Store) -> tuple[str, ...]:
    """Copy the batch's stored rows into ``stored``."""
    batch, stored = store.numbered, store.names.temporary("stored")
    columns = ", ".join(f"s.{column}" for column in store.columns)
    into = f"INSERT INTO {stored} ({ORDINAL}, {', '.join(store.columns)})"
    values = [f"b.{store.column(part)}" for part in store.key]
    found = [f"DELETE FROM {stored}"]
    if not store.dialect.planner.joins_by_hash:
        source = f"{store.phrases.few(batch)} AS b CROSS JOIN {store.names.store} AS s ON {store.join('s', values)}"
        return (*found, f"{into} SELECT b.{ORDINAL}, {columns} FROM {source}")
    apart = store.by_nulls("s", "b")
    if apart:
        rows = f"{into} SELECT b.{ORDINAL}, {columns} FROM {batch} AS b JOIN {store.names.store} AS s"
        return (*found, *(f"{rows} ON {on}" for on, _ in apart))
    plain = " AND ".join(f"s.{store.column(p)} = {v}" for p, v in zip(store.key, values, strict=True))
    found.append(
        f"{into} SELECT b.{ORDINAL}, {columns} FROM {batch} AS b CROSS JOIN {one_by_one(store.names.store, plain)}"
    )
    if store.nullable:
        source = f"{batch} AS b JOIN {store.names.store} AS s ON {store.match('s', values)} AND ({store.has_null('b')})"
        found.append(f"{into} SELECT b.{ORDINAL}, {columns} FROM {source}")
    return tuple(found)


def one_by_one(table: str, where: str) -> str:
    """A FROM item ``s`` with the rows of a table for one row of what stands before it, found by an index on PostgreSQL however
    many rows there are said to be: OFFSET 0 keeps the planner from joining the two as wholes."""
    return f"LATERAL (SELECT * FROM {table} AS s WHERE {where} OFFSET 0) AS s"


def lock_batch(store: Store) -> tuple[str, ...]:
    """Lock the batch's stored rows in key order, making placeholders for those that are not there."""
    if store.dialect.writers_wait_in_line:
        return ()
    first = store.column(store.parts[0]) if store.parts else store.column(store.key[0])
    return (
        f"INSERT INTO {store.names.store} AS s ({store.key_list}) "
        f"SELECT {store.key_list} FROM {store.names.temporary('batch')} ORDER BY {store.key_list} "
        f"ON CONFLICT ({store.conflict}) DO UPDATE SET {first} = s.{first}",
    )


def compare(store: Store, visible: Sequence[tuple[str, str]]) -> tuple[str, tuple[str, ...]]:
    """(query, names of compared columns): `visible` are (name, expression over ``s``)."""
    fresh, stored = store.names.temporary("fresh"), store.names.temporary("stored")
    shown = [expression for _, expression in visible] + [f"s.{store.column(part)}" for part in store.parts]
    names = tuple(name for name, _ in visible) + tuple(part.name for part in store.parts)
    nulls = "".join(", NULL" for _ in shown)
    comma = ", " if shown else ""
    keys = store.key_of("s")
    values = ", ".join(f"{expression} AS v{number}" for number, expression in enumerate(shown))
    left = ", ".join(f"a.v{number}" for number in range(len(shown)))
    right = ", ".join(f"z.v{number}" for number in range(len(shown)))
    key_names = ", ".join(f"a.k{number}" for number in range(len(store.key)))
    key_values = ", ".join(f"s.{store.column(part)} AS k{number}" for number, part in enumerate(store.key))
    query = (
        f"SELECT 'missing' AS kind, {keys}{nulls}{comma}{', '.join(shown)} FROM {fresh} AS s "
        f"WHERE NOT EXISTS (SELECT 1 FROM {stored} AS o WHERE o.{ORDINAL} = s.{ORDINAL}) "
        f"UNION ALL SELECT 'extra', {keys}{comma}{', '.join(shown)}{nulls} FROM {stored} AS s "
        f"WHERE NOT EXISTS (SELECT 1 FROM {fresh} AS f WHERE f.{ORDINAL} = s.{ORDINAL}) AND NOT ({store.is_default('s')}) "
        f"UNION ALL SELECT 'different', {key_names}{comma}{left}{comma}{right} FROM "
        f"(SELECT s.{ORDINAL}, {key_values}{comma}{values} FROM {stored} AS s) AS a "
        f"JOIN (SELECT s.{ORDINAL}{comma}{values} FROM {fresh} AS s) AS z ON z.{ORDINAL} = a.{ORDINAL} "
        f"JOIN {stored} AS x ON x.{ORDINAL} = a.{ORDINAL} "
        f"JOIN {fresh} AS y ON y.{ORDINAL} = a.{ORDINAL} WHERE NOT ({store.same('x', 'y')})"
    )
    return query, names


def todo(store: Store, keys_of_query: Sequence[str]) -> tuple[str, ...]:
    """Fill ``todo`` with every unit of the query (SELECTs of its columns) and of the store."""
    store = store.units
    table = store.names.temporary("todo")
    union = " UNION ".join((*keys_of_query, units_of_store(store)))
    places = ", ".join(str(number) for number in range(1, len(store.key) + 1))
    return (
        store.phrases.clear_list(table),
        f"INSERT INTO {table} ({store.key_list}) SELECT * FROM ({union}) AS k ORDER BY {places}",
    )


def place(store: Store, which: str, sign: str) -> str:
    """The place in ``todo`` of the first (``min``, ``>=``) or last (``max``, ``<=``) unit of a range; empty without a key."""
    unit = store.units
    if EVERYTHING in unit.key:
        return ""
    types = [store.dialect.cast(part.type) for part in unit.key]
    values = ", ".join(f":k{number}{type_}" for number, type_ in enumerate(types))
    left, right = (unit.key_list, values) if len(types) == 1 else (f"({unit.key_list})", f"({values})")
    return f"SELECT {which}({ORDINAL}) FROM {store.names.temporary('todo')} WHERE {left} {sign} {right}"


def clear_batch(store: Store) -> str:
    """Empty the batch, which is as large as what is found for it."""
    return store.phrases.clear(*(store.names.temporary(kind) for kind in ("batch", "fresh", "stored")))


def units_of_store(store: Store) -> str:
    """SELECT of every unit that the store has; of the one that there is where it has no columns."""
    if store.units.key == (EVERYTHING,):
        return f"SELECT 1 AS {store.dialect.quote(EVERYTHING.name)}"
    return f"SELECT {store.units.key_list} FROM {store.names.store}"
