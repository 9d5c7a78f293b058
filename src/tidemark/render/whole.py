"""Everything at once: the state of all keys in one query, for a first filling and for a verification of what is big.

Owns: the texts that read a source once, whatever the number of keys. Promises: what they find different is looked at again by the
statements of a batch, which alone decide; what they find equal is equal. They are left out where values cannot be compared
by grouping, or where a row is more than what the query says of it.
"""

from __future__ import annotations

import re
from dataclasses import replace

from tidemark.contract.ways import Whole
from tidemark.maintenance.program import Feed, KeyedProgram, KeyPart, LinearProgram, Part
from tidemark.query.trees import orders_rows
from tidemark.render import statements
from tidemark.render.linear import feed_key
from tidemark.render.memory import values_of_query
from tidemark.render.statements import EVERYTHING, ORDINAL
from tidemark.render.store import Store

# Types whose values PostgreSQL can group. Anything else may be without equality, or of a collation that is decided later.
_GROUPED = frozenset(
    [
        "smallint",
        "integer",
        "bigint",
        "numeric",
        "real",
        "boolean",
        "text",
        "uuid",
        "date",
        "bytea",
        "jsonb",
        "interval",
    ]
    + ["double precision", "character varying", "character", "timestamp without time zone"]
    + ["timestamp with time zone", "time without time zone", "time with time zone"]
)
SIDE = "tidemark_side"


def of_keyed(store: Store, program: KeyedProgram) -> Whole | None:
    """The texts for a keyed program; None where they cannot be."""
    if not program.memory.is_empty or EVERYTHING in store.key or (not program.unit and not program.nulls):
        return None
    rows, own = rows_of_keyed(store, program), {part.name for part in store.key}
    # Where there is one unit, nothing but this fills the rows bit by bit.
    made = _whole(store, rows, fills=store.unit is None or not program.unit)
    compared = statements.compare(store, [(one.name, one.sql) for one in program.shown if one.name not in own])[1]
    if made is None or orders_rows(program.query.tree) or compared != tuple(part.name for part in store.parts):
        # Of rows that are equal in what they are ordered by, the one or the other may come first, each time anew.
        return made
    order = ", ".join(str(number) for number in range(1, len(store.key) + 1))
    both, named, sides = _sides(store, rows)
    differing = f"{both} SELECT {named}, sum({SIDE}) FROM {sides} GROUP BY {named} HAVING sum({SIDE}) <> 0"
    return replace(made, differing=f"{differing} ORDER BY {order} LIMIT :limit")


def rows_of_keyed(store: Store, program: KeyedProgram) -> str:
    """SELECT of every stored column of the whole result of a keyed program."""
    names = [*(part.name for part in store.key), *(part.name for part in store.parts)]
    values, quote = values_of_query(store, program.memory), store.dialect.quote
    dated = dict(program.memory.columns)
    shown = ", ".join(f"{values[name]} AS {quote(name)}" if name in dated else f"q.{quote(name)}" for name in names)
    return f"SELECT {shown} FROM ({program.query.sql()}) AS q"


def of_linear(store: Store, program: LinearProgram, *, ticks: bool) -> Whole | None:
    """The texts for a linear program; None where they cannot be."""
    rows = rows_of_linear(store, program)
    if not rows:
        return None
    alone = () if ticks else _alone(store, program)
    made = _whole(store, rows, fills=ticks or bool(alone) or store.dialect.writers_wait_in_line)
    return replace(made, alone=alone) if made else None


def _alone(store: Store, program: LinearProgram) -> tuple[str, ...]:
    if store.dialect.writers_wait_in_line:
        # Who holds the only lock of a file holds up everybody; but whether anybody has committed since can be asked.
        return ()
    sources = sorted({statements.qualified(table, store.dialect) for table in program.tables})
    return (f"LOCK TABLE {', '.join(sources)} IN SHARE ROW EXCLUSIVE MODE",)


def rows_of_linear(store: Store, program: LinearProgram) -> str:
    """SELECT of every stored column of the whole state of a linear program; empty where there is none, because rows of several
    feeds are joined by keys without NULL only."""
    if program.single or (len(program.origins) > 1 and store.nullable):
        return ""
    if len(program.origins) == 1:
        (feed,) = program.origins
        rows = _state(store, feed)
    elif store.dialect.planner.joins_by_hash or any(part.collation for part in store.key):
        rows = _joined(store, program)
    else:
        rows = _gathered(store, program)
    needed = []
    for part in store.parts:
        column = f"s.{store.column(part)}"
        needed.append(
            f"CASE WHEN {part.needed.at('s')} THEN {column} END AS {store.column(part)}" if part.needed else column
        )
    keys = store.key_of("s")
    rows = f"SELECT {', '.join([keys, *needed])} FROM ({rows}) AS s"
    shown = ", ".join(f"s.{column}" for column in store.columns)
    return f"SELECT {shown} FROM ({rows}) AS s WHERE NOT ({store.is_default('s')})"


def _joined(store: Store, program: LinearProgram) -> str:
    """SELECT of the parts of several feeds by key: each key that one of them has."""
    tables = [statements.qualified(feed.table, store.dialect) for feed in program.origins]
    named = [statements.apart(f"f{feed.number}", *tables) for feed in program.origins]
    found, keys = named[0], [f"{named[0]}.{store.column(part)}" for part in store.key]
    for other in named[1:]:
        mine = [f"{other}.{store.column(part)}" for part in store.key]
        found += f" FULL JOIN {other} ON " + " AND ".join(f"{a} = {b}" for a, b in zip(mine, keys, strict=True))
        keys = [f"coalesce({b}, {a})" for a, b in zip(mine, keys, strict=True)]
    shown = [f"{key} AS {store.column(part)}" for key, part in zip(keys, store.key, strict=True)]
    for name, feed in zip(named, program.origins, strict=True):
        for part in feed.parts:
            value = f"{name}.{store.column(part)}"
            shown.append(f"{f'coalesce({value}, 0)' if part.kind == 'additive' else value} AS {store.column(part)}")
    states = ", ".join(f"{name} AS ({_state(store, feed)})" for name, feed in zip(named, program.origins, strict=True))
    return f"WITH {states} SELECT {', '.join(shown)} FROM {found}"


def _gathered(store: Store, program: LinearProgram) -> str:
    """The same where sorting beats joins, which are look-ups: a part has one value for a key, so that it is the greatest."""
    parts = [part for feed in program.origins for part in feed.parts]
    arms = []
    for feed in program.origins:
        own = {part.name for part in feed.parts}
        shown = [f"f.{store.column(part)}" for part in store.key]
        shown += [
            f"{f'f.{store.column(part)}' if part.name in own else 'NULL'} AS {store.column(part)}" for part in parts
        ]
        arms.append(f"SELECT {', '.join(shown)} FROM ({_state(store, feed)}) AS f")
    shown = [f"u.{store.column(part)} AS {store.column(part)}" for part in store.key]
    for part in parts:
        value = f"max(u.{store.column(part)})"
        shown.append(f"{f'coalesce({value}, 0)' if part.kind == 'additive' else value} AS {store.column(part)}")
    places = ", ".join(str(number) for number in range(1, len(store.key) + 1))
    return f"SELECT {', '.join(shown)} FROM ({' UNION ALL '.join(arms)}) AS u GROUP BY {places}"


def _state(store: Store, feed: Feed) -> str:
    """SELECT key, parts of one feed for every key."""
    keys = zip(store.key, feed_key(store, feed, "r"), strict=True)
    columns = [f"{value} AS {store.column(part)}" for part, value in keys]
    for part in feed.parts:
        value = part.value if feed.is_universe else part.aggregate
        columns.append(f"{value.at('r')} AS {store.column(part)}")
    where = f" WHERE {feed.guard.at('r')}" if feed.guard else ""
    places = ", ".join(str(number) for number in range(1, len(store.key) + 1))
    grouped = "" if feed.is_universe else f" GROUP BY {places}"
    return f"SELECT {', '.join(columns)} FROM {statements.qualified(feed.table, store.dialect)} AS r{where}{grouped}"


def can_group(store: Store) -> bool:
    """Whether stored rows can be told apart by grouping them."""
    every: tuple[KeyPart | Part, ...] = (*store.key, *store.parts)
    return not store.dialect.types_are_fixed or all(re.sub(r"\(.*?\)", "", part.type) in _GROUPED for part in every)


def _whole(store: Store, rows: str, *, fills: bool) -> Whole | None:
    every: tuple[KeyPart | Part, ...] = (*store.key, *store.parts)
    if not can_group(store):
        return None
    fresh, todo = store.names.temporary("fresh"), store.names.temporary("todo")
    names = [part.name for part in every]
    units = [part for part in store.units.key if part != EVERYTHING]
    picked = ", ".join(store.dialect.quote(f"c{names.index(part.name)}") for part in units) or "1"
    both, named, sides = _sides(store, rows)
    differ = f"{both} SELECT {named} FROM {sides} GROUP BY {named} HAVING sum({SIDE}) <> 0"
    order = ", ".join(str(number) for number in range(1, len(store.units.key) + 1))
    keys = f"SELECT DISTINCT {picked} FROM ({differ}) AS d"
    clear = store.phrases.clear_list(todo)
    list_keys = f"INSERT INTO {todo} ({store.units.key_list})"
    columns, name = ", ".join(store.columns), store.names.temporary("glance")
    looked = store.phrases.glance(keys, name, lambda seen: f"{list_keys} SELECT * FROM {seen} AS d ORDER BY {order}")
    read = store.phrases.glance(
        rows, name, lambda seen: store.phrases.numbered(fresh, ORDINAL, columns, seen, store.key_list)
    )
    return Whole(
        suspects=(clear, *looked),
        count=f"SELECT count(*) FROM {store.names.store}",
        rows=(f"DELETE FROM {fresh}", *read) if fills else (),
        count_rows=f"SELECT count(*) FROM {fresh}",
        place=f"SELECT {store.key_list} FROM {fresh} WHERE {ORDINAL} = :place",
        copy=(
            f"INSERT INTO {store.names.store} ({', '.join(store.columns)}) SELECT {', '.join(store.columns)} FROM {fresh} "
            f"WHERE {ORDINAL} > :low AND {ORDINAL} <= :high ORDER BY {ORDINAL}",
        ),
    )


def _sides(store: Store, rows: str) -> tuple[str, str, str]:
    """WITH of the rows of the query and those that are stored, told apart by `SIDE`, the names of their columns, and its name."""
    every: tuple[KeyPart | Part, ...] = (*store.key, *store.parts)
    named = ", ".join(store.dialect.quote(f"c{number}") for number in range(len(every)))
    query = f"SELECT {', '.join(cast(store, p, f'z.{store.column(p)}') for p in every)}, 1 AS {SIDE} FROM ({rows}) AS z"
    stored = (
        f"SELECT {', '.join(cast(store, p, f's.{store.column(p)}') for p in every)}, -1 FROM {store.names.store} AS s"
    )
    sides = statements.apart("z", rows)
    return f"WITH {sides} ({named}, {SIDE}) AS ({query} UNION ALL {stored})", named, sides


def cast(store: Store, part: KeyPart | Part, value: str) -> str:
    """The value as it is stored."""
    typed = store.dialect.typed(value, part.type)
    return f"{typed} COLLATE {store.dialect.quote(part.collation)}" if part.collation else typed
