"""Asking PostgreSQL what it makes of a query, without running it.

Owns: `describe_query` and `reaches_index`. Both make temporary things and must run inside a transaction or savepoint that is
rolled back; errors of the driver pass through.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from tidemark.database.postgres_parameters import to_numbered
from tidemark.dialect import POSTGRESQL
from tidemark.errors import Code, Refusal
from tidemark.model import OutputColumn

All = Callable[[str], list[tuple[Any, ...]]]
Send = Callable[[str], None]

_PROBE = "tidemark__probe"
FIND_PREPARED = f"SELECT 1 FROM pg_catalog.pg_prepared_statements WHERE name = '{_PROBE}'"
FORGET_PREPARED = f"DEALLOCATE {_PROBE}"
OPENING = f"CREATE TEMPORARY VIEW {_PROBE} AS "
_COLUMNS = f"""
SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod),        CASE WHEN a.attcollation <> t.typcollation
            THEN CASE WHEN pg_catalog.pg_collation_is_visible(o.oid) THEN o.collname ELSE s.nspname || '.' || o.collname END
       END
FROM pg_catalog.pg_attribute AS a JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
    LEFT JOIN pg_catalog.pg_collation AS o ON o.oid = a.attcollation
    LEFT JOIN pg_catalog.pg_namespace AS s ON s.oid = o.collnamespace
WHERE a.attrelid = 'pg_temp.{_PROBE}'::regclass AND a.attnum > 0 ORDER BY a.attnum
"""
_PARTITIONS = """
WITH RECURSIVE descent AS (
    SELECT c.oid FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'm', 'f') AND %s IN (c.relname, n.nspname || '.' || c.relname)
    UNION ALL
    SELECT i.inhrelid FROM descent AS d JOIN pg_catalog.pg_inherits AS i ON i.inhparent = d.oid
)
SELECT n.nspname, c.relname FROM descent AS d JOIN pg_catalog.pg_class AS c ON c.oid = d.oid
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
"""
# The question is whether an index can serve, not whether it pays on today's small tables.
_PREFER_INDEXES = """
SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off;
SET LOCAL enable_material = off; SET LOCAL enable_memoize = off; SET LOCAL max_parallel_workers_per_gather = 0;
SET LOCAL plan_cache_mode = force_generic_plan; SET LOCAL jit = off
"""


def describe_query(read: All, send_single: Send, query: str) -> tuple[OutputColumn, ...]:
    """Names, types and collations of the query's columns."""
    send_single(OPENING + query)
    columns = [OutputColumn(name, kind, collation) for name, kind, collation in read(_COLUMNS)]
    for column in columns:
        if column.name == "?column?":
            raise Refusal(
                Code.DECLARATION, "A column of the query has no name.", instead="give each column a name with AS"
            )
    return tuple(columns)


def reaches_index(read: All, send_single: Send, sql: str, table: str) -> bool:
    """True when no node of the statement's plan reads all of `table` or of a partition of it."""
    names = set(read(_PARTITIONS.replace("%s", POSTGRESQL.literal(table))))
    read(_PREFER_INDEXES)
    numbered, count = to_numbered(sql)
    send_single(f"PREPARE {_PROBE} AS {numbered}")
    arguments = f"({', '.join(['NULL'] * count)})" if count else ""
    plan = read(f"EXPLAIN (FORMAT JSON, VERBOSE) EXECUTE {_PROBE}{arguments}")[0][0]
    parsed = json.loads(plan) if isinstance(plan, str) else plan
    return not any(
        (node.get("Schema"), node.get("Relation Name")) in names and _reads_all(node)
        for part in parsed
        for node in _nodes(part.get("Plan", {}))
    )


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", []):
        yield from _nodes(child)


def _reads_all(node: dict[str, Any]) -> bool:
    kind = node.get("Node Type", "")
    if kind in ("Index Scan", "Index Only Scan"):
        return "Index Cond" not in node
    if kind == "Bitmap Heap Scan":
        return any(
            inner.get("Node Type") == "Bitmap Index Scan" and "Index Cond" not in inner for inner in _nodes(node)
        )
    return kind in ("Seq Scan", "Sample Scan", "Foreign Scan")
