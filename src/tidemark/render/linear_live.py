"""Rows as of now where sums are added: what is stored, and what waits added to it.

Owns: the SELECT for the linear class at tick freshness. Promises: in one snapshot it equals the declared query exactly. What
waits is what no finished seal has taken, and it is added as a tick adds it. Where adding cannot tell what is true, in the middle
of a seal, when some keys have their changes already, and where a marker waits, the rows of the keys that are reached come from
the sources alone. Where that would not be exact there is none, and `why_not` says why.
"""

from __future__ import annotations

from tidemark.maintenance.key_types import has_one_spelling
from tidemark.maintenance.program import Feed, LinearProgram, Part
from tidemark.model import Table
from tidemark.names import checkpoint
from tidemark.render.deltas import came, went
from tidemark.render.images import log_of
from tidemark.render.linear import feed_key, keys_of_feeds, states_of
from tidemark.render.linear_ticks import AGAIN, added_up, every_field, fails, images_of, merged
from tidemark.render.live import PENDING
from tidemark.render.numbered import joins_of, which_join
from tidemark.render.slices import slices_of
from tidemark.render.statements import ORDINAL
from tidemark.render.store import Store

_ADDED = '"tidemark added"'
_BEST = {"highest": "max", "lowest": "min"}


def why_not(store: Store, program: LinearProgram) -> str:
    """Why there is no exact SELECT of the rows as of now; empty when there is one."""
    if program.single and not _adds(program):
        return (
            "there is one row, of values that may fail where they are gone, so reading it now means running the query"
        )
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
    columns = ", ".join(f"s.{column}" for column in store.columns)
    values = []
    for part in store.parts:
        value = f"s.{store.column(part)}"
        value = f"CASE WHEN {part.needed.at('s')} THEN {value} END" if part.needed is not None else value
        values.append(store.dialect.typed(value, part.type))
    anew = ", ".join([*(f"s.{store.column(part)}" for part in store.key), *values])
    again = f"(SELECT * FROM {_ADDED} AS a WHERE {store.phrases.seldom(f'a.{AGAIN} = 1')})"
    states = f"SELECT {store.key_of('b')}, {states_of(store, program, again)}"
    shown = ", ".join(f"({one.sql}){store.dialect.cast(one.type)} AS {quote(one.name)}" for one in program.visible)
    return (
        # What is numbered is numbered once, however often it is read.
        f"WITH {PENDING} AS MATERIALIZED ({found}), {_ADDED} AS MATERIALIZED ({_added(store, program)}) SELECT {shown} FROM ("
        f"SELECT {columns} FROM {store.names.store} AS s WHERE {_is_clean(store)} "
        f"UNION ALL SELECT {columns} FROM {_ADDED} AS s WHERE s.{AGAIN} = 0 "
        # Where nothing is computed anew, no source is looked at.
        f"UNION ALL SELECT {anew} FROM ({states}) AS s WHERE EXISTS (SELECT 1 FROM {_ADDED} AS a WHERE a.{AGAIN} = 1)"
        f") AS s WHERE {program.present}"
    )


def _adds(program: LinearProgram) -> bool:
    """Whether what a change adds can be told from its images, whatever is in them: a value that no expression can read may be
    there which is gone."""
    parts = (part for feed in program.feeds for part in feed.by_kind("additive", "highest", "lowest"))
    return all(part.value.never_fails for part in parts)


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


def _added(store: Store, program: LinearProgram) -> str:
    """The keys that are reached with their parts as adding gives them, and whether they are computed anew instead."""
    again = [_is_marked(store, program), *(_is_sealed(store, table) for table in program.captured)]
    values = [f"b.{store.column(part)}" for part in store.key]
    if _adds(program):
        values += [f"{_sum_of(store, part)} AS {store.column(part)}" for part in store.parts]
        again += [*fails(store, program), *_collated(store, program)]
    else:
        values += [f"s.{store.column(part)}" for part in store.parts]
        again = ["1 = 1"]
    shown = ", ".join([f"b.{ORDINAL}", *values, f"CASE WHEN {' OR '.join(again)} THEN 1 ELSE 0 END AS {AGAIN}"])
    return " UNION ALL ".join(
        f"SELECT {shown} FROM {PENDING} AS b LEFT JOIN {store.names.store} AS s ON {join} WHERE 1 = 1{which_join(store, number)}"
        for number, join in enumerate(joins_of(store))
    )


def _sum_of(store: Store, part: Part) -> str:
    """A part of the stored row ``s`` with what waits, ``b``."""
    column = store.column(part)
    if part.kind == "additive":
        return store.dialect.typed(f"coalesce(s.{column}, 0) + b.{column}", part.type)
    if part.kind not in _BEST:
        return f"s.{column}"
    return store.dialect.typed(merged(store, _BEST[part.kind], f"s.{column}", f"b.{came(store, part)}"), part.type)


def _collated(store: Store, program: LinearProgram) -> list[str]:
    """Tests for changes of extreme values in an order of the column's own, which is not that of what was added up."""
    parts = [part for feed in program.feeds for part in feed.by_kind("highest", "lowest") if part.collation]
    return [f"b.{field(store, part)} IS NOT NULL" for part in parts for field in (came, went)]


def _is_sealed(store: Store, table: Table) -> str:
    """Whether a seal is under way: some keys may have its changes already."""
    return f"EXISTS (SELECT 1 {checkpoint(store.names, table.label)} AND target IS NOT NULL)"


def _is_marked(store: Store, program: LinearProgram) -> str:
    """Whether a marker waits, which says that anything may have changed."""
    return " OR ".join(
        f"EXISTS (SELECT 1 FROM {log_of(store.dialect, table)} AS l WHERE l.weight = 0 AND {_waits(store, table)})"
        for table in program.captured
    )


def _reached(store: Store, program: LinearProgram) -> str:
    """The keys that a waiting change reaches, with what it adds up to; all of them where a marker waits."""
    fields = every_field(store, program) if _adds(program) else []
    nothing = {
        name: store.dialect.typed("0" if kind == "sum" or part is None else "NULL", part.type if part else "integer")
        for name, _, kind, part in fields
    }

    def listed(own: list[str], source: str) -> str:
        shown = [store.key_list, *(name if name in own else f"{value} AS {name}" for name, value in nothing.items())]
        return f"SELECT {', '.join(shown)} FROM {source}"

    found = [listed(own, f"({rows}) AS k") for own, rows in (_changes(store, program, feed) for feed in program.feeds)]
    for rows in (f"SELECT {store.key_list} FROM {store.names.store}", *keys_of_feeds(store, program)):
        # Where none waits, no row of the others is looked at.
        found.append(listed([], f"(SELECT 1 AS one WHERE {_is_marked(store, program)}) AS m CROSS JOIN ({rows}) AS k"))
    if not fields:
        return " UNION ".join(found)
    sums = []
    for name, _, kind, part in fields:
        value = f"{kind}(d.{name})"
        sums.append(f"{store.dialect.typed(value, part.type) if part is not None else value} AS {name}")
    key = store.key_of("d")
    return f"SELECT {key}, {', '.join(sums)} FROM ({' UNION ALL '.join(found)}) AS d GROUP BY {key}"


def _changes(store: Store, program: LinearProgram, feed: Feed) -> tuple[list[str], str]:
    """What waits of a feed by key: the names of what it adds up to, and the SELECT."""
    log, keys = log_of(store.dialect, feed.table), [store.column(part) for part in store.key]
    changed = images_of(store, feed, f"{log} AS l", f"{_waits(store, feed.table)} AND l.weight <> 0")
    if _adds(program):
        return added_up(store, feed, changed)
    shown = ", ".join(f"{value} AS {key}" for key, value in zip(keys, feed_key(store, feed, "r"), strict=True))
    guard = f" WHERE {feed.guard.at('r')}" if feed.guard else ""
    return [], f"SELECT {shown} FROM {changed} AS r{guard}"


def _waits(store: Store, table: Table) -> str:
    return slices_of(store.dialect).unsealed(store.names, table)
