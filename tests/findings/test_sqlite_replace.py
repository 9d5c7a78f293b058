"""SQLite: rows that REPLACE deletes without a word, whatever `recursive_triggers` says."""

import contextlib
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import pytest

from tests.findings.place import Place
from tests.kit.size import taken
from tidemark import Refusal, Tidemark
from tidemark.errors import Code

PRAGMAS = pytest.mark.parametrize("recursive", ["OFF", "ON"])


@dataclass(frozen=True)
class Story:
    """A table with unique keys and statements that replace rows in it."""

    name: str
    setup: Sequence[str]
    changes: Sequence[str]


STORIES = (
    Story(
        "one primary key",
        [
            "CREATE TABLE t (id INTEGER PRIMARY KEY, g INTEGER, v INTEGER)",
            "INSERT INTO t VALUES (1, 1, 5), (2, 1, 7), (3, 2, 9)",
        ],
        [
            "INSERT OR REPLACE INTO t VALUES (1, 2, 1)",
            "REPLACE INTO t VALUES (2, 2, 2), (2, 3, 3), (2, 1, 4), (7, NULL, NULL)",
            "UPDATE OR REPLACE t SET id = 1 WHERE id = 3",
            "UPDATE OR REPLACE t SET id = 7",
        ],
    ),
    Story(
        "several unique keys, one new row removes many",
        [
            "CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER UNIQUE, b TEXT UNIQUE, g INTEGER, v INTEGER, UNIQUE (a, b))",
            "INSERT INTO t VALUES (1, 1, 'x', 1, 5), (2, 2, 'y', 1, 6), (3, 3, 'z', 2, 7), (4, NULL, NULL, 2, 8)",
        ],
        [
            "INSERT OR REPLACE INTO t VALUES (1, 2, 'z', 3, 1)",
            "INSERT OR REPLACE INTO t VALUES (5, NULL, NULL, 2, 1), (6, 9, 'q', 2, 2), (7, 9, 'q', 1, 3)",
            "UPDATE OR REPLACE t SET a = 2, b = 'q' WHERE id = 4",
            "UPDATE OR REPLACE t SET a = 5",
        ],
    ),
    Story(
        "expression index",
        [
            "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, g INTEGER, v INTEGER)",
            "CREATE UNIQUE INDEX t_name ON t (lower(name), abs(g))",
            "INSERT INTO t VALUES (1, 'A', 1, 1), (2, 'b', -1, 2), (3, NULL, 1, 3)",
        ],
        [
            "INSERT OR REPLACE INTO t VALUES (10, 'a', -1, 4)",
            "INSERT OR REPLACE INTO t VALUES (11, NULL, 1, 4), (12, 'B', 1, 5)",
            "UPDATE OR REPLACE t SET name = 'b', g = 1",
        ],
    ),
    Story(
        "partial index",
        [
            "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, live INTEGER, g INTEGER, v INTEGER)",
            "CREATE UNIQUE INDEX t_live ON t (name) WHERE live = 1",
            "INSERT INTO t VALUES (1, 'a', 1, 1, 1), (2, 'a', 0, 1, 2), (3, 'b', 1, 2, 3), (4, 'a', NULL, 2, 4)",
        ],
        [
            "INSERT OR REPLACE INTO t VALUES (5, 'a', 1, 3, 5)",
            "INSERT OR REPLACE INTO t VALUES (6, 'a', 0, 3, 6)",
            "UPDATE OR REPLACE t SET live = 1 WHERE id = 2",
            "UPDATE OR REPLACE t SET live = 1, name = 'b'",
        ],
    ),
    Story(
        "NOT NULL with a default stands in for NULL",
        [
            "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT NOT NULL DEFAULT 'd', b INTEGER NOT NULL DEFAULT (-1), "
            "g INTEGER, v INTEGER, UNIQUE (a, b))",
            "INSERT INTO t VALUES (1, 'd', -1, 1, 1), (2, 'd', 2, 1, 2)",
        ],
        [
            "INSERT OR REPLACE INTO t VALUES (3, NULL, NULL, 2, 3)",
            "INSERT OR REPLACE INTO t (id, g, v) VALUES (4, 2, 4)",
            "UPDATE OR REPLACE t SET b = NULL WHERE id = 2",
        ],
    ),
    Story(
        "NOCASE key",
        [
            "CREATE TABLE t (k TEXT COLLATE NOCASE PRIMARY KEY, g INTEGER, v INTEGER) WITHOUT ROWID",
            "INSERT INTO t VALUES ('a', 1, 1), ('b', 1, 2)",
        ],
        [
            "REPLACE INTO t VALUES ('A', 2, 3)",
            "UPDATE t SET k = 'B' WHERE k = 'b'",
            "INSERT OR REPLACE INTO t VALUES ('b', 3, 4)",
            "UPDATE OR REPLACE t SET k = 'a' WHERE k = 'B'",
        ],
    ),
    Story(
        "the hidden rowid",
        ["CREATE TABLE t (g INTEGER, v INTEGER)", "INSERT INTO t VALUES (1, 1), (2, 2), (3, 3)"],
        [
            "UPDATE OR REPLACE t SET rowid = 2 WHERE rowid = 1",
            "INSERT OR REPLACE INTO t (rowid, g, v) VALUES (3, 9, 9)",
            "INSERT OR REPLACE INTO t (oid, g, v) SELECT rowid, g + 1, v FROM t",
        ],
    ),
    Story(
        "conflict clause in the schema",
        [
            "CREATE TABLE t (id INTEGER PRIMARY KEY ON CONFLICT REPLACE, u INTEGER UNIQUE ON CONFLICT REPLACE, "
            "g INTEGER, v INTEGER)",
            "INSERT INTO t VALUES (1, 1, 1, 1), (2, 2, 1, 2), (3, 3, 2, 3)",
        ],
        [
            "INSERT INTO t VALUES (1, 2, 2, 5)",
            "UPDATE t SET u = 3 WHERE id = 1",
            "INSERT INTO t VALUES (1, 9, 3, 1) ON CONFLICT (id) DO UPDATE SET g = 7",
        ],
    ),
    Story(
        "a stored row that stays because of DO NOTHING",
        [
            "CREATE TABLE t (id INTEGER PRIMARY KEY, u INTEGER UNIQUE, g INTEGER, v INTEGER)",
            "INSERT INTO t VALUES (1, 1, 1, 1), (2, 2, 1, 2)",
        ],
        [
            "INSERT INTO t VALUES (3, 1, 2, 9) ON CONFLICT DO NOTHING",
            "INSERT OR IGNORE INTO t VALUES (1, 1, 2, 9)",
            "INSERT INTO t VALUES (4, 4, 2, 9)",
            "DELETE FROM t WHERE id = 1",
            "INSERT OR REPLACE INTO t VALUES (5, 2, 2, 9)",
        ],
    ),
)


@PRAGMAS
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_replaced_rows_are_taken_back(lite: Place, story: Story, recursive: str) -> None:
    lite.run(*story.setup)
    lite.derive("sums", "SELECT g, count(*) AS n, sum(v) AS total, max(v) AS best FROM t GROUP BY g")
    lite.derive("whole", "SELECT count(*) AS n, min(v) AS least, avg(v) AS mean FROM t")
    lite.derive("distinct_v", "SELECT g, count(DISTINCT v) AS n FROM t GROUP BY g", freshness="tick")
    lite.tidemark.apply()
    lite.run(f"PRAGMA recursive_triggers = {recursive}")
    for change in story.changes:
        lite.run(change)
        lite.drained()
    lite.verified()


@PRAGMAS
def test_the_universe_is_replaced(lite: Place, recursive: str) -> None:
    lite.run(
        "CREATE TABLE u (id INTEGER PRIMARY KEY, name TEXT UNIQUE)",
        "CREATE TABLE f (id INTEGER PRIMARY KEY, u INTEGER, v INTEGER)",
        "INSERT INTO u VALUES (1, 'a'), (2, 'b'), (3, 'c')",
        "INSERT INTO f VALUES (1, 1, 5), (2, 2, 6), (3, 9, 7)",
    )
    lite.install(
        "users",
        "SELECT u.id, u.name, (SELECT sum(f.v) FROM f WHERE f.u = u.id) AS v, "
        "(SELECT max(f.v) FROM f WHERE f.u = u.id) AS best FROM u",
        key="id",
    )
    lite.run(f"PRAGMA recursive_triggers = {recursive}")
    for change in (
        "REPLACE INTO u VALUES (1, 'b')",
        "REPLACE INTO u VALUES (9, 'c')",
        "REPLACE INTO f VALUES (1, 9, 1)",
        "UPDATE OR REPLACE u SET name = 'b'",
    ):
        lite.run(change)
        lite.check()
    lite.verified()


def test_a_failed_statement_forgets_its_stash(lite: Place) -> None:
    lite.run("CREATE TABLE t (id INTEGER PRIMARY KEY, g INTEGER CHECK (g < 5))", "INSERT INTO t VALUES (1, 1), (2, 2)")
    lite.install("sums", "SELECT g, count(*) AS n FROM t GROUP BY g")
    lite.run(
        "BEGIN",
        "SAVEPOINT s",
        "REPLACE INTO t VALUES (1, 3)",
        "ROLLBACK TO s",
        "REPLACE INTO t VALUES (2, 1)",
        "COMMIT",
    )
    lite.check()
    lite.run("INSERT OR IGNORE INTO t VALUES (1, 9)", "DELETE FROM t WHERE id = 1")
    lite.verified()


@pytest.mark.parametrize("default", ["(lower('X'))", "CURRENT_TIMESTAMP", "(random())"])
def test_a_default_that_cannot_be_foreseen_is_refused(lite: Place, default: str) -> None:
    lite.run(f"CREATE TABLE t (id INTEGER PRIMARY KEY, u TEXT NOT NULL DEFAULT {default} UNIQUE, g INTEGER)")
    lite.derive("sums", "SELECT g, count(*) AS n FROM t GROUP BY g")
    with pytest.raises(Refusal) as caught:
        lite.tidemark.plan()
    assert caught.value.code is Code.REPLACE_DEFAULT
    assert "t.u" in caught.value.reason and caught.value.instead


@pytest.mark.parametrize(
    "query",
    [
        "SELECT u.id, (SELECT count(*) FROM t WHERE t.g = u.id) AS n, (SELECT max(t.v) FROM t WHERE t.g = u.id) AS best FROM u",
        "SELECT g, count(*) AS n, max(v) AS best FROM t GROUP BY g",
    ],
    ids=["key without NULLs", "key with NULLs"],
)
def test_taking_back_goes_by_the_key_and_not_past_every_stored_row(lite: Place, query: str) -> None:
    """An upsert that finds its row leaves it in the stash, so the next insert of anybody takes back."""
    lite.run(
        "CREATE TABLE u (id INTEGER PRIMARY KEY)",
        "CREATE TABLE t (id INTEGER PRIMARY KEY, g INTEGER, v INTEGER, name TEXT UNIQUE)",
    )
    lite.derive("kept", query, "id" if "u.id" in query else None)
    Tidemark(lite.project, lite.url).apply()
    [(text,)] = lite.rows("SELECT sql FROM sqlite_schema WHERE name = 'tidemark__unstash_insert_kept_t'")
    body = text.partition("BEGIN")[2].replace('NEW."rowid"', "5").replace('NEW."id"', "5")
    taken = [one for one in body.split(";\n") if one.strip().startswith(("UPDATE", 'DELETE FROM "tidemark_kept"'))]
    assert taken
    for statement in taken:
        steps = [row[3] for row in lite.rows(f"EXPLAIN QUERY PLAN {statement}")]
        assert not [step for step in steps if step in ("SCAN tidemark_kept", "SCAN k")], steps


SELF = {
    "a victim takes its replacer along": (
        "ON DELETE CASCADE ON UPDATE CASCADE",
        "INSERT INTO t VALUES (4, NULL, 2, 5), (3, 4, 1, 2), (6, NULL, 1, 1)",
        "UPDATE OR REPLACE t SET id = id + 1 WHERE id < 4",
    ),
    "a victim takes others along": (
        "ON DELETE CASCADE",
        "INSERT INTO t VALUES (1, 1, 1, NULL), (2, NULL, 1, 5)",
        "UPDATE OR IGNORE t SET id = id + 1, next = 1 WHERE id = 2",
        "UPDATE OR REPLACE t SET u = 6",
    ),
    "one victim writes the other": (
        "ON DELETE SET NULL ON UPDATE CASCADE",
        "INSERT INTO t VALUES (4, NULL, 2, NULL), (2, 4, 2, 2)",
        "INSERT OR REPLACE INTO t VALUES (4, 4, 1, 2)",
    ),
    "each of two victims writes somebody": (
        "ON DELETE SET NULL ON UPDATE SET NULL",
        "INSERT INTO t VALUES (2, NULL, 1, NULL), (5, 5, 1, NULL), (4, NULL, 1, 4), (3, 4, 1, NULL), (6, 2, 1, NULL)",
        "INSERT OR REPLACE INTO t VALUES (2, NULL, 1, 4)",
    ),
    "the replacer refers to itself": (
        "ON UPDATE CASCADE",
        "INSERT INTO t VALUES (4, NULL, 1, 5), (1, 1, 1, 2), (2, NULL, 1, 6)",
        "UPDATE OR REPLACE t SET id = 4, u = 1 WHERE id = 1",
        "UPDATE OR REPLACE t SET id = id + 1, next = 4",
    ),
    "one that was spared moves": (
        "ON DELETE NO ACTION ON UPDATE CASCADE",
        "INSERT INTO t VALUES (6, NULL, 2, 6), (2, 6, 2, 1)",
        "INSERT OR IGNORE INTO t VALUES (5, NULL, 2, 6)",
        "UPDATE t SET id = id + 1 WHERE id = 6",
        "INSERT INTO t VALUES (7, NULL, 1, 3) ON CONFLICT (id) DO UPDATE SET v = 2",
        "UPDATE t SET id = id + 10",
    ),
    "one that was spared moves and writes itself": (
        "ON DELETE CASCADE ON UPDATE SET NULL",
        "INSERT INTO t VALUES (3, 3, 2, 5)",
        "INSERT OR IGNORE INTO t VALUES (3, 1, 2, 1)",
        "UPDATE t SET id = 4",
        "INSERT OR IGNORE INTO t VALUES (3, 4, 1, 4)",
        "UPDATE OR REPLACE t SET u = 4, id = id + 1 WHERE id = 4",
    ),
    "the replacer is written before it is, and that is overwritten": (
        "ON DELETE SET NULL",
        "INSERT INTO t VALUES (4, NULL, 1, 6), (3, 4, 1, 2)",
        "UPDATE OR REPLACE t SET u = 6, next = NULL WHERE id = 3",
    ),
    "the replacer looks like its victim": (
        "ON DELETE CASCADE ON UPDATE CASCADE",
        "INSERT INTO t VALUES (2, NULL, 1, 4), (3, 2, 1, 1)",
        "UPDATE OR REPLACE t SET id = id + 1, next = id WHERE id < 3",
    ),
    "an update fails, and later ones do not": (
        "ON DELETE NO ACTION ON UPDATE CASCADE",
        "INSERT INTO t VALUES (1, NULL, 2, 6), (5, NULL, 1, 1), (4, 5, 2, 2)",
        "UPDATE OR IGNORE t SET id = id + 1, v = 1 WHERE id = 4",
        "UPDATE OR REPLACE t SET u = 2 WHERE v = 1",
        "UPDATE OR REPLACE t SET id = 3 WHERE v = 1",
        "UPDATE t SET id = id + 1, v = 1 WHERE id < 2",
    ),
    "the replacer is written before it is": (
        "ON DELETE SET NULL ON UPDATE CASCADE",
        "INSERT INTO t VALUES (4, NULL, 2, NULL), (3, 4, 1, 2)",
        "UPDATE OR REPLACE t SET id = id + 1, v = 2 WHERE v = 1",
    ),
}
KEYS = (
    ("INTEGER PRIMARY KEY", ""),
    ("INT UNIQUE", " UNIQUE"),
    ("TEXT NOT NULL PRIMARY KEY", " UNIQUE"),
    ("TEXT NOT NULL PRIMARY KEY", ""),
    ("INTEGER PRIMARY KEY", " UNIQUE"),
    ("INT UNIQUE", ""),
)
SELF_REFERRING = [(way, *key, story) for way, key, story in taken(product(("OFF", "ON"), KEYS, SELF), 5)]
OVER_SELF = {
    "totals": ("SELECT v, count(*) AS n, sum(id) AS s FROM t GROUP BY v", "v", "commit"),
    "copied": ("SELECT id, next, v, u FROM t", "id", "commit"),
    "followed": ("SELECT next, count(*) AS n, sum(v) AS s FROM t GROUP BY next", "next", "commit"),
    "followed_later": ("SELECT next, count(*) AS n, max(u) AS m FROM t GROUP BY next", "next", "tick"),
    "followed_by": (
        "SELECT a.next, count(*) AS n, sum(b.v) AS s FROM t a LEFT JOIN t b ON b.id = a.next GROUP BY a.next",
        "next",
        "commit",
    ),
    "pairs": ("SELECT a.id, a.v, b.v AS bv FROM t a LEFT JOIN t b ON b.id = a.next", "id", "commit"),
    "ticked": ("SELECT v, count(*) AS n, sum(u) AS s, max(u) AS m FROM t GROUP BY v", "v", "tick"),
}


@pytest.mark.parametrize(("recursive", "key", "unique", "story"), SELF_REFERRING)
def test_rows_that_refer_to_rows_of_their_table_are_replaced(
    lite: Place, recursive: str, key: str, unique: str, story: str
) -> None:
    action, rows, *changes = SELF[story]
    type_ = "TEXT" if key.startswith("TEXT") else "INTEGER"
    lite.run(
        f"CREATE TABLE t (id {key}, next {type_}{unique} REFERENCES t (id) {action}, v INTEGER, u INTEGER UNIQUE)", rows
    )
    for name, (query, by, freshness) in OVER_SELF.items():
        if by == "v" or "PRIMARY" in key or (by == "next" and "overwritten" not in story):
            lite.derive(name, query, by, freshness=freshness)  # type: ignore[arg-type]
    lite.tidemark.apply()
    lite.run("PRAGMA foreign_keys = ON", f"PRAGMA recursive_triggers = {recursive}")
    for change in changes:
        # Some keys forbid what others allow, and SQLite forbids more where there are triggers, whatever they do.
        with contextlib.suppress(sqlite3.IntegrityError):
            lite.run(change)
        lite.drained()
    lite.verified()


def test_columns_may_be_called_as_those_of_the_stash(lite: Place) -> None:
    lite.run(
        "CREATE TABLE t (i0 INTEGER PRIMARY KEY, i_moves INTEGER UNIQUE, ii1 INTEGER REFERENCES t (i0) ON UPDATE CASCADE)",
        "CREATE TABLE u (i1 INTEGER PRIMARY KEY, i0 INTEGER)",
    )
    lite.derive("sums", "SELECT i_moves, count(*) AS n, sum(i0) AS s FROM t GROUP BY i_moves")
    lite.install("joined", "SELECT t.i0, t.i_moves, u.i1 FROM t JOIN u ON u.i1 = t.i0", freshness="commit")
    lite.run("INSERT INTO u VALUES (1, 1), (2, 1)", "INSERT INTO t VALUES (1, 1, 1), (2, 2, NULL), (4, 4, NULL)")
    lite.run("REPLACE INTO t VALUES (3, 1, 2)", "UPDATE OR REPLACE t SET i0 = 4 WHERE i0 = 2")
    lite.verified()
