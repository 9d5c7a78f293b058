"""Values that hold values on PostgreSQL: rows of a composite type, and arrays and documents as keys."""

import pytest

from tests.findings.place import Place
from tidemark.errors import Refusal
from tidemark.model import Freshness

PAIRS = ("NULL", "'(,)'", "'(1,)'", "'(,b)'", "'(1,a)'")


@pytest.mark.parametrize("freshness", ["commit", "tick"])
def test_rows_with_nulls_in_them_are_counted(pg: Place, freshness: Freshness) -> None:
    pg.run(
        "CREATE TYPE pair AS (one integer, two text)",
        "CREATE DOMAIN kept AS pair",
        "CREATE TABLE t (id integer PRIMARY KEY, g integer, p pair, q kept)",
        "INSERT INTO t VALUES (1, 1, NULL, NULL), (2, 0, '(,)', '(,)'), (3, 1, '(1,a)', '(1,)')",
    )
    counted = "SELECT g, count(p) AS n, count(q) AS m, count(p) FILTER (WHERE p IS NULL) AS k FROM t GROUP BY g"
    pg.derive("counted", counted, freshness=freshness)
    pg.derive("apart", "SELECT g, count(DISTINCT p) AS n FROM t GROUP BY g", freshness="tick")
    pg.tidemark.apply()
    for number, value in enumerate(PAIRS):
        pg.run(f"INSERT INTO t VALUES ({10 + number}, 1, {value}, {value})", f"UPDATE t SET p = {value} WHERE id = 1")
        pg.drained()
    pg.run("DELETE FROM t WHERE p IS NOT DISTINCT FROM '(,)'::pair", "UPDATE t SET q = NULL WHERE id % 2 = 0")
    pg.drained()
    pg.verified()


@pytest.mark.parametrize("freshness", ["commit", "tick"])
def test_values_that_nothing_compares_are_kept(pg: Place, freshness: Freshness) -> None:
    pg.run(
        "CREATE TABLE t (id integer PRIMARY KEY, g integer, d json, p point, b box)",
        "CREATE TABLE u (id integer PRIMARY KEY, d json)",
        "CREATE INDEX t_g ON t (g)",
        "INSERT INTO t VALUES (1, 1, '{\"a\": 1}', '(1,2)', '(0,0),(1,4)'), (2, 1, NULL, NULL, NULL)",
        "INSERT INTO t VALUES (3, 2, '[]', '(0,0)', NULL)",
        "INSERT INTO u VALUES (1, '1'), (2, 'null')",
    )
    pg.derive("copied", "SELECT id, d, p, b FROM t WHERE g = 1", "id", freshness)
    pg.derive("joined", "SELECT u.id, u.d AS mine, t.d, t.p FROM u JOIN t ON t.id = u.id", "id", freshness)
    pg.derive("collected", "SELECT g, json_agg(id ORDER BY id) AS ids, count(*) AS n FROM t GROUP BY g", "g", freshness)
    pg.derive("built", "SELECT id, json_build_object('g', g, 'd', d) AS o FROM t", "id", freshness)
    pg.tidemark.apply()
    for change in (
        "INSERT INTO t VALUES (4, 1, '{\"a\":1}', '(3,3)', '(0,0),(2,2)'), (5, 1, '[1, 2]', NULL, NULL)",
        "UPDATE t SET d = '{\"a\":1}', b = '(0,0),(2,2)' WHERE id = 1",
        "UPDATE t SET p = '(1,2.5)' WHERE id = 1",
        "UPDATE t SET g = 1, p = NULL",
        "UPDATE u SET d = '1 '",
        "DELETE FROM t WHERE id IN (2, 3)",
    ):
        pg.run(change)
        pg.drained()
    pg.run("UPDATE tidemark.joined SET d = '[3]'")
    assert any(report.drift for report in pg.tidemark.verify())
    pg.tidemark.repair()
    pg.run("DELETE FROM t", "DELETE FROM u")
    pg.drained()
    pg.verified()


@pytest.mark.parametrize("null", ["", " NOT NULL"])
def test_a_key_of_rows_is_refused(pg: Place, null: str) -> None:
    pg.run("CREATE TYPE pair AS (one integer, two text)", f"CREATE TABLE t (id integer PRIMARY KEY, p pair{null})")
    pg.derive("counted", "SELECT p, count(*) AS n FROM t GROUP BY p")
    with pytest.raises(Refusal, match="composite type pair"):
        pg.tidemark.apply()


@pytest.mark.parametrize("freshness", ["commit", "tick"])
def test_keys_of_arrays_and_documents_are_repaired(pg: Place, freshness: Freshness) -> None:
    pg.run(
        "CREATE TABLE t (id integer PRIMARY KEY, a integer[], d jsonb)",
        "INSERT INTO t VALUES (1, '{1,2}', '{\"a\": [1]}'), (2, '{1,NULL}', '[]'), (3, NULL, 'null'), (4, '{}', NULL)",
    )
    pg.derive("arrays", "SELECT a, count(*) AS n FROM t GROUP BY a", freshness=freshness)
    pg.derive("documents", "SELECT d, count(*) AS n FROM t GROUP BY d", freshness=freshness)
    pg.tidemark.apply()
    pg.run("INSERT INTO t VALUES (5, '{1,2}', '[]'), (6, '{{1},{2}}', '{\"a\": [1]}')", "DELETE FROM t WHERE id = 3")
    pg.drained()
    for name in ("arrays", "documents"):
        pg.run(f"UPDATE tidemark.{name} SET _rows = _rows + 1")
    assert all(report.drift > 0 for report in pg.tidemark.verify())
    pg.tidemark.repair()
    pg.verified()


@pytest.mark.parametrize(
    "value",
    [
        "(SELECT (b.k, b.s) FROM t b WHERE b.id = a.id) IS NULL",
        "lag((a.k, a.s)) OVER (PARTITION BY a.k ORDER BY a.id) IS NULL",
    ],
)
def test_a_row_of_values_that_a_subquery_or_a_window_gives_is_refused(pg: Place, value: str) -> None:
    """Nobody knows the types of its values."""
    pg.run("CREATE TABLE t (id int PRIMARY KEY, k int, s text)")
    pg.derive("rows", f"SELECT a.id, {value} AS x FROM t a")
    with pytest.raises(Refusal, match="pseudo-type record.* each of its values as a column of its own"):
        pg.tidemark.plan()
