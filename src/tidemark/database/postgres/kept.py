"""Statements that are said again and again: the server keeps what it has made of their texts.

Owns: `Kept`. Promises: a statement is prepared when it is said for the second time, or for the first where that is known to be
worth it, and anew after `RENEW_SECONDS`, so that no plan lives long that was made for a table which has grown since; after
`ERRORS_MAX` times that the server could not prepare something or did not know its name nothing is prepared any more: a pooler
may give each transaction another connection to it, on which no name is that of another session's statement.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from tidemark.database.postgres.parameters import literal, number
from tidemark.database.session import Parameters

RENEW_SECONDS = 60.0
ERRORS_MAX = 3
STATEMENTS_MAX = 400
"""One takes the server some 80 kB."""
_TYPES = {int: "bigint", float: "double precision", str: "unknown", type(None): "unknown"}
_PREPARABLE = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b", re.IGNORECASE)

Said = tuple[str, tuple[type, ...]]
Send = Callable[[str, Parameters | None], psycopg.Cursor[tuple[Any, ...]]]


class Kept:
    """What one connection has prepared: names and times by text and types of parameters. `on` tells that what is said now is said
    again and again; `errors` counts what the server did not know or could not prepare."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._once: set[Said] = set()
        self._names: dict[Said, tuple[str, float]] = {}
        self._stem = f"tidemark_kept_{secrets.token_hex(4)}"
        self._made = self.errors = 0
        self.on = self._at_first = False
        self._due: list[str] = []

    def say(self, text: str, parameters: Parameters | None) -> str | None:
        """What to send in the place of a statement; None where it has to be sent as it is."""
        if not self.on or self.errors >= ERRORS_MAX or not _PREPARABLE.match(text):
            return None
        body, names = number(text, frozenset(parameters or ()))
        values = [parameters[name] for name in names] if parameters else []
        said = text, tuple(type(value) for value in values)
        if not all(kind in _TYPES for kind in said[1]) or not self._is_prepared(said, body):
            return None
        given = f"({', '.join(literal(value) for value in values)})" if values else ""
        return f"EXECUTE {self._names[said][0]}{given}"

    def _is_prepared(self, said: Said, body: str) -> bool:
        """Whether a statement is prepared, or will be by what is due."""
        now = self._now()
        name, since = self._names.get(said, ("", 0.0))
        if name and now - since < RENEW_SECONDS:
            return True
        if not name and not self._at_first and said not in self._once:
            self._once.add(said)
            return False
        if name or len(self._names) >= STATEMENTS_MAX:
            # Names stand in the order of their age.
            old = said if name else next(iter(self._names))
            if now - self._names[old][1] < RENEW_SECONDS:
                return False
            self._due.append(f"DEALLOCATE {self._names.pop(old)[0]}")
        self._made += 1
        name = f"{self._stem}_{self._made}"
        self._names[said] = name, now
        types = ", ".join(_TYPES[kind] for kind in said[1])
        self._due.append(f"PREPARE {name}{f' ({types})' if types else ''} AS {body}")
        return True

    def send(self, send: Send, message: str, parameters: Parameters | None) -> psycopg.Cursor[tuple[Any, ...]]:
        """Send a message, and one before it that prepares what this one names; errors of the driver pass through."""
        try:
            if self._due:
                send("\n;\n".join(self._due), None)
                self._due.clear()
            return send(message, parameters)
        except psycopg.Error as error:
            if self._due or isinstance(error, psycopg.errors.InvalidSqlStatementName):
                self.errors += 1
                self.forget()
            raise

    @contextmanager
    def repeating(self, *, at_first: bool = False) -> Iterator[None]:
        """What is said inside is said again and again; with `at_first` it is prepared when it is said for the first time."""
        before = self.on
        self.on, self._at_first = True, at_first
        try:
            yield
        finally:
            self.on, self._at_first = before, False

    def forget(self) -> None:
        """Nothing is prepared."""
        self._names.clear()
        self._due.clear()
