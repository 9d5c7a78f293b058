"""A linear program's state of given keys: the applier's texts for the class.

Owns: the recompute of a batch from all feeds, and the list of keys. Promises: `fresh` holds, for each key of the batch with a
state that is not the default one, the same values that the deltas add up to.
"""

from __future__ import annotations

from collections.abc import Mapping

from tidemark.contract.script import Applier
from tidemark.dialect import Dialect
from tidemark.maintenance.program import Feed, KeyPart, LinearProgram
from tidemark.names import Names
from tidemark.render import statements, steering
from tidemark.render.advice import is_indexed
from tidemark.render.newest import newest_of_linear
from tidemark.render.numbered import write
from tidemark.render.pages import pages_of
from tidemark.render.pruned import keep_gone
from tidemark.render.statements import ORDINAL
from tidemark.render.steering import weigh_batch
from tidemark.render.store import Store


def store_of(program: LinearProgram, names: Names, dialect: Dialect) -> Store:
    """The store of a linear program."""
    return Store(dialect, names, program.key, program.parts, keeps_default=program.single)


def feed_key(store: Store, feed: Feed, row: str) -> list[str]:
    """The key of a feed's row as the store holds it: cast to the key's type where types are fixed."""
    found = []
    for part, one in zip(store.key, feed.key, strict=True):
        found.append(f"({one.at(row)}){store.dialect.cast(part.type)}")
    return found


def feed_state(store: Store, feed: Feed, batch: str = "", table: str = "", *, looked_up: bool = False) -> str:
    """SELECT n and the feed's parts for each key of the batch that has rows in the feed, or in `table` in its place; `batch` and
    `looked_up` as for `batch_rows`."""
    table = table or statements.qualified(feed.table, store.dialect)
    guard = feed.guard.at("r") if feed.guard else None
    key = [f"({one.at('r')})" for one in feed.key]
    rows = statements.batch_rows(store, table, _parts_of(store, feed), key, guard, batch, looked_up=looked_up)
    return rows.replace("{group}", "") if feed.is_universe else statements.grouped(rows)


def _parts_of(store: Store, feed: Feed) -> list[str]:
    """The feed's parts over its rows ``r`` of one key, and the key as one of them spells it. A universe has at most one row for a
    key: its values need no aggregate."""
    found = [
        f"{(part.value if feed.is_universe else part.aggregate).at('r')} AS {store.column(part)}" for part in feed.parts
    ]
    for part, value in zip(store.key, feed_key(store, feed, "r"), strict=True):
        if part in store.loose:
            # An array of arrays has no elements that are arrays; documents have no least one.
            in_array = store.dialect.has_arrays and not part.type.endswith("[]")
            some = f"(array_agg({value}))[1]" if in_array else f"min({value})"
            found.append(f"{value if feed.is_universe else some} AS {store.column(part)}")
    return found


def recompute(store: Store, program: LinearProgram) -> tuple[str, ...]:
    """Fill ``stored`` and ``fresh`` for the batch."""
    return (*weigh_batch(store), *_around(store, program, fill_fresh(store, program)))


def look_up(store: Store, program: LinearProgram) -> tuple[str, ...]:
    """The same where the planner would not look up by itself each key of the batch, for which every source has an index."""
    if not store.dialect.planner.joins_by_hash or program.single:
        return ()
    plain = " AND ".join(f"b.{store.column(part)} IS NOT NULL" for part in store.key if part.nullable)
    one_by_one = (
        f"{_into_fresh(store, program)} {_states_looked_up(store, program)}{f' WHERE {plain}' if plain else ''}"
    )
    found = steering.look_up(store, [one_by_one])
    if plain:
        nulls = f"(SELECT * FROM {store.names.temporary('batch')} AS b WHERE NOT ({plain}))"
        found += (f"{_into_fresh(store, program)} {states_of(store, program, nulls)}",)
    return _around(store, program, *found)


def _around(store: Store, program: LinearProgram, *fill: str) -> tuple[str, ...]:
    clear = f"DELETE FROM {store.names.temporary('fresh')}"
    return (*statements.fill_stored(store), clear, *fill, *settle_fresh(store), *keep_gone(store, program))


def fill_fresh(
    store: Store, program: LinearProgram, batch: str = "batch", tables: Mapping[int, str] | None = None, where: str = ""
) -> str:
    """Fill ``fresh`` for the keys ``b`` of a temporary table; `tables` are what feeds read in the place of their sources."""
    states = states_of(store, program, store.names.temporary(batch), tables, looked_up=tables is None)
    return f"{_into_fresh(store, program)} {states}{where}"


def _into_fresh(store: Store, program: LinearProgram) -> str:
    fresh = store.names.temporary("fresh")
    keys = ", ".join(_spelled(store, program, part) for part in store.key)
    return f"INSERT INTO {fresh} ({ORDINAL}, {', '.join(store.columns)}) SELECT b.{ORDINAL}, {keys},"


def _spelled(store: Store, program: LinearProgram, part: KeyPart) -> str:
    """A key column of the batch's row ``b``, as a row of its group spells it."""
    column = store.column(part)
    said = [f"f{feed.number}.{column}" for feed in program.origins if feed.spells] if part in store.loose else []
    return f"coalesce({', '.join([*said, f'b.{column}'])})" if said else f"b.{column}"


def states_of(
    store: Store,
    program: LinearProgram,
    batch: str,
    tables: Mapping[int, str] | None = None,
    *,
    looked_up: bool = False,
) -> str:
    """The rest of a SELECT that begins with what it wants of the numbered keys ``b`` in `batch`: their parts from all feeds. With
    `looked_up` SQLite goes through the keys of `batch`, a temporary table, and looks each of them up."""
    joins = []
    for feed in program.origins:
        alias = f"f{feed.number}"
        table = (tables or {}).get(feed.number, "")
        state = feed_state(store, feed, batch, table, looked_up=looked_up)
        joins.append(f" LEFT JOIN ({state}) AS {alias} ON {alias}.{ORDINAL} = b.{ORDINAL}")
    return f"{_joined_parts(store, program)} FROM {batch} AS b{''.join(joins)}"


def _states_looked_up(store: Store, program: LinearProgram) -> str:
    """The same for the batch's keys without NULL, each looked up by itself in every feed."""
    joins = []
    for feed in program.origins:
        pairs = zip(store.key, feed.key, strict=True)
        tests = [f"({one.at('r')}) = b.{store.column(part)}" for part, one in pairs]
        tests += [f"({feed.guard.at('r')})"] if feed.guard else []
        table = f"{statements.qualified(feed.table, store.dialect)} AS r"
        # Without rows there is no state, and not one of nothing.
        some = "" if feed.is_universe else " HAVING count(*) > 0"
        state = f"SELECT {', '.join(_parts_of(store, feed))} FROM {table} WHERE {' AND '.join(tests)}{some} OFFSET 0"
        joins.append(f" LEFT JOIN LATERAL ({state}) AS f{feed.number} ON true")
    batch = store.names.temporary("batch")
    return f"{_joined_parts(store, program)} FROM {batch} AS b{''.join(joins)}"


def _joined_parts(store: Store, program: LinearProgram) -> str:
    columns = []
    for feed in program.origins:
        for part in feed.parts:
            value = f"f{feed.number}.{store.column(part)}"
            value = f"coalesce({value}, 0)" if part.kind == "additive" else value
            columns.append(f"{value} AS {store.column(part)}")
    return ", ".join(columns)


def settle_fresh(store: Store) -> tuple[str, ...]:
    """Empty what is not needed, and let go of rows to which nothing contributes."""
    fresh = store.names.temporary("fresh")
    found = []
    for part in store.parts:
        if part.needed is not None:
            unneeded = f"NOT ({part.needed.at('s')})"
            found.append(f"UPDATE {fresh} AS s SET {store.column(part)} = NULL WHERE {unneeded}")
    found.append(f"DELETE FROM {fresh} AS s WHERE {store.is_default('s')}")
    return tuple(found)


def keys_of_feeds(store: Store, program: LinearProgram) -> list[str]:
    """SELECTs that give every key of every feed."""
    found = []
    for feed in program.origins:
        if program.single:
            return [f"SELECT 1 AS {store.column(store.key[0])}"]
        key = ", ".join(
            f"{value} AS {store.column(part)}"
            for part, value in zip(store.key, feed_key(store, feed, "r"), strict=True)
        )
        where = f" WHERE {feed.guard.at('r')}" if feed.guard else ""
        found.append(f"SELECT {key} FROM {statements.qualified(feed.table, store.dialect)} AS r{where}")
    return found


def applier(store: Store, program: LinearProgram) -> Applier:
    """The applier of a linear program."""
    temporary = statements.temporary_tables(store)
    names = store.names
    visible = [(one.name, one.sql) for one in program.visible if one.name not in {part.name for part in store.key}]
    query, compared = statements.compare(store, visible)
    batch, todo = names.temporary("batch"), names.temporary("todo")
    places = ", ".join(f":k{number}" for number in range(len(store.key)))
    return Applier(
        create_batch=temporary["batch"],
        create_fresh=temporary["fresh"],
        create_stored=temporary["stored"],
        create_todo=temporary["todo"],
        clear_batch=statements.clear_batch(store),
        add_key=f"INSERT INTO {batch} ({store.key_list}) VALUES ({places})",
        lock=statements.lock_batch(store),
        recompute=recompute(store, program),
        looked_up=look_up(store, program),
        compare=query,
        write=write(store),
        list_keys=statements.todo(store, keys_of_feeds(store, program)),
        take_todo=f"INSERT INTO {batch} ({ORDINAL}, {store.key_list}) SELECT {ORDINAL}, {store.key_list} FROM {todo} "
        f"WHERE {ORDINAL} > :low AND {ORDINAL} <= :high",
        count_todo=f"SELECT count(*) FROM {todo}",
        indexed=all(is_indexed(feed) for feed in program.origins),
        key_columns=tuple(part.name for part in program.key),
        compared_columns=compared,
        tolerant=_tolerant(store, program),
        pages=None if program.single else pages_of(store, keys_of_feeds(store, program)),
        newest=newest_of_linear(store, program),
        begins_at=statements.place(store, "min", ">="),
        ends_at=statements.place(store, "max", "<="),
    )


def _tolerant(store: Store, program: LinearProgram) -> tuple[str, ...]:
    """Parts that depend on the order of addition, and what readers see of them."""
    floating = [part for part in store.parts if part.floating]
    shown = [one.name for one in program.visible if any(f"s.{store.column(part)}" in one.sql for part in floating)]
    return (*shown, *(part.name for part in floating))
