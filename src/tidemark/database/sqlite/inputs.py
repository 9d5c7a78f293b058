"""What a query reads on SQLite: its authorizer is asked about every column while the query is compiled.

Owns: `Recording`. Promises: nothing is forbidden, and a column of a view of Tidemark's counts as the view.
"""

from __future__ import annotations

import sqlite3


class Recording:
    """Takes down (table, column) of what a statement reads; an empty column where only rows are counted."""

    def __init__(self) -> None:
        self.found: set[tuple[str, str]] = set()

    def note(self, action: int, first: str | None, second: str | None, schema: str | None, inside: str | None) -> int:
        """The callback of the authorizer."""
        if action == sqlite3.SQLITE_READ and first and schema == "main" and not first.startswith("sqlite_"):
            ours = first.startswith("tidemark_")
            if not ours:
                self.found.add((first, second or ""))
            elif inside is not None:
                self.found.add((inside, ""))
        return sqlite3.SQLITE_OK
