"""What each engine says of a query's columns, and whether a plan reaches an index."""

import pathlib
import sqlite3
from collections.abc import Mapping
from typing import Any

import pytest

from tests.conformance.conftest import HOSTILE, execute
from tidemark.database.session import Session
from tidemark.database.sqlite.probe import explain_columns, store_columns
from tidemark.errors import Code, Place, Refusal


def _shape(session: Session, query: str) -> list[tuple[str, str, str | None]]:
    return [(column.name, column.type, column.collation) for column in session.describe(query)]


def test_columns_of_sqlite(sqlite_session: Session) -> None:
    execute(
        sqlite_session,
        """CREATE TABLE t (id integer PRIMARY KEY, a text COLLATE nocase, b varchar(20) COLLATE rtrim, c "my type", d blob,
           e double precision, f date, g, h integer AS (id + 1))""",
    )
    assert _shape(sqlite_session, "SELECT * FROM t") == [
        ("id", "INT", None),
        ("a", "TEXT", "NOCASE"),
        ("b", "TEXT", "RTRIM"),
        ("c", "NUM", None),
        ("d", "", None),
        ("e", "REAL", None),
        ("f", "NUM", None),
        ("g", "", None),
        ("h", "INT", None),
    ]
    query = """
        -- counts
        SELECT a AS k, count(*) AS n, max(a) AS top, CAST(b AS integer) AS i, a || b AS joined, c + 1 AS one,
               b COLLATE nocase AS other, (SELECT b FROM t AS u WHERE u.id = t.id) AS within, NULL AS void
        FROM t GROUP BY a -- done"""
    assert _shape(sqlite_session, query) == [
        ("k", "TEXT", "NOCASE"),
        ("n", "", None),
        ("top", "", None),
        ("i", "INT", "RTRIM"),
        ("joined", "", None),
        ("one", "", None),
        ("other", "TEXT", "NOCASE"),
        ("within", "TEXT", None),
        ("void", "", None),
    ]


def test_the_type_of_any_in_a_strict_table(sqlite_session: Session) -> None:
    execute(sqlite_session, "CREATE TABLE t (a any, b integer) STRICT", "INSERT INTO t VALUES ('007', 1)")
    (column, _) = sqlite_session.describe("SELECT a, b FROM t")
    execute(sqlite_session, f"CREATE TABLE copy (a {column.type})", "INSERT INTO copy SELECT a FROM t")
    assert sqlite_session.one("SELECT a, typeof(a) FROM copy") == ("007", "text")


def test_columns_of_postgresql(pg_session: Session) -> None:
    execute(
        pg_session,
        """CREATE TABLE t (id bigint, a varchar(20) COLLATE "C", n numeric(10, 2), s text, k name, j jsonb, z char(3)[],
           w timestamp(3) with time zone)""",
        'CREATE DOMAIN mail AS text COLLATE "POSIX"',
        "CREATE TYPE color AS ENUM ('red')",
    )
    query = """SELECT *, count(*) OVER () AS c, s COLLATE "C" AS sc, a COLLATE "default" AS ad, s::mail AS m,
                      'red'::color AS r, NULL AS nothing, 'x' AS x, n * 2 AS n2 FROM t;"""
    assert _shape(pg_session, query) == [
        ("id", "bigint", None),
        ("a", "character varying(20)", "C"),
        ("n", "numeric(10,2)", None),
        ("s", "text", None),
        ("k", "name", None),
        ("j", "jsonb", None),
        ("z", "character(3)[]", None),
        ("w", "timestamp(3) with time zone", None),
        ("c", "bigint", None),
        ("sc", "text", "C"),
        ("ad", "character varying(20)", None),
        ("m", "text", "POSIX"),
        ("r", "color", None),
        ("nothing", "text", None),
        ("x", "text", None),
        ("n2", "numeric", None),
    ]


def test_hostile_column_names(session: Session) -> None:
    for number, name in enumerate(HOSTILE):
        quoted = session.dialect.quote(name)
        execute(session, f"CREATE TABLE t{number} ({quoted} integer)")
        assert [column.name for column in session.describe(f"SELECT {quoted}, 1 AS one FROM t{number}")] == [
            name,
            "one",
        ]


def test_describing_changes_nothing(session: Session, other: Session) -> None:
    execute(session, "CREATE TABLE t (a integer)")
    before = other.changes_marker() if session.dialect.writers_wait_in_line else ""
    session.describe("SELECT a FROM t")
    with session.transaction():
        session.run("INSERT INTO t VALUES (1)")
        session.describe("SELECT a FROM t")
        with pytest.raises(Refusal):
            session.describe("SELECT b FROM t")
        session.run("INSERT INTO t VALUES (2)")
    assert session.one("SELECT count(*) FROM t") == (2,)
    assert set(session.catalog().tables) == {(session.catalog().search_path[0], "t")}
    if before:
        assert other.changes_marker() != before


def test_describing_does_not_run_the_query(session: Session) -> None:
    endless = "WITH RECURSIVE n(i) AS MATERIALIZED (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
    for rest in ("SELECT max(i) AS top FROM n", "SELECT max(x.i) AS top FROM n AS x LEFT JOIN n AS y ON x.i = y.i"):
        assert [column.name for column in session.describe(f"{endless} {rest}")] == ["top"]


def test_both_ways_to_the_columns_agree(sqlite_session: Session, sqlite_path: pathlib.Path) -> None:
    execute(
        sqlite_session,
        'CREATE TABLE t (id integer PRIMARY KEY, "a ""b, (" varchar(3) COLLATE nocase, "select" real, d blob, e numeric)',
    )
    runner = _Plain(sqlite_path)
    for query in (
        "SELECT * FROM t",
        'SELECT "a ""b, (" || 1 AS "x)", count(*), max("select") AS "order", CAST(d AS integer) AS "1" FROM t',
        "SELECT 1 AS a, 2 AS a, x'00', NULL AS n UNION ALL SELECT id, e, d, e FROM t",
        "VALUES (1, 'two')",
    ):
        explained = explain_columns(runner, query)
        assert explained is not None
        assert explained == store_columns(runner, query)
    runner.close()


class _Plain:
    """A connection as the probes see it."""

    def __init__(self, path: pathlib.Path) -> None:
        self._connection = sqlite3.connect(path)

    def all(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql, parameters or {}).fetchall()

    def close(self) -> None:
        self._connection.close()


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("SELECT * FROM nowhere", Code.UNKNOWN_TABLE),
        ("SELECT missing FROM t", Code.UNKNOWN_COLUMN),
        ("SELECT t.missing FROM t", Code.UNKNOWN_COLUMN),
        ("SELECT a FROM t, t AS u", Code.UNKNOWN_COLUMN),
        ("SELEC 1", None),
        ("SELECT a FROM t GROUP", Code.PARSE),
        ("SELECT (a FROM t", Code.PARSE),
        ("SELECT no_such_function(a) FROM t", Code.PARSE),
        ("SELECT a, a FROM t", Code.DECLARATION),
        ("SELECT a FROM t; DROP TABLE t", Code.PARSE),
        ("SELECT a FROM t; COMMIT; DROP TABLE t", Code.PARSE),
        ("DELETE FROM t", None),
        ("", None),
        ("-- nothing", None),
        ("'", None),
    ],
)
def test_queries_that_are_refused(session: Session, query: str, code: Code | None) -> None:
    execute(session, "CREATE TABLE t (a integer)")
    with pytest.raises(Refusal) as caught:
        session.describe(query)
    assert caught.value.code in ((code,) if code else (Code.PARSE, Code.NOT_A_QUERY))
    assert caught.value.instead and "\n" not in str(caught.value)
    assert session.catalog().find("t") is not None


def test_a_column_without_a_name_is_refused(pg_session: Session) -> None:
    with pytest.raises(Refusal) as caught:
        pg_session.describe("SELECT 1 + 1")
    assert caught.value.code is Code.DECLARATION


def test_the_place_of_an_error(session: Session) -> None:
    execute(session, "CREATE TABLE t (a integer)")
    with pytest.raises(Refusal) as caught:
        session.describe("SELECT a,\n       größe\nFROM t")
    assert caught.value.place == Place(2, 8, "größe")


def test_a_plan_that_reaches_an_index(session: Session) -> None:
    execute(
        session,
        'CREATE TABLE "T %s" (id integer PRIMARY KEY, a integer, b integer)',
        'CREATE INDEX i ON "T %s" (a)',
        "CREATE TABLE keys (k integer)",
    )
    reached = [
        'SELECT * FROM "T %s" WHERE id = :k',
        'SELECT count(*) FROM "T %s" AS x WHERE x.a = :k AND x.b > :low',
        'SELECT * FROM "T %s" WHERE a IN (SELECT k FROM keys)',
        'SELECT k, (SELECT count(*) FROM "T %s" AS x WHERE x.a = k) FROM keys',
        'INSERT INTO keys SELECT x.b FROM keys JOIN "T %s" AS x ON x.id = keys.k',
        "SELECT * FROM keys",
    ]
    scanned = [
        'SELECT * FROM "T %s"',
        'SELECT count(*) FROM "T %s"',
        'SELECT * FROM "T %s" WHERE b = :k',
        'SELECT * FROM "T %s" WHERE a + 1 = :k',
        'SELECT * FROM "T %s" WHERE a = :k OR b = :k',
        'SELECT x.id FROM "T %s" AS x, "T %s" AS y WHERE x.id = :k',
        'SELECT k, (SELECT count(*) FROM "T %s" AS x WHERE x.b = k) FROM keys',
        'SELECT b, count(*) FROM "T %s" GROUP BY b',
        'INSERT INTO keys SELECT x.b FROM keys JOIN "T %s" AS x ON x.b = keys.k',
    ]
    assert [sql for sql in reached if not session.uses_index(sql, "T %s")] == []
    assert [sql for sql in scanned if session.uses_index(sql, "T %s")] == []
    with pytest.raises(Refusal):
        session.uses_index("SELECT * FROM nowhere", "nowhere")
    with session.transaction():
        assert session.uses_index(reached[0], "T %s")
        session.run("INSERT INTO keys VALUES (1)")
    assert session.one("SELECT count(*) FROM keys") == (1,)


@pytest.mark.parametrize("rows", [0, 1, 3, 1000])
@pytest.mark.parametrize("analyzed", [False, True])
def test_a_plan_over_temporary_keys(session: Session, rows: int, analyzed: bool) -> None:
    execute(session, "CREATE TABLE t (id integer PRIMARY KEY, a integer)")
    with session.transaction():
        for number in range(rows):
            session.run("INSERT INTO t VALUES (:n, :n)", {"n": number})
    if session.dialect.has_schemas and analyzed:
        execute(session, "ANALYZE t")
    with session.transaction("read"):
        session.run("CREATE TEMP TABLE batch (k integer PRIMARY KEY)")
        assert session.uses_index("SELECT t.a, b.k FROM batch AS b LEFT JOIN t ON t.id = b.k", "t")
        assert session.uses_index("SELECT * FROM t WHERE id IN (SELECT k FROM batch)", "t")
        assert not session.uses_index("SELECT * FROM t WHERE a IN (SELECT k FROM batch)", "t")
        if session.dialect.has_schemas:
            assert session.uses_index('SELECT * FROM "public"."t" WHERE public . t.id IN (SELECT k FROM batch)', "t")


def test_one_row_of_an_index_is_no_scan(sqlite_session: Session) -> None:
    execute(sqlite_session, "CREATE TABLE t (id integer PRIMARY KEY, a integer)", "CREATE INDEX i ON t (a)")
    assert sqlite_session.uses_index("SELECT max(a) FROM t", "t")
    assert not sqlite_session.uses_index("SELECT min(a), max(a) FROM t", "t")


def test_a_scan_of_a_partition_is_a_scan(pg_session: Session) -> None:
    execute(
        pg_session,
        "CREATE SCHEMA s",
        "CREATE TABLE s.p (id integer, k integer, v integer, PRIMARY KEY (id, k)) PARTITION BY LIST (k)",
        "CREATE TABLE s.p1 PARTITION OF s.p FOR VALUES IN (1)",
        "CREATE TABLE s.p2 PARTITION OF s.p FOR VALUES IN (2) PARTITION BY LIST (k)",
        "CREATE TABLE s.p22 PARTITION OF s.p2 FOR VALUES IN (2)",
    )
    for name in ("p", "s.p"):
        assert pg_session.uses_index("SELECT * FROM s.p WHERE id = :k", name)
        assert not pg_session.uses_index("SELECT * FROM s.p WHERE v = :k", name)
        assert not pg_session.uses_index("SELECT * FROM s.p22 WHERE v = :k", name)


@pytest.mark.parametrize(
    ("expressions", "first"),
    [
        ([], None),
        (["c0", "c1 || 'x'", "c0 IN (1, 2)", "ROW(c0, c1)", "NULL", "'x'"], None),
        (["c0", "now()"], 1),
        # What is constantly NULL must not fold away what stands beside it.
        (["NULL", "NULL::integer", "c2::date"], 2),
        (["c0"] * 120 + ["random()"], 120),
    ],
)
def test_the_first_value_that_depends_on_more_than_its_row(
    pg_session: Session, expressions: list[str], first: int | None
) -> None:
    execute(pg_session, "CREATE TABLE t (a integer, b text, c timestamptz)")
    assert pg_session.first_mutable("SELECT a AS c0, b AS c1, c AS c2 FROM t", expressions) == first


def test_an_expression_that_cannot_be_computed_is_refused(pg_session: Session) -> None:
    execute(pg_session, "CREATE TABLE t (a integer)")
    with pytest.raises(Refusal):
        pg_session.first_mutable("SELECT a AS c0 FROM t", ["c0", "c0 || absent"])
