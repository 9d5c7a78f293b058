"""The texts for single rows of a table, made once from its description; both engines take the same ones.

Two writer styles end with the same current rows. ``upsert`` changes the current row in place; ``history`` demotes it and
inserts the next version.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from examples.soundgraph.described import Table

Writer = Literal["upsert", "history"]


@dataclass(frozen=True, slots=True)
class Texts:
    """The statements of one table. ``:column`` marks a value."""

    select: str
    demote: str
    delete: str

    @staticmethod
    @cache
    def of(table: Table) -> Texts:
        """The statements of a table."""
        current = " AND is_current" if table.versioned else ""
        # JSON travels as text both ways: rows are carried, never looked into.
        columns = ", ".join(f"CAST({name} AS text)" if name in table.jsons else name for name in table.columns)
        return Texts(
            select=f"SELECT {columns} FROM {table.name} WHERE {_match(table.lookup)}{table.lookup_class}{current}",
            demote=f"UPDATE {table.name} SET is_current = false WHERE {_match(table.natural)} AND is_current",
            delete=f"DELETE FROM {table.name} WHERE {_match(table.natural)}",
        )


def _match(columns: Sequence[str]) -> str:
    return " AND ".join(f"{column} = :{column}" for column in columns)
