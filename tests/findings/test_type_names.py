"""Types of the user's own, whose names other engines have for other types."""

import pytest

from tests.findings.place import Place
from tidemark.errors import Code, Refusal
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


@pytest.mark.parametrize("freshness", ["commit", "tick"])
def test_such_words_are_names_where_they_are_no_types(pg: Place, freshness: Freshness) -> None:
    pg.run(
        'CREATE TABLE number (id integer PRIMARY KEY, string text, "char" integer, long integer)',
        "INSERT INTO number VALUES (1, 'string', 1, 2), (2, NULL, 1, 3)",
    )
    query = """SELECT short."char" AS blob, max(long) AS double, count(string) FILTER (WHERE string = 'string') AS uint
        FROM number AS short GROUP BY short."char\""""
    pg.derive("named", query, key="blob", freshness=freshness)
    pg.tidemark.apply()
    pg.run("INSERT INTO number VALUES (3, 'string', 1, 9), (4, 'string', 2, 1)", "DELETE FROM number WHERE long = 3")
    pg.drained()
    pg.verified()
    assert pg.rows("SELECT blob, double, uint FROM named ORDER BY blob") == [(1, 9, 2), (2, 1, 1)]


def test_a_literal_of_such_a_type_is_refused(pg: Place) -> None:
    """It was taken for one of a type that does not round."""
    pg.run("CREATE DOMAIN datetime AS timestamp(0)", "CREATE TABLE t (id integer PRIMARY KEY, at timestamp)")
    pg.derive("late", "SELECT id FROM t WHERE at > datetime '2026-01-01 10:00:00.7'", key="id")
    with pytest.raises(Refusal) as caught:
        pg.tidemark.apply()
    assert caught.value.code is Code.PARSE
