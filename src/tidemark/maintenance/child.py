"""A subquery in a scalar whose aggregates are kept by deltas, taken apart.

Owns: `Child`. Promises: its rows are those of one source that count (`guard`) and point at the key (`shape`).
"""

from __future__ import annotations

from dataclasses import dataclass

from tidemark.maintenance.program import RowText
from tidemark.maintenance.shapes import conjunction
from tidemark.query.relation import Block, Nested, Occurrence, Scalar


@dataclass(frozen=True)
class Child:
    """A subquery of the universe shape, taken apart."""

    nested: Nested
    block: Block
    occurrence: Occurrence
    key: tuple[Scalar, ...]
    where: tuple[Scalar, ...]

    @property
    def guard(self) -> RowText | None:
        """The rows that count."""
        return conjunction(self.where)

    @property
    def shape(self) -> tuple[str, ...]:
        """The way to the key, comparable among occurrences of one source."""
        return tuple(scalar.at_row("r") for scalar in self.key)
