"""A tiny world in which queries of every operator are kept true: a schema, random changes, and the comparison.

Owns: `SCHEMA`, `change`, `Place`. Promises: every value is one of at most five or NULL, so that rows meet each other all the
time; the same seed gives the same changes on both engines.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

from tidemark.database.open import open_session
from tidemark.database.session import Session
from tidemark.declare import Project
from tidemark.engine import Tidemark
from tidemark.runtime.clock import Clock

SCHEMA = (
    "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, region INTEGER, boss INTEGER)",
    "CREATE TABLE posts (id INTEGER PRIMARY KEY, author INTEGER, score INTEGER, state TEXT)",
    "CREATE TABLE follows (a INTEGER NOT NULL, b INTEGER NOT NULL, live INTEGER, PRIMARY KEY (a, b))",
    "CREATE TABLE tags (post INTEGER, tag TEXT)",
    "CREATE INDEX posts_author ON posts (author)",
    "CREATE INDEX users_region ON users (region)",
    "CREATE INDEX tags_post ON tags (post)",
    "CREATE INDEX follows_b ON follows (b)",
    "CREATE VIEW linked AS SELECT f.live, u.name FROM follows f JOIN users u ON u.id = f.a",
)

COLUMNS = {
    "users": {"id": "key", "name": "text", "region": "int", "boss": "int"},
    "posts": {"id": "key", "author": "int", "score": "int", "state": "text"},
    "follows": {"a": "key", "b": "key", "live": "int"},
    "tags": {"post": "int", "tag": "text"},
}
NULLABLE = {"int": ("1", "2", "3", "4", "NULL"), "text": ("'a'", "'b'", "'c'", "NULL")}


def change(rng: random.Random) -> str:
    """One statement that changes some rows, or none."""
    table = rng.choice(list(COLUMNS))
    columns = COLUMNS[table]

    def value(name: str) -> str:
        kind = columns[name]
        return str(rng.randint(1, 5)) if kind == "key" else rng.choice(NULLABLE[kind])

    test = rng.choice(list(columns))
    where = (
        f"{test} = {rng.randint(1, 5)}"
        if columns[test] in ("key", "int")
        else f"{test} = {rng.choice(NULLABLE['text'])}"
    )
    shape = rng.randrange(10)
    if shape < 5:
        names = list(columns)
        row = ", ".join(value(name) for name in names)
        return f"INSERT INTO {table} ({', '.join(names)}) VALUES ({row}) ON CONFLICT DO NOTHING"
    if shape < 8:
        free = [name for name in columns if columns[name] != "key"]
        name = rng.choice(free)
        return f"UPDATE {table} SET {name} = {value(name)} WHERE {where}"
    if shape == 8 and rng.random() < 0.1:
        return f"DELETE FROM {table}"
    return f"DELETE FROM {table} WHERE {where}"


@dataclass
class Place:
    """A database with derived tables: `user` writes, `tidemark` keeps."""

    user: Session
    tidemark: Tidemark

    @classmethod
    def make(cls, url: str, project: Project, seed: int) -> Place:
        """The schema with some rows, everything of the project installed."""
        user = open_session(url)
        with user.transaction():
            for statement in SCHEMA:
                user.run(statement)
            rng = random.Random(seed)
            for _ in range(30):
                user.run(change(rng))
        found = cls(user, Tidemark(project, url, clock=_hasty()))
        try:
            found.tidemark.apply()
        except BaseException:
            user.close()
            raise
        return found

    def step(self, rng: random.Random, statements: int) -> list[str]:
        """A transaction of the user's, then a tick; the statements."""
        done = [change(rng) for _ in range(statements)]
        with self.user.transaction():
            for statement in done:
                self.user.run(statement)
        self.tidemark.tick()
        return done

    def bag(self, sql: str) -> Counter[tuple[Any, ...]]:
        """The rows of a query with their types."""
        rows = self.user.all(sql)
        return Counter(tuple((type(value).__name__, repr(value)) for value in row) for row in rows)


def _hasty() -> Clock:
    """A clock whose waits take no time."""
    skipped = 0.0

    def wait(seconds: float) -> None:
        nonlocal skipped
        skipped += seconds

    return Clock(lambda: time.monotonic() + skipped, wait, lambda: 0.5)
