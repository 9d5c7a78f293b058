"""The seam between Tidemark and a driver: one connection to one database.

Owns: the protocol that `database.sqlite` and `database.postgres` fulfil. Promises: nothing above this seam knows a driver; a
driver's error never crosses it (it becomes a `Fault`, a `Refusal` or a `Conflict`); a statement runs only inside
`transaction()`, except `one` and `all` for single reads and `alone`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol

from tidemark.contract.script import Piece
from tidemark.dialect import Dialect
from tidemark.errors import Code, Fault, Refusal, is_interruption
from tidemark.model import Catalog, OutputColumn, Table
from tidemark.streams import Shelf

Parameters = Mapping[str, Any]
Mode = Literal["read", "write", "chunk", "look"]


class Conflict(Exception):
    """A transient failure: lock timeout, deadlock, serialization failure, busy database. The transaction is gone; try again.

    `meanwhile` tells what was the case, `lasting` what was in each of several attempts, `instead` what somebody could do.
    """

    meanwhile: ClassVar[str] = "the database was locked"
    lasting: ClassVar[str] = "the database stayed locked through"
    instead: ClassVar[str] = ""


class Taken(Conflict):
    """Somebody has had a lock for longer than was waited for it."""


class Cancelled(Conflict):
    """Somebody cancelled a statement: an operator, or whoever wants the duty to end."""

    meanwhile = "its statement was cancelled"
    lasting = "a statement was cancelled in each of"


class TooLong(Conflict):
    """A statement was cancelled because it took longer than it may: less of it may be well."""

    meanwhile = "its statement took longer than it may"
    lasting = "a statement took longer than it may in each of"
    instead = "; set a longer statement_timeout for the role that Tidemark connects as"


class Unacceptable(Fault):
    """The database did not accept what a statement made of the data: a constraint, a conversion, a veto of a trigger."""


class Exhausted(Fault):
    """The machine has no room left, on a disk or in memory, or a disk of it fails: whatever is tried, and no row is to blame."""


def blames_others(problem: BaseException) -> bool:
    """Whether a problem tells of a lock that others kept, or of somebody's wish to stop: nothing that was tried is to blame."""
    return is_interruption(problem) or isinstance(problem, Conflict) or isinstance(problem.__cause__, Conflict)


def blames_data(problem: BaseException) -> bool:
    """Whether data may be to blame for a problem with a statement that is known to be well: the same one may do over other rows.

    SQLite has one code for what is wrong with a statement and for what a function of an extension says of a value.
    """
    return isinstance(problem, Unacceptable) or (isinstance(problem, Refusal) and problem.code is Code.PARSE)


@dataclass(frozen=True)
class Strain:
    """What the database is under in one respect. `value` is in the unit of its name: ``wal_bytes`` (of the log that the database
    file does not have yet), ``free_bytes`` (on the disk), ``waiting_locks`` (sessions that wait for one), ``replica_seconds`` and
    ``replica_bytes`` (how far the furthest replica is behind). It is None where it cannot be read; `says` tells why."""

    name: str
    value: float | None
    says: str = ""


class Session(Protocol):
    """One connection with its role: reading facts, running statements, holding transactions."""

    dialect: Dialect

    @property
    def label(self) -> str:
        """The database as shown to people: no password in it."""
        ...

    def transaction(
        self, mode: Mode = "write", *, snapshot: bool = False, holding: Sequence[str] = ()
    ) -> AbstractContextManager[None]:
        """A transaction: commits at the end, rolls back on any exception. They do not nest.

        SQLite: ``read`` is BEGIN (deferred), ``write`` is BEGIN IMMEDIATE. PostgreSQL: READ COMMITTED, or REPEATABLE READ with
        `snapshot`; ``read`` may still write temporary tables. A ``chunk`` is a write that no disk is waited for with locks
        in hand: with the power the last of them may be lost, never one before another, nor any that a ``write`` followed. On
        SQLite, whose one lock everybody wants, every write is so, and `close` waits for the disk.
        A ``look`` only reads, in one moment, and asks what looks before it asked; on PostgreSQL in the message that begins it.
        `holding` are quoted names of tables that nobody empties between the snapshot and the end: TRUNCATE takes rows away that
        an older snapshot should see. Raises `Conflict` when the lock cannot be had within the session's lock timeout.
        """
        ...

    def run(self, sql: str, parameters: Parameters | None = None) -> int:
        """Run one statement, give the number of rows it changed (0 for DDL). ``:name`` marks a parameter."""
        ...

    def run_all(self, statements: Sequence[str], parameters: Mapping[str, int | str] | None = None) -> list[int]:
        """Run statements one after the other, give the number of rows that each changed. Each takes of the parameters what it
        names. On PostgreSQL they are one message, which costs more than a small statement, with the parameters written into it.
        """
        ...

    def repeat(self, on: bool) -> None:
        """Whether what is said from now to the end of the transaction is said again and again, over as few rows each time: then
        PostgreSQL keeps for a while how it answers a statement. What is said with `alone` always is."""
        ...

    def script(self, *texts: str) -> None:
        """Run DDL texts, each of which may hold several statements, inside the current transaction (never commits by itself), in
        one message where the engine takes several."""
        ...

    def all(self, sql: str, parameters: Parameters | None = None) -> list[tuple[Any, ...]]:
        """Every row of a query, as plain Python values."""
        ...

    def one(self, sql: str, parameters: Parameters | None = None) -> tuple[Any, ...] | None:
        """The first row of a query, or None."""
        ...

    def put_rows(self, shelf: Shelf, rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert rows of a shelf's columns, in their order; with a key they take the place of those that have it, and no two of
        them have the same one. One statement on PostgreSQL, few on SQLite."""
        ...

    def find_rows(self, shelf: Shelf, by: Sequence[str], keys: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        """The rows of a shelf whose columns `by` have one of these values, in one statement, in no order."""
        ...

    def alone(self, sql: str, parameters: Parameters | None = None) -> list[tuple[Any, ...]]:
        """Run one statement as a transaction of its own, which it spares the messages of; its rows, if it gives any."""
        ...

    def facts(self, sql: str, parameters: Parameters | None = None) -> list[tuple[Any, ...]]:
        """Every row of a query of ours about the catalog, which PostgreSQL keeps the plan of; names have their schemas in it,
        wherever the search path begins. Changes nothing."""
        ...

    def catalog(self) -> Catalog:
        """Every table, view, column, unique key and index that the role can see, except Tidemark's own."""
        ...

    def describe(self, query: str, given: Sequence[Table] = ()) -> tuple[OutputColumn, ...]:
        """Names, types and collations of a query's result, as the engine itself sees them.

        `given` are tables and views that the query may name although they are not there yet, each after what it reads; they
        stand in the place of what has their names.

        Raises `Refusal` (code ``parse``, ``unknown-table`` or ``unknown-column``) when the engine does not accept the query.
        Changes nothing.
        """
        ...

    def first_mutable(self, columns: str, expressions: Sequence[str], given: Sequence[Table] = ()) -> int | None:
        """The number of the first expression whose value depends on more than the row, or None.

        `columns` is a SELECT that names the columns which the expressions read; `given` is as in `describe`. PostgreSQL
        judges as it does for the predicate of an index; SQLite has no such judge and always answers None. Changes nothing.
        """
        ...

    def inputs_of(self, query: str, parameters: Parameters | None = None) -> frozenset[tuple[str, str]]:
        """(label of a table, column) of everything that a query reads, as the engine itself sees it; an empty column where rows
        are only counted. What it reads through a view of Tidemark's is named by that view's name. Changes nothing."""
        ...

    def uses_index(self, sql: str, table: str) -> bool:
        """True when the engine's plan of `sql` does not scan the whole of `table` (unquoted name)."""
        ...

    def installed(self, names: Collection[str] | None = None) -> Mapping[str, str]:
        """What is there of ours, or of some `names`: object name (as `Piece.name`) to the fingerprint found on it.

        The value is what `Piece.fingerprint` gives while the object is as it was made. SQLite keeps the text of every object, so
        the fingerprint is taken from that; PostgreSQL keeps it as the comment that `mark` writes, together with a hash of
        the object's definition. Otherwise the value is ``disabled`` (a trigger, or its copy on a partition, is switched off),
        ``outdated`` (the definition changed after it was marked) or ``?`` (it carries no mark).

        What is ours: on SQLite names that begin with ``tidemark_``, and views whose text has the comment ``/* tidemark */`` (or
        ``/* tidemark:… */``); on PostgreSQL everything in schema ``tidemark`` (named ``tidemark.x``) but indexes that belong to
        constraints, triggers whose function is there (named by the trigger alone), and views whose comment begins
        with ``tidemark:`` (named by their label).
        """
        ...

    def mark(self, pieces: Sequence[Piece]) -> str:
        """The statements that complete objects which were just made; an empty text where there are none. On PostgreSQL one puts
        their fingerprints onto them, and fails when there is no such object. SQLite runs the newest trigger of a table first:
        there triggers of the user's that have to run before ours are made anew, with the text that they have.
        """
        ...

    def now(self) -> str:
        """The database's clock as RFC 3339 text in UTC with milliseconds."""
        ...

    def snapshot(self) -> str:
        """PostgreSQL: `pg_current_snapshot()` as text. SQLite: an empty text."""
        ...

    def changes_marker(self) -> str:
        """A text that differs from the one before if another connection has committed in between. Costs next to nothing.

        It may also differ without a change to our tables; call it outside a transaction.
        """
        ...

    def schema_marker(self) -> str:
        """A text that differs if any object of the database that is not temporary was created, changed or dropped in between.
        Costs next to nothing beside `installed` and `catalog`, and sees what the transaction sees that it is called in."""
        ...

    def strain(self) -> tuple[Strain, ...]:
        """What the database is under now, in every respect that this engine has. Asked between transactions; asks no table."""
        ...

    def log_bytes(self) -> int:
        """The size of the log's file beside the database, where somebody may keep it from being emptied; asks nobody."""
        ...

    def others_connected(self) -> bool:
        """Whether anybody but Tidemark is connected; True where nobody can tell."""
        ...

    def set_lock_timeout(self, seconds: float) -> None:
        """How long a statement waits for a lock before it raises `Conflict`, from now on; 0 means not at all."""
        ...

    def set_write_lock_timeout(self, seconds: float) -> None:
        """The same for transactions that write, which is to be less."""
        ...

    def undo_in_memory(self) -> None:
        """From now on, what a statement for many rows needs to be undone alone is in memory, and so are temporary tables: for who
        writes many rows and makes no great ones. Between transactions; PostgreSQL needs none of it."""
        ...

    def cancel(self) -> None:
        """End the statement that another thread runs on this session, which raises `Conflict` there; nothing without one."""
        ...

    def is_open(self) -> bool:
        """False once the connection is closed or known to be lost. Asks nobody."""
        ...

    def is_current(self) -> bool:
        """Whether the address still leads to the database that was opened: a file may have been moved away or replaced, and
        whoever keeps it open would go on to read what it was."""
        ...

    def close(self) -> None:
        """Close the connection. Safe to call twice."""
        ...
