"""What handlers see of a session.

Owns: `Face`. Promises: rows that are put are written many at once and never later than anything that could see that they
are not there yet; nothing that a driver raises reaches a handler but as the session says it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tidemark.database.session import Session
from tidemark.streams import Shelf


class Face:
    """A session as handlers see it, until something of theirs is undone: then there is another one, and whoever remembers what it
    has read knows by that. `written` counts what they asked to be written."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._waiting: dict[Shelf, list[tuple[Any, ...]]] = {}
        self.written = 0

    def run(self, sql: str, parameters: Mapping[str, Any] | None = None) -> int:
        """Run a statement; the number of rows that it changed."""
        self.settle()
        self.written += 1
        return self._session.run(sql, parameters)

    def all(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Every row of a query."""
        self.settle()
        return self._session.all(sql, parameters)

    def one(self, sql: str, parameters: Mapping[str, Any] | None = None) -> tuple[Any, ...] | None:
        """The first row of a query, or None."""
        self.settle()
        return self._session.one(sql, parameters)

    def put(self, shelf: Shelf, row: Mapping[str, Any]) -> None:
        """Write a row with others."""
        self.written += 1
        self._waiting.setdefault(shelf, []).append(shelf.values_of(row))

    def put_all(self, shelf: Shelf, rows: Iterable[Mapping[str, Any] | tuple[Any, ...]]) -> None:
        """Write rows with others."""
        values_of = shelf.values_of
        found = [row if isinstance(row, tuple) else values_of(row) for row in rows]
        if found:
            self.written += len(found)
            self._waiting.setdefault(shelf, []).extend(found)

    def find(self, shelf: Shelf, by: Sequence[str], keys: Iterable[Sequence[Any]]) -> list[tuple[Any, ...]]:
        """The rows of a shelf whose columns `by` have any of these values."""
        self.settle()
        wanted = list(dict.fromkeys(map(tuple, keys)))
        return self._session.find_rows(shelf, by, wanted) if wanted else []

    def settle(self) -> None:
        """Write what was put."""
        while self._waiting:
            shelf = next(iter(self._waiting))
            self._session.put_rows(shelf, shelf.last(self._waiting.pop(shelf)))
