"""A forum with derived tables at tick freshness, on either engine: what the protocol tests write to and compare.

Owns: `Forum`. Promises: every comparison is of bags, both ways, between what readers see and what the declared queries say now.
"""

import contextlib
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tidemark import Project, Tidemark
from tidemark.database.open import open_session
from tidemark.database.session import Session
from tidemark.dialect import Dialect
from tidemark.runtime.pace import Pace, choose_pace

SCHEMA = """
CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE posts (
    id INTEGER PRIMARY KEY, thread_id INTEGER, author_id INTEGER, score INTEGER, block INTEGER, created_at TEXT
);
CREATE INDEX posts_by_thread ON posts (thread_id);
CREATE INDEX posts_by_author ON posts (author_id);
"""
QUERIES = {
    "thread_scores": (
        "thread_id",
        "SELECT thread_id, count(*) AS posts, sum(score) AS score, max(score) AS best, "
        "count(DISTINCT author_id) AS people FROM posts GROUP BY thread_id",
    ),
    # Added to, not recomputed: what is sealed twice would show.
    "thread_sums": (
        "thread_id",
        "SELECT thread_id, count(*) AS posts, sum(score) AS score, max(score) AS best FROM posts GROUP BY thread_id",
    ),
    "post_totals": (
        "",
        "SELECT count(*) AS posts, sum(score) AS score, min(created_at) AS since, count(block) AS placed FROM posts",
    ),
    "post_names": ("id", "SELECT p.id, p.score, u.name FROM posts p LEFT JOIN users u ON u.id = p.author_id"),
    "busy_users": (
        "id",
        "SELECT u.id, u.name FROM users u WHERE EXISTS (SELECT 1 FROM posts p WHERE p.author_id = u.id AND p.score > 2)",
    ),
}
LIVE = ("post_names", "busy_users", "thread_sums", "post_totals")
THREADS = 7
USERS = 9


def declare() -> Project:
    """The derived tables of the forum, all at tick freshness."""
    project = Project("forum")
    for name, (key, query) in QUERIES.items():
        project.derive(name, key=key or None, query=query, freshness="tick", live=name in LIVE)
    return project


def one_key_at_a_time(dialect: Dialect, hold_ms: float | None = None) -> Pace:
    """A pace at which a tick does one key in a transaction."""
    pace = choose_pace(dialect)
    pace.size = pace.size_min = pace.size_max = 1
    return pace


@dataclass
class Forum:
    """A database with the forum installed; `user` is the application's session."""

    url: str
    user: Session
    chance: random.Random
    tidemark: Tidemark = field(init=False)
    _last: int = 0

    def __post_init__(self) -> None:
        self.tidemark = Tidemark(declare(), self.url)

    def write(self, *statements: str) -> None:
        """The application writes, in one transaction."""
        with self.user.transaction():
            for statement in statements:
                self.user.run(statement)

    def change(self) -> list[str]:
        """A few random statements of the application."""
        return [self._statement() for _ in range(self.chance.randint(1, 4))]

    def _statement(self) -> str:
        pick, some = self.chance.random(), self.chance.randrange
        post = some(max(1, self._last)) + 1
        if pick < 0.4 or self._last < 5:
            rows = []
            for _ in range(self.chance.choice((1, 1, 2, 20))):
                self._last += 1
                author = self.chance.choice(("NULL", *range(USERS)))
                rows.append(
                    f"({self._last}, {some(THREADS)}, {author}, {some(6)}, {some(40)}, '2026-01-0{some(9) + 1}')"
                )
            return f"INSERT INTO posts VALUES {', '.join(rows)}"
        if pick < 0.6:
            return f"UPDATE posts SET score = {some(6)}, thread_id = {some(THREADS)} WHERE id BETWEEN {post} AND {post + 3}"
        if pick < 0.75:
            return f"DELETE FROM posts WHERE id BETWEEN {post} AND {post + some(3)}"
        if pick < 0.9:
            name = self.chance.choice(("NULL", "'ann'", "'bob'", "'cid'"))
            return (
                f"INSERT INTO users VALUES ({some(USERS)}, {name}) ON CONFLICT (id) DO UPDATE SET name = excluded.name"
            )
        return f"DELETE FROM users WHERE id = {some(USERS)}"

    def differences(self) -> dict[str, Any]:
        """What readers see and should not, and the other way round, by derived table; empty when everything is true."""
        found = {}
        for name, (_, query) in QUERIES.items():
            with self.user.transaction("read", snapshot=True):
                shown = Counter(self.user.all(f"SELECT * FROM {name}"))
                truth = Counter(self.user.all(query))
            if shown != truth:
                found[name] = {"extra": shown - truth, "missing": truth - shown}
        return found

    def drain(self) -> None:
        """Apply what waits, in this process."""
        while not all(report.drained for report in self.tidemark.tick()):
            continue

    def runs(self, kind: str) -> list[tuple[Any, ...]]:
        """State and cause of the runs of a kind."""
        return [
            (past.state, past.cause, past.message) for past in self.tidemark.history(limit=1000) if past.kind == kind
        ]


@contextlib.contextmanager
def open_forum(url: str, seed: int = 1) -> Iterator[Forum]:
    """A forum with some users and posts, installed and live."""
    with contextlib.closing(open_session(url, lock_timeout=30)) as user:
        forum = Forum(url, user, random.Random(seed))
        with user.transaction():
            user.script(SCHEMA)
        forum.write(f"INSERT INTO users VALUES {', '.join(f'({n}, {chr(39)}user {n}{chr(39)})' for n in range(USERS))}")
        for _ in range(10):
            forum.write(*forum.change())
        forum.tidemark.apply()
        yield forum
