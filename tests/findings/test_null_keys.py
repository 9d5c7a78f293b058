"""Rows whose group is NULL are a group, on both engines, for one column and for several."""

import pytest

from tests.findings.place import Place
from tidemark.model import Freshness

CHANGES = (
    "INSERT INTO t VALUES (10, NULL, NULL, 1), (11, NULL, 'x', 2), (12, 1, NULL, 3)",
    "UPDATE t SET a = NULL WHERE id = 1",
    "UPDATE t SET a = 0, b = '' WHERE a IS NULL AND b IS NULL",
    "UPDATE t SET v = NULL WHERE a IS NULL",
    "DELETE FROM t WHERE b IS NULL",
    "INSERT INTO t VALUES (20, NULL, NULL, NULL)",
    "DELETE FROM t",
)


@pytest.mark.parametrize("freshness", ["commit", "tick"])
def test_null_groups(place: Place, freshness: Freshness) -> None:
    place.run(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER, b TEXT, v INTEGER)",
        "INSERT INTO t VALUES (1, 1, 'x', 1), (2, NULL, 'x', 2), (3, NULL, NULL, 3), (4, 0, '', 4)",
    )
    place.derive("one", "SELECT a, count(*) AS n, sum(v) AS s FROM t GROUP BY a", freshness=freshness)
    place.derive("two", "SELECT a, b, count(v) AS n, max(v) AS top FROM t GROUP BY a, b", freshness=freshness)
    place.derive(
        "shaped",
        "SELECT coalesce(a, 0) + 1 AS k, nullif(b, '') AS l, min(v) AS low FROM t GROUP BY 1, 2",
        freshness=freshness,
    )
    place.derive("one_row", "SELECT count(*) AS n, sum(v) AS s, min(a) AS low FROM t")
    place.tidemark.apply()
    for change in CHANGES:
        place.run(change)
        place.drained()
    place.verified()


def test_the_missing_row_of_the_null_group_is_found_and_mended(place: Place) -> None:
    place.run("CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER)", "INSERT INTO t VALUES (1, NULL), (2, 1)")
    place.install("groups", "SELECT a, count(*) AS n FROM t GROUP BY a")
    store = "tidemark_groups" if place.is_sqlite else "tidemark.groups"
    place.run(f"DELETE FROM {store} WHERE a IS NULL")
    (report,) = place.tidemark.verify()
    assert [(found.key, found.kind) for found in report.findings] == [((None,), "missing")]
    place.tidemark.repair()
    place.verified()


def test_a_key_that_is_null_never_reaches_a_joined_table(place: Place) -> None:
    place.run(
        "CREATE TABLE a (id INTEGER PRIMARY KEY, g INTEGER, k INTEGER)",
        "CREATE TABLE b (id INTEGER PRIMARY KEY, g INTEGER, k INTEGER)",
    )
    place.install(
        "joined", "SELECT a.g, count(*) AS n FROM a JOIN b ON a.k = b.k AND a.g = b.g GROUP BY a.g", freshness="tick"
    )
    for change in (
        "INSERT INTO a VALUES (1, NULL, 1), (2, 1, 1)",
        "INSERT INTO b VALUES (1, NULL, 1), (2, 1, 1)",
        "UPDATE a SET g = 1 WHERE id = 1",
        "UPDATE a SET g = NULL",
    ):
        place.run(change)
        place.drained()
    place.verified()


def test_universe_rows_with_children_of_null(place: Place) -> None:
    place.run(
        "CREATE TABLE u (id INTEGER PRIMARY KEY)",
        "CREATE TABLE f (id INTEGER PRIMARY KEY, u INTEGER, v INTEGER)",
        "INSERT INTO u VALUES (1), (2)",
        "INSERT INTO f VALUES (1, NULL, 1), (2, 1, NULL), (3, 5, 3)",
    )
    query = (
        "SELECT u.id, (SELECT count(f.v) FROM f WHERE f.u = u.id) AS n, (SELECT max(f.v) FROM f WHERE f.u = u.id) AS top, "
        "(SELECT count(*) FROM f WHERE f.u = u.id AND f.v IS NULL) AS empty FROM u"
    )
    place.install("users", query, key="id")
    for change in (
        "UPDATE f SET u = 2 WHERE id = 1",
        "UPDATE f SET v = 9 WHERE id = 2",
        "UPDATE f SET v = NULL WHERE u = 5",
        "INSERT INTO u VALUES (5)",
        "UPDATE f SET v = 4 WHERE u = 5",
        "UPDATE f SET u = NULL",
        "DELETE FROM u",
        "UPDATE f SET u = 1, v = 2",
        "INSERT INTO u VALUES (1)",
    ):
        place.run(change)
        place.check()
    place.verified()


@pytest.mark.parametrize("freshness", ["commit", "tick"])
def test_a_key_of_rows_may_be_null(place: Place, freshness: Freshness) -> None:
    place.run(
        "CREATE TABLE u (id INTEGER PRIMARY KEY, name TEXT, region INTEGER)",
        "CREATE TABLE f (id INTEGER PRIMARY KEY, u INTEGER, v INTEGER)",
        "CREATE INDEX f_u ON f (u)",
        "INSERT INTO u VALUES (1, NULL, NULL), (2, 'b', 1)",
        "INSERT INTO f VALUES (1, 1, 1), (2, 2, NULL), (3, NULL, 3)",
    )
    count = "(SELECT count(*) FROM f WHERE f.u = {}) AS n"
    place.derive("copied", "SELECT id, name, region FROM u", ["name", "id"], freshness)
    place.derive("counted", f"SELECT u.id, u.name, {count.format('u.id')} FROM u", ["id", "name"], freshness)
    place.derive("by_region", f"SELECT u.region, u.id, {count.format('u.region')} FROM u", ["region", "id"], freshness)
    newest = "(SELECT name, region, row_number() OVER (PARTITION BY region ORDER BY id DESC) AS place FROM u)"
    place.derive("newest", f"SELECT region, name FROM {newest} AS x WHERE place = 1", "region", freshness)
    place.tidemark.apply()
    for change in (
        "INSERT INTO u VALUES (3, NULL, 1), (4, 'b', NULL)",
        "UPDATE u SET name = NULL",
        "UPDATE u SET region = 2, name = 'c' WHERE id > 2",
        "UPDATE f SET u = 2",
        "DELETE FROM u WHERE region IS NULL",
        "UPDATE u SET region = NULL",
        "DELETE FROM f",
        "DELETE FROM u",
    ):
        place.run(change)
        place.drained()
    place.verified()
