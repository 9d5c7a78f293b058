"""A connection to SQLite that somebody else opened, and what goes over it.

Owns: `session_of`, `Given`. Promises: the driver's connection is found inside those of SQLAlchemy and Django, which are known by
their attributes and not imported; nothing of it is changed but the authorizer, while it watches.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tidemark.database.sqlite.session import SqliteSession

# Where wrappers keep what they wrap, from the outside in.
_INSIDE = ("driver_connection", "dbapi_connection", "connection")
_WRITES = frozenset({sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE})
_DEPTH_MAX = 5


class Given(SqliteSession):
    """A session over a connection that is somebody else's. `begins_itself` tells that its owner wants to begin transactions."""

    def __init__(self, connection: sqlite3.Connection, *, begins_itself: bool) -> None:
        super().__init__(connection, "the given connection")
        self.begins_itself = begins_itself

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self._connection.in_transaction

    def begin(self) -> None:
        """Begin a transaction that writes."""
        self._execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        """Commit the transaction that is open."""
        self._execute("COMMIT")

    def rollback(self) -> None:
        """Undo the transaction that is open."""
        self._execute("ROLLBACK")

    @contextmanager
    def watching(self) -> Iterator[set[str]]:
        """The names of the tables, in lower case, into which statements write that are compiled meanwhile."""
        written: set[str] = set()

        def allow(action: int, table: str | None, *_: Any) -> int:
            if action in _WRITES and table is not None and not table.lower().startswith("sqlite_"):
                written.add(table.lower())
            return sqlite3.SQLITE_OK

        self._connection.set_authorizer(allow)
        try:
            yield written
        finally:
            self._connection.set_authorizer(None)


def session_of(connection: Any) -> Given | None:
    """A session over what is given: a connection of the driver, of SQLAlchemy or of Django; None where that is not SQLite's."""
    ensure = getattr(connection, "ensure_connection", None)
    if ensure is not None:
        ensure()
    found = connection
    for _ in range(_DEPTH_MAX):
        if isinstance(found, sqlite3.Connection):
            return Given(found, begins_itself=ensure is not None)
        found = next((inside for name in _INSIDE if (inside := getattr(found, name, None)) is not None), None)
    return None
