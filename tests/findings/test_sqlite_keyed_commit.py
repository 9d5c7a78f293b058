"""SQLite: queries that are recomputed by key, true at every commit, whatever clauses, cascades and triggers do."""

from __future__ import annotations

import contextlib
import re
import sqlite3

import pytest

from tests.findings.place import Place

TABLES = (
    "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT UNIQUE, region TEXT)",
    "CREATE TABLE posts (id INTEGER PRIMARY KEY, author INTEGER REFERENCES users (id) ON DELETE CASCADE ON UPDATE CASCADE, "
    "slug TEXT UNIQUE, score INTEGER)",
    "CREATE TABLE tags (post INTEGER REFERENCES posts (id) ON DELETE CASCADE ON UPDATE CASCADE, tag TEXT)",
    "INSERT INTO users VALUES (1, 'ada', 'n'), (2, 'bob', 's'), (3, 'cyd', NULL)",
    "INSERT INTO posts VALUES (1, 1, 'a', 5), (2, 1, 'b', 7), (3, 2, 'c', 5), (4, NULL, 'd', 1)",
    "INSERT INTO tags VALUES (1, 'x'), (1, 'y'), (2, 'x'), (3, 'x'), (4, NULL)",
)
QUERIES = {
    "authors": ("SELECT p.id, p.score, u.name FROM posts p JOIN users u ON u.id = p.author", "id"),
    "lefts": ("SELECT p.id, u.name, u.region FROM posts p LEFT JOIN users u ON u.id = p.author", "id"),
    "scores": (
        "SELECT u.region, p.score, count(*) AS n FROM posts p JOIN users u ON u.id = p.author GROUP BY u.region, p.score",
        None,
    ),
    "three": (
        "SELECT u.region, t.tag, count(*) AS n FROM users u JOIN posts p ON p.author = u.id JOIN tags t ON t.post = p.id "
        "GROUP BY u.region, t.tag",
        None,
    ),
    "tagged": ("SELECT u.id FROM users u WHERE NOT EXISTS (SELECT 1 FROM posts p WHERE p.author = u.id)", "id"),
    "kinds": ("SELECT author, count(DISTINCT score) AS kinds FROM posts GROUP BY author", None),
    "ranks": ("SELECT id, author, rank() OVER (PARTITION BY author ORDER BY score) AS place FROM posts", "id"),
}
CHANGES = (
    "INSERT OR REPLACE INTO posts VALUES (1, 2, 'b', 9)",
    "INSERT OR REPLACE INTO users VALUES (1, 'bob', 'w')",
    "REPLACE INTO users VALUES (9, 'ada', 'n')",
    "INSERT OR IGNORE INTO posts VALUES (1, 3, 'z', 0), (8, 3, 'y', 2)",
    "INSERT INTO posts VALUES (2, 3, 'q', 4) ON CONFLICT (id) DO UPDATE SET author = 3, score = score + 1",
    "UPDATE OR REPLACE posts SET slug = 'a' WHERE id = 3",
    "UPDATE OR IGNORE posts SET slug = 'a' WHERE id > 1",
    "UPDATE users SET id = id + 10",
    "UPDATE posts SET author = (SELECT max(id) FROM users)",
    "DELETE FROM users WHERE id IN (SELECT id FROM users LIMIT 1)",
    "DELETE FROM users",
    "DELETE FROM posts",
)


@pytest.fixture
def forum(lite: Place) -> Place:
    """Every query over the tables, at commit freshness."""
    lite.run(*TABLES)
    for name, (query, key) in QUERIES.items():
        lite.derive(name, query, key=key, freshness="commit")
    lite.tidemark.apply()
    lite.check()
    return lite


@pytest.mark.parametrize("recursive", ["ON", "OFF"])
@pytest.mark.parametrize("keys", ["ON", "OFF"])
def test_every_conflict_clause_and_cascade(forum: Place, recursive: str, keys: str) -> None:
    forum.run(f"PRAGMA recursive_triggers = {recursive}", f"PRAGMA foreign_keys = {keys}")
    for start in range(0, len(CHANGES), 4):
        forum.run("BEGIN")
        for change in (*CHANGES[start:], *CHANGES[:start]):
            # Some of them break a foreign key after some others: then nothing of the statement stays.
            with contextlib.suppress(sqlite3.IntegrityError):
                forum.run(change)
            forum.check()
        forum.run("ROLLBACK")
    forum.verified()


def test_rows_that_a_trigger_puts_in_the_way_of_a_cascade(forum: Place) -> None:
    """A tombstone comes before its parent goes, and goes with it: neither was there before, neither is there afterwards."""
    forum.run(
        "CREATE TRIGGER tombstone BEFORE DELETE ON users BEGIN "
        "INSERT INTO posts VALUES (OLD.id + 100, OLD.id, NULL, 3); INSERT INTO tags VALUES (OLD.id + 100, 'gone'); END"
    )
    forum.tidemark.apply()
    forum.run("DELETE FROM users WHERE id = 2")
    forum.check()
    forum.run("DELETE FROM users")
    forum.verified()


def test_a_cascade_by_hand(forum: Place) -> None:
    forum.run(
        "CREATE TRIGGER by_hand AFTER DELETE ON users BEGIN DELETE FROM tags WHERE tag = 'x'; "
        "UPDATE posts SET score = score + 1; END"
    )
    forum.tidemark.apply()
    forum.run("DELETE FROM users WHERE id = 1")
    forum.verified()


def test_images_that_stay_in_flight_are_harmless_and_go(forum: Place) -> None:
    forum.run("UPDATE OR IGNORE posts SET slug = 'a', score = 99 WHERE id > 1")
    (left,) = forum.rows("SELECT count(*) FROM tidemark__flight_authors_posts")[0]
    forum.check()
    assert left == 3
    forum.run("DELETE FROM users WHERE id = 2", "UPDATE posts SET score = 4")
    forum.run("DELETE FROM tidemark_authors")
    forum.tidemark.verify()
    forum.tidemark.repair()
    forum.verified()
    assert forum.rows("SELECT count(*) FROM tidemark__flight_authors_posts") == [(0,)]


def test_a_table_over_a_recomputed_one_is_true_at_the_same_commit(lite: Place) -> None:
    lite.run(*TABLES)
    lite.derive("authors", *QUERIES["authors"], freshness="commit")
    lite.derive("names", "SELECT name, count(DISTINCT score) AS kinds FROM authors GROUP BY name", freshness="commit")
    lite.tidemark.apply()
    for change in CHANGES:
        lite.run(change)
        lite.check()
    lite.verified()


def test_a_savepoint_takes_recomputed_rows_along(forum: Place) -> None:
    forum.run(
        "BEGIN", "SAVEPOINT a", "DELETE FROM users", "ROLLBACK TO a", "UPDATE users SET name = name || '!'", "COMMIT"
    )
    forum.verified()


def test_a_changed_row_reads_no_table_whole(lite: Place) -> None:
    lite.run(*TABLES, "CREATE INDEX by_author ON posts (author)", "CREATE INDEX by_post ON tags (post)")
    for name in ("authors", "lefts", "tagged", "kinds"):
        query, key = QUERIES[name]
        lite.derive(name, f"{query} LIMIT 1000" if name == "kinds" else query, key=key, freshness="commit")
    lite.tidemark.apply()
    bodies = lite.rows(
        "SELECT sql FROM sqlite_schema WHERE type = 'trigger' AND sql LIKE '% AFTER %' AND name NOT LIKE '%stash%'"
    )
    assert len(bodies) >= 21
    for (body,) in bodies:
        for statement in body[body.index("BEGIN") : -len("END")].partition("\n")[2].split(";\n"):
            asked = re.sub(r'(OLD|NEW)\."[^"]+"', "1", statement)
            plan = [row[3] for row in lite.rows(f"EXPLAIN QUERY PLAN {asked}")] if asked.strip() else []
            whole = [step for step in plan if re.fullmatch(r"SCAN (p|u|o|s|posts|users|tidemark_(?!_)\w+)", step)]
            assert not whole, (asked, plan)
