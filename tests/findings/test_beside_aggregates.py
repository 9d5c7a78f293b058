"""A column of an outer query beside an aggregate: one value for the subquery, whose aggregate takes many rows into one."""

from __future__ import annotations

import pytest

from tests.findings.place import Place
from tidemark.model import Freshness

QUERIES = {
    "added": "SELECT a.id, (SELECT a.k + count(*) FROM b WHERE b.k = a.k) AS c FROM a",
    "chosen": "SELECT a.id, (SELECT CASE WHEN count(*) > 1 THEN a.s ELSE max(b.s) END FROM b WHERE b.k = a.k) AS c FROM a",
    "tested": "SELECT a.id FROM a WHERE a.id < (SELECT a.k + count(*) FROM b WHERE b.k = a.k)",
    "grouped": "SELECT a.id, (SELECT b.k + count(*) FROM b WHERE b.k = a.k GROUP BY b.k ORDER BY 1 LIMIT 1) AS c FROM a",
    "by_key": "SELECT a.k, (SELECT a.k + count(*) FROM b WHERE b.k = a.k) AS c, count(*) AS n FROM a GROUP BY a.k",
}


@pytest.mark.parametrize("freshness", ["commit", "tick"])
def test_an_outer_column_beside_an_aggregate(place: Place, freshness: Freshness) -> None:
    for name in ("a", "b"):
        place.run(
            f"CREATE TABLE {name} (id integer PRIMARY KEY, k integer, s text)",
            f"INSERT INTO {name} VALUES (1, 1, 'a'), (2, 2, 'b'), (3, NULL, 'c')",
        )
    for name, query in QUERIES.items():
        place.derive(name, query, freshness=freshness)
    place.tidemark.apply()
    for change in (
        "INSERT INTO b VALUES (4, 1, 'z'), (5, 2, 'q'), (6, NULL, 'c')",
        "UPDATE a SET k = 2, s = 'y' WHERE id = 1",
        "DELETE FROM b WHERE id = 4",
        "UPDATE b SET k = 1",
    ):
        place.run(change)
        place.drained()
    place.verified()


def test_what_stands_before_within_group(pg: Place) -> None:
    pg.run(
        "CREATE TABLE a (id int PRIMARY KEY, k int, n numeric, s text)",
        "INSERT INTO a VALUES (1, 1, 2, 'a'), (2, 1, 3, 'b')",
    )
    pg.derive("shares", "SELECT k, percentile_cont(k * 0.1) WITHIN GROUP (ORDER BY n) AS p FROM a GROUP BY k")
    pg.derive(
        "ranks", "SELECT k, s, rank(k, s) WITHIN GROUP (ORDER BY id, s) AS r FROM a GROUP BY k, s", freshness="commit"
    )
    pg.tidemark.apply()
    for change in ("INSERT INTO a VALUES (3, 2, 9, 'a'), (4, 1, 1, 'a')", "DELETE FROM a WHERE id = 1"):
        pg.run(change)
        pg.drained()
    pg.verified()
