"""What a SQLite database holds, read from its schema.

Owns: `read_catalog` and `read_installed`. Promises: a handful of queries however many tables there are; a table whose
module is not loaded or a view that is broken is shown without columns and stops nothing.
"""

from __future__ import annotations

import re
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from tidemark.contract.script import canonical_create
from tidemark.database.sqlite.reach import KEYS, REFERENCES, come_first, read_trigger, read_ways
from tidemark.database.sqlite.text import default_expression, known_collation, read_columns, read_index, read_view
from tidemark.dialect import SQLITE
from tidemark.model import EXPRESSION, Catalog, Column, Index, Table, Unique
from tidemark.plain import fingerprint

# So many names are looked for by name; where there are more, everything is read.
NAMES_MAX = 200
_OURS_BEGIN = SQLITE.literal(SQLITE.ours_prefix)
_THEIRS = f"type = 'trigger' AND substr(name, 1, length({_OURS_BEGIN})) <> {_OURS_BEGIN} COLLATE NOCASE"
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
    theirs, what = _THEIRS, "type, name, sql, tbl_name"
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
    late = frozenset[str]()
    if users:
        bodies: dict[str, list[str]] = defaultdict(list)
        for _, _, sql, on in users:
            bodies[on.lower()].append(sql)
        standing = [(name, sql, on, is_ours(kind, name, sql)) for kind, name, sql, on in rows if kind == "trigger"]
        ways = read_ways(reader.all(REFERENCES), bodies)
        late = come_first(ways, _read_keys(reader, ways.rewritten()), standing)
    return {
        name: "outdated" if name in late else fingerprint(canonical_create(sql)) if sql else "?"
        for kind, name, sql, _ in rows
        if (names is None or name in names) and is_ours(kind, name, sql)
    }


def _read_keys(reader: Reader, tables: Collection[str]) -> dict[str, set[str]]:
    """Of each table the columns that its keys may be made of, in lower case."""
    found: dict[str, set[str]] = defaultdict(set)
    if tables:
        for table, column in reader.all(KEYS):
            found[table.lower()].add(column.lower())
    return found


def read_early(reader: Reader, tables: Collection[str]) -> tuple[str, ...]:
    """The statements that make the user's BEFORE triggers anew, in their order, of those tables where one of them may write the
    row that it runs before."""
    if not tables:
        return ()
    # Nearly all triggers are ours, and their texts are long.
    schema = reader.all(f"SELECT name, tbl_name, sql FROM main.sqlite_schema WHERE {_THEIRS} ORDER BY rowid")
    users = [(name, on.lower(), sql) for name, on, sql in schema]
    wanted = {table.lower() for table in tables} & {on for _, on, _ in users}
    if not wanted:
        return ()
    bodies: dict[str, list[str]] = defaultdict(list)
    for _, on, sql in users:
        bodies[on].append(sql)
    wanted &= read_ways(reader.all(REFERENCES), bodies).rewritten()
    early = [(name, sql) for name, on, sql in users if on in wanted and read_trigger(sql).timing == "before"]
    return tuple(text for name, sql in early for text in (f"DROP TRIGGER {SQLITE.quote(name)}", sql))


def read_catalog(reader: Reader) -> Catalog:
    """Every table and view that is not ours."""
    schema = reader.all("SELECT type, name, tbl_name, sql FROM main.sqlite_schema")
    # A column of a hash of lower-case names: triggers and indexes may spell their table in another case.
    bodies: dict[str, list[str]] = defaultdict(list)
    for kind, name, on, sql in schema:
        if kind == "trigger" and not is_ours(kind, name, sql):
            bodies[on.lower()].append(sql)
    ways = read_ways(reader.all(REFERENCES), bodies)
    echoing, reentered, rewritten = ways.echoing(), ways.reentered(), ways.rewritten()
    unfollowed = ways.unfollowed(_read_keys(reader, rewritten))
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
            rewritten=name.lower() in rewritten,
            unfollowed=name.lower() in unfollowed,
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
