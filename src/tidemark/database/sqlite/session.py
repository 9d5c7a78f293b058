"""The SQLite session, over the standard library's own driver.

Owns: `SqliteSession`. Promises: no second SQLite library is ever loaded (closing a file through one drops the locks of the
other); nothing is changed in the database by opening it, reading its catalog or describing a query. One thread at a time may use
a session.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from tidemark.contract.script import Piece
from tidemark.database.session import Mode, Parameters, Strain
from tidemark.database.sqlite.catalog import read_catalog, read_early, read_installed
from tidemark.database.sqlite.errors import primary_code, translate, translate_query
from tidemark.database.sqlite.file import identify, sync
from tidemark.database.sqlite.inputs import Recording
from tidemark.database.sqlite.octets import bind_octets
from tidemark.database.sqlite.probe import Direct, describe_query, given_tables, make_mark, reaches_index
from tidemark.database.sqlite.shelves import find_text, put_many
from tidemark.database.sqlite.strain import read_strain, size_of
from tidemark.database.sqlite.text import statements, verb
from tidemark.dialect import SQLITE
from tidemark.errors import Code, Fault, Refusal
from tidemark.model import Catalog, OutputColumn, Table
from tidemark.streams import Shelf

_NORMAL = 1
_COUNTED = frozenset({"INSERT", "UPDATE", "DELETE", "REPLACE"})


class _BadText(Fault):
    """A value of type text that is no UTF-8."""


def _decode_leniently(value: bytes) -> str:
    return value.decode(errors="surrogateescape")


class SqliteSession:
    """One connection to a SQLite file; see `tidemark.database.session.Session`."""

    dialect = SQLITE

    def __init__(self, connection: sqlite3.Connection, label: str, path: str = "") -> None:
        self._connection = connection
        self.cancel = connection.interrupt
        self._path = path
        self._file = identify(path)
        self._raw = Direct(connection)
        self._label = label
        self._open = True
        self._wrote = False

    def prepare(self, *, made: bool, may_write: bool, require_wal: bool) -> None:
        """Check what was opened. Raises `Refusal` (``database-url``, ``read-only``, ``not-wal``)."""
        make_mark(self._connection)
        if made:
            self.all("PRAGMA main.journal_mode = WAL")
        row = self.one("PRAGMA main.journal_mode")
        self.all("SELECT count(*) FROM main.sqlite_schema")
        journal = str(row[0]).lower() if row else ""
        if require_wal and journal != "wal":
            raise Refusal(
                Code.NOT_WAL,
                f"{self._label} is in journal mode {journal!r}, in which readers and writers wait for each other.",
                instead="run once, in any SQLite shell: PRAGMA journal_mode = WAL;",
            )
        if may_write:
            self._check_writable()
            if int(self.all("PRAGMA main.synchronous")[0][0]) > _NORMAL:
                # No commit of ours waits for the disk with the lock in hand: see `close`.
                self._execute(f"PRAGMA main.synchronous = {_NORMAL}")

    def _check_writable(self) -> None:
        """SQLite opens a file that it may not write as a read-only one and says nothing until the first write."""
        connection = self._connection
        patience = connection.execute("PRAGMA busy_timeout").fetchone()[0]
        try:
            connection.execute("PRAGMA busy_timeout = 0")
            connection.execute("BEGIN IMMEDIATE")
            version = connection.execute("PRAGMA main.user_version").fetchone()[0]
            connection.execute(f"PRAGMA main.user_version = {version}")
        except sqlite3.Error as error:
            # Somebody else is writing: so the file can be written, and nobody needs to wait for the end of that.
            if primary_code(error) not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise translate(error, self._label) from error
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            connection.execute(f"PRAGMA busy_timeout = {patience}")

    @property
    def label(self) -> str:
        """The database as shown to people."""
        return self._label

    def _alive(self) -> sqlite3.Connection:
        if not self._open:
            raise Fault(f"the session on {self._label} is closed")
        return self._connection

    @contextmanager
    def transaction(
        self, mode: Mode = "write", *, snapshot: bool = False, holding: Sequence[str] = ()
    ) -> Iterator[None]:
        """A transaction: commits at the end, rolls back on any exception. They do not nest. A snapshot holds every table."""
        connection = self._alive()
        if connection.in_transaction:
            raise RuntimeError("transactions do not nest")
        only_reads = mode in ("read", "look")
        self._wrote = self._wrote or not only_reads
        self._execute("BEGIN" if only_reads else "BEGIN IMMEDIATE")
        try:
            if snapshot or mode == "look":
                # BEGIN alone fixes nothing; the first read does.
                self._execute("SELECT 1 FROM main.sqlite_schema LIMIT 1")
            yield
            if not connection.in_transaction:
                raise Fault("SQLite rolled the transaction back after an error inside it")
            self._execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def run(self, sql: str, parameters: Parameters | None = None) -> int:
        """Run one statement, give the number of rows it changed (0 for DDL)."""
        self._need_transaction()
        with self._speaking():
            cursor = self._begin(sql, parameters)
            counted = cursor.rowcount if cursor.description is None else -1
            cursor.close()
        # The driver's own count is -1 for WITH … INSERT; SQLite's is that of the last INSERT, UPDATE or DELETE.
        if counted >= 0 or verb(sql) not in _COUNTED:
            return max(0, counted)
        return int(self._execute("SELECT changes()")[0][0])

    def run_all(self, statements: Sequence[str], parameters: Mapping[str, int | str] | None = None) -> list[int]:
        """Run statements one after the other, give the number of rows that each changed."""
        return [self.run(statement, parameters) for statement in statements]

    def repeat(self, on: bool) -> None:
        """Nothing: the driver keeps what it compiled."""

    def script(self, *texts: str) -> None:
        """Run DDL texts that may hold several statements each, inside the current transaction."""
        self._need_transaction()
        for statement in (one for text in texts for one in statements(text)):
            self._execute(statement)

    def all(self, sql: str, parameters: Parameters | None = None) -> list[tuple[Any, ...]]:
        """Every row of a query, as plain Python values."""
        return self._read(sql, parameters, None)

    def facts(self, sql: str, parameters: Parameters | None = None) -> list[tuple[Any, ...]]:
        """Every row of a query of ours about the catalog."""
        return self.all(sql, parameters)

    def one(self, sql: str, parameters: Parameters | None = None) -> tuple[Any, ...] | None:
        """The first row of a query, or None."""
        rows = self._read(sql, parameters, 1)
        return rows[0] if rows else None

    def put_rows(self, shelf: Shelf, rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert rows of a shelf's columns, in their order."""
        self._need_transaction()
        with self._speaking():
            for text, bound in put_many(shelf, rows):
                self._connection.executemany(text, bound)

    def find_rows(self, shelf: Shelf, by: Sequence[str], keys: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        """The rows of a shelf whose columns `by` have one of these values."""
        return self.all(find_text(shelf, by), {"keys": json.dumps(keys)})

    def alone(self, sql: str, parameters: Parameters | None = None) -> list[tuple[Any, ...]]:
        """Run one statement as a transaction of its own; its rows, if it gives any."""
        if self._alive().in_transaction:
            raise RuntimeError("transactions do not nest")
        self._wrote = True
        return self.all(sql, parameters)

    def _read(self, sql: str, parameters: Parameters | None, rows_max: int | None) -> list[tuple[Any, ...]]:
        try:
            return self._execute(sql, parameters, rows_max)
        except _BadText:
            # Text that is no UTF-8 is data too; it is shown with escapes. Reading again is safe.
            connection = self._alive()
            connection.text_factory = _decode_leniently
            try:
                return self._execute(sql, parameters, rows_max)
            finally:
                connection.text_factory = str

    def _need_transaction(self) -> None:
        if not self._alive().in_transaction:
            raise RuntimeError("statements run inside transaction()")

    def _execute(
        self, sql: str, parameters: Parameters | None = None, rows_max: int | None = None
    ) -> list[tuple[Any, ...]]:
        self._alive()
        with self._speaking():
            cursor = self._begin(sql, parameters)
            try:
                return cursor.fetchall() if rows_max is None else cursor.fetchmany(rows_max)
            finally:
                # A statement that is not at its end would hold its snapshot.
                cursor.close()

    def _begin(self, sql: str, parameters: Parameters | None) -> sqlite3.Cursor:
        bound = {} if parameters is None else parameters
        try:
            return self._connection.execute(sql, bound)
        except UnicodeEncodeError:
            return self._connection.execute(*bind_octets(sql, bound))

    @contextmanager
    def _speaking(self) -> Iterator[None]:
        """What the driver raises inside becomes what a session raises."""
        try:
            yield
        except sqlite3.Warning as error:
            raise Refusal(Code.PARSE, str(error), instead="run one statement at a time") from error
        except sqlite3.Error as error:
            if str(error).startswith("Could not decode to UTF-8"):
                raise _BadText(f"{self._label} holds text that is no UTF-8: {error}") from error
            raise translate(error, self._label) from error
        except (OverflowError, UnicodeEncodeError) as error:
            raise Fault(f"a value cannot be stored in SQLite: {error}") from error

    @contextmanager
    def _one_view(self) -> Iterator[None]:
        """Everything read inside is of one moment, in a transaction that is open or in one of its own."""
        connection = self._alive()
        inside = connection.in_transaction
        if not inside:
            self._execute("BEGIN")
        try:
            yield
        except sqlite3.Error as error:
            raise translate(error, self._label) from error
        finally:
            if not inside and connection.in_transaction:
                connection.execute("ROLLBACK")

    def catalog(self) -> Catalog:
        """Every table, view, column, unique key and index, except Tidemark's own."""
        with self._one_view():
            return read_catalog(self._raw)

    def describe(self, query: str, given: Sequence[Table] = ()) -> tuple[OutputColumn, ...]:
        """Names, affinities and collations of a query's result, as SQLite sees them."""
        self._alive()
        try:
            with given_tables(self._raw, given):
                return describe_query(self._raw, query)
        except sqlite3.Error as error:
            raise translate_query(error, query, self._label) from error

    def first_mutable(self, columns: str, expressions: Sequence[str], given: Sequence[Table] = ()) -> int | None:
        """None: which functions are deterministic is known by name."""
        return None

    def inputs_of(self, query: str, parameters: Parameters | None = None) -> frozenset[tuple[str, str]]:
        """(table, column) of everything that a query reads."""
        connection = self._alive()
        recording = Recording()
        connection.set_authorizer(recording.note)
        try:
            self._execute(f"EXPLAIN {query}", parameters)
        finally:
            connection.set_authorizer(None)
        return frozenset(recording.found)

    def uses_index(self, sql: str, table: str) -> bool:
        """True when the plan of `sql` does not scan the whole of `table` (unquoted name)."""
        self._alive()
        try:
            return reaches_index(self._raw, sql, table)
        except sqlite3.Error as error:
            raise translate_query(error, sql, self._label) from error

    def installed(self, names: Collection[str] | None = None) -> dict[str, str]:
        """Object name to the fingerprint of its text."""
        with self._one_view():
            return read_installed(self._raw, names)

    def mark(self, pieces: Sequence[Piece]) -> str:
        """The statements that make triggers of the user's anew which may write a row before a statement does. Fingerprints need
        none: SQLite keeps the text of every object."""
        return ";\n".join(read_early(self._raw, {piece.on for piece in pieces if piece.capture and piece.on}))

    def now(self) -> str:
        """The clock as RFC 3339 text in UTC with milliseconds."""
        return str(self._execute("SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now')")[0][0])

    def snapshot(self) -> str:
        """Empty: a single writer needs no snapshots."""
        return ""

    def changes_marker(self) -> str:
        """A text that differs when another connection has committed since."""
        return str(self._execute("PRAGMA main.data_version")[0][0])

    def schema_marker(self) -> str:
        """The number that SQLite counts up with every change of the schema."""
        return str(self._execute("PRAGMA main.schema_version")[0][0])

    def strain(self) -> tuple[Strain, ...]:
        """The bytes of the log that a reader keeps from the database file, and those that are free on the disk."""
        self._alive()
        return read_strain(self._raw)

    def log_bytes(self) -> int:
        """The size of the log's file, which stays once it has grown; 0 where it cannot be seen."""
        return size_of(f"{self._path}-wal")

    def others_connected(self) -> bool:
        """True: a file does not tell who has it open."""
        return True

    def set_lock_timeout(self, seconds: float) -> None:
        """How long a statement waits for a lock, from now on."""
        self._execute(f"PRAGMA busy_timeout = {max(0, round(seconds * 1000))}")

    set_write_lock_timeout = set_lock_timeout  # Who only reads waits for nobody.

    def undo_in_memory(self) -> None:
        """What a statement needs to be undone is not written to a temporary file any more."""
        self._execute("PRAGMA temp_store = MEMORY")

    def is_open(self) -> bool:
        """False once it is closed."""
        return self._open

    def is_current(self) -> bool:
        """Whether the file under its name is the one that was opened."""
        return self._open and self._file is not None and identify(self._path) == self._file

    def close(self) -> None:
        """Close the connection, and wait for the disk if it wrote: what was committed is there then. Safe to call twice."""
        if self._open:
            self._open = False
            self._connection.close()
            if self._wrote:
                sync(f"{self._path}-wal")
