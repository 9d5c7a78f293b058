"""Triggers of the user's that write a table again while REPLACE is at it, on SQLite."""

import contextlib
import sqlite3
from typing import Literal

import pytest

from tests.findings.place import Place
from tidemark.errors import Code, Refusal

SCHEMA = "CREATE TABLE posts (id INTEGER PRIMARY KEY, thread_id INTEGER, score INTEGER, slug TEXT UNIQUE)"
ROWS = "INSERT INTO posts VALUES (1, 1, 5, 'a'), (2, 1, 7, 'b'), (3, 2, 1, 'c'), (4, 2, 9, 'd')"
TOTALS = "SELECT thread_id, count(*) AS n, sum(score) AS s, max(score) AS m FROM posts GROUP BY thread_id"
WRITES = (
    "REPLACE INTO posts VALUES (1, 2, 3, 'c')",
    "INSERT INTO posts VALUES (2, 2, 2, 'x') ON CONFLICT (id) DO UPDATE SET score = 8",
    "INSERT OR IGNORE INTO posts VALUES (2, 2, 2, 'x'), (5, 1, 1, 'e')",
    "UPDATE OR REPLACE posts SET slug = 'd' WHERE id = 5",
    "REPLACE INTO posts VALUES (2, 1, 8, 'b'), (6, 1, 8, 'b')",
    "UPDATE posts SET id = id + 10",
    "DELETE FROM posts WHERE id > 14",
)


@pytest.mark.parametrize(
    "trigger",
    [
        "BEFORE INSERT ON posts BEGIN UPDATE posts SET score = score + 1 WHERE id = 4; END",
        "AFTER INSERT ON posts BEGIN UPDATE posts SET score = score + 1 WHERE id = NEW.id; END",
        "AFTER INSERT ON posts BEGIN UPDATE posts SET score = 0 WHERE thread_id = NEW.thread_id AND id <> NEW.id; END",
        "AFTER UPDATE OF slug ON posts BEGIN UPDATE posts SET score = score + 1 WHERE id = NEW.id; END",
        "BEFORE UPDATE ON posts WHEN OLD.score < 9 BEGIN "
        "UPDATE posts SET score = score + 1, thread_id = 3 WHERE id = OLD.id; END",
        "BEFORE DELETE ON posts BEGIN UPDATE posts SET score = 9, thread_id = 1 WHERE id = OLD.id; END",
        "BEFORE INSERT ON posts BEGIN DELETE FROM posts WHERE id = NEW.id AND score > 6; END",
        "BEFORE UPDATE ON posts BEGIN DELETE FROM posts WHERE id = OLD.id AND OLD.id = 15; END",
    ],
)
@pytest.mark.parametrize("recursive", ["OFF", "ON"])
def test_victims_are_taken_back_once_whatever_triggers_write(lite: Place, trigger: str, recursive: str) -> None:
    lite.run(SCHEMA, ROWS)
    lite.derive("totals", TOTALS)
    lite.derive("ticked", TOTALS, freshness="tick")
    lite.derive("copied", "SELECT id, thread_id, score FROM posts")
    lite.run(f"CREATE TRIGGER touches {trigger}", f"PRAGMA recursive_triggers = {recursive}")
    lite.tidemark.apply()
    for statement in WRITES:
        # Where triggers call themselves SQLite puts an end to some of it.
        with contextlib.suppress(sqlite3.DatabaseError):
            lite.run(statement)
        lite.drained()


@pytest.mark.parametrize(
    "body",
    [
        "INSERT INTO posts VALUES (7, 2, 4, 'b') ON CONFLICT DO UPDATE SET score = 3",
        "UPDATE OR IGNORE posts SET score = 1, (thread_id, slug) = (1, 'd') WHERE id = OLD.id",
        "UPDATE [posts] SET rowid = OLD.id + 1",
        "INSERT INTO notes (post) VALUES (OLD.id)",
    ],
)
def test_a_trigger_that_gives_rows_other_keys_before_one_is_written_is_refused(lite: Place, body: str) -> None:
    """Nor is a table called true where such a one comes later."""
    lite.run(SCHEMA, ROWS, "CREATE TABLE notes (id INTEGER PRIMARY KEY, post INTEGER)")
    lite.run(
        "CREATE TRIGGER touches AFTER INSERT ON notes BEGIN UPDATE posts SET slug = NEW.id WHERE id = NEW.post; END"
    )
    lite.install("totals", TOTALS)
    for timing in ("AFTER", "BEFORE"):
        lite.run("DROP TRIGGER IF EXISTS gives", f"CREATE TRIGGER gives {timing} UPDATE ON posts BEGIN {body}; END")
        if timing == "AFTER":
            lite.tidemark.apply()
    assert "outdated" in lite.tidemark.status()[0].captures
    with pytest.raises(Refusal) as refused:
        lite.tidemark.apply()
    assert refused.value.code is Code.SOURCE_KIND and "AFTER instead of BEFORE" in str(refused.value)


BEFORE = "CREATE TRIGGER touches BEFORE UPDATE ON posts BEGIN UPDATE posts SET score = score + 1 WHERE id = OLD.id; END"
THROUGH = (
    "CREATE TABLE notes (id INTEGER PRIMARY KEY, post INTEGER)",
    "CREATE TRIGGER notes BEFORE UPDATE ON posts BEGIN INSERT INTO notes (post) VALUES (OLD.id); END",
    "CREATE TRIGGER touches AFTER INSERT ON notes BEGIN UPDATE posts SET score = 0 WHERE id = NEW.post; END",
)


@pytest.mark.parametrize("freshness", ["commit", "tick"])
@pytest.mark.parametrize(
    "triggers", [(BEFORE,), THROUGH, THROUGH[:1] + THROUGH[:0:-1]], ids=["itself", "through", "back"]
)
def test_a_trigger_that_comes_and_writes_the_row_before_it_is_written_is_noticed(
    lite: Place, triggers: tuple[str, ...], freshness: Literal["commit", "tick"]
) -> None:
    """Whichever of them came last. From the next `apply` on it is followed, and what the trigger is stays as it was."""
    lite.run(SCHEMA, ROWS, "CREATE TRIGGER reads BEFORE UPDATE ON posts BEGIN SELECT max(score) FROM posts; END")
    lite.install("totals", TOTALS, freshness=freshness)
    lite.run(*triggers, "UPDATE posts SET thread_id = 2 WHERE id = 1")
    (status,) = lite.tidemark.status()
    assert "outdated" in status.captures
    texts = lite.rows(
        "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND name NOT LIKE 'tidemark%' ORDER BY name"
    )
    printed = str(lite.tidemark.plan())
    lite.tidemark.apply()
    assert "CREATE TRIGGER reads" in printed and texts == lite.rows(
        "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND name NOT LIKE 'tidemark%' ORDER BY name"
    )
    for statement in (*WRITES, "UPDATE posts SET thread_id = 3 - thread_id"):
        # Where triggers call themselves SQLite puts an end to some of it.
        with contextlib.suppress(sqlite3.DatabaseError):
            lite.run(statement)
        lite.drained()
    lite.verified()
    assert [one.captures for one in lite.tidemark.status()] == ["ok"] and lite.tidemark.plan().is_empty
