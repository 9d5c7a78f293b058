"""A book of named statements, said through a session.

Owns: `Book`. Promises: a statement is said by its name alone, in the words of the session's engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidemark.database.session import Session
from tidemark.runtime.statements import find_statement


class Book:
    """The statements of one book behind one session."""

    def __init__(self, session: Session, book: str) -> None:
        self.session = session
        self._engine, self._book = session.dialect.name, book

    def text(self, name: str, **identifiers: str) -> str:
        """The text of a named statement; `identifiers` are quoted names for its ``{words}``."""
        text = find_statement(self._engine, name, self._book)
        return text.format(**identifiers) if identifiers else text

    def run(self, name: str, parameters: Mapping[str, Any] | None = None, **identifiers: str) -> int:
        """Run a named statement; give the number of rows it changed: none where this engine has nothing to do."""
        text = self.text(name, **identifiers)
        return self.session.run(text, parameters) if text else 0

    def all(self, name: str, parameters: Mapping[str, Any] | None = None, **identifiers: str) -> list[tuple[Any, ...]]:
        """Every row of a named query."""
        return self.session.all(self.text(name, **identifiers), parameters)

    def one(self, name: str, parameters: Mapping[str, Any] | None = None, **identifiers: str) -> tuple[Any, ...] | None:
        """The first row of a named query, or None."""
        return self.session.one(self.text(name, **identifiers), parameters)

    def value(self, name: str, parameters: Mapping[str, Any] | None = None, **identifiers: str) -> Any:
        """The first value of a named query, or None without a row."""
        row = self.one(name, parameters, **identifiers)
        return None if row is None else row[0]
