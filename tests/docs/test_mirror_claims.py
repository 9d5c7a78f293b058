"""What docs/why/mirror.md and docs/declaring.md claim about `columns_of` and `rows_of`, on each engine."""

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from tidemark import Project, Tidemark

Run = Callable[[str], list[tuple[Any, ...]]]
SCHEMA = """
CREATE TABLE threads (id INTEGER PRIMARY KEY, title TEXT NOT NULL, reply_count BIGINT);
CREATE TABLE posts (id INTEGER PRIMARY KEY, thread_id INTEGER NOT NULL, author_id INTEGER);
CREATE TABLE progress (
    challenge_id TEXT NOT NULL, user_id INTEGER NOT NULL, points BIGINT, PRIMARY KEY (challenge_id, user_id)
);
CREATE INDEX posts_thread_id ON posts (thread_id);
CREATE INDEX posts_author_id ON posts (author_id);
INSERT INTO threads (id, title) VALUES (1, 'a'), (2, 'b');
INSERT INTO posts VALUES (1, 1, 10), (2, 1, 11), (3, 2, 10);
INSERT INTO progress VALUES ('mine', 10, 99);
"""


@pytest.fixture
def run(engine_url: str) -> Iterator[Run]:
    """Runs one statement in a transaction of its own and gives its rows."""
    if engine_url.startswith("sqlite"):
        with contextlib.closing(sqlite3.connect(engine_url.removeprefix("sqlite:///"), isolation_level=None)) as file:
            file.executescript(SCHEMA)
            yield lambda statement: file.execute(statement).fetchall()
        return
    with psycopg.connect(engine_url, autocommit=True) as server:
        server.execute(SCHEMA)

        def on_server(statement: str) -> list[tuple[Any, ...]]:
            cursor = server.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

        yield on_server


def project() -> Project:
    """A derived table in columns of the application's, and one in rows."""
    found = Project("forum")
    found.derive(
        "thread_counts",
        key="id",
        columns_of="threads",
        query="SELECT t.id, (SELECT count(*) FROM posts p WHERE p.thread_id = t.id) AS reply_count FROM threads t",
    )
    found.derive(
        "posting",
        rows_of="progress",
        query="SELECT 'p' AS challenge_id, author_id AS user_id, count(*) AS points"
        " FROM posts WHERE author_id IS NOT NULL GROUP BY author_id",
    )
    return found


COUNTS = "SELECT id, reply_count FROM threads ORDER BY id"
POINTS = "SELECT challenge_id, user_id, points FROM progress ORDER BY 1, 2"


def test_the_mirror_follows_every_write(run: Run, engine_url: str) -> None:
    Tidemark(project(), engine_url).apply()
    assert run(COUNTS) == [(1, 2), (2, 1)]
    assert run(POINTS) == [("mine", 10, 99), ("p", 10, 2), ("p", 11, 1)]
    run("INSERT INTO threads (id, title) VALUES (3, 'c')")
    run("INSERT INTO posts VALUES (4, 3, 11), (5, 3, 12)")
    run("DELETE FROM posts WHERE id = 1")
    run("UPDATE posts SET author_id = 12 WHERE id = 3")
    assert run(COUNTS) == [(1, 1), (2, 1), (3, 2)]
    assert run(POINTS) == [("mine", 10, 99), ("p", 11, 2), ("p", 12, 2)]
    run("DELETE FROM threads WHERE id = 3")
    run("INSERT INTO threads (id, title) VALUES (3, 'again')")
    assert run(COUNTS) == [(1, 1), (2, 1), (3, 2)]


def test_what_the_application_writes_into_the_mirror_is_drift(run: Run, engine_url: str) -> None:
    engine = Tidemark(project(), engine_url)
    engine.apply()
    run("UPDATE threads SET reply_count = 7 WHERE id = 1")
    run("DELETE FROM progress WHERE challenge_id = 'p' AND user_id = 10")
    assert sorted((report.derived, report.drift) for report in engine.verify()) == [
        ("posting", 1),
        ("thread_counts", 1),
    ]
    engine.repair()
    assert all(report.clean for report in engine.verify())
    assert run(COUNTS) == [(1, 2), (2, 1)]
    assert run(POINTS) == [("mine", 10, 99), ("p", 10, 2), ("p", 11, 1)]


def test_plans_are_empty_afterwards_and_nothing_is_left_of_us(run: Run, engine_url: str) -> None:
    engine = Tidemark(project(), engine_url)
    engine.apply()
    assert engine.plan().is_empty
    engine.uninstall()
    run("INSERT INTO posts VALUES (9, 1, 10)")
    run("INSERT INTO threads (id, title) VALUES (9, 'z')")
    assert ("mine", 10, 99) in run(POINTS)
    assert len(run(COUNTS)) == 3
