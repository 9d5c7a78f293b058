"""Rows as of now where sums are added: what is stored, and every key that a waiting change reaches, computed from the sources.

Owns: the SELECT for the linear class at tick freshness. Promises: in one snapshot it equals the declared query exactly, also in
the middle of a seal, when some keys have their changes already: what waits is what no finished seal has taken, and the rows of
all keys that it reaches come from the sources alone. Where that would not be exact there is none, and `why_not` says why.
"""

from __future__ import annotations

from tidemark.maintenance.key_types import has_one_spelling
from tidemark.maintenance.program import Feed, LinearProgram
from tidemark.model import Table
from tidemark.render.images import log_of
from tidemark.render.linear import feed_key, keys_of_feeds, states_of
from tidemark.render.linear_ticks import images_of
from tidemark.render.live import PENDING
from tidemark.render.slices import slices_of
from tidemark.render.statements import ORDINAL
from tidemark.render.store import Store


def why_not(store: Store, program: LinearProgram) -> str:
    """Why there is no exact SELECT of the rows as of now; empty when there is one."""
    if program.single:
        return "there is one row, which every change reaches, so reading it now means running the query"
    if any(feed.table.pruned for feed in program.feeds):
        return "a pruned source no longer says what was added up"
    if any(not has_one_spelling(part.type, part.collation, store.dialect) for part in store.key):
        return "equal values of its key may be written in several ways"
    return ""


def live_query(store: Store, program: LinearProgram) -> str:
    """The SELECT of the public columns, or an empty text where `why_not` has a reason."""
    if why_not(store, program):
        return ""
    quote = store.dialect.quote
    found = f"SELECT row_number() OVER () AS {ORDINAL}, k.* FROM ({_reached(store, program)}) AS k"
    clean = ", ".join(f"s.{column}" for column in store.columns)
    values = []
    for part in store.parts:
        value = f"s.{store.column(part)}"
        value = f"CASE WHEN {part.needed.at('s')} THEN {value} END" if part.needed is not None else value
        values.append(store.dialect.typed(value, part.type))
    keys = store.key_of("b")
    anew = ", ".join([*(f"s.{store.column(part)}" for part in store.key), *values])
    states = f"SELECT {keys}, {states_of(store, program, PENDING)}"
    shown = ", ".join(f"({one.sql}){store.dialect.cast(one.type)} AS {quote(one.name)}" for one in program.visible)
    return (
        # What is numbered is numbered once, however often it is read.
        f"WITH {PENDING} AS MATERIALIZED ({found}) SELECT {shown} FROM ("
        f"SELECT {clean} FROM {store.names.store} AS s WHERE {_is_clean(store)} "
        f"UNION ALL SELECT {anew} FROM ({states}) AS s) AS s WHERE {program.present}"
    )


def _is_clean(store: Store) -> str:
    """True for the stored rows that nothing reaches. Keys with a NULL are looked for apart, so that the others can be hashed."""
    values = [(f"s.{store.column(part)}", f"b.{store.column(part)}", part) for part in store.key]
    plain = " AND ".join(f"{value} = {stored}" for stored, value, _ in values)
    tests = [f"NOT EXISTS (SELECT 1 FROM {PENDING} AS b WHERE {plain})"]
    if store.nullable:
        same = " AND ".join(f"{stored} {store.equal(part, nulls=True)} {value}" for stored, value, part in values)
        nulls = " OR ".join(f"{stored} IS NULL" for stored, _, part in values if part.nullable)
        tests.append(f"NOT (({nulls}) AND EXISTS (SELECT 1 FROM {PENDING} AS b WHERE {same}))")
    return " AND ".join(tests)


def _reached(store: Store, program: LinearProgram) -> str:
    """The keys that a waiting change reaches; all of them where a marker waits."""
    found = [_keys_of_changes(store, feed) for feed in program.feeds]
    marked = " OR ".join(
        f"EXISTS (SELECT 1 FROM {log_of(store.dialect, table)} AS l WHERE l.weight = 0 AND {_waits(store, table)})"
        for table in program.captured
    )
    for rows in (f"SELECT {store.key_list} FROM {store.names.store}", *keys_of_feeds(store, program)):
        found.append(f"SELECT {store.key_list} FROM ({rows}) AS k WHERE {marked}")
    return " UNION ".join(found)


def _keys_of_changes(store: Store, feed: Feed) -> str:
    keys = zip(store.key, feed_key(store, feed, "r"), strict=True)
    shown = ", ".join(f"{value} AS {store.column(part)}" for part, value in keys)
    log = log_of(store.dialect, feed.table)
    changed = images_of(store, feed, f"{log} AS l", f"{_waits(store, feed.table)} AND l.weight <> 0")
    guard = f" WHERE {feed.guard.at('r')}" if feed.guard else ""
    return f"SELECT {shown} FROM {changed} AS r{guard}"


def _waits(store: Store, table: Table) -> str:
    return slices_of(store.dialect).unsealed(store.names, table)
