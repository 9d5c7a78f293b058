"""Values that do not add up exactly change, while everything that is added up stays as it was."""

import pytest

from tests.findings.place import Place
from tidemark.model import Freshness

ODD = {"sqlite": ("2.75", "1.5", "-0.5"), "postgres": ("'NaN'", "'Infinity'", "'-Infinity'")}


@pytest.mark.parametrize("freshness", ["commit", "tick"])
def test_one_odd_value_in_the_place_of_another(place: Place, freshness: Freshness) -> None:
    kind = "REAL" if place.is_sqlite else "numeric"
    first, second, third = ODD["sqlite" if place.is_sqlite else "postgres"]
    place.run(
        f"CREATE TABLE t (id INTEGER PRIMARY KEY, g INTEGER, v {kind})",
        "CREATE TABLE u (g INTEGER PRIMARY KEY, m INTEGER)",
        "INSERT INTO u VALUES (1, 1), (2, 2)",
        f"INSERT INTO t VALUES (1, 1, {first}), (2, 1, 4), (3, 2, 5), (4, NULL, {first})",
    )
    place.derive("alone", "SELECT g, sum(v) AS s, avg(v) AS mean FROM t GROUP BY g", freshness=freshness)
    joined = "SELECT t.g, u.m, count(*) AS n, sum(t.v) AS s FROM t JOIN u ON u.g = t.g GROUP BY t.g, u.m"
    place.derive("joined", joined, freshness="tick")
    twice = "SELECT a.g, sum(b.v) AS s FROM t a JOIN t b ON coalesce(b.g, 0) = coalesce(a.g, 0) GROUP BY a.g"
    place.derive("twice", twice, freshness="tick")
    place.tidemark.apply()
    for change in (
        f"UPDATE t SET v = {second} WHERE id = 1",
        f"UPDATE t SET v = {third} WHERE v = {second}",
        f"UPDATE t SET v = {second} WHERE g IS NULL",
        f"UPDATE t SET v = {first} WHERE id IN (1, 4)",
        f"UPDATE t SET v = {second} WHERE id = 3",
        "UPDATE t SET v = 7 WHERE id = 1",
        f"UPDATE t SET v = {third} WHERE id IN (2, 3)",
        "UPDATE t SET v = 1",
    ):
        place.run(change)
        place.drained()
    place.verified()


@pytest.mark.parametrize("freshness", ["commit", "tick"])
def test_a_total_over_no_rows_is_zero_and_leaves_nothing_stored(lite: Place, freshness: Freshness) -> None:
    lite.run("CREATE TABLE t (id INTEGER PRIMARY KEY, k INTEGER, v)", "CREATE TABLE u (k INTEGER PRIMARY KEY)")
    lite.run("INSERT INTO t VALUES (1, 1, 1), (2, 1, 2.5), (3, 2, 'x')", "INSERT INTO u VALUES (1), (2)")
    lite.derive("whole", "SELECT total(v) AS s FROM t", freshness=freshness)
    lite.derive("grouped", "SELECT k, total(v) FILTER (WHERE v > 1) AS s FROM t GROUP BY k", freshness=freshness)
    lite.derive("beside", "SELECT u.k, (SELECT total(v) FROM t WHERE t.k = u.k) AS s FROM u", freshness=freshness)
    lite.tidemark.apply()
    for change in (
        "UPDATE t SET k = 3 WHERE id = 1",
        "DELETE FROM t WHERE k = 1",
        # Of infinities of both signs it is NULL.
        "INSERT INTO t VALUES (4, 3, 9e999), (5, 3, -9e999)",
        "DELETE FROM t WHERE id = 4",
        "DELETE FROM t",
    ):
        lite.run(change)
        lite.drained()
        lite.verified()
