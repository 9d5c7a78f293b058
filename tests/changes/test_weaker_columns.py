"""A column that a program takes for never NULL and that may be NULL now, and a composite type with other attributes: a gap."""

import pytest

from tests.findings.conftest import pg, place
from tests.findings.place import Place
from tidemark.model import Freshness

__all__ = ["pg", "place"]

QUERIES: tuple[tuple[str, str, Freshness], ...] = (
    ("sums", "SELECT g, count(*) AS n, sum(v) AS v FROM f GROUP BY g", "tick"),
    ("kinds", "SELECT DISTINCT g FROM f", "tick"),
    ("ranks", "SELECT id, g, row_number() OVER (PARTITION BY g ORDER BY v, id) AS r FROM f", "tick"),
    ("counts", "SELECT u.id, (SELECT count(*) FROM f WHERE f.g = u.id) AS n FROM u", "commit"),
)
SETUP = (
    "CREATE TABLE u (id integer PRIMARY KEY)",
    "CREATE TABLE f (id integer PRIMARY KEY, g integer NOT NULL, v integer NOT NULL, unread integer NOT NULL)",
    "INSERT INTO u VALUES (1), (2)",
    "INSERT INTO f VALUES (1, 1, 5, 0), (2, 1, 6, 0), (3, 2, 7, 0)",
)


def allow_null(place: Place, column: str) -> None:
    """Take NOT NULL from a column of f without making the table anew: on SQLite in the way that its documentation describes."""
    if not place.is_sqlite:
        place.run(f"ALTER TABLE f ALTER COLUMN {column} DROP NOT NULL")
        return
    ((version,),) = place.rows("PRAGMA schema_version")
    place.run(
        "BEGIN",
        "PRAGMA writable_schema = ON",
        f"UPDATE sqlite_schema SET sql = replace(sql, '{column} integer NOT NULL', '{column} integer') WHERE name = 'f'",
        f"PRAGMA schema_version = {version + 1}",
        "PRAGMA writable_schema = OFF",
        "COMMIT",
    )


def captures(place: Place) -> set[str]:
    """What status says of the captures of every table."""
    return {status.captures for status in place.tidemark.status()}


def test_a_column_that_may_be_null_from_now_on(place: Place) -> None:
    place.run(*SETUP)
    for name, query, freshness in QUERIES:
        place.derive(name, query, freshness=freshness)
    place.tidemark.apply()
    allow_null(place, "unread")
    assert captures(place) == {"ok"}
    allow_null(place, "g")
    assert captures(place) == {"NOT NULL of column g of f is gone"}
    assert not any(report.clean for report in place.tidemark.verify())
    place.tidemark.apply()
    for _ in range(2):
        place.run("INSERT INTO f (id, g, v, unread) SELECT 10 + count(*), NULL, count(*), NULL FROM f")
        place.drained()
    place.run("DELETE FROM f WHERE g = 1")
    place.drained()
    place.verified()


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("ALTER TYPE pair RENAME ATTRIBUTE a TO b", "b integer, aside integer and was a integer, aside integer"),
        ("ALTER TYPE pair DROP ATTRIBUTE aside", "a integer and was a integer, aside integer"),
    ],
)
def test_a_composite_type_with_other_attributes(pg: Place, statement: str, says: str) -> None:
    pg.run(
        "CREATE TYPE pair AS (a integer, aside integer)", "CREATE TABLE f (id integer PRIMARY KEY, p pair, q pair[])"
    )
    pg.run("INSERT INTO f VALUES (1, '(1,2)', '{}')")
    pg.install("parts", "SELECT id, (p).a AS a FROM f", key="id")
    pg.run(statement)
    assert captures(pg) == {f"type of column p of f is {says}"}
