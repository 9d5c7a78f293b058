"""What stands beside columns of another type on SQLite, which converts it for a row of a table and not for one of a trigger."""

import pytest

from tests.findings.place import Place
from tidemark.errors import Refusal
from tidemark.model import Freshness

TESTS = {
    "text": "f.t > 1",
    "turned": "1 < f.t",
    "whole": "f.n = '1'",
    "spaces": "f.n = ' 1 '",
    "real": "f.r >= '0.5'",
    "among": "f.t IN (1, 7, -2)",
    "numbers": "f.n IN ('1', '2', 'x')",
    "between": "f.t BETWEEN 1 AND 7",
    "negative": "f.t <> -1",
    "true": "f.t IS NOT TRUE",
    "equal to true": "f.t = TRUE",
    "no number": "f.n < 'x'",
    "untyped": "f.a = '1'",
    "date": "f.d >= '2024-01-01'",
    "texts and numbers": "f.t = f.n",
    "a text and a sum": "f.t > f.n + 1",
    "what is untyped": "f.n = f.a",
    "untyped and text": "f.t = f.a",
    "a function": "f.n = coalesce(f.t, '0')",
    "columns of a list": "f.t IN (f.n, f.a)",
    "between columns": "f.a BETWEEN f.n AND f.t",
    "cases": "CASE f.a WHEN f.n THEN 1 WHEN f.t THEN 1 END = 1",
    "a case inside": "f.n = CASE WHEN f.t > 1 THEN f.t ELSE f.a END",
    "a cast": "f.n < CAST(f.t AS TEXT)",
    "no sign": "f.n = +f.t",
    "is": "f.n IS NOT f.t",
    "a type taken away": "f.t = +f.n",
    "a sign in a list": "f.t IN (+f.n, - +f.n)",
    "rows of values": "(f.t, f.n) = (f.n, '1')",
    "an order of rows": "(f.t, f.r) < (f.a, '0.5')",
    "between rows": "(f.t, f.n) BETWEEN (0, '0') AND (5, f.t)",
    "a row among cases": "CASE (f.t, f.n) WHEN (1, '1') THEN 1 WHEN (7, 2) THEN 1 END = 1",
}


@pytest.mark.parametrize("freshness", ["commit", "tick"])
@pytest.mark.parametrize("test", TESTS)
def test_it_is_converted_in_a_trigger_too(lite: Place, test: str, freshness: Freshness) -> None:
    lite.run(
        "CREATE TABLE u (id INTEGER PRIMARY KEY)",
        "CREATE TABLE f (id INTEGER PRIMARY KEY, g INTEGER, t TEXT, n INTEGER, r REAL, a, d DATETIME)",
        "INSERT INTO u VALUES (1), (2)",
        "INSERT INTO f VALUES (1, 1, '0', 1, 0.25, 1, '2024-01-02')",
    )
    asked = TESTS[test]
    lite.derive("counted", f"SELECT f.g, count(*) AS n FROM f WHERE {asked} GROUP BY f.g", freshness=freshness)
    inside = f"(SELECT * FROM f) AS f WHERE {asked}"
    lite.derive("inside", f"SELECT f.g, count(*) AS n FROM {inside} GROUP BY f.g", freshness=freshness)
    column = f"(SELECT count(*) FROM f WHERE f.g = u.id AND {asked}) AS n"
    lite.derive("columns", f"SELECT u.id, {column} FROM u", freshness=freshness)
    chosen = f"SELECT f.id, CASE WHEN {asked} THEN 1 ELSE 0 END AS c FROM f"
    lite.derive("chosen", chosen, freshness=freshness)
    lite.tidemark.apply()
    for change in (
        "INSERT INTO f VALUES (2, 1, '7', 2, 0.5, '1', '2023-01-01'), (3, 2, 'x', 'x', 'x', 1.0, NULL)",
        "INSERT INTO f VALUES (4, 2, 1, '1', 1, x'31', 5)",
        "UPDATE f SET t = '-1', n = 1 WHERE id = 3",
        "UPDATE f SET g = 3 - g",
        "DELETE FROM f WHERE id IN (1, 4)",
        "UPDATE f SET t = -2, n = x'31', a = '1'",
    ):
        lite.run(change)
        lite.drained()
    lite.verified()


@pytest.mark.parametrize("freshness", ["commit", "tick"])
def test_a_column_of_any_value_keeps_it(lite: Place, freshness: Freshness) -> None:
    """What a REPLACE puts away waits in a table of ours, where ANY would be a type of numbers."""
    lite.run(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a ANY, n INTEGER UNIQUE) STRICT",
        "INSERT INTO t VALUES (1, '01', 1), (2, '1', 2), (3, 1, 3), (4, x'31', 4)",
    )
    lite.derive("counted", "SELECT a, count(*) AS n FROM t GROUP BY a", freshness=freshness)
    lite.tidemark.apply()
    for change in (
        "REPLACE INTO t VALUES (1, '001', 1)",
        "REPLACE INTO t VALUES (5, 2, 2)",
        "UPDATE OR REPLACE t SET n = 4 WHERE id = 3",
        "INSERT INTO t VALUES (6, ' 1 ', 6), (7, '1', 7)",
    ):
        lite.run(change)
        lite.drained()
    lite.verified()


CASTS = ("NUMERIC", "DECIMAL(10,2)", "BOOLEAN", "DATE", "TIMESTAMP", "STRING", "BINARY", "FLOATING POINT", "VARCHAR(2)")


@pytest.mark.parametrize("freshness", ["commit", "tick"])
def test_a_cast_is_what_it_was_written_as(lite: Place, freshness: Freshness) -> None:
    """A type is known by its affinity: NUMERIC keeps an integer whole, and DATE is a type of numbers."""
    lite.run(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT, n INTEGER)",
        "INSERT INTO t VALUES (1, '1', 1), (2, '2024-01-02', 2), (3, '9007199254740993', 9007199254740993)",
    )
    casts = ", ".join(f"CAST(v AS {name}) AS c{place}" for place, name in enumerate(CASTS))
    lite.derive("casts", f"SELECT id, {casts} FROM t", freshness=freshness)
    lite.derive(
        "alike", "SELECT n % 2 AS k, count(*) AS c FROM t WHERE n = coalesce(v, 0) GROUP BY n % 2", freshness=freshness
    )
    lite.tidemark.apply()
    lite.run(
        "INSERT INTO t VALUES (4, '1e0', 1), (5, '-9007199254740993', -9007199254740993), (6, x'31', 1), (7, '0.5', 0)",
        "INSERT INTO t VALUES (8, '9007199254740993', 9007199254740992), (9, '9007199254740993', 9007199254740993)",
        "UPDATE t SET v = v || '' WHERE id < 4",
    )
    lite.drained()
    lite.verified()


COLLATED = (
    "n COLLATE NOCASE = '1'",
    "n COLLATE NOCASE IN ('1', '2')",
    "t COLLATE NOCASE BETWEEN 1 AND 2",
    "CASE n COLLATE NOCASE WHEN '1' THEN 1 END",
    "(n COLLATE NOCASE, t) = ('1', 1)",
    "n COLLATE NOCASE = a",
    "c = n",
    "n = c",
    "c > n",
    "c IS n",
    "+c = n",
    "c = n COLLATE BINARY",
    "CASE c WHEN n THEN 1 WHEN 'A' THEN 2 END",
    "(c, t) = (n, t)",
    "n IS NOT TRUE COLLATE BINARY",
    "CASE t = 1 WHEN n OR a THEN 1 WHEN n THEN 2 END",
    "n BETWEEN t NOT NULL AND a",
    "n NOT BETWEEN a = 1 AND 2",
)


@pytest.mark.parametrize("freshness", ["commit", "tick"])
def test_collations_and_signs_beside_a_conversion_stay(lite: Place, freshness: Freshness) -> None:
    lite.run("CREATE TABLE f (id INTEGER PRIMARY KEY, n INTEGER, t TEXT, a, c TEXT COLLATE NOCASE)")
    columns = ", ".join(f"{test} AS v{place}" for place, test in enumerate(COLLATED))
    lite.install("shown", f"SELECT id, {columns} FROM f", freshness=freshness)
    lite.run(
        "INSERT INTO f VALUES (1, 1, '1', '1', 'A'), (2, 2, '2', 1, '1'), (3, 'a', '1', 1, 'A'), (4, 1, 0, 1, 'a')",
        "INSERT INTO f VALUES (5, 'B', NULL, NULL, 'b'), (6, 2, '1', '2', NULL)",
        "UPDATE f SET n = CASE n WHEN 'a' THEN 'A' ELSE n END, a = t",
    )
    lite.drained()
    lite.verified()


AGGREGATED = (
    "count(*) = '1'",
    "count(c) BETWEEN '1' AND '2'",
    "max(n) = '1'",
    "max(c) = 'A'",
    "max(c) IN ('A', 'B')",
    "CASE min(c) WHEN 'A' THEN 1 END",
    "nullif(max(c), 'A')",
    "max(t) = 1",
    "n = '1'",
    "max(n) = n",
    "json_array(max(json(n)))",
    "json_array(json(n), count(*))",
    "json_object('most', max(t), 'all', json_array(count(*)))",
)
LOOKED_UP = (
    "(SELECT count(*) FROM f WHERE f.n = u.id) = '1'",
    "(SELECT max(f.c) FROM f WHERE f.n = u.id) = 'A'",
    "(SELECT max(f.n) FROM f WHERE f.n = u.id) = u.t",
    "u.c = (SELECT max(f.c) FROM f WHERE f.n = u.id)",
    "(SELECT max(f.c) = 'A' FROM f WHERE f.n = u.id)",
    "json_object('most', (SELECT max(json(f.n)) FROM f WHERE f.n = u.id), 'own', json(u.id))",
)


@pytest.mark.parametrize("freshness", ["commit", "tick"])
def test_what_is_stored_of_an_aggregate_is_compared_as_no_column_is(lite: Place, freshness: Freshness) -> None:
    lite.run("CREATE TABLE f (id INTEGER PRIMARY KEY, n INTEGER, t TEXT, c TEXT COLLATE NOCASE)")
    lite.run("CREATE TABLE u (id INTEGER PRIMARY KEY, t TEXT, c TEXT COLLATE NOCASE)")
    for place, test in enumerate(AGGREGATED):
        lite.derive(f"grouped{place}", f"SELECT n, {test} AS v FROM f GROUP BY n", freshness=freshness)
    for place, test in enumerate(LOOKED_UP):
        lite.derive(f"each{place}", f"SELECT u.id, {test} AS v FROM u", freshness=freshness)
    lite.derive(
        "kept", "SELECT n, count(*) AS v FROM f GROUP BY n HAVING max(c) = 'A' OR count(*) = '1'", freshness=freshness
    )
    joined = "SELECT f.n, count(*) = '1' AS v FROM f JOIN u ON u.id = f.n GROUP BY f.n HAVING count(*) <> '2'"
    lite.derive("joined", joined, freshness="tick")
    lite.tidemark.apply()
    lite.run("INSERT INTO u VALUES (1, '1', 'A'), (2, 'x', 'a'), (3, NULL, 'b')")
    lite.run("INSERT INTO f VALUES (1, 1, '1', 'a'), (2, 1, '2', 'A'), (3, 2, '1', 'a'), (4, 3, 'a', 'A')")
    lite.drained()
    lite.run("UPDATE f SET c = lower(c) WHERE n <> 2", "UPDATE f SET n = 3, c = 'B' WHERE id = 2")
    lite.drained()
    lite.verified()


@pytest.mark.parametrize(
    "query",
    [
        "SELECT n, count(*) AS c FROM t GROUP BY n",
        "SELECT u.id, t.id AS tid FROM u JOIN t ON t.n = u.n",
        "SELECT u.id, EXISTS (SELECT 1 FROM t WHERE t.n = u.id) AS e FROM u",
        "SELECT u.id, u.id || '' COLLATE RTRIM AS e FROM u",
    ],
)
def test_what_ignores_blanks_is_refused(lite: Place, query: str) -> None:
    """SQLite itself loses rows of `u JOIN t ON t.n = u.n` where its filter of lengths is used."""
    lite.run(
        "CREATE TABLE u (id INTEGER PRIMARY KEY, n TEXT COLLATE RTRIM)",
        "CREATE TABLE t (id INTEGER PRIMARY KEY, n TEXT COLLATE RTRIM)",
    )
    lite.project.derive("d", query=query, key=None)
    with pytest.raises(Refusal, match="RTRIM"):
        lite.tidemark.plan()


@pytest.mark.parametrize("freshness", ["commit", "tick"])
def test_what_a_branch_gives_is_not_converted_to_what_the_first_one_gives(lite: Place, freshness: Freshness) -> None:
    lite.run("CREATE TABLE a (id INTEGER PRIMARY KEY, t TEXT)", "CREATE TABLE b (id INTEGER PRIMARY KEY, n INTEGER, r)")
    lite.run("INSERT INTO a VALUES (1, '1'), (2, 'x')", "INSERT INTO b VALUES (11, 1, 1.0), (12, NULL, '2')")
    both = "SELECT 'a' AS of, id, t AS v FROM a UNION ALL SELECT 'b', id, n FROM b"
    lite.derive("both", both, key=["of", "id"], freshness="tick")
    lite.derive("cast", "SELECT id, CAST(r AS NUMERIC) AS v FROM b", freshness=freshness)
    within = f"SELECT x.of AS of, x.id AS id, x.v AS v FROM ({both}) AS x"
    lite.derive("within", within, key=["of", "id"], freshness=freshness)
    lite.tidemark.apply()
    lite.check()
    lite.run(
        "INSERT INTO b VALUES (13, 7, 7.0)", "UPDATE b SET n = 5, r = 1e3 WHERE id = 12", "DELETE FROM a WHERE id = 1"
    )
    lite.drained()
    lite.verified()
