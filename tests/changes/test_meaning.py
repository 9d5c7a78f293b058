"""Views and functions that a query names, replaced under it: no row of any source changes, and what is true does."""

from collections.abc import Iterator

import pytest

from tests.findings.place import Place, connect

ROWS = (
    "CREATE TABLE t (id integer PRIMARY KEY, k integer, v integer)",
    "INSERT INTO t VALUES (1, 1, 1), (2, 1, 2), (3, 2, 3)",
    "CREATE VIEW below AS SELECT id, k, v FROM t WHERE v > 1",
    "CREATE VIEW seen AS SELECT b.id, b.k, b.v FROM below AS b",
)
FUNCTION = "CREATE OR REPLACE FUNCTION {}(x integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT x * {}'"
MORE = (
    "CREATE OR REPLACE FUNCTION more(x integer, y integer DEFAULT 1) RETURNS integer LANGUAGE sql IMMUTABLE "
    "AS 'SELECT coalesce(x, 0) + y'"
)
QUERIES = {
    "counted": "SELECT k, count(*) AS n FROM seen GROUP BY k",
    "looked": "WITH x AS (SELECT * FROM seen) SELECT t.id, (SELECT max(x.v) FROM x WHERE x.id = t.id) AS v FROM t",
}


def _noticed(place: Place, says: str) -> None:
    """Nothing is called live that is not true any more, and `apply` makes it true."""
    assert all(says in status.captures for status in place.tidemark.status()), place.tidemark.status()
    assert all(says in report.gap for report in place.tidemark.verify(catalog=True))
    place.tidemark.apply()
    assert {(one.state, one.captures) for one in place.tidemark.status() if one.state != "retired"} == {("live", "ok")}
    place.verified()
    place.run("INSERT INTO t SELECT max(id) + 1, 1, 7 FROM t")
    place.drained()


@pytest.fixture
def kept(engine_url: str) -> Iterator[Place]:
    """A place on each engine with everything installed."""
    place = Place(engine_url, connect(engine_url))
    place.run(*ROWS)
    for freshness in ("commit", "tick"):
        for name, query in QUERIES.items():
            place.derive(f"{name}_{freshness}", query, freshness=freshness)  # type: ignore[arg-type]
    place.tidemark.apply()
    place.check()
    yield place
    place.close()


@pytest.fixture
def pg(pg_database: str) -> Iterator[Place]:
    """A place on PostgreSQL."""
    place = Place(pg_database, connect(pg_database))
    yield place
    place.close()


def test_a_view_that_is_replaced_is_noticed(kept: Place) -> None:
    kept.run("CREATE VIEW other AS SELECT * FROM seen", "DROP VIEW other")
    assert {one.captures for one in kept.tidemark.status()} == {"ok"}
    kept.run("DROP VIEW seen", "CREATE VIEW seen AS SELECT b.id, b.k, b.v + 1 AS v FROM below AS b WHERE b.v > 2")
    _noticed(kept, "query of seen is another one")
    if kept.is_sqlite:
        kept.run("DROP VIEW below", "CREATE VIEW below AS SELECT id, k, v FROM t")
    else:
        kept.run("CREATE OR REPLACE VIEW below AS SELECT id, k, v FROM t")
    _noticed(kept, "query of below is another one")
    kept.run("DROP VIEW seen")
    assert {one.captures for one in kept.tidemark.status() if one.state == "live"} == {"ok"}


def test_what_makes_no_other_view_of_it_is_nothing(pg: Place) -> None:
    pg.run(*ROWS)
    pg.install("counted", QUERIES["counted"])
    pg.run(
        "BEGIN",
        "DROP VIEW seen",
        "CREATE VIEW seen AS  SELECT b.id,  b.k, b.v  FROM below AS b",
        "COMMIT",
        "COMMENT ON VIEW seen IS 'ours'",
        "CREATE FUNCTION seen() RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT 1'",
    )
    assert [one.captures for one in pg.tidemark.status()] == ["ok"]


def test_a_function_that_is_replaced_is_noticed(pg: Place) -> None:
    pg.run(*ROWS[:2], FUNCTION.format("times", 2), FUNCTION.format("others", 2))
    pg.run("CREATE VIEW seen AS SELECT id, k, times(v) AS v FROM t")
    pg.derive("added", "SELECT k, sum(times(v)) AS s FROM t GROUP BY k")
    pg.derive("ticked", "SELECT id, v FROM seen", key="id", freshness="tick")
    pg.tidemark.apply()
    pg.run(FUNCTION.format("others", 3), FUNCTION.format("times", 2), "ALTER FUNCTION times COST 7")
    assert {one.captures for one in pg.tidemark.status()} == {"ok"}
    pg.run(FUNCTION.format("times", 3))
    _noticed(pg, "text of times() is another one")


@pytest.mark.parametrize(
    "statement",
    ["ALTER FUNCTION more STRICT", MORE.replace("DEFAULT 1", "DEFAULT 2")],
    ids=["what NULL gives", "a default"],
)
def test_what_stands_before_the_text_of_a_function_is_noticed(pg: Place, statement: str) -> None:
    pg.run(*ROWS[:2], MORE, "INSERT INTO t VALUES (4, 1, NULL)")
    pg.derive("added", "SELECT k, sum(more(v)) AS s FROM t GROUP BY k")
    pg.derive("ticked", "SELECT id, more(v) AS v FROM t", key="id", freshness="tick")
    pg.tidemark.apply()
    pg.run(MORE, "ALTER FUNCTION more COST 7")
    assert {one.captures for one in pg.tidemark.status()} == {"ok"}
    pg.run(statement)
    _noticed(pg, "header of more() is another one")


def test_what_a_function_calls_is_what_it_means(pg: Place) -> None:
    """Through the text of one, the body of another and the transitions of an aggregate."""
    pg.run(*ROWS[:2], FUNCTION.format("times", 2), FUNCTION.format("sometimes", 2))
    header = "LANGUAGE {} IMMUTABLE"
    pg.run(
        f"CREATE FUNCTION told(x integer) RETURNS integer {header.format('plpgsql')} AS 'BEGIN RETURN public.Times (x); END'",
        f"CREATE FUNCTION bound(x integer) RETURNS integer {header.format('sql')} BEGIN ATOMIC; SELECT told(x); END",
        f"CREATE FUNCTION added(s integer, x integer) RETURNS integer {header.format('sql')} AS 'SELECT s + times(x)'",
        "CREATE AGGREGATE adding(integer) (SFUNC = added, STYPE = integer, INITCOND = '0')",
    )
    pg.derive("calls", "SELECT k, max(bound(v)) AS v, sum(told(v)) AS s FROM t GROUP BY k")
    pg.derive("folds", "SELECT k, adding(v ORDER BY id) AS v FROM t GROUP BY k", freshness="tick")
    pg.tidemark.apply()
    pg.run(FUNCTION.format("sometimes", 3), FUNCTION.format("times", 2))
    assert {one.captures for one in pg.tidemark.status()} == {"ok"}
    pg.run(FUNCTION.format("times", 3))
    _noticed(pg, "() is another one")


def test_a_value_of_an_enum_that_is_renamed_is_noticed(pg: Place) -> None:
    """Texts of ours would still have the name that it had, and writers would fail by them."""
    pg.run(
        "CREATE TYPE mood AS ENUM ('low', 'high')",
        "CREATE TABLE t (id integer PRIMARY KEY, mood mood)",
        "INSERT INTO t VALUES (1, 'low'), (2, 'high')",
    )
    pg.derive("high", "SELECT count(*) FILTER (WHERE mood = 'high') AS n FROM t", freshness="commit")
    pg.derive("moods", "SELECT mood, count(*) AS n FROM t GROUP BY mood", freshness="commit")
    pg.tidemark.apply()
    pg.run("ALTER TYPE mood ADD VALUE 'middle' BEFORE 'high'", "ALTER TYPE mood RENAME VALUE 'low' TO 'deep'")
    assert {one.captures for one in pg.tidemark.status()} == {"ok"}
    pg.run("ALTER TYPE mood RENAME VALUE 'high' TO 'top'", "ALTER TYPE mood RENAME VALUE 'middle' TO 'high'")
    assert {one.name: one.captures for one in pg.tidemark.status()} == {
        "high": "value of 'high' is another one",
        "moods": "ok",
    }
    pg.tidemark.apply()
    pg.client().execute("INSERT INTO t VALUES (3, 'high'), (4, 'top'), (5, 'high')")
    pg.verified()


def test_what_casts_operators_and_whole_rows_mean(pg: Place) -> None:
    """No name of theirs is in the query: the function behind a cast or an operator, the columns of a row."""
    pg.run(
        *ROWS[:2],
        "CREATE TYPE pair AS (a integer, b integer)",
        "CREATE FUNCTION first_of(pair) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT $1.a'",
        "CREATE CAST (pair AS integer) WITH FUNCTION first_of(pair)",
        "CREATE FUNCTION both_of(pair, pair) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT $1.a + $2.a'",
        "CREATE OPERATOR + (LEFTARG = pair, RIGHTARG = pair, FUNCTION = both_of)",
        "CREATE TABLE pairs (id integer PRIMARY KEY, p pair)",
        "INSERT INTO pairs VALUES (1, ROW(1, 2))",
    )
    pg.derive("casts", "SELECT id, p::integer AS n FROM pairs")
    pg.derive("adds", "SELECT id, p + p AS n FROM pairs", key="id")
    pg.derive("rows", "SELECT id, to_jsonb(t) - 'k' AS row FROM t")
    pg.tidemark.apply()
    pg.check()
    pg.run("ALTER TABLE pairs ADD COLUMN more integer DEFAULT 4")
    assert {one.captures for one in pg.tidemark.status()} == {"ok"}
    for name, text, says in (
        ("first_of(pair)", "$1.b", "text of first_of() is another one"),
        ("both_of(pair, pair)", "$1.b + $2.b", "text of both_of() is another one"),
    ):
        pg.run(f"CREATE OR REPLACE FUNCTION {name} RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT {text}'")
        told = {one.name: one.captures for one in pg.tidemark.status()}
        assert says in told["casts"] and says in told["adds"] and told["rows"] == "ok"
        pg.tidemark.apply()
        pg.check()
    pg.run("ALTER TABLE t ADD COLUMN more integer DEFAULT 4")
    told = {one.name: one.captures for one in pg.tidemark.status()}
    assert told == {"casts": "ok", "adds": "ok", "rows": "whole row of t.* is id, k, v, more and was id, k, v"}
    pg.tidemark.apply()
    pg.verified()


def test_a_trigger_that_was_off_for_a_while_is_noticed(pg: Place) -> None:
    """Whoever switches it on again as it was, of a partition too, has made everything look as before."""
    pg.run(
        "CREATE TABLE t (id integer, k integer, v integer) PARTITION BY LIST (k)",
        "CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1)",
        "CREATE TABLE t2 PARTITION OF t DEFAULT PARTITION BY LIST (k)",
        "CREATE TABLE t2a PARTITION OF t2 DEFAULT",
        "INSERT INTO t VALUES (1, 1, 1), (2, 2, 2)",
    )
    pg.derive("counted", "SELECT k, count(*) AS n FROM t GROUP BY k", freshness="commit")
    pg.derive("ticked", "SELECT k, count(*) AS n FROM t GROUP BY k", freshness="tick")
    pg.tidemark.apply()
    # What others make of a capture, and partitions that come, are none of that.
    pg.derive("other", "SELECT v, max(id) AS n FROM t GROUP BY v", freshness="tick")
    pg.tidemark.apply()
    pg.run("CREATE TABLE t3 PARTITION OF t FOR VALUES IN (3) PARTITION BY RANGE (v)")
    pg.run("CREATE TABLE t3a PARTITION OF t3 DEFAULT", "INSERT INTO t VALUES (3, 3, 3)")
    assert {one.captures for one in pg.tidemark.status()} == {"ok"}
    pg.tidemark.apply()
    for table in ("t", "t2a", "t3"):
        names = "SELECT tgname FROM pg_trigger WHERE tgrelid = '{}'::regclass AND NOT tgisinternal ORDER BY 1"
        switched = [f'TRIGGER "{name}"' for (name,) in pg.rows(names.format(table))]
        pg.run(f"ALTER TABLE {table} DISABLE TRIGGER USER", f"UPDATE {table} SET v = v + 1")
        pg.run(*(f"ALTER TABLE {table} ENABLE ALWAYS {one}" for one in switched))
        assert all("of t was switched" in one.captures for one in pg.tidemark.status())
        pg.tidemark.apply()
        pg.drained()
        assert {one.captures for one in pg.tidemark.status()} == {"ok"}
    # Each remembers the triggers that are its own, however many others read the same table.
    own = pg.rows("SELECT tgname FROM pg_trigger WHERE tgrelid = 't'::regclass AND tgname LIKE '%insert_counted%'")
    pg.run(*(f'ALTER TABLE t {word} TRIGGER "{name}"' for (name,) in own for word in ("DISABLE", "ENABLE ALWAYS")))
    noticed = {one.name: "of t was switched" in one.captures for one in pg.tidemark.status()}
    assert own and noticed == {"counted": True, "ticked": False, "other": False}
    pg.tidemark.apply()
    pg.verified()
