"""The PostgreSQL session, over psycopg 3.

Owns: `PostgresSession`. Promises: what expressions depend on is pinned (time zone, date style, digits of floats); a statement is
prepared only where it is said again and again, and for a while: no plan for an empty table is kept. One thread at a time may use
a session.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import psycopg
from psycopg.pq import ConnStatus, TransactionStatus

from tidemark.contract.script import Piece
from tidemark.database.postgres.begin import PINNED, Beginning, wait_text
from tidemark.database.postgres.catalog import read_catalog
from tidemark.database.postgres.errors import translate
from tidemark.database.postgres.habit import Habit
from tidemark.database.postgres.inputs import read_inputs
from tidemark.database.postgres.kept import Kept
from tidemark.database.postgres.marks import SCHEMA_MARKER, read_installed, write_mark
from tidemark.database.postgres.parameters import in_full, to_driver
from tidemark.database.postgres.probe import (
    FIND_PREPARED,
    FORGET_PREPARED,
    OPENING,
    PROBE,
    describe_query,
    first_not_taken,
    give_tables,
    reaches_index,
)
from tidemark.database.postgres.shelves import TYPES, as_arrays, find_text, put_text
from tidemark.database.postgres.strain import COUNT_OTHERS, read_strain
from tidemark.database.postgres.values import register_loaders
from tidemark.database.session import Conflict, Mode, Parameters, Strain
from tidemark.database.urls import Address
from tidemark.dialect import POSTGRESQL
from tidemark.errors import Code, Fault, Refusal
from tidemark.model import Catalog, OutputColumn, Table
from tidemark.streams import Shelf

T = TypeVar("T")
VERSION_MIN = 15


def _count_changed(cursor: psycopg.Cursor[tuple[Any, ...]]) -> int:
    status = (cursor.statusmessage or "").partition(" ")[0]
    return max(cursor.rowcount, 0) if status in ("INSERT", "UPDATE", "DELETE", "MERGE") else 0


class PostgresSession:
    """One connection to a PostgreSQL database; see `tidemark.database.session.Session`."""

    dialect = POSTGRESQL

    def __init__(self, connection: psycopg.Connection[tuple[Any, ...]], address: Address) -> None:
        self._connection = connection
        self._address = address
        self._types: dict[Shelf, Mapping[str, str]] = {}
        self._beginning, self._habit, self._kept = Beginning(), Habit(), Kept()
        register_loaders(connection)

    def prepare(self, lock_timeout: float) -> None:
        """Check the server and pin the settings. Raises `Refusal` (``engine-version``)."""
        version = self._connection.info.server_version
        if version // 10000 < VERSION_MIN:
            raise Refusal(
                Code.ENGINE_VERSION,
                f"{self.label} is PostgreSQL {version // 10000}; Tidemark needs {VERSION_MIN} or newer.",
                instead="upgrade the server",
            )
        self._execute(PINNED)
        self.set_lock_timeout(lock_timeout)

    @property
    def label(self) -> str:
        """The database as shown to people: no password in it."""
        return self._address.label

    def _status(self) -> TransactionStatus:
        if self._connection.closed:
            raise Fault(f"the connection to {self.label} is closed")
        return self._connection.info.transaction_status

    @contextmanager
    def transaction(
        self, mode: Mode = "write", *, snapshot: bool = False, holding: Sequence[str] = ()
    ) -> Iterator[None]:
        """A transaction: commits at the end, rolls back on any exception. They do not nest."""
        if self._status() != TransactionStatus.IDLE:
            raise RuntimeError("transactions do not nest")
        try:
            if mode == "look":
                self._begin_look()
            else:
                self._execute(self._beginning.text(mode, snapshot=snapshot, holding=holding))
            yield
            # COMMIT of a failed transaction is a ROLLBACK that does not say so.
            if self._status() != TransactionStatus.INTRANS:
                raise Fault("PostgreSQL gave the transaction up after an error inside it")
            self._execute("COMMIT")
        except BaseException:
            self._roll_back("ROLLBACK")
            raise
        finally:
            self._habit.end()
            self._kept.on = False

    def _begin_look(self) -> None:
        """Begin what only reads in one moment, and ask in the same message what is asked each time."""
        begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
        if foreseen := self._habit.begin():
            try:
                cursor = self._send("\n;\n".join([begin, *foreseen]))
                answers = [cursor.fetchall()] if cursor.description is not None else []
                while cursor.nextset():
                    answers += [cursor.fetchall()] if cursor.description is not None else []
                self._habit.take(answers)
                return
            except psycopg.Error:
                # What is wrong is found again by who asks one by one, and told as it always is.
                self._habit.give_up()
                self._kept.forget()
                self._roll_back("ROLLBACK; DEALLOCATE ALL")
        self._execute(f"{begin}; SELECT 1")

    def _roll_back(self, statement: str) -> None:
        if self._connection.closed or self._connection.info.transaction_status == TransactionStatus.IDLE:
            return
        try:
            self._connection.execute(statement)
        except psycopg.Error:
            # The server rolls back what a lost connection had begun; the exception on its way says what happened.
            self._connection.close()

    @contextmanager
    def _undone(self, setting: str = "") -> Iterator[None]:
        """What happens inside is undone, a setting too, in a transaction that is open or in one of its own with one snapshot."""
        inside = self._status() != TransactionStatus.IDLE
        begin = "SAVEPOINT tidemark_probe" if inside else "BEGIN ISOLATION LEVEL REPEATABLE READ"
        self._execute(f"{begin}; {setting}" if setting else begin)
        try:
            yield
        finally:
            self._roll_back("ROLLBACK TO tidemark_probe; RELEASE tidemark_probe" if inside else "ROLLBACK")

    def run(self, sql: str, parameters: Parameters | None = None) -> int:
        """Run one statement, give the number of rows it changed (0 for DDL)."""
        self._need_transaction()
        return _count_changed(self._say(sql, parameters))

    def repeat(self, on: bool) -> None:
        """Whether what is said from now to the end of the transaction is said again and again, over as few rows."""
        self._kept.on = on

    def run_all(self, statements: Sequence[str], parameters: Mapping[str, int | str] | None = None) -> list[int]:
        """Run statements one after the other in one message, give the number of rows that each changed."""
        self._need_transaction()
        if not statements:
            return []
        given = parameters or {}
        said = [self._kept.say(statement, given) or in_full(statement, given) for statement in statements]
        # A statement may end in a comment, so that what ends it stands on a line of its own.
        cursor = self._execute("\n;\n".join(said))
        counts = [_count_changed(cursor)]
        while cursor.nextset():
            counts.append(_count_changed(cursor))
        return counts

    def script(self, *texts: str) -> None:
        """Run DDL texts that may hold several statements each, inside the current transaction, in one message."""
        self._need_transaction()
        if texts:
            # A text may end in a comment, so that what ends it stands on a line of its own.
            self._execute("\n;\n".join(texts))

    def all(self, sql: str, parameters: Parameters | None = None) -> list[tuple[Any, ...]]:
        """Every row of a query, as plain Python values."""
        known = self._habit.answer(sql, parameters)
        return self._ask(sql, parameters) if known is None else known

    def _ask(self, sql: str, parameters: Parameters | None = None) -> list[tuple[Any, ...]]:
        return self._fetch(self._say(sql, parameters), None)

    def one(self, sql: str, parameters: Parameters | None = None) -> tuple[Any, ...] | None:
        """The first row of a query, or None."""
        known = self._habit.answer(sql, parameters)
        rows = self._fetch(self._say(sql, parameters), 1) if known is None else known
        return rows[0] if rows else None

    def put_rows(self, shelf: Shelf, rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert rows of a shelf's columns, in their order."""
        self._need_transaction()
        self._execute(put_text(shelf, self._types_of(shelf)), as_arrays(rows))

    def find_rows(self, shelf: Shelf, by: Sequence[str], keys: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        """The rows of a shelf whose columns `by` have one of these values."""
        return self.all(find_text(shelf, by, self._types_of(shelf)), as_arrays(keys))

    def _types_of(self, shelf: Shelf) -> Mapping[str, str]:
        """The types of a shelf's columns. Raises `Fault` for a column that its table does not have."""
        if shelf not in self._types:
            found = dict(self.all(TYPES, {"label": shelf.table}))
            missing = [column for column in shelf.columns if column not in found]
            if missing:
                raise Fault(f"{shelf.table} has no column {missing[0]}")
            self._types[shelf] = found
        return self._types[shelf]

    def alone(self, sql: str, parameters: Parameters | None = None) -> list[tuple[Any, ...]]:
        """Run one statement as a transaction of its own; its rows, if it gives any."""
        if self._status() != TransactionStatus.IDLE:
            raise RuntimeError("transactions do not nest")
        with self._kept.repeating():
            return self.all(sql, parameters)

    def _need_transaction(self) -> None:
        if self._status() == TransactionStatus.IDLE:
            raise RuntimeError("statements run inside transaction()")

    def _fetch(self, cursor: psycopg.Cursor[tuple[Any, ...]], rows_max: int | None) -> list[tuple[Any, ...]]:
        if cursor.description is None:
            return []
        try:
            return cursor.fetchall() if rows_max is None else cursor.fetchmany(rows_max)
        except psycopg.Error as error:
            raise self._translate(error) from error

    def _send(self, sql: str, parameters: Parameters | None = None) -> psycopg.Cursor[tuple[Any, ...]]:
        """Send a statement; errors of the driver pass through."""
        # Without parameters the text goes to the server as it is, percent signs and all.
        text = sql if parameters is None else to_driver(sql, frozenset(parameters))
        return self._kept.send(self._connection.execute, text, parameters)

    def _say(self, sql: str, parameters: Parameters | None = None) -> psycopg.Cursor[tuple[Any, ...]]:
        said = self._kept.say(sql, parameters)
        return self._execute(sql, parameters) if said is None else self._execute(said)

    def _execute(self, sql: str, parameters: Parameters | None = None) -> psycopg.Cursor[tuple[Any, ...]]:
        self._status()
        try:
            return self._send(sql, parameters)
        except psycopg.Error as error:
            raise self._translate(error) from error
        except UnicodeEncodeError as error:
            raise Fault(f"a value cannot be stored in PostgreSQL: {error}") from error

    def _send_single(self, sql: str) -> None:
        """Send text that must be one statement: only the simple protocol takes several, and binary results rule it out."""
        self._connection.execute(sql, binary=True)

    def _read_raw(self, sql: str) -> list[tuple[Any, ...]]:
        cursor = self._send(sql)
        return [] if cursor.description is None else cursor.fetchall()

    def _translate(self, error: psycopg.Error, query: str | None = None, shift: int = 0) -> Exception:
        role = "" if self._connection.closed else self._connection.info.user
        return translate(error, self._address, role, query, shift)

    def catalog(self) -> Catalog:
        """Every table, view, column, unique key and index that the role can see, except Tidemark's own."""
        return self._look(lambda: read_catalog(self._ask))

    def facts(self, sql: str, parameters: Parameters | None = None) -> list[tuple[Any, ...]]:
        """Every row of a query of ours about the catalog. What it says depends on the path, so that it is no habit."""
        return self._look(lambda: self._ask(sql, parameters), path="pg_catalog")

    def _look(self, ask: Callable[[], T], path: str = "") -> T:
        """What `ask` finds in the catalog. To plan its questions takes longer than to answer them, so that they are kept from the
        first time on, with one plan for all parameters; what a pooler sends to a server that does not have it is asked anew."""
        setting = f"SET LOCAL plan_cache_mode = force_generic_plan{path and f'; SET LOCAL search_path = {path}'}"
        while True:
            errors = self._kept.errors
            try:
                with self._undone(setting), self._kept.repeating(at_first=True):
                    return ask()
            except Conflict:
                if self._kept.errors == errors:
                    raise

    def describe(self, query: str, given: Sequence[Table] = ()) -> tuple[OutputColumn, ...]:
        """Names, types and collations of a query's result, as PostgreSQL sees them."""
        with self._undone():
            try:
                named = give_tables(self._read_raw, given)
                return describe_query(self._read_raw, self._send_single, named(query))
            except psycopg.Error as error:
                raise self._translate(error, query, len(OPENING)) from error

    def first_mutable(self, columns: str, expressions: Sequence[str], given: Sequence[Table] = ()) -> int | None:
        """The number of the first expression that PostgreSQL would not take into the predicate of an index, or None."""
        if not expressions:
            return None
        with self._undone():
            named = give_tables(self._read_raw, given)
            self._execute(f"CREATE TEMPORARY TABLE {PROBE} AS {named(columns)} WITH NO DATA")
            found = first_not_taken(self._read_raw, self._undone, self._translate, list(dict.fromkeys(expressions)))
        return None if found is None else expressions.index(found)

    def inputs_of(self, query: str, parameters: Parameters | None = None) -> frozenset[tuple[str, str]]:
        """(label, column) of everything that a query reads, from its plan."""
        plan = self.all(f"EXPLAIN (VERBOSE, COSTS OFF, FORMAT JSON) {query}", parameters)
        return read_inputs(plan[0][0], self.all)

    def uses_index(self, sql: str, table: str) -> bool:
        """True when the plan of `sql` does not scan the whole of `table` (unquoted name or label)."""
        try:
            with self._undone():
                try:
                    return reaches_index(self._read_raw, self._send_single, sql, table)
                except psycopg.Error as error:
                    raise self._translate(error) from error
        finally:
            # A prepared statement outlives the transaction that made it.
            if self.all(FIND_PREPARED):
                self._execute(FORGET_PREPARED)

    def installed(self, names: Collection[str] | None = None) -> dict[str, str]:
        """Object name to the fingerprint found on it, ``outdated``, ``disabled`` or ``?``."""
        # What its texts mean depends on the path: nobody else says them.
        return self._look(lambda: read_installed(self._ask, names), path="pg_catalog")

    def mark(self, pieces: Sequence[Piece]) -> str:
        """The statement that puts their fingerprints onto objects."""
        return write_mark(pieces)

    def now(self) -> str:
        """The server's clock as RFC 3339 text in UTC with milliseconds."""
        return str(
            self.all("""SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')""")[0][0]
        )

    def snapshot(self) -> str:
        """The current snapshot as text."""
        return str(self.all("SELECT pg_catalog.pg_current_snapshot()::text")[0][0])

    def changes_marker(self) -> str:
        """A text that differs when any transaction that wrote has begun or ended since."""
        return self.snapshot()

    def schema_marker(self) -> str:
        """How many rows of the catalog are about what is no part of the system, and what the transactions that wrote them add up
        to: whatever is written has a greater number than what it takes the place of."""
        return str(self.all(SCHEMA_MARKER)[0][0])

    def strain(self) -> tuple[Strain, ...]:
        """Sessions that wait for locks, and how far replicas are behind."""
        return read_strain(self.all)

    def log_bytes(self) -> int:
        """0: the log is the server's."""
        return 0

    def others_connected(self) -> bool:
        """Whether another session than Tidemark's is connected to this database."""
        return bool(self.all(COUNT_OTHERS)[0][0])

    def set_lock_timeout(self, seconds: float) -> None:
        """How long a statement waits for a lock, from now on."""
        self._beginning.write_seconds = None
        self._execute(wait_text(seconds))

    def set_write_lock_timeout(self, seconds: float) -> None:
        """The same for transactions that write, which is to be less."""
        self._beginning.write_seconds = seconds

    def undo_in_memory(self) -> None:
        """Nothing: a row that is undone stays where it is, and is not seen."""

    def cancel(self) -> None:
        """End the statement at hand, if there is one and the server can be told."""
        with suppress(psycopg.Error):
            self._connection.cancel()

    def is_open(self) -> bool:
        """False once the connection is closed or was lost."""
        return not self._connection.closed and self._connection.info.status == ConnStatus.OK

    def is_current(self) -> bool:
        """True while it is open: a server does not change behind a connection."""
        return self.is_open()

    def close(self) -> None:
        """Close the connection. Safe to call twice."""
        self._connection.close()
