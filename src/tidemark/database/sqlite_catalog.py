"""What a SQLite database holds, read from its schema.

Owns: `read_catalog` and `read_installed`. Promises: a handful of queries however many tables there are; a table whose
module is not loaded or a view that is broken is shown without columns and stops nothing.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tidemark.contract.script import canonical_create
from tidemark.database.sqlite_text import default_expression, known_collation, read_columns, read_index, read_view
from tidemark.dialect import SQLITE
from tidemark.model import EXPRESSION, Catalog, Column, Index, Table, Unique

# So many names are looked for by name; where there are more, everything is read.
NAMES_MAX = 200
# A public view of ours has a name of the user's choosing, so a comment tells whose it is.
OURS = re.compile(r"/\*\s*tidemark\b")

_COLUMNS = """
SELECT m.name, x.name, x.type, x."notnull", x.dflt_value, x.pk, x.hidden
FROM main.sqlite_schema AS m JOIN pragma_table_xinfo(m.name, 'main') AS x
WHERE m.type = 'table' AND lower(substr(m.sql, 1, 14)) <> 'create virtual' AND m.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
ORDER BY m.rowid, x.cid
"""
_INDEXES = """
SELECT m.name, l.name, l."unique", l.origin, x.cid, x.name, x.coll
FROM main.sqlite_schema AS m JOIN pragma_index_list(m.name, 'main') AS l
    JOIN pragma_index_xinfo(l.name, 'main') AS x
WHERE m.type = 'table' AND lower(substr(m.sql, 1, 14)) <> 'create virtual' AND x.key
ORDER BY m.rowid, l.seq, x.seqno
"""
_REFERENCES = """
SELECT lower(f."table"), lower(m.name), f.on_update NOT IN ('NO ACTION', 'RESTRICT')
FROM main.sqlite_schema AS m JOIN pragma_foreign_key_list(m.name, 'main') AS f
WHERE m.type = 'table' AND (f.on_update NOT IN ('NO ACTION', 'RESTRICT') OR f.on_delete NOT IN ('NO ACTION', 'RESTRICT'))
"""


# The row stays as it was written, and triggers that are still to come do not.
_ENDS = re.compile(r"\braise\s*\(\s*ignore\b", re.IGNORECASE)


class Reader(Protocol):
    """The reading half of a session."""

    def all(self, sql: str) -> list[tuple[Any, ...]]:
        """Every row of a query; a `sqlite3.Error` passes through."""
        ...


@dataclass
class _IndexFacts:
    name: str
    unique: bool
    origin: str
    sql: str | None
    terms: list[tuple[int, str | None, str]]


def is_ours(kind: str, name: str, sql: str | None) -> bool:
    """True for an object that Tidemark made."""
    return name.lower().startswith(SQLITE.ours_prefix) or (kind == "view" and bool(OURS.search(sql or "")))


def read_installed(reader: Reader, names: Collection[str] | None) -> dict[str, str]:
    """Every object of ours, or those of some names, with the fingerprint of the text that SQLite holds of it; ``outdated`` where
    a trigger of the user's comes before one of ours."""
    begins = SQLITE.literal(SQLITE.ours_prefix)
    theirs = f"type = 'trigger' AND substr(name, 1, length({begins})) <> {begins} COLLATE NOCASE"
    what = "type, name, sql, tbl_name"
    few = names is not None and len(names) <= NAMES_MAX
    wanted = f"name IN ({', '.join(map(SQLITE.literal, names or ()))})" if few else "1"
    # There is no index on the schema: what is asked together is read once.
    found = reader.all(f"SELECT {what}, {theirs} FROM main.sqlite_schema WHERE {wanted} OR {theirs} ORDER BY rowid")
    rows, users = [row[:-1] for row in found], [row[:-1] for row in found if row[-1]]
    if few and users:
        # Which of ours one of them comes before is told by where all of them stand.
        on = ", ".join(sorted({SQLITE.literal(row[-1]) for row in users}))
        known = f"{wanted} OR (type = 'trigger' AND tbl_name COLLATE NOCASE IN ({on}))"
        rows = reader.all(f"SELECT {what} FROM main.sqlite_schema WHERE {known} ORDER BY rowid")
    late = _come_first(rows, users) if users else frozenset[str]()
    return {
        name: "outdated"
        if name in late
        else hashlib.sha256(canonical_create(sql).encode()).hexdigest()[:16]
        if sql
        else "?"
        for kind, name, sql, _ in rows
        if (names is None or name in names) and is_ours(kind, name, sql)
    }


def _come_first(rows: list[tuple[Any, ...]], users: list[tuple[Any, ...]]) -> frozenset[str]:
    """Triggers of ours before which one of the user's comes that may write the same table again, or let none come after it.

    SQLite runs the newest trigger of a table first. What one of the user's writes AFTER a row was written has to be told after
    that row was, because the row that ours are shown is then no longer what stands there.
    """
    tables = {on.lower() for *_, on in users}
    named = {name: _names_in(sql, tables) for _, name, sql, _ in users}
    writes = {
        table: set[str]().union(*(named[name] for _, name, _, on in users if on.lower() == table)) for table in tables
    }
    found, ours = set[str](), defaultdict[str, list[str]](list)
    for kind, name, sql, on in rows:
        if kind == "trigger" and is_ours(kind, name, sql):
            ours[on.lower()].append(name)
        elif (
            kind == "trigger"
            and re.search(r"\bafter\b", sql, re.IGNORECASE)
            and (_ENDS.search(sql) or on.lower() in _reach(named[name], writes))
        ):
            found.update(ours[on.lower()])
    return frozenset(found)


def _names_in(sql: str, tables: Collection[str]) -> frozenset[str]:
    """Which tables the body of a trigger names."""
    body = re.split(r"\bbegin\b", sql.lower(), maxsplit=1)[-1]
    return frozenset(table for table in tables if re.search(rf"(?<!\w){re.escape(table)}(?!\w)", body))


def _reach(tables: Collection[str], writes: Mapping[str, Collection[str]]) -> set[str]:
    """Tables, and those that triggers on them write, and so on."""
    reached, more = set[str](), set(tables)
    while more:
        reached |= more
        more = {other for table in more for other in writes[table]} - reached
    return reached


@dataclass
class _Ways:
    """What a statement writes besides its own rows, by table in lower case: by foreign keys that act on an update, and by
    triggers and foreign keys of any kind."""

    updated: dict[str, set[str]]
    writes: dict[str, set[str]]

    def echoing(self) -> frozenset[str]:
        """Tables whose rows an update may write twice: foreign keys act, and so do triggers on the tables where they do,
        before any AFTER trigger on the row that was updated."""
        return frozenset(table for table, some in self.updated.items() if table in _reach(some, self.writes))

    def reentered(self) -> frozenset[str]:
        """Tables that a statement on them may write again before it is over."""
        return frozenset(table for table in list(self.writes) if table in _reach(self.writes[table], self.writes))


def _read_ways(references: Iterable[tuple[Any, ...]], bodies: Mapping[str, Sequence[str]]) -> _Ways:
    found = _Ways(defaultdict(set), defaultdict(set))
    for parent, child, on_update in references:
        found.writes[parent].add(child)
        if on_update:
            found.updated[parent].add(child)
    named = {*found.writes, *bodies}
    for table, texts in bodies.items():
        found.writes[table].update(*(_names_in(sql, named) for sql in texts))
    return found


def read_catalog(reader: Reader) -> Catalog:
    """Every table and view that is not ours."""
    schema = reader.all("SELECT type, name, tbl_name, sql FROM main.sqlite_schema")
    # A column of a hash of lower-case names: triggers and indexes may spell their table in another case.
    bodies: dict[str, list[str]] = defaultdict(list)
    for kind, name, on, sql in schema:
        if kind == "trigger" and not is_ours(kind, name, sql):
            bodies[on.lower()].append(sql)
    ways = _read_ways(reader.all(_REFERENCES), bodies)
    echoing, reentered = ways.echoing(), ways.reentered()
    columns: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for owner, *facts in reader.all(_COLUMNS):
        columns[owner].append(tuple(facts))
    indexes = _read_indexes(reader.all(_INDEXES), {name: sql for kind, name, _, sql in schema if kind == "index"})
    kinds = {
        name: (kind, bool(without_rowid), bool(strict))
        for name, kind, without_rowid, strict in reader.all(
            "SELECT name, type, wr, strict FROM pragma_table_list WHERE schema = 'main'"
        )
    }
    estimates = _read_estimates(reader, (name for kind, name, *_ in schema if name.lower() == "sqlite_stat1"))
    tables: dict[tuple[str, str], Table] = {}
    for kind, name, _, sql in schema:
        if kind not in ("table", "view") or is_ours(kind, name, sql) or name.lower().startswith("sqlite_"):
            continue
        listed, without_rowid, strict = kinds.get(name, (kind, False, False))
        if listed in ("virtual", "view"):
            shown = _read_plain_columns(reader, name)
            tables["", name] = Table(
                "",
                name,
                listed,
                shown,
                trigger_bodies=tuple(bodies[name.lower()]),
                definition=read_view(sql) if listed == "view" else None,
            )
            continue
        facts = columns[name]
        own = indexes.get(name, [])
        alias = _rowid_alias(facts, own, without_rowid)
        tables["", name] = Table(
            "",
            name,
            "virtual" if listed == "shadow" else "table",
            _build_columns(facts, sql, strict, alias),
            _build_uniques(own, alias),
            tuple(_build_index(index) for index in own),
            without_rowid=without_rowid,
            trigger_bodies=tuple(bodies[name.lower()]),
            echoes=name.lower() in echoing,
            reenters=name.lower() in reentered,
            rows=estimates.get(name.lower()),
        )
    return Catalog(tables, search_path=("",), version=sqlite3.sqlite_version_info)


def _read_plain_columns(reader: Reader, name: str) -> tuple[Column, ...]:
    """Names and types of a view or a virtual table; none when SQLite cannot tell."""
    try:
        rows = reader.all(f"PRAGMA main.table_xinfo({SQLITE.quote(name)})")
    except sqlite3.OperationalError:
        # A view over a table that is gone, or a table whose module is not loaded: its kind is still worth showing.
        return ()
    return tuple(
        Column(column, kind, bool(not_null)) for _, column, kind, not_null, _, _, hidden in rows if hidden != 1
    )


def _read_estimates(reader: Reader, has_statistics: Iterable[str]) -> dict[str, int]:
    """Rows by lower-case table name, as the last ANALYZE saw them."""
    if not list(has_statistics):
        return {}
    rows = reader.all("SELECT lower(tbl), stat FROM main.sqlite_stat1 WHERE stat IS NOT NULL")
    estimates: dict[str, int] = {}
    for table, statistics in rows:
        first = str(statistics).partition(" ")[0]
        if first.isdigit():
            estimates[table] = max(int(first), estimates.get(table, 0))
    return estimates


def _read_indexes(rows: Iterable[tuple[Any, ...]], texts: Mapping[str, str | None]) -> dict[str, list[_IndexFacts]]:
    found: dict[str, list[_IndexFacts]] = defaultdict(list)
    for table, name, unique, origin, cid, column, collation in rows:
        own = found[table]
        if not own or own[-1].name != name:
            own.append(_IndexFacts(name, bool(unique), origin, texts.get(name), []))
        own[-1].terms.append((cid, column, collation))
    return found


def _rowid_alias(facts: list[tuple[Any, ...]], indexes: list[_IndexFacts], without_rowid: bool) -> str | None:
    """The column that is the rowid. SQLite makes an index for any other primary key, ``INTEGER PRIMARY KEY DESC`` too."""
    key = [(name, kind) for name, kind, _, _, place, _ in facts if place]
    if without_rowid or len(key) != 1 or key[0][1].upper() != "INTEGER":
        return None
    return None if any(index.origin == "pk" for index in indexes) else str(key[0][0])


def untyped(kind: str, strict: bool) -> str:
    """The type of a column for a table of ours. ANY keeps values as they come in a STRICT table alone, and makes 1 of '01'
    elsewhere, where no type does that."""
    return "" if strict and kind.upper() == "ANY" else kind


def _build_columns(facts: list[tuple[Any, ...]], sql: str, strict: bool, alias: str | None) -> tuple[Column, ...]:
    # Only these three facts need the text, and reading it is most of the work for a database of many tables.
    needs_text = "COLLATE" in sql.upper() or any(hidden in (2, 3) for *_, hidden in facts)
    texts = read_columns(sql) if needs_text else ()
    built = []
    for place, (name, kind, not_null, default, _key, hidden) in enumerate(facts):
        text = texts[place] if place < len(texts) else None
        built.append(
            Column(
                name,
                untyped(kind, strict),
                bool(not_null) or name == alias,
                None if hidden in (2, 3) else default_expression(default),
                (text.generated if text else None) if hidden in (2, 3) else None,
                text.collation if text else None,
                name == alias,
                strict,
            )
        )
    return tuple(built)


def _build_uniques(indexes: list[_IndexFacts], alias: str | None) -> tuple[Unique, ...]:
    uniques = []
    if alias is not None:
        uniques.append(Unique("rowid", (alias,), (SQLITE.quote(alias),), primary=True, collations=(None,)))
    for index in indexes:
        if not index.unique:
            continue
        text = read_index(index.sql) if index.sql else None
        expressions = tuple(
            SQLITE.quote(column) if column is not None else (text.terms[place] if text else "rowid")
            for place, (_, column, _) in enumerate(index.terms)
        )
        uniques.append(
            Unique(
                index.name,
                tuple(column for _, column, _ in index.terms),
                expressions,
                text.where if text else None,
                index.origin == "pk",
                tuple(known_collation(collation) for _, _, collation in index.terms),
            )
        )
    return tuple(uniques)


def _build_index(index: _IndexFacts) -> Index:
    text = read_index(index.sql) if index.sql else None
    terms = tuple(
        f"{EXPRESSION}{text.terms[place]}" if column is None and text else column
        for place, (_, column, _) in enumerate(index.terms)
    )
    return Index(index.name, terms, text.where if text else None)
