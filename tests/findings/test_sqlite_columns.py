"""SQLite: columns that change without being named: rowid aliases, generated columns, other triggers' updates."""

from typing import Literal

import pytest

from tests.findings.place import Place
from tidemark.errors import Code, Refusal


def test_the_rowid_alias_changes_under_its_other_names(lite: Place) -> None:
    lite.run("CREATE TABLE t (id INTEGER PRIMARY KEY, v INTEGER)", "INSERT INTO t VALUES (1, 1), (2, 1), (3, 2)")
    lite.derive("halves", "SELECT id / 2 AS half, count(*) AS n, max(id) AS top FROM t GROUP BY id / 2")
    lite.derive("copies", "SELECT id, v FROM t")
    lite.tidemark.apply()
    for change in (
        "UPDATE t SET rowid = 40 WHERE id = 3",
        "UPDATE t SET oid = 50 WHERE id = 1",
        "UPDATE t SET _rowid_ = id + 7",
        "UPDATE t SET id = id - 3",
    ):
        lite.run(change)
        lite.check()
    lite.verified()


@pytest.mark.parametrize("kind", ["VIRTUAL", "STORED"])
def test_generated_columns_follow_their_bases(lite: Place, kind: str) -> None:
    lite.run(
        f"CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER, b INTEGER, s INTEGER AS (a + b) {kind}, "
        f"g TEXT AS (CASE WHEN s > 5 THEN 'big' ELSE 'small' END) {kind})",
        "INSERT INTO t (id, a, b) VALUES (1, 1, 1), (2, 5, 5), (3, NULL, 1)",
    )
    lite.derive("by_size", "SELECT g, count(*) AS n, sum(s) AS total, min(s) AS least FROM t GROUP BY g")
    lite.derive("rows", "SELECT id, s FROM t WHERE g = 'big'")
    lite.tidemark.apply()
    for change in (
        "UPDATE t SET a = 9 WHERE id = 1",
        "UPDATE t SET b = -20",
        "INSERT OR REPLACE INTO t (id, a, b) VALUES (2, 3, 4)",
        "INSERT INTO t (id, a, b) VALUES (3, 8, 8) ON CONFLICT (id) DO UPDATE SET a = 1, b = 2",
        "DELETE FROM t WHERE g = 'big'",
    ):
        lite.run(change)
        lite.check()
    lite.verified()


def test_a_generated_column_with_a_unique_index(lite: Place) -> None:
    lite.run(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, low TEXT AS (lower(a)) VIRTUAL)",
        "CREATE UNIQUE INDEX t_low ON t (low)",
        "INSERT INTO t (id, a) VALUES (1, 'X'), (2, 'y'), (3, NULL)",
    )
    lite.install("letters", "SELECT a, count(*) AS n FROM t GROUP BY a")
    lite.run("INSERT OR REPLACE INTO t (id, a) VALUES (9, 'x')", "UPDATE OR REPLACE t SET a = 'Y' WHERE id = 9")
    lite.verified()


def test_user_triggers_that_write_the_source_again(lite: Place) -> None:
    lite.run(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER, b INTEGER)",
        "CREATE TRIGGER user_after AFTER INSERT ON t BEGIN UPDATE t SET b = NEW.a * 2 WHERE id = NEW.id; END",
        "CREATE TRIGGER user_before BEFORE UPDATE OF a ON t BEGIN UPDATE t SET b = b + 1 WHERE id <> NEW.id; END",
    )
    lite.install("by_b", "SELECT b, count(*) AS n, sum(a) AS a FROM t GROUP BY b")
    lite.run("INSERT INTO t (a) VALUES (1), (2), (2)")
    lite.check()
    lite.run("UPDATE t SET a = 5 WHERE id = 2")
    lite.verified()


def test_values_whose_class_changes_but_not_their_equality(lite: Place) -> None:
    lite.run("CREATE TABLE t (id INTEGER PRIMARY KEY, v, w TEXT COLLATE NOCASE)", "INSERT INTO t VALUES (1, 1, 'a')")
    lite.derive("copies", "SELECT id, v, w FROM t")
    lite.derive("sums", "SELECT sum(v) AS s, count(v) AS n FROM t")
    lite.tidemark.apply()
    for change in ("UPDATE t SET v = 1.0", "UPDATE t SET w = 'A'", "UPDATE t SET v = '1'", "UPDATE t SET v = NULL"):
        lite.run(change)
        lite.check()
    lite.verified()


@pytest.mark.parametrize("freshness", ["commit", "tick"])
def test_a_rowid_behind_another_column_of_an_index_is_found(lite: Place, freshness: str) -> None:
    """SQLite itself finds no row values there: `SELECT * FROM o WHERE (a, id) IN (SELECT 4, 1)` has no rows."""
    lite.run(
        "CREATE TABLE o (id INTEGER PRIMARY KEY, a SMALLINT, note TEXT, more VARCHAR(20), most VARCHAR(20), UNIQUE (a, id))",
        "CREATE TABLE t (n INTEGER PRIMARY KEY, a INTEGER, g INTEGER NOT NULL)",
        "CREATE INDEX by_group ON t (g)",
        "INSERT INTO t (a, g) VALUES (3, 2), (0, 3), (4, 4), (NULL, 3), (1, 3), (4, 0), (2, 4), (3, 1)",
        "INSERT INTO o (a) VALUES (4), (0), (4), (1)",
    )
    both = "SELECT t.a, t.g AS id FROM t INTERSECT SELECT o.a, o.id FROM o"
    lite.derive("both", both, ("a", "id"), freshness=freshness)
    lite.tidemark.apply()
    for change in (
        "UPDATE t SET a = (a + 1) % 5 WHERE n > 1",
        "UPDATE t SET a = 4 WHERE n = 8",
        "UPDATE o SET a = 3 WHERE id = 1",
        "DELETE FROM t WHERE g = 3",
        "UPDATE o SET a = 4",
        "DELETE FROM o WHERE id > 1",
    ):
        lite.run(change)
        lite.drained()
    lite.verified()


def test_a_rowid_is_no_part_of_a_key_in_somebody_elses_table(lite: Place) -> None:
    """No upsert of SQLite's can name it beside another column."""
    lite.run(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, g INTEGER NOT NULL)",
        "CREATE TABLE kept (kind TEXT NOT NULL, id INTEGER PRIMARY KEY, n INTEGER, UNIQUE (kind, id))",
    )
    query = "SELECT 'counted' AS kind, g AS id, count(*) AS n FROM t GROUP BY g"
    lite.project.derive("counted", query=query, key=("kind", "id"), rows_of="kept", freshness="tick")
    with pytest.raises(Refusal, match="id is the rowid of kept") as refusal:
        lite.tidemark.apply()
    assert refusal.value.code is Code.ROWS_OF


@pytest.mark.parametrize("freshness", ["commit", "tick"])
def test_columns_that_are_called_like_the_number_of_a_row(lite: Place, freshness: Literal["commit", "tick"]) -> None:
    """Of the source and of the result, with NULLs in them."""
    lite.run(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, rowid INTEGER, v INTEGER)", "CREATE TABLE u (oid INTEGER, w INTEGER)"
    )
    lite.run(
        "INSERT INTO t VALUES (1, 1, 1), (2, NULL, 1), (3, 2, 2)", "INSERT INTO u VALUES (1, 1), (NULL, 2), (2, 2)"
    )
    joined = "SELECT t.{} AS {}, count(u.w) AS {} FROM t LEFT JOIN u ON u.oid = t.v GROUP BY t.{}"
    for number, names in enumerate((("rowid", "rowid", "_rowid_"), ("rowid", "g", "rowid"), ("v", "ROWID", "n"))):
        lite.derive(f"d{number}", joined.format(*names, names[0]), freshness=freshness)
    lite.derive(
        "counted", "SELECT rowid, count(DISTINCT v) AS n, max(v) AS m FROM t GROUP BY rowid", freshness=freshness
    )
    lite.derive("linear", "SELECT rowid, count(*) AS n, max(v) AS m FROM t GROUP BY rowid", freshness=freshness)
    lite.tidemark.apply()
    for statement in (
        "UPDATE t SET rowid = NULL WHERE id = 1",
        "UPDATE t SET v = NULL WHERE id = 2",
        "INSERT OR REPLACE INTO t VALUES (3, NULL, 1), (4, 5, 5)",
        "UPDATE u SET oid = oid + 1",
        "DELETE FROM t WHERE rowid IS NULL",
        "DELETE FROM u WHERE oid IS NULL",
    ):
        lite.run(statement)
        lite.drained()
    lite.verified()


def test_a_wide_table_is_no_deeper_than_sqlite_reads(lite: Place) -> None:
    """Each column is compared twice where its values may be of two classes."""
    columns = [f"c{number}" for number in range(320)]
    lite.run(f"CREATE TABLE t (id INTEGER PRIMARY KEY, {', '.join(columns)})", "INSERT INTO t (id, c1) VALUES (1, 1)")
    lite.derive("ticked", f"SELECT id, {', '.join(columns)} FROM t", freshness="tick")
    lite.tidemark.apply()
    lite.run("UPDATE t SET c319 = 5", "INSERT OR REPLACE INTO t (id, c2) VALUES (2, 2)")
    lite.drained()
