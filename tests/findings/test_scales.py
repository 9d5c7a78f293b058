"""Sums of numbers of different scales on PostgreSQL: `1.50` and `2` add up to `3.50`, and to `2` once the first is gone."""

import pytest

from tests.findings.place import Place
from tidemark.model import Freshness

GROUPS = """
SELECT g, sum(v) AS s, sum(v)::text AS t, avg(v) AS m, avg(v / 3) AS third, sum(v) FILTER (WHERE id > 2) AS some, sum(f) AS f
FROM t GROUP BY g
"""
COLUMNS = """
SELECT id, (SELECT coalesce(sum(v), 0)::text FROM t WHERE t.g = u.id) AS s, (SELECT avg(v) FROM t WHERE t.g = u.id) AS m
FROM u
"""
JOINED = "SELECT u.id, sum(t.v) AS s, avg(t.v) AS mean FROM u JOIN t ON t.g = u.id GROUP BY u.id"


@pytest.mark.parametrize("freshness", ["commit", "tick"])
def test_a_sum_has_the_scale_of_what_is_left(pg: Place, freshness: Freshness) -> None:
    pg.run(
        "CREATE TABLE t (id int PRIMARY KEY, g int, v numeric, f numeric(20, 3))",
        "CREATE TABLE u (id int PRIMARY KEY)",
        "INSERT INTO u VALUES (1), (2)",
        "INSERT INTO t VALUES (1, 1, 1.5, 1), (2, 1, 2.000, 2), (3, 1, 1, 3), (4, 2, 7, 1)",
    )
    pg.derive("groups", GROUPS, freshness=freshness)
    pg.derive("columns", COLUMNS, freshness=freshness)
    pg.derive("whole", "SELECT sum(v) AS s, avg(v) AS mean FROM t", freshness=freshness)
    pg.derive("joined", JOINED, freshness="tick")
    pg.tidemark.apply()
    for change in (
        "DELETE FROM t WHERE id = 2",
        "UPDATE t SET v = 3.0000 WHERE id = 1",
        "UPDATE t SET v = 3 WHERE id = 1",
        "INSERT INTO t VALUES (5, 2, 1 / 3.0, 1), (6, 2, 1000 / 3.0, 1)",
        # The quotient of what is left has fewer digits, and so it is another number.
        "DELETE FROM t WHERE id = 5",
        "UPDATE t SET v = 1e-150 WHERE id = 6",
        "UPDATE t SET v = 'NaN' WHERE id = 4",
        "UPDATE t SET v = 2, g = 1 WHERE id = 6",
        "UPDATE t SET v = NULL WHERE g = 2",
        "DELETE FROM t",
    ):
        pg.run(change)
        pg.tidemark.tick()
        for name, query in pg.queries.items():
            stored, true = (pg.rows(f"SELECT x::text FROM ({text}) x ORDER BY 1") for text in (f"TABLE {name}", query))
            assert stored == true, f"{change}: {name}"
    pg.verified()
