"""Where backfills are measured: a table with children on either engine, as many fresh copies of it as runs need.

Owns: the two tables, their rows, copies, and what a place tells of itself. Promises: every run begins on a copy of the same
database on a real disk; keys are numbers in a row, or sparse and without order.
"""

from __future__ import annotations

import random
import shutil
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from tests.kit.postgres import Server

SCAN = "SELECT count(*), max(ts), count(DISTINCT parent) FROM children"
_TRUTH = "coalesce((SELECT max(c.ts) FROM children c WHERE c.parent = parents.id), 0)"
UPDATE = f"UPDATE parents SET last_seen = {_TRUTH}"
WRONG = f"SELECT count(*) FROM parents WHERE last_seen <> {_TRUTH}"


def key_of(number: int, sparse: bool) -> str:
    """The key of a row as SQL: its number, or a text that says nothing of it."""
    return f"'{uuid.UUID(int=random.Random(number).getrandbits(128))}'" if sparse else str(number)


def connect(url: str, seconds: float = 5.0) -> Any:
    """A connection of the engine's own driver, each statement its own transaction."""
    if url.startswith("postgresql"):
        return psycopg.connect(url, autocommit=True)
    connection = sqlite3.connect(url, timeout=seconds, isolation_level=None)
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection


@dataclass
class Copy:
    """A fresh copy at `url`; `wal` gives how many bytes of log there are, or were written on PostgreSQL."""

    url: str
    wal: Callable[[], int]


@dataclass
class Place:
    """An engine. `rows` parents have about twice as many children; every fourth has none."""

    engine: str
    rows: int
    sparse: bool
    copy: Callable[[], AbstractContextManager[Copy]] = field(repr=False)

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.engine}, {self.rows:,} rows{', UUID keys' if self.sparse else ''}"


def _rows(rows: int, sparse: bool) -> Iterator[tuple[str, str]]:
    """The statements of both tables, many rows each."""
    kind = "text" if sparse else "bigint"
    yield (
        f"CREATE TABLE parents (id {kind} NOT NULL PRIMARY KEY, name text NOT NULL, last_seen bigint NOT NULL DEFAULT 0)",
        "",
    )
    yield f"CREATE TABLE children (id bigint NOT NULL PRIMARY KEY, parent {kind} NOT NULL, ts bigint NOT NULL)", ""
    step = 500
    for low in range(1, rows + 1, step):
        numbers = range(low, min(low + step, rows + 1))
        parents = ", ".join(f"({key_of(n, sparse)}, '{n:0100d}')" for n in numbers)
        children = ", ".join(
            f"({n * 8 + place}, {key_of(n, sparse)}, {1_700_000_000 + n * 3 + place})"
            for n in numbers
            for place in range(0 if n % 4 == 0 else n % 4 + 1)
        )
        yield f"INSERT INTO parents (id, name) VALUES {parents}", f"INSERT INTO children VALUES {children}"
    yield "CREATE INDEX children_parent ON children (parent, ts)", "ANALYZE"


@contextmanager
def sqlite_place(folder: Path, rows: int, sparse: bool) -> Iterator[Place]:
    """Files in a folder on a real disk."""
    original = folder / f"original-{rows}-{sparse}.db"
    with closing(connect(str(original))) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("BEGIN")
        for statements in _rows(rows, sparse):
            for statement in filter(None, statements):
                connection.execute(statement)
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    @contextmanager
    def copy() -> Iterator[Copy]:
        path, log = folder / "run.db", folder / "run.db-wal"
        for old in folder.glob("run.db*"):
            old.unlink()
        shutil.copyfile(original, path)
        yield Copy(str(path), lambda: log.stat().st_size if log.exists() else 0)

    yield Place("SQLite", rows, sparse, copy)


@contextmanager
def postgres_place(server: Server, rows: int, sparse: bool) -> Iterator[Place]:
    """Databases of a server."""
    name = server.create_database()
    with closing(connect(server.dsn(name))) as connection:
        for statements in _rows(rows, sparse):
            for statement in filter(None, statements):
                connection.execute(statement)
        connection.execute("VACUUM ANALYZE")

    @contextmanager
    def copy() -> Iterator[Copy]:
        # Whoever asks how much log there is is connected to another database: else nobody would ever be alone in this one.
        with server.fresh_database(template=name) as dsn, closing(connect(server.dsn("postgres"))) as look:
            began = look.execute("SELECT pg_current_wal_lsn()").fetchone()[0]
            written = "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), %s)"
            yield Copy(dsn, lambda: int(look.execute(written, (began,)).fetchone()[0]))

    yield Place("PostgreSQL", rows, sparse, copy)
