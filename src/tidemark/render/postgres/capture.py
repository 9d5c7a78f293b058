"""PostgreSQL: what a writer's statement remembers.

Owns: deltas of a feed from transition tables or from one row, the capture functions and triggers of a source. Promises: the full
predicate is evaluated on both images; capture remembers first and arms then; a statement that changes nothing that a
program reads leaves nothing behind.

Plain tables are captured by statement triggers with transition tables: one row or 200,000, one pending row. Partitioned tables
and tables that a subscription writes are captured row by row, since row triggers reach every partition, present and later,
and the apply worker fires no others. TRUNCATE fires on the tables that hold the rows, before they are gone.
"""

from __future__ import annotations

from collections.abc import Callable

from tidemark.contract.script import Piece
from tidemark.maintenance.program import Feed, LinearProgram
from tidemark.model import Table
from tidemark.render import spelling
from tidemark.render.deltas import came, needs_touch, touched, went
from tidemark.render.linear import feed_key
from tidemark.render.postgres.alike import as_spelled, differ, has_equality
from tidemark.render.postgres.triggers import event_pieces, routine, truncate_pieces
from tidemark.render.spelling import left
from tidemark.render.statements import qualified
from tidemark.render.store import Store

CHUNK = 10_000

OLD_SNAPSHOT = """  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'TRUNCATE of a table that Tidemark watches needs READ COMMITTED'
      USING ERRCODE = 'feature_not_supported', DETAIL = 'An older snapshot cannot see every row that goes.';
  END IF;
"""


def delta_fields(store: Store, feed: Feed) -> list[tuple[str, str]]:
    """(quoted name, type) of the fields that a feed has in a delta."""
    found = []
    for part in feed.parts:
        if part.kind == "additive":
            found.append((store.column(part), "integer" if part.unit else part.type))
        elif part.kind in ("highest", "lowest"):
            collation = f" COLLATE {store.dialect.quote(part.collation)}" if part.collation else ""
            found += [(came(store, part), part.type + collation), (went(store, part), part.type + collation)]
    if needs_touch(feed):
        found.append((touched(store, feed), "integer"))
    if spelling.spells(store, feed):
        found.append((left(feed), "integer"))
    return found


def image(store: Store, feed: Feed, row: str, sign: int) -> dict[str, str]:
    """One row's contribution to the fields of its feed."""
    found: dict[str, str] = {}
    for part in feed.parts:
        value = part.value.at(row)
        if part.kind == "additive":
            found[store.column(part)] = f"({value})" if sign > 0 else f"-({value})"
        elif part.kind in ("highest", "lowest"):
            found[came(store, part)] = f"({value})::{part.type}" if sign > 0 else f"NULL::{part.type}"
            # What a row of a pruned source held stays the extreme value, or computing it anew would forget what is gone.
            leaves = sign < 0 and not feed.table.pruned
            found[went(store, part)] = f"({value})::{part.type}" if leaves else f"NULL::{part.type}"
    if needs_touch(feed):
        found[touched(store, feed)] = "1"
    if spelling.spells(store, feed):
        # Whatever spelled the key until now, the row of a universe does when it comes.
        found[left(feed)] = "1" if sign < 0 or feed.is_universe else "0"
    return found


def _blank(name: str, type_: str, store: Store, feed: Feed) -> str:
    additive = {store.column(part) for part in feed.by_kind("additive")}
    return (
        "0"
        if name in additive or name.startswith(('"tidemark_touched', '"tidemark_left'))
        else f"NULL::{type_.split(' COLLATE ')[0]}"
    )


def select_images(store: Store, feeds: tuple[Feed, ...], feed: Feed, row: str, source: str, sign: int) -> str:
    """SELECT key, fields FROM images of one feed; fields of the source's other feeds are blank."""
    own = image(store, feed, row, sign)
    items = [
        f"{value} AS {store.column(part)}" for part, value in zip(store.key, feed_key(store, feed, row), strict=True)
    ]
    for other in feeds:
        for name, type_ in delta_fields(store, other):
            value = own[name] if other is feed else _blank(name, type_, store, other)
            items.append(f"{value} AS {name}")
    where = f" WHERE {feed.guard.at(row)}" if feed.guard else ""
    return f"SELECT {', '.join(items)}{source}{where}"


def consolidated(store: Store, feeds: tuple[Feed, ...], images: list[str]) -> str:
    """Images summed up by key; keys for which nothing remains are left out. Of equal values the one that goes may be shown."""
    sums, keep = [], []
    for feed in feeds:
        for part in feed.parts:
            column = store.column(part)
            if part.kind == "additive":
                sums.append(f"sum({column})::{'integer' if part.unit else part.type} AS {column}")
                keep.append(f"sum({column}) <> 0")
            elif part.kind in ("highest", "lowest"):
                best = "max" if part.kind == "highest" else "min"
                plus, minus = came(store, part), went(store, part)
                sums += [f"{best}({plus}) AS {plus}", f"{best}({minus}) AS {minus}"]
                gone = "" if store.is_sure(part) else f" OR {best}({minus}) IS NOT NULL"
                keep.append(f"{best}({plus}) IS DISTINCT FROM {best}({minus}){gone}")
        if needs_touch(feed):
            sums.append(f"max({touched(store, feed)}) AS {touched(store, feed)}")
            keep.append(f"max({touched(store, feed)}) > 0")
        if spelling.spells(store, feed):
            sums.append(f"max({left(feed)}) AS {left(feed)}")
            keep.append(f"max({left(feed)}) > 0")
    union = "\n      UNION ALL ".join(images)
    return (
        f"SELECT {store.key_list}, {', '.join(sums)} FROM (\n      {union}\n    ) AS z "
        f"GROUP BY {store.key_list} HAVING {' OR '.join(keep)}"
    )


def row_of_delta(store: Store, program: LinearProgram, feeds: tuple[Feed, ...]) -> str:
    """A delta of the composite type from consolidated columns."""
    items = [f"y.{store.column(part)}" for part in store.key]
    for feed in program.feeds:
        for name, type_ in delta_fields(store, feed):
            items.append(f"y.{name}" if feed in feeds else _blank(name, type_, store, feed))
    return f"ROW({', '.join(items)})::{store.names.own('delta')}"


def remember(
    store: Store, program: LinearProgram, feeds: tuple[Feed, ...], images: list[str], *, waits: bool = False
) -> str:
    """The statement that remembers the images of many rows; with `waits` it does not arm the transaction."""
    columns, also = ("deltas, waits", ", true") if waits else ("deltas", "")
    return (
        f"  INSERT INTO {store.names.own('pending')} ({columns})\n"
        f"    SELECT array_agg({row_of_delta(store, program, feeds)}){also}\n"
        f"    FROM (SELECT x.*, row_number() OVER () / {CHUNK} AS tidemark_chunk FROM (\n"
        f"    {consolidated(store, feeds, images)}\n"
        f"    ) AS x) AS y GROUP BY y.tidemark_chunk;\n"
    )


def remember_few(store: Store, program: LinearProgram, feeds: tuple[Feed, ...], images: list[str]) -> str:
    """The same for the images of one row, which need no chunks."""
    return (
        f"  INSERT INTO {store.names.own('pending')} (deltas)\n"
        f"    SELECT array_agg({row_of_delta(store, program, feeds)})\n"
        f"    FROM (\n    {consolidated(store, feeds, images)}\n    ) AS y HAVING count(*) > 0;\n"
    )


def remember_one(store: Store, program: LinearProgram, feeds: tuple[Feed, ...], row: str, sign: int) -> str:
    """Statements that remember one image of one row. Expressions without FROM are cheap in PL/pgSQL, plans are not."""
    found = "  tidemark_deltas := NULL;\n"
    for feed in feeds:
        own = image(store, feed, row, sign)
        items = feed_key(store, feed, row)
        for other in program.feeds:
            for name, type_ in delta_fields(store, other):
                items.append(own[name] if other is feed else _blank(name, type_, store, other))
        tests = [f"({feed.guard.at(row)})"] if feed.guard else []
        tests += [f"({some})"] if (some := _contributes(store, feed, row)) else []
        add = f"tidemark_deltas := tidemark_deltas || ROW({', '.join(items)})::{store.names.own('delta')};"
        found += f"  IF {' AND '.join(tests)} THEN {add} END IF;\n" if tests else f"  {add}\n"
    into = f"INSERT INTO {store.names.own('pending')} (deltas) VALUES (tidemark_deltas);"
    return f"{found}  IF tidemark_deltas IS NULL THEN RETURN NULL; END IF;\n  {into}\n"


def _contributes(store: Store, feed: Feed, row: str) -> str:
    """True when an image has any effect on what is stored; empty when every image has."""
    values = [(part.value.at(row), part.kind) for part in feed.by_kind("additive", "highest", "lowest")]
    if needs_touch(feed) or ("1", "additive") in values or spelling.spells(store, feed):
        return ""
    return " OR ".join(f"({value}) {'<> 0' if kind == 'additive' else 'IS NOT NULL'}" for value, kind in values)


def announce(store: Store) -> str:
    """Statements that tell the flush which derived tables the transaction has touched, so that it keeps their order.

    Any role can forge the setting, so nothing but the order depends on it: each remembered row has its own flush.
    """
    mark = store.dialect.literal(f" {store.names.plain('flush')} ")
    return (
        f"  tidemark_armed := coalesce(current_setting('tidemark.armed', true), '');\n"
        f"  IF strpos(tidemark_armed, {mark}) = 0 THEN\n"
        f"    tidemark_armed := set_config('tidemark.armed', tidemark_armed || {mark}, true);\n"
        f"  END IF;\n"
    )


def capture_body(
    store: Store, program: LinearProgram, table: Table, feeds: tuple[Feed, ...], event: str, *, by_row: bool
) -> str:
    """The body of a capture function: one row is remembered without a plan, many in one consolidated statement."""
    images = _images(store, feeds, event, by_row=by_row)
    delta = store.names.own("delta")
    declared = f"DECLARE\n  tidemark_row record;\n  tidemark_armed text;\n  tidemark_deltas {delta}[];\nBEGIN\n"
    told = f"{announce(store)}  RETURN NULL;\nEND"
    if by_row:
        if event != "update":
            row, sign = ("NEW", +1) if event == "insert" else ("OLD", -1)
            return f"{declared}{remember_one(store, program, feeds, row, sign)}{told}"
        return (
            f"{declared}{remember_few(store, program, feeds, images)}  IF NOT FOUND THEN RETURN NULL; END IF;\n{told}"
        )
    reads = tuple(dict.fromkeys(name for feed in feeds for name in feed.reads))
    quoted = [store.dialect.quote(name) for name in reads]
    many = remember(store, program, feeds, images)
    if event == "update":
        changed = " OR ".join(differ(table, name, "n", "o") for name in reads)
        look = (
            f"  SELECT {changed or 'false'} AS tidemark_changed, EXISTS (SELECT FROM n OFFSET 1) AS tidemark_more\n"
            f"    INTO tidemark_row FROM o, n LIMIT 1;\n"
        )
        one = f"  IF NOT tidemark_row.tidemark_changed THEN RETURN NULL; END IF;\n{remember_few(store, program, feeds, images)}"
    else:
        seen, sign = ("n", +1) if event == "insert" else ("o", -1)
        look = (
            f"  SELECT {''.join(f'{seen}.{name}, ' for name in quoted)}EXISTS (SELECT FROM {seen} OFFSET 1) AS tidemark_more\n"
            f"    INTO tidemark_row FROM {seen} LIMIT 1;\n"
        )
        one = remember_one(store, program, feeds, "tidemark_row", sign)
    return (
        f"{declared}{look}  IF NOT FOUND THEN RETURN NULL; END IF;\n"
        f"  IF tidemark_row.tidemark_more THEN\n{many}  ELSE\n{one}  END IF;\n"
        f"  IF NOT FOUND THEN RETURN NULL; END IF;\n{told}"
    )


def _images(store: Store, feeds: tuple[Feed, ...], event: str, *, by_row: bool) -> list[str]:
    """The images of one event, from transition tables ``n`` and ``o`` or from NEW and OLD."""
    found = []
    for feed in feeds:
        if event in ("update", "delete"):
            found.append(select_images(store, feeds, feed, *_from(store, feed, event, -1, by_row), sign=-1))
        if event in ("update", "insert"):
            found.append(select_images(store, feeds, feed, *_from(store, feed, event, +1, by_row), sign=+1))
    return found


def _from(store: Store, feed: Feed, event: str, sign: int, by_row: bool) -> tuple[str, str]:
    if by_row:
        return ("NEW", "") if sign > 0 else ("OLD", "")
    here, there = ("n", "o") if sign > 0 else ("o", "n")
    looked_at = needs_touch(feed) or spelling.spells(store, feed) or not all(map(store.is_sure, feed.parts))
    if event == "update" and looked_at and all(has_equality(feed.table, name) for name in feed.reads):
        # Rows that are the same in all that the feed reads touch nothing.
        columns = as_spelled(feed.table, feed.reads)
        return here, f" FROM (SELECT {columns} FROM {here} EXCEPT ALL SELECT {columns} FROM {there}) AS {here}"
    return here, f" FROM {here}"


def capture(store: Store, program: LinearProgram, table: Table, feeds: tuple[Feed, ...], settings: str) -> list[Piece]:
    """Functions and triggers on one source."""
    reads = tuple(dict.fromkeys(name for feed in feeds for name in feed.reads))
    found = []
    if table.pruned:
        # Rows that are deleted stay counted.
        by_row = table.written_by_row
        for event in ("insert", "update"):
            body = capture_body(store, program, table, feeds, event, by_row=by_row)
            found += event_pieces(store.names, table, event, routine(body, settings), reads, by_row=by_row)
        return found
    for event in ("insert", "update", "delete"):
        # Rows of a statement may change places, which leaves nothing by key; but each has to show what is stored of its new one.
        by_row = table.written_by_row or (event == "update" and table.label == program.shown_in)
        body = capture_body(store, program, table, feeds, event, by_row=by_row)
        found += event_pieces(store.names, table, event, routine(body, settings), reads, by_row=by_row)

    def going(rows: str) -> str:
        images = [select_images(store, feeds, feed, "r", f" FROM {rows} AS r", sign=-1) for feed in feeds]
        return remember(store, program, feeds, images, waits=True)

    arm = f"INSERT INTO {store.names.own('pending')} (deltas) VALUES ('{{}}');"
    return [*found, *truncates(store, table, going, arm, settings)]


def truncates(store: Store, table: Table, going: Callable[[str], str], arm: str, settings: str) -> list[Piece]:
    """TRUNCATE of a source: `going` gives the statements that remember some rows that go, and `arm` arms the transaction when
    they are gone. What is remembered before must not be flushed before: an extreme value would be found in rows that are still
    there."""
    own = (table.schema, table.name)
    rows = {leaf: store.dialect.quote(*leaf) for leaf in table.leaves or (own,)}
    if table.kind == "partitioned" and table.leaves:
        rows[own] = _later_leaves(store, table)
    after = f"DECLARE\n  tidemark_armed text;\nBEGIN\n  {arm}\n{announce(store)}  RETURN NULL;\nEND"
    found = []
    for place, which in rows.items():
        before = f"BEGIN\n{OLD_SNAPSHOT}{going(which)}  RETURN NULL;\nEND"
        found += truncate_pieces(store.names, table, *place, routine(before, settings), timing="BEFORE")
        found += truncate_pieces(store.names, table, *place, routine(after, settings), timing="AFTER")
    return found


def _later_leaves(store: Store, table: Table) -> str:
    """The rows of partitions that came after installation: no trigger of ours tells of their TRUNCATE, the parent's must."""
    quote, literal = store.dialect.quote, store.dialect.literal
    known = ", ".join(f"to_regclass({literal(quote(schema, name))})::oid" for schema, name in table.leaves)
    return f"(SELECT * FROM {qualified(table, store.dialect)} AS q WHERE q.tableoid <> ALL (array_remove(ARRAY[{known}], NULL)))"
