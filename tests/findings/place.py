"""A database with derived tables in it, asked through the public API and written by plain drivers.

Owns: `Place`. Promises: `check` compares every derived table with its query as the engine evaluates it, as bags, values and
types; `verified` also asks Tidemark, so that a wrong hidden column is seen as well.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import psycopg

from tidemark import Project, Tidemark
from tidemark.model import Freshness

Connection = Any
WAIT_SECONDS_MAX = 20.0


@dataclass
class Place:
    """`url` is the database; `user` is the connection of a plain client in autocommit mode."""

    url: str
    user: Connection
    project: Project = field(default_factory=lambda: Project("findings"))
    queries: dict[str, str] = field(default_factory=dict)
    opened: list[Connection] = field(default_factory=list)

    @property
    def is_sqlite(self) -> bool:
        """True on SQLite."""
        return self.url.startswith("sqlite:")

    def run(self, *statements: str) -> None:
        """Run statements as the plain client, each for itself."""
        for statement in statements:
            self.user.execute(statement)

    def client(self, url: str | None = None) -> Connection:
        """Another connection in autocommit mode, closed at the end of the test."""
        connection = connect(url or self.url)
        self.opened.append(connection)
        return connection

    def derive(
        self, name: str, query: str, key: str | Sequence[str] | None = None, freshness: Freshness | None = None
    ) -> None:
        """Declare a derived table."""
        self.project.derive(name, query=query, key=key, freshness=freshness)
        self.queries[name] = query

    @property
    def tidemark(self) -> Tidemark:
        """The public object over this database."""
        return Tidemark(self.project, self.url)

    def install(self, name: str, query: str, key: str | Sequence[str] | None = None, **options: Any) -> None:
        """Declare one derived table and apply."""
        self.derive(name, query, key, **options)
        self.tidemark.apply()
        self.check()

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """Every row of a query."""
        return list(self.user.execute(statement).fetchall())

    def bag(self, statement: str) -> Counter[str]:
        """The rows of a query with types, as a bag. Numerics count by value: a sum keeps the scale of what it once held."""
        return Counter(repr(tuple(_plain(value) for value in row)) for row in self.rows(statement))

    def check(self) -> None:
        """Every derived table equals its query."""
        for name, query in self.queries.items():
            stored, truth = self.bag(f'SELECT * FROM "{name}"'), self.bag(query)
            assert stored == truth, f"{name}: stored {stored - truth}, true {truth - stored}"

    def verified(self) -> None:
        """Every derived table equals its query, hidden columns included."""
        self.check()
        for report in self.tidemark.verify():
            assert report.clean, report.findings

    def drained(self) -> None:
        """Tick until nothing waits, then compare."""
        self.tidemark.tick()
        self.check()

    @contextlib.contextmanager
    def in_thread(self, connection: Connection, statement: str) -> Iterator[Waiting]:
        """Run a statement that is expected to wait for a lock; yields once the server says that it waits."""
        waiting = Waiting(connection, statement)
        waiting.thread.start()
        self._until_waiting(connection.info.backend_pid, waiting)
        try:
            yield waiting
        finally:
            waiting.thread.join(WAIT_SECONDS_MAX)
            assert not waiting.thread.is_alive(), f"{statement} still waits"

    def _until_waiting(self, pid: int, waiting: Waiting) -> None:
        ask = "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = %s"
        deadline = time.monotonic() + WAIT_SECONDS_MAX
        while time.monotonic() < deadline and waiting.thread.is_alive():
            (waits,) = self.user.execute(ask, (pid,)).fetchone()
            if waits:
                return
        assert not waiting.thread.is_alive(), f"{waiting.statement} neither waits nor ends"

    def close(self) -> None:
        """Close every connection."""
        for connection in (*self.opened, self.user):
            connection.close()


def _plain(value: object) -> object:
    return value.normalize() + 0 if isinstance(value, Decimal) and value.is_finite() else value


class Waiting:
    """A statement in a thread of its own; `problem` is the SQLSTATE it failed with, or None."""

    def __init__(self, connection: Connection, statement: str) -> None:
        self.connection = connection
        self.statement = statement
        self.problem: str | None = None
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        self.problem = attempt(self.connection, self.statement)


def attempt(connection: Connection, statement: str) -> str | None:
    """Run a statement on PostgreSQL; the SQLSTATE it failed with, or None."""
    try:
        connection.execute(statement)
    except psycopg.Error as problem:
        return problem.sqlstate
    return None


def connect(url: str) -> Connection:
    """A plain driver's connection in autocommit mode."""
    if not url.startswith("sqlite:"):
        return psycopg.connect(url, autocommit=True)
    connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    connection.execute("PRAGMA foreign_keys = ON")
    return connection
