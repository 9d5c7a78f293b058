"""Wide integers beside doubles on PostgreSQL: two keys may be equal to one double, so that nothing proves a row for each."""

import pytest

from tests.findings.place import Place
from tidemark.errors import Code, Refusal

QUERIES = {
    "a column": "SELECT a.id, b.id AS met FROM a JOIN b ON b.id = a.f",
    "a cast": "SELECT a.id, b.id AS met FROM a JOIN b ON b.id = CAST(a.n AS double precision)",
    "a function": "SELECT a.id, b.id AS met FROM a JOIN b ON b.id = sqrt(a.n)",
    "what a subquery passes on": "SELECT a.id, b.id AS met FROM (SELECT id, f FROM a) AS a JOIN b ON b.id = a.f",
    "a left join": "SELECT a.id, b.id AS met FROM a LEFT JOIN b ON b.id = a.f",
    "another collation": 'SELECT a.id, c.t AS met FROM a JOIN c ON c.t = a.t COLLATE "level2"',
}


@pytest.fixture
def wide(pg: Place) -> Place:
    pg.run(
        "CREATE COLLATION level2 (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
        "CREATE TABLE a (id integer PRIMARY KEY, f double precision, n bigint, t text)",
        "CREATE TABLE b (id bigint PRIMARY KEY)",
        "CREATE TABLE c (t text PRIMARY KEY)",
        "INSERT INTO b VALUES (9007199254740992), (9007199254740993)",
        "INSERT INTO c VALUES ('a'), ('A')",
    )
    return pg


@pytest.mark.parametrize("query", QUERIES)
def test_a_double_proves_no_row_of_a_wide_key(wide: Place, query: str) -> None:
    wide.derive("met", QUERIES[query], key="id", freshness="commit")
    with pytest.raises(Refusal) as caught:
        wide.tidemark.apply()
    assert caught.value.code is Code.KEY_UNPROVEN


def test_a_wide_number_does(wide: Place) -> None:
    last = "(SELECT id, max(n) AS n FROM a GROUP BY id)"
    wide.derive("met", f"SELECT a.id, b.id AS met FROM {last} AS a JOIN b ON b.id = a.n", key="id")
    wide.tidemark.apply()
    wide.run("INSERT INTO a VALUES (1, 9007199254740992, 9007199254740993, 'a')", "UPDATE a SET n = n - 1")
    wide.drained()
    wide.verified()
