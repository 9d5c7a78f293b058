"""Triggers of the user's that write a table again while REPLACE is at it, on SQLite."""

import pytest

from tests.findings.place import Place

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
        lite.run(statement)
        lite.drained()
