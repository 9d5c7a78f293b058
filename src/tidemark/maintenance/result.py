"""What a program is to keep: the result of one query.

Owns: `Result`. Promises: the key and the columns are those of the query's outputs.
"""

from __future__ import annotations

from dataclasses import dataclass

from tidemark.model import OutputColumn
from tidemark.query.keys import KeyColumn
from tidemark.query.relation import Query


@dataclass(frozen=True)
class Result:
    """The result of a query, to be kept under a name by its key, with its `columns` as the engine describes them. `proven` tells
    that no two rows can have the same key."""

    name: str
    query: Query
    key: tuple[KeyColumn, ...]
    columns: tuple[OutputColumn, ...]
    proven: bool = True

    @property
    def described(self) -> dict[str, OutputColumn]:
        """The columns by their names."""
        return {column.name: column for column in self.columns}

    @property
    def positions(self) -> tuple[int, ...]:
        """Which outputs of the query the columns of the key are."""
        names = [output.name for output in self.query.outputs]
        return tuple(names.index(column.name) for column in self.key)
