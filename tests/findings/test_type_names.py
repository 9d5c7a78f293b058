"""Types of the user's own, whose names other engines have for other types."""

import pytest

from tests.findings.place import Place
from tidemark.model import Freshness


@pytest.mark.parametrize("freshness", ["commit", "tick"])
def test_types_of_the_users_that_are_called_like_those_of_other_engines(pg: Place, freshness: Freshness) -> None:
    """sqlglot would write TIMESTAMP for ``datetime``, DECIMAL for ``number`` and TEXT for ``string``, quoted or not."""
    pg.run(
        "CREATE DOMAIN datetime AS timestamp(0)",
        "CREATE DOMAIN number AS integer",
        'CREATE DOMAIN "string" AS varchar(2)',
        "CREATE TABLE t (id integer PRIMARY KEY, at timestamp, n numeric, s text)",
        "INSERT INTO t VALUES (1, '2026-01-01 10:00:00.7', 1.6, 'abc')",
    )
    named = """at::datetime AS at, CAST(n AS number) AS n, s::"string" AS s, '101'::"bit" AS b, s::"char" AS c"""
    query = f"SELECT id, {named} FROM t"
    pg.derive("shown", query, key="id", freshness=freshness)
    pg.derive("by_second", "SELECT at::datetime AS at, count(*) AS n FROM t GROUP BY at::datetime", freshness=freshness)
    pg.tidemark.apply()
    pg.run("INSERT INTO t VALUES (2, '2026-01-01 10:00:01.2', 2.4, 'xyz')", "UPDATE t SET n = 7.5 WHERE id = 1")
    pg.drained()
    pg.verified()
    assert pg.rows("SELECT n, s, b::text FROM shown ORDER BY id") == [(8, "ab", "101"), (2, "xy", "101")]
    assert pg.rows("SELECT n FROM by_second") == [(2,)]
