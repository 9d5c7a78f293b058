"""Rows that look alike are kept as often as the query gives them, where nothing identifies them but their number."""

import pytest

from tests.findings.place import Place
from tidemark.errors import Code, Refusal

SCHEMA = (
    "CREATE TABLE t (a integer, b text)",
    "CREATE TABLE u (b text)",
    "INSERT INTO t VALUES (1, 'x'), (1, 'x'), (NULL, NULL), (NULL, NULL), (2, 'y')",
    "INSERT INTO u VALUES ('x'), ('x'), (NULL)",
)
QUERIES = {
    "all_rows": "SELECT a, b FROM t",
    "values_of": "SELECT b FROM t WHERE a IS NULL OR a > 0",
    "joined": "SELECT t.a, u.b FROM t JOIN u ON u.b = t.b",
    "either": "SELECT b FROM t UNION ALL SELECT b FROM u",
    "named": "WITH x AS (SELECT b FROM t UNION ALL SELECT b FROM u) SELECT x.b FROM x WHERE x.b IS NOT NULL",
}
CHANGES = (
    "INSERT INTO t VALUES (1, 'x'), (3, NULL), (NULL, 'x')",
    "DELETE FROM u WHERE b = 'x'",
    "UPDATE t SET b = 'y' WHERE a = 1",
    "INSERT INTO u VALUES ('y'), ('y'), ('x'), (NULL)",
    "UPDATE t SET a = NULL, b = NULL",
    "DELETE FROM t",
)


def test_copies_are_kept_as_often_as_they_are(place: Place) -> None:
    place.run(*SCHEMA)
    _followed(place, QUERIES)


def test_copies_of_set_operations_are(pg: Place) -> None:
    pg.run(*SCHEMA)
    _followed(
        pg,
        {
            "rest": "SELECT b FROM t EXCEPT ALL SELECT b FROM u",
            "in_both": "SELECT b FROM t INTERSECT ALL SELECT b FROM u",
        },
    )


def _followed(place: Place, queries: dict[str, str], changes: tuple[str, ...] = CHANGES) -> None:
    for name, query in queries.items():
        place.derive(name, query)
    place.tidemark.apply()
    for change in changes:
        place.run(change)
        place.drained()
        for name, query in queries.items():
            assert _bag(place, f"SELECT * FROM {name}") == _bag(place, query), (name, change)
        place.verified()


def _bag(place: Place, query: str) -> list[str]:
    return sorted(map(repr, place.rows(query)))


def test_copies_that_are_spelled_in_several_ways_keep_their_spelling(lite: Place) -> None:
    lite.run(
        "CREATE TABLE t (a, b TEXT COLLATE NOCASE)",
        "INSERT INTO t VALUES (1, 'x'), (1.0, 'X'), ('1', 'x'), (1.0, 'x'), (1, 'X'), (x'31', NULL), (NULL, NULL)",
    )
    _followed(
        lite,
        {"all_rows": "SELECT a, b FROM t", "values_of": "SELECT b FROM t", "other": "SELECT a FROM t"},
        ("INSERT INTO t VALUES (1.0, 'X'), (1, 'x'), (1.0, 'x'), (1, 'X')", "DELETE FROM t WHERE typeof(a) = 'real'"),
    )


def test_copies_keep_their_digits(pg: Place) -> None:
    pg.run(
        "CREATE TABLE t (n numeric, b text)", "INSERT INTO t VALUES (1.0, 'x'), (1.00, 'x'), (1.0, 'x'), ('NaN', NULL)"
    )
    _followed(
        pg,
        {"all_rows": "SELECT n, b FROM t", "values_of": "SELECT n FROM t"},
        ("INSERT INTO t VALUES (1, 'x'), (1.00, 'x')",),
    )


def test_rows_without_equality_are_refused(pg: Place) -> None:
    pg.run("CREATE TABLE t (j json)")
    pg.derive("rows", "SELECT j FROM t")
    with pytest.raises(Refusal) as met:
        pg.tidemark.plan()
    assert met.value.code is Code.KEY_MISSING
