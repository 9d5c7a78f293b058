"""What is made of several values of a domain is none of it: a sum may be more than its CHECK allows, an average no integer."""

from __future__ import annotations

import pytest

from tests.findings.place import Place
from tidemark.database.postgres import probe as postgres_probe
from tidemark.errors import Fault
from tidemark.model import Freshness

SCHEMA = (
    "CREATE DOMAIN small AS integer CHECK (VALUE < 10)",
    "CREATE DOMAIN smaller AS small NOT NULL DEFAULT 1",
    "CREATE DOMAIN price AS numeric(6,2) CHECK (VALUE < 100)",
    "CREATE DOMAIN share AS double precision CHECK (VALUE < 9)",
    "CREATE DOMAIN word AS varchar(3)",
    "CREATE DOMAIN fixed AS char(4)",
    "CREATE TABLE f (id int PRIMARY KEY, k text, v small, w smaller, p price, d share, t word, c fixed)",
    "INSERT INTO f VALUES (1, 'a', 4, 5, 50.25, 0.5, 'abc', 'x'), (2, 'a', 3, 9, 99.5, 8.25, 'ab', 'yy'), "
    "(3, 'b', NULL, 1, NULL, NULL, NULL, NULL)",
)
COLUMNS = (
    "sum(v) AS sv, avg(v) AS av, max(v) AS hv, min(v) AS lv, count(v) AS nv, sum(w) AS sw, avg(w) AS aw, "
    "max(w) FILTER (WHERE v > 3) AS hw, sum(p) AS sp, avg(p) AS ap, max(p) AS hp, sum(d) AS sd, avg(d) AS ad, "
    "max(d) AS hd, max(t) AS ht, max(c) AS hc"
)
WRITES = (
    "INSERT INTO f SELECT n, 'c', n % 10, n % 10, n % 90 + 0.25, n / 8.0, 'z', 'zz' FROM generate_series(10, 60) AS n",
    "UPDATE f SET k = 'a' WHERE id % 2 = 0",
    "UPDATE f SET v = NULL, w = 9, t = NULL, c = NULL WHERE id % 5 = 0",
    "DELETE FROM f WHERE id % 7 = 0",
    "DELETE FROM f WHERE k = 'b'",
)


@pytest.mark.parametrize("freshness", ["commit", "tick"])
def test_aggregates_over_domains_have_the_types_of_aggregates(pg: Place, freshness: Freshness) -> None:
    pg.run(*SCHEMA)
    query = f"SELECT k, {COLUMNS} FROM f GROUP BY k"
    pg.derive("by_key", query, freshness=freshness)
    pg.derive("total", f"SELECT {COLUMNS} FROM f", freshness=freshness)
    pg.derive("twice", "SELECT a.k, sum(b.v) AS s, count(*) AS n FROM f a JOIN f b ON b.id = a.id + 1 GROUP BY a.k")
    pg.tidemark.apply()
    client = pg.client()
    for statement in WRITES:
        client.execute(statement)
        pg.drained()
        pg.verified()
    (types,) = pg.rows("SELECT DISTINCT pg_typeof(sv)::text, pg_typeof(av)::text, pg_typeof(hv)::text FROM by_key")
    assert types == ("bigint", "numeric", "integer")


def _compare_words(pg: Place, freshness: Freshness) -> None:
    """Greatest and least of a domain that has a collation of its own, where B comes after a, and a is A."""
    pg.run(
        "CREATE COLLATION level2 (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
        "CREATE DOMAIN word AS text COLLATE level2",
        "CREATE TABLE t (id int PRIMARY KEY, g int, w word)",
        "INSERT INTO t VALUES (1, 1, 'a'), (2, 1, 'B')",
    )
    pg.derive("extremes", "SELECT g, max(w) AS high, min(w) AS low FROM t GROUP BY g", freshness=freshness)
    pg.derive("words", "SELECT w, count(*) AS n, max(id) AS last FROM t GROUP BY w", freshness=freshness)
    pg.derive("kinds", "SELECT g, count(DISTINCT w) AS n FROM t GROUP BY g", freshness=freshness)
    pg.tidemark.apply()
    for change in (
        "INSERT INTO t VALUES (3, 2, 'A'), (4, 1, 'c')",
        "INSERT INTO t VALUES (5, 1, 'Z')",
        "UPDATE t SET w = 'D' WHERE id = 5",
        "DELETE FROM t WHERE id IN (1, 5)",
        "UPDATE t SET g = 2 WHERE id = 4",
    ):
        pg.run(change)
        pg.drained()
        pg.verified()


@pytest.mark.parametrize("freshness", ["commit", "tick"])
def test_a_domain_orders_and_compares_by_its_collation(pg: Place, freshness: Freshness) -> None:
    _compare_words(pg, freshness)


def test_a_collation_that_is_taken_for_the_one_of_the_domain_is_missed(
    pg: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    domains = "(SELECT t.typcollation FROM pg_catalog.pg_type AS t WHERE t.oid = a.atttypid)"
    mistaken = postgres_probe._COLUMNS.replace("a.attcollation <> b.typcollation", f"a.attcollation <> {domains}")
    assert mistaken != postgres_probe._COLUMNS
    monkeypatch.setattr(postgres_probe, "_COLUMNS", mistaken)
    with pytest.raises((AssertionError, Fault)):
        _compare_words(pg, "commit")


REFUSING = (
    "CREATE DOMAIN number AS int NOT NULL",
    "CREATE DOMAIN name AS text CHECK (VALUE IS NOT NULL AND VALUE <> '')",
    "CREATE TABLE u (id number PRIMARY KEY, w name)",
    "CREATE TABLE f (id int PRIMARY KEY, g number, v number, w name)",
    "INSERT INTO u VALUES (1, 'x'), (2, 'y')",
    "INSERT INTO f VALUES (1, 1, 5, 'a'), (2, 2, 6, 'b'), (3, 3, 3, 'c')",
)
SPELLED = {
    "copies": "SELECT id, w, d FROM t",
    "joined": "SELECT t.id, u.id AS uid, u.w, u.d FROM t JOIN u ON u.w = t.w",
    "left": "SELECT t.id, u.w FROM t LEFT JOIN u ON u.id = t.id",
    "windows": "SELECT id, lag(w) OVER (PARTITION BY d ORDER BY id) AS w FROM t",
    "groups": "SELECT d, count(DISTINCT w) AS n FROM t GROUP BY d",
    "firsts": "SELECT DISTINCT ON (w) w, id, d FROM t ORDER BY w, id",
}


@pytest.mark.parametrize("freshness", ["commit", "tick"])
def test_a_domain_whose_equal_values_are_spelled_otherwise(pg: Place, freshness: Freshness) -> None:
    """What is stored is compared with what the query gives to the letter, and is none of the domain."""
    pg.run(
        "CREATE COLLATION level2 (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
        "CREATE DOMAIN word AS text COLLATE level2",
        "CREATE DOMAIN number AS numeric",
        "CREATE TABLE t (id int PRIMARY KEY, w word, d number)",
        "CREATE TABLE u (id int PRIMARY KEY, w word, d number)",
        "INSERT INTO t VALUES (1, 'a', 1), (2, 'B', 2.0)",
        "INSERT INTO u VALUES (1, 'A', 1.0), (2, 'b', 2)",
        "CREATE TABLE shown (id int PRIMARY KEY, w word, d number)",
        "INSERT INTO shown VALUES (1), (2), (3)",
    )
    for name, query in SPELLED.items():
        pg.derive(name, query, freshness=freshness)
    shows = "SELECT s.id, t.w, t.d FROM shown s LEFT JOIN t ON t.id = s.id"
    pg.project.derive("theirs", query=shows, key="id", columns_of="shown", freshness="tick")
    pg.tidemark.apply()
    for change in (
        "UPDATE t SET w = upper(w), d = d + 0.0",
        "INSERT INTO t VALUES (3, 'b', 2.00), (4, 'A', 1)",
        "UPDATE u SET w = lower(w), d = 1.000",
        "DELETE FROM t WHERE id IN (1, 2)",
    ):
        pg.run(change)
        pg.drained()
        assert pg.bag("SELECT id, w, d FROM shown") == pg.bag(shows)
    pg.verified()


NULLS = {
    "copies": "SELECT id, v, g, w FROM f",
    "extremes": "SELECT g, max(v) AS v, min(w) FILTER (WHERE v > 5) AS w FROM f GROUP BY g",
    "universe": "SELECT u.id, (SELECT max(f.v) FROM f WHERE f.g = u.id) AS v, (SELECT min(w) FROM f WHERE g = u.id) AS w FROM u",
    "total": "SELECT max(v) AS v, min(w) AS w FROM f",
    "joined": "SELECT f.id, u.w, u.id AS u FROM f LEFT JOIN u ON u.id = f.g",
    "groupings": "SELECT g, w, count(*) AS n FROM f GROUP BY GROUPING SETS ((g), (w))",
    "windows": "SELECT id, lag(w) OVER (PARTITION BY g ORDER BY id) AS w FROM f",
}


@pytest.mark.parametrize("freshness", ["commit", "tick"])
def test_a_domain_that_refuses_null(pg: Place, freshness: Freshness) -> None:
    """Where a row matches nothing, and in what a writer's statement leaves behind, there is NULL all the same."""
    pg.run(*REFUSING)
    for name, query in NULLS.items():
        pg.derive(name, query, freshness=freshness)
    pg.tidemark.apply()
    pg.check()
    for change in (
        "INSERT INTO f VALUES (4, 1, 9, 'd'), (5, 9, 9, 'e')",
        "UPDATE f SET g = 2, w = 'z' WHERE id = 1",
        "DELETE FROM f WHERE id IN (2, 5)",
        "DELETE FROM u WHERE id = 2",
        "TRUNCATE f",
        "INSERT INTO f VALUES (1, 1, 5, 'a')",
        "ALTER DOMAIN number DROP NOT NULL",
        "INSERT INTO f VALUES (6, 1, NULL, 'f')",
        "DELETE FROM f WHERE id = 6",
        "ALTER DOMAIN number SET NOT NULL",
    ):
        pg.run(change)
        pg.drained()
    pg.verified()
