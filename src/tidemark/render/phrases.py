"""Phrases: small texts that both engines say in words of their own, wherever a statement of ours needs one.

Owns: `Phrases` and which engine has which. Promises: both engines offer the same phrases, and those of one are in one file.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from tidemark.dialect import Dialect
from tidemark.render.postgres import phrases as postgres_phrases
from tidemark.render.sqlite import phrases as sqlite_phrases


class Phrases(Protocol):
    """The phrases of an engine. Names of tables and columns are quoted."""

    def clear(self, table: str, *others: str) -> str:
        """Empty a temporary table, and where that is the quicker way the `others` with it, which are emptied later anyway."""
        ...

    def clear_list(self, table: str) -> str:
        """Empty a numbered list. Places are counted from one every time."""
        ...

    def clear_chunk(self, batch: str) -> str:
        """Empty the batch of a migration of the user's, and say what a look-up costs where its rows are next to each other."""
        ...

    def steer(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """What has the planner look everything up by an index that has one, for no longer than the transaction, and what lets it
        choose again."""
        ...

    def weigh(self, *tables: str) -> tuple[str, ...]:
        """Tell the planner how small temporary tables are."""
        ...

    def few(self, table: str) -> str:
        """A FROM item with the rows of a temporary table, of which the planner takes it that there are few."""
        ...

    def seldom(self, condition: str) -> str:
        """The condition, which is said to be true of few rows."""
        ...

    def index(self, name: str, bare: str, table: str, terms: str) -> str:
        """Make an index over a temporary table, unless it is there; `bare` is the table without the prefix that says so."""
        ...

    def spelled_alike(self, one: str, other: str, type_: str = "", *, is_typed: bool = False) -> str:
        """True when two values of a column are the same down to their spelling. `type_` is the column's, where one of them may be
        of a domain over it; one that `is_typed` has numbers of one type."""
        ...

    def spellings(self, column: str, place: int, *, is_collated: bool) -> list[str]:
        """Items of a SELECT that differ where equal values of a column are spelled otherwise; `place` is how many are before."""
        ...

    def identity(self, columns: list[str]) -> str:
        """A text that two rows share only when they are the same in every column, type included."""
        ...

    def numbered(self, table: str, ordinal: str, columns: str, rows: str, order: str) -> str:
        """Put `rows` into a table that is empty in their order, numbered from 1 on."""
        ...

    def glance(self, query: str, name: str, use: Callable[[str], str]) -> tuple[str, ...]:
        """Evaluate a query as fast as can be, and use its rows; `name` is free for a temporary table."""
        ...

    def elements(self, document: str) -> str:
        """A FROM item ``j`` with a column ``value``: the elements of a document that is an array."""
        ...

    def only_where(self, some: str) -> str:
        """What ends a SELECT that finds nothing without such a row, where it would else begin to look."""
        ...

    def clock(self, given: str) -> str:
        """The moment that is given, or what the clock says if that is NULL."""
        ...

    def seconds_between(self, one: str, other: str) -> str:
        """How many seconds two moments are apart."""
        ...


_PHRASES: dict[str, Phrases] = {"sqlite": sqlite_phrases, "postgres": postgres_phrases}


def phrases_of(dialect: Dialect) -> Phrases:
    """An engine's phrases."""
    return _PHRASES[dialect.name]
