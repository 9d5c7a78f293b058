"""Asking PostgreSQL what it makes of a query, without running it.

Owns: `describe_query`, `give_tables`, `first_not_taken` and `reaches_index`. All make temporary things and must run inside a
transaction or savepoint that is rolled back; errors of the driver pass through where nothing else is said.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import psycopg

from tidemark.database.postgres.domains import BARE_TYPE, UNDER_DOMAINS
from tidemark.database.postgres.equality import COMPARABLE
from tidemark.database.postgres.parameters import to_numbered
from tidemark.dialect import POSTGRESQL
from tidemark.errors import Code, Refusal
from tidemark.model import OutputColumn, Table

All = Callable[[str], list[tuple[Any, ...]]]
Send = Callable[[str], None]
Undone = Callable[[], AbstractContextManager[None]]
Translate = Callable[[psycopg.Error, str], Exception]

PROBE = "tidemark__probe"
FIND_PREPARED = f"SELECT 1 FROM pg_catalog.pg_prepared_statements WHERE name = '{PROBE}'"
FORGET_PREPARED = f"DEALLOCATE {PROBE}"
OPENING = f"CREATE TEMPORARY VIEW {PROBE} AS "
_COLUMNS = f"""
WITH RECURSIVE {UNDER_DOMAINS}
SELECT a.attname, {BARE_TYPE},
       CASE WHEN a.attcollation <> b.typcollation
            THEN CASE WHEN pg_catalog.pg_collation_is_visible(o.oid) THEN o.collname ELSE s.nspname || '.' || o.collname END
       END, b.typtype = 'c', {COMPARABLE.format(type="a.atttypid")}, b.typtype = 'e'
FROM pg_catalog.pg_attribute AS a LEFT JOIN under AS u ON u.domain = a.atttypid
    JOIN pg_catalog.pg_type AS b ON b.oid = coalesce(u.type, a.atttypid)
    LEFT JOIN pg_catalog.pg_collation AS o ON o.oid = a.attcollation
    LEFT JOIN pg_catalog.pg_namespace AS s ON s.oid = o.collnamespace
WHERE a.attrelid = 'pg_temp.{PROBE}'::regclass AND a.attnum > 0 ORDER BY a.attnum
"""
_DESCENT = """
WITH RECURSIVE descent AS (
    SELECT c.oid, c.oid AS root FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'm', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
      AND %s IN (c.relname, n.nspname || '.' || c.relname)
    UNION ALL
    SELECT i.inhrelid, d.root FROM descent AS d JOIN pg_catalog.pg_inherits AS i ON i.inhparent = d.oid
)
"""
_PARTITIONS = f"""{_DESCENT}
SELECT n.nspname, c.relname FROM descent AS d JOIN pg_catalog.pg_class AS c ON c.oid = d.oid
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
"""
_TINY = f"""{_DESCENT}
SELECT n.nspname, c.relname FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND c.oid IN (SELECT d.root FROM descent AS d)
  AND (SELECT sum(k.reltuples) <= 1 FROM descent AS d JOIN pg_catalog.pg_class AS k ON k.oid = d.oid
       WHERE d.root = c.oid AND k.reltuples >= 0)
"""
# The question is whether an index can serve, not whether it pays on today's small tables: so a page read in order costs a
# fortune, one reached through an index nothing. An empty temporary table has no pages; it is read for nothing.
_PREFER_INDEXES = """
SET LOCAL seq_page_cost = 1e9; SET LOCAL random_page_cost = 0.001; SET LOCAL cpu_tuple_cost = 1;
SET LOCAL cpu_index_tuple_cost = 1; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off;
SET LOCAL enable_material = off; SET LOCAL enable_memoize = off; SET LOCAL max_parallel_workers_per_gather = 0;
SET LOCAL plan_cache_mode = force_generic_plan; SET LOCAL jit = off
"""
# A table that was never analyzed is taken for ten pages, which an empty batch of keys has not.
_NOT_ANALYZED = """
SELECT pg_catalog.format('ANALYZE pg_temp.%I', c.relname) FROM pg_catalog.pg_class AS c
WHERE c.relnamespace = pg_catalog.pg_my_temp_schema() AND c.relkind = 'r' AND c.reltuples < 0
"""


def give_tables(read: All, given: Sequence[Table]) -> Callable[[str], str]:
    """Make the given tables and views as temporary ones; give what puts their names in the place of qualified ones."""
    renamed: list[tuple[str, re.Pattern[str], str]] = []

    def named(text: str) -> str:
        for word, pattern, name in renamed:
            # Most texts name few of them, and each pattern reads the whole text.
            if word in text or word in text.lower():
                text = pattern.sub(lambda _, name=name: name, text)  # type: ignore[misc]
        return text

    for number, table in enumerate(given):
        # An unqualified name finds a temporary view first; a store is always written with its schema.
        is_view = table.definition is not None
        name = POSTGRESQL.quote(table.name if is_view else f"{PROBE}_given_{number}")
        if is_view:
            read(f"CREATE TEMPORARY VIEW {name} AS {named(table.definition or '')}")
        else:
            columns = [
                f"{POSTGRESQL.quote(column.name)} {column.type}"
                + (f" COLLATE {POSTGRESQL.quote(column.collation)}" if column.collation else "")
                for column in table.columns
            ]
            read(f"CREATE TEMPORARY TABLE {name} ({', '.join(columns)})")
        spelled = rf'(?<![\w"])(?:{_spellings(table.schema)})\s*\.\s*(?:{_spellings(table.name)})(?![\w"])'
        word = POSTGRESQL.quote(table.name)[1:-1]
        renamed.append((word, re.compile(spelled), f"pg_temp.{name}"))
    return named


_NOT_NULL = re.compile(r"\(+[^()]* IS NOT NULL\)+( AND \(+[^()]* IS NOT NULL\)+)*")


def describe_query(read: All, send_single: Send, query: str) -> tuple[OutputColumn, ...]:
    """Names, types and collations of the query's columns."""
    send_single(OPENING + query)
    # Making a view asks for no rights on what it reads; planning to read it does.
    read(f"EXPLAIN SELECT * FROM pg_temp.{PROBE}")
    columns = [OutputColumn(*facts) for facts in read(_COLUMNS)]
    for column in columns:
        if column.name == "?column?":
            raise Refusal(
                Code.DECLARATION, "A column of the query has no name.", instead="give each column a name with AS"
            )
    return tuple(columns)


def first_not_taken(read: All, undone: Undone, translate: Translate, expressions: Sequence[str]) -> str | None:
    """The first expression over the probe's columns that no index takes. All are asked about at once; where that fails, in
    halves: what is not taken is among them, or they are more than the catalog holds in a row. Raises what `translate` makes of an
    error about one of them."""
    groups = (expressions[start : start + 50] for start in range(0, len(expressions), 50))
    # A test that can be false would fold away what stands beside it; this one is always true.
    together = " AND ".join(f"num_nonnulls({', '.join(f'({one})' for one in group)}) >= 0" for group in groups)
    try:
        with undone():
            read(f"CREATE INDEX ON pg_temp.{PROBE} ((1)) WHERE {together}")
            return None
    except psycopg.Error as error:
        if len(expressions) == 1 and isinstance(error, psycopg.errors.InvalidObjectDefinition):
            return expressions[0]
        if len(expressions) == 1:
            raise translate(error, expressions[0]) from error
    half = len(expressions) // 2
    first = first_not_taken(read, undone, translate, expressions[:half])
    return first_not_taken(read, undone, translate, expressions[half:]) if first is None else first


def reaches_index(read: All, send_single: Send, sql: str, table: str) -> bool:
    """True when no node of the statement's plan reads all of `table` or of a partition of it."""
    names = set(read(_PARTITIONS.replace("%s", POSTGRESQL.literal(table))))
    for (analyze,) in read(_NOT_ANALYZED):
        read(analyze)
    read(_PREFER_INDEXES)
    if _plan_reaches(read, send_single, sql, names):
        return True
    tiny = read(_TINY.replace("%s", POSTGRESQL.literal(table)))
    if not tiny:
        return False
    # A table known to have at most a row costs the same either way. An empty copy, never analyzed, is planned for as a full one.
    for schema, name in tiny:
        quoted = POSTGRESQL.quote(name)
        read(
            f"CREATE TEMPORARY TABLE {quoted} (LIKE {POSTGRESQL.quote(schema, name)} INCLUDING INDEXES INCLUDING GENERATED)"
        )
        sql = re.sub(
            rf'(?<![\w"])(?:{_spellings(schema)})\s*\.\s*(?:{_spellings(name)})(?![\w"])',
            lambda _, quoted=quoted: f"pg_temp.{quoted}",  # type: ignore[misc]
            sql,
        )
    read(FORGET_PREPARED)
    return _plan_reaches(read, send_single, sql, names | {("pg_temp", name) for _, name in tiny})


def _spellings(name: str) -> str:
    quoted = re.escape(POSTGRESQL.quote(name))
    # Without quotes capitals are no others.
    return f"{quoted}|(?i:{name})" if re.fullmatch(r"[a-z_][a-z0-9_]*", name) else quoted


def _plan_reaches(read: All, send_single: Send, sql: str, names: set[tuple[Any, ...]]) -> bool:
    numbered, count = to_numbered(sql)
    send_single(f"PREPARE {PROBE} AS {numbered}")
    arguments = f"({', '.join(['NULL'] * count)})" if count else ""
    plan = read(f"EXPLAIN (FORMAT JSON, VERBOSE) EXECUTE {PROBE}{arguments}")[0][0]
    return not any(
        (node.get("Schema"), node.get("Relation Name")) in names and _reads_all(node)
        for part in json.loads(plan)
        for node in _nodes(part.get("Plan", {}))
    )


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", []):
        yield from _nodes(child)


def _reads_all(node: dict[str, Any]) -> bool:
    kind = node.get("Node Type", "")
    if kind in ("Index Scan", "Index Only Scan"):
        return not _seeks(node)
    if kind == "Bitmap Heap Scan":
        return any(inner.get("Node Type") == "Bitmap Index Scan" and not _seeks(inner) for inner in _nodes(node))
    return kind in ("Seq Scan", "Sample Scan", "Foreign Scan")


def _seeks(node: dict[str, Any]) -> bool:
    """Whether an index is entered at a value: one that is only walked past its NULLs is read whole."""
    return "Index Cond" in node and _NOT_NULL.fullmatch(node["Index Cond"]) is None
