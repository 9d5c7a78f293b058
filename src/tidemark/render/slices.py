"""Slices of logs: which changes a derived table has still to take, and a copy of those that concern it.

Owns: `Slices` and which engine has which. Promises: both engines offer the same texts.
"""

from __future__ import annotations

from typing import Protocol

from tidemark.dialect import Dialect
from tidemark.model import Table
from tidemark.names import Names
from tidemark.render.postgres import slices as postgres_slices
from tidemark.render.sqlite import slices as sqlite_slices


class Slices(Protocol):
    """The texts of an engine. Of a log the rows are called ``l``, of a checkpoint `upto` is what counts as taken."""

    def definition(self, table: Table, columns: tuple[str, ...]) -> str:
        """The columns of a slice: the weight, and the images that a derived table reads."""
        ...

    def columns(self, columns: tuple[str, ...]) -> str:
        """The quoted columns that a slice has of a log."""
        ...

    def concerns(self, table: Table, columns: tuple[str, ...]) -> str:
        """Which rows of a log concern whoever reads those columns."""
        ...

    def fill(self, table: Table, columns: tuple[str, ...], slice_: str) -> str:
        """Copy the changes of a part of a log that concern whoever reads those columns, and markers."""
        ...

    def is_ahead(self, names: Names, table: Table) -> str:
        """True when the checkpoint of a log is ahead of it, as it is after a restore."""
        ...

    def mark(self, table: Table) -> str:
        """Put a marker into a source's log, which says to whoever reads it that anything may have changed."""
        ...

    def unsealed(self, names: Names, table: Table, upto: str = "snapshot") -> str:
        """True for the rows of a source's log that no finished seal of the derived table has taken."""
        ...

    def sliced(self) -> str:
        """True for the rows of a log in the part after ``:position`` that ``:limit`` measures, where ``:target`` sees them and
        ``:previous`` does not."""
        ...


_SLICES: dict[str, Slices] = {"sqlite": sqlite_slices, "postgres": postgres_slices}


def slices_of(dialect: Dialect) -> Slices:
    """An engine's texts."""
    return _SLICES[dialect.name]
