"""Connections to either engine, seen alike by the indexer: schema, current rows, one transaction per batch.

A store is used by one thread. A batch is ``begin``, reads, then ``commit`` or ``rollback``; nothing is
written between.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from importlib import resources
from typing import Any, Protocol

import psycopg
from psycopg.pq import TransactionStatus

from examples.soundgraph.fold import Changes
from examples.soundgraph.statements import Texts, Work, Writer
from examples.soundgraph.tables import Identity, Key, Row, Table, Value

CHECKPOINT = "soundgraph"
NOTHING_YET = -1
"""The checkpoint before the first block: heights begin at 0."""
_OVERTAKEN = "another indexer claimed this database; nothing of this batch was written"


DatabaseFailed = (sqlite3.Error, psycopg.Error)
"""What the drivers raise. The batch in hand is rolled back; the same blocks may be taken again."""


class Overtaken(RuntimeError):
    """Another indexer claimed the checkpoint. Nothing of this batch was written; only the newer one may go on."""


class Store(Protocol):
    """What the indexer needs of a database."""

    engine: str

    def create_schema(self) -> None:
        """Creates the base tables that are missing."""

    def claim(self, signature: str) -> int:
        """Makes ``signature`` the only one that may commit; returns the last height taken, or NOTHING_YET."""

    def load(self, table: Table, keys: Collection[Key]) -> Mapping[Key, Row]:
        """The current rows of the keys that have one."""

    def ledger(self, heights: Collection[int]) -> set[Identity]:
        """The identities of all events ever taken at these heights."""

    def begin(self) -> None:
        """Opens the transaction of a batch, which the reads of the batch belong to."""

    def commit(self, changes: Changes, writer: Writer, height: int, signature: str) -> None:
        """Writes a batch and its checkpoint, and ends the transaction. Raises Overtaken, having written nothing."""

    def rollback(self) -> None:
        """Ends the transaction, if one is open, as if it had never been."""

    def query(self, sql: str, values: Sequence[Value] = ()) -> list[tuple[Any, ...]]:
        """The rows of a query whose text suits both engines (``?`` marks a value)."""

    def execute(self, sql: str, values: Sequence[Value] = ()) -> int:
        """Runs one statement in its own transaction; returns the number of rows it changed."""

    def close(self) -> None:
        """Closes the connection."""


def open_store(database: str) -> Store:
    """A store for a path, ``sqlite:///path`` (four slashes when it is absolute), or a PostgreSQL URL."""
    path = sqlite_path(database)
    return PostgresStore(database) if path is None else SqliteStore(path)


def sqlite_path(database: str) -> str | None:
    """The file of an SQLite database, or None for what names a PostgreSQL one."""
    if database.startswith("sqlite:///"):
        return database.removeprefix("sqlite:///")
    return None if database.startswith(("postgresql://", "postgres://")) else database


def _schema(name: str) -> str:
    return resources.files("examples.soundgraph").joinpath(name).read_text(encoding="utf-8")


class SqliteStore:
    """SQLite: reads one key at a time, because a look-up costs microseconds."""

    engine = "sqlite"

    def __init__(self, path: str) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, timeout=30, cached_statements=256)
        self._connection.execute("PRAGMA journal_mode = WAL")
        # A power cut may lose the last commits but never tears one: the checkpoint goes with its rows.
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.execute("PRAGMA cache_size = -65536")
        self._connection.execute("PRAGMA wal_autocheckpoint = 8000")
        self._texts = Texts("?")
        self._selects: dict[str, str] = {}

    def create_schema(self) -> None:
        """Creates the base tables that are missing."""
        self._connection.executescript("BEGIN IMMEDIATE;\n" + _schema("schema.sqlite.sql") + "COMMIT;")

    def claim(self, signature: str) -> int:
        """Takes over the checkpoint row."""
        [(height,)] = self._connection.execute(
            "INSERT INTO indexing_checkpoints VALUES (?, ?, ?) "
            "ON CONFLICT (tablename) DO UPDATE SET signature = excluded.signature RETURNING last_checkpoint",
            (CHECKPOINT, NOTHING_YET, signature),
        ).fetchall()
        return int(height)

    def load(self, table: Table, keys: Collection[Key]) -> Mapping[Key, Row]:
        """One primary look-up per key."""
        sql = self._selects.get(table.name)
        if sql is None:
            match = " AND ".join(f"{column} = ?" for column in table.lookup)
            current = " AND is_current" if table.versioned else ""
            sql = f"SELECT {', '.join(table.columns)} FROM {table.name} WHERE {match}{current}"
            self._selects[table.name] = sql
        found: dict[Key, Row] = {}
        for key in keys:
            for values in self._connection.execute(sql, table.needle(key)):
                row: Row = dict(zip(table.columns, values, strict=True))
                found[table.identify(row)] = row
        return found

    def ledger(self, heights: Collection[int]) -> set[Identity]:
        """The identities at these heights."""
        sql = "SELECT block, transaction_index, ordinal FROM event_ledger WHERE block = ?"
        return {identity for height in heights for identity in self._connection.execute(sql, (height,))}

    def begin(self) -> None:
        """Takes the write lock at once, so that what is read stays true until the commit."""
        self._connection.execute("BEGIN IMMEDIATE")

    def commit(self, changes: Changes, writer: Writer, height: int, signature: str) -> None:
        """Checkpoint first: who may not write finds out before writing."""
        advanced = self._connection.execute(self._texts.advance, (height, CHECKPOINT, signature))
        if advanced.rowcount != 1:
            raise Overtaken(_OVERTAKEN)
        for sql, rows in self._texts.work(changes, writer):
            self._connection.executemany(sql, rows)
        self._connection.execute("COMMIT")

    def rollback(self) -> None:
        """Nothing to do outside a transaction."""
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

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
    """PostgreSQL: reads all keys of a table in one round trip, writes through the driver's pipeline."""

    engine = "postgresql"

    def __init__(self, dsn: str) -> None:
        self._connection = psycopg.connect(dsn, autocommit=True, prepare_threshold=1)
        self._texts = Texts("%s")
        self._bulk = {
            self._texts.plays: ("int", "text", "int", "timestamp", "timestamp", "int", "text", "text"),
            self._texts.ledger: ("int", "int", "int"),
        }
        self._selects: dict[str, str] = {}

    def create_schema(self) -> None:
        """Creates the base tables that are missing."""
        with self._connection.transaction():
            # Each CREATE of something that exists would otherwise print a notice.
            self._connection.execute("SET LOCAL client_min_messages = warning")
            self._connection.execute(_text(_schema("schema.postgres.sql")))

    def claim(self, signature: str) -> int:
        """Takes over the checkpoint row."""
        [(height,)] = self._connection.execute(
            "INSERT INTO indexing_checkpoints VALUES (%s, %s, %s) "
            "ON CONFLICT (tablename) DO UPDATE SET signature = excluded.signature RETURNING last_checkpoint",
            (CHECKPOINT, NOTHING_YET, signature),
        ).fetchall()
        return int(height)

    def load(self, table: Table, keys: Collection[Key]) -> Mapping[Key, Row]:
        """One statement whatever the number of keys."""
        sql = self._selects.get(table.name)
        if sql is None:
            # JSON travels as text both ways: rows are carried, never looked into.
            columns = ", ".join(f"t.{name}::text" if name in table.jsons else f"t.{name}" for name in table.columns)
            arrays = ", ".join(["%s::int[]"] * len(table.lookup))
            match = " AND ".join(f"t.{column} = k.{column}" for column in table.lookup)
            sql = (
                f"SELECT {columns} FROM unnest({arrays}) AS k ({', '.join(table.lookup)}) "
                f"JOIN {table.name} t ON {match}{' AND t.is_current' if table.versioned else ''}"
            )
            self._selects[table.name] = sql
        needles = list({table.needle(key) for key in keys})
        arguments = [[needle[i] for needle in needles] for i in range(len(table.lookup))]
        found: dict[Key, Row] = {}
        for values in self._connection.execute(_text(sql), arguments):
            row: Row = dict(zip(table.columns, values, strict=True))
            found[table.identify(row)] = row
        return found

    def ledger(self, heights: Collection[int]) -> set[Identity]:
        """The identities at these heights."""
        sql = "SELECT block, transaction_index, ordinal FROM event_ledger WHERE block = ANY(%s::int[])"
        return {(b, t, o) for b, t, o in self._connection.execute(sql, (list(heights),))}

    def begin(self) -> None:
        """Opens a transaction; its first statement takes its snapshot."""
        self._connection.execute("BEGIN")

    def commit(self, changes: Changes, writer: Writer, height: int, signature: str) -> None:
        """Sends the writes in one pipeline and commits when all of them answered."""
        with self._connection.cursor() as cursor:
            with self._connection.pipeline():
                cursor.execute(_text(self._texts.advance), (height, CHECKPOINT, signature))
                self._send(self._texts.work(changes, writer))
            if cursor.rowcount != 1:
                raise Overtaken(_OVERTAKEN)
        self._connection.execute("COMMIT")

    def rollback(self) -> None:
        """Nothing to do outside a transaction or after the connection is gone."""
        if not self._connection.closed and self._connection.info.transaction_status != TransactionStatus.IDLE:
            self._connection.execute("ROLLBACK")

    def _send(self, work: Iterable[Work]) -> None:
        with self._connection.cursor() as cursor:
            for sql, rows in work:
                types = self._bulk.get(sql)
                if types is None:
                    cursor.executemany(_text(sql), rows)
                else:
                    # One statement for all rows: most of what a block brings is plays and identities.
                    arrays = ", ".join(f"%s::{name}[]" for name in types)
                    into = sql.partition(" VALUES ")[0]
                    columns = [list(column) for column in zip(*rows, strict=True)]
                    cursor.execute(_text(f"{into} SELECT * FROM unnest({arrays})"), columns)

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
