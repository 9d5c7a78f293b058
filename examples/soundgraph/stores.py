"""A connection to either engine for whoever creates the base tables or looks at them: schema, queries, single statements.

Blocks are written by the stream and derived tables by Tidemark, each on connections of their own.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from importlib import resources
from typing import Any, Protocol

import psycopg

from examples.soundgraph.catalogue import seed_text
from examples.soundgraph.described import Value

DatabaseFailed = (sqlite3.Error, psycopg.Error)
"""What the drivers raise."""


class Store(Protocol):
    """One connection, used by one thread. ``?`` marks a value; the same text suits both engines."""

    engine: str
    database: str
    """The address that it was opened with."""

    def create_schema(self) -> None:
        """Creates the base tables that are missing."""

    def query(self, sql: str, values: Sequence[Value] = ()) -> list[tuple[Any, ...]]:
        """The rows of a query."""

    def execute(self, sql: str, values: Sequence[Value] = ()) -> int:
        """Runs one statement in its own transaction; returns the number of rows it changed."""

    def close(self) -> None:
        """Closes the connection."""


def open_store(database: str) -> Store:
    """A store for a path, ``sqlite:///path`` (four slashes when it is absolute), or a PostgreSQL URL."""
    path = sqlite_path(database)
    return PostgresStore(database) if path is None else SqliteStore(database, path)


def sqlite_path(database: str) -> str | None:
    """The file of an SQLite database, or None for what names a PostgreSQL one."""
    if database.startswith("sqlite:///"):
        return database.removeprefix("sqlite:///")
    return None if database.startswith(("postgresql://", "postgres://")) else database


def _schema(name: str) -> str:
    return resources.files("examples.soundgraph").joinpath(name).read_text(encoding="utf-8")


class SqliteStore:
    """SQLite."""

    engine = "sqlite"

    def __init__(self, database: str, path: str) -> None:
        self.database = database
        self._connection = sqlite3.connect(path, isolation_level=None, timeout=30, cached_statements=256)
        self._connection.execute("PRAGMA journal_mode = WAL")

    def create_schema(self) -> None:
        """Creates the base tables that are missing."""
        self._connection.executescript("BEGIN IMMEDIATE;\n" + _schema("schema.sqlite.sql") + seed_text() + "COMMIT;")

    def query(self, sql: str, values: Sequence[Value] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        return self._connection.execute(sql, values).fetchall()

    def execute(self, sql: str, values: Sequence[Value] = ()) -> int:
        """One statement, one transaction."""
        return self._connection.execute(sql, values).rowcount

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()


class PostgresStore:
    """PostgreSQL."""

    engine = "postgresql"

    def __init__(self, database: str) -> None:
        self.database = database
        self._connection = psycopg.connect(database, autocommit=True)

    def create_schema(self) -> None:
        """Creates the base tables that are missing."""
        with self._connection.transaction():
            # Each CREATE of something that exists would otherwise print a notice.
            self._connection.execute("SET LOCAL client_min_messages = warning")
            self._connection.execute(_text(_schema("schema.postgres.sql") + seed_text()))

    def query(self, sql: str, values: Sequence[Value] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        return self._connection.execute(_text(sql.replace("?", "%s")), values).fetchall()

    def execute(self, sql: str, values: Sequence[Value] = ()) -> int:
        """One statement, one transaction."""
        return self._connection.execute(_text(sql.replace("?", "%s")), values).rowcount

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()


def _text(sql: str) -> psycopg.sql.SQL:
    # The driver asks for literal texts; these are assembled from this package's own table descriptions.
    return psycopg.sql.SQL(sql)
