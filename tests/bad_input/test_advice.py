"""What is said instead of a query that is refused can be written there."""

from __future__ import annotations

import sqlite3

from tests.bad_input.town import Town
from tidemark.errors import Code

AGGREGATES = "the aggregate over a subquery with ORDER BY"
PATHS = (
    "WITH RECURSIVE r(id, n) AS (SELECT id, 0 FROM t UNION ALL SELECT t.id, n + 1 FROM t JOIN r ON t.id > r.id) "
    "SELECT id, n FROM r"
)
SQLITE = (
    ("SELECT id, (g, v) AS x FROM t", Code.PARSE, "column of its own"),
    ("SELECT g, group_concat(v) AS x FROM t GROUP BY g", Code.VOLATILE, AGGREGATES),
    (
        "SELECT g, max(id) AS id, v FROM t GROUP BY g",
        Code.UNSUPPORTED,
        "row_number() OVER (PARTITION BY … ORDER BY … DESC)",
    ),
    (
        "SELECT x, count(*) AS n FROM (SELECT g AS x FROM t UNION ALL SELECT abs(v) FROM t) GROUP BY x",
        Code.GLOBAL,
        "CAST(x AS TEXT)",
    ),
    (PATHS, Code.GLOBAL, "SELECT id AS root, …"),
    ("SELECT t.id, t.v - x.m AS v FROM t, (SELECT avg(v) AS m FROM t) x", Code.GLOBAL, "as one figure in WHERE"),
    (
        "SELECT abs(t.v) AS code, count(*) AS n FROM t JOIN u ON u.id = t.id GROUP BY code",
        Code.UNSUPPORTED,
        "GROUP BY abs(",
    ),
)
POSTGRES = (
    ("SELECT id, (g, v) AS x FROM t", Code.PARSE, "column of its own"),
    ("SELECT g, array_agg(v) AS x FROM t GROUP BY g", Code.VOLATILE, "array_agg(… ORDER BY …)"),
    ("SELECT id FROM t TABLESAMPLE BERNOULLI (10)", Code.UNSUPPORTED, "id % 10 = 0"),
    ("SELECT id FROM ONLY t", Code.UNSUPPORTED, "without ONLY"),
    ("SELECT id FROM t FOR UPDATE", Code.UNSUPPORTED, "FOR UPDATE"),
    (PATHS, Code.GLOBAL, "SELECT id AS root, …"),
    (
        "SELECT id FROM t WHERE to_tsvector('a') @@ to_tsquery('a')",
        Code.SESSION_DEPENDENT,
        "to_tsvector('english', body)",
    ),
    ("SELECT id, (jsonb_each('{}')).key AS k FROM t", Code.UNSUPPORTED, "AS x, and x.key in its place"),
    (
        "SELECT id, a FROM t CROSS JOIN LATERAL ROWS FROM (unnest('{1}'::int[])) AS z(a)",
        Code.UNSUPPORTED,
        "one function",
    ),
    (
        "SELECT id, date_trunc('day', to_timestamp(id)) AS x FROM t",
        Code.SESSION_DEPENDENT,
        "date_trunc('day', t AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'",
    ),
    ("SELECT j.id FROM t JOIN u USING (id) AS j", Code.UNSUPPORTED, "id in the place of j.id"),
    (
        "SELECT g FROM t GROUP BY g HAVING EXISTS (SELECT 1 FROM u WHERE u.id = max(t.v))",
        Code.SUBQUERY_SHAPE,
        "max(…) AS m … GROUP BY …) AS x, and x.m here",
    ),
)
OLD = sqlite3.sqlite_version_info < (3, 44)


def test_what_is_said_can_be_written(town: Town) -> None:
    ordered = ("SELECT g, group_concat(v, ',' ORDER BY id) AS x FROM t GROUP BY g", Code.PARSE, AGGREGATES)
    for query, code, words in (*SQLITE, *((ordered,) if OLD else ())) if town.is_sqlite else POSTGRES:
        town.declare(query)
        town.refused(code, words)
