"""Processors: derived tables whose rows Python computes, as a user declares them.

Owns: `Processor`, `Batch`, `Change`, and the query that gives the units of a processor. Promises: every input is declared, as
*watched* (a change makes units dirty), *sampled* (read, and may be behind) or *ignored* (read, and taken not to change); the
units are those that the watched inputs have now. Reads no database.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from tidemark.dialect import literal, quote

Row = Mapping[str, Any]
_SELECT = re.compile(r"\s*(select|with)\b", re.IGNORECASE)


class Reader(Protocol):
    """What a processor may do with the database: read. ``:name`` marks a parameter."""

    def all(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Every row of a query."""
        ...

    def one(self, sql: str, parameters: Mapping[str, Any] | None = None) -> tuple[Any, ...] | None:
        """The first row of a query, or None."""
        ...


@dataclass(frozen=True)
class Change:
    """An image of a row of a watched input: with `weight` 1 what came or what a row became, with -1 what went or what it was.
    `unit` are the values of `by` that it belongs to, `row` the columns of `source` that are watched."""

    source: str
    unit: Row
    weight: Literal[1, -1]
    row: Row


@dataclass(frozen=True)
class Batch:
    """Units to compute: `keys` are their values by name of column, `previous` the rows that are stored for them now.

    `changes`, for a processor declared with ``changes=True``, are those after which these units are computed: every one that
    `previous` does not know yet, and perhaps some that it knows. None where the units are to be computed from what there is: in a
    filling, a verification and a repair, and when nobody can say what changed."""

    keys: tuple[Row, ...]
    previous: tuple[Row, ...]
    changes: tuple[Change, ...] | None = None

    def values(self, column: str) -> list[Any]:
        """One column of the keys, as a list."""
        return [key[column] for key in self.keys]


Function = Callable[[Reader, Batch], Iterable[Row]]
Functions = Mapping[tuple[str, str], Function]
"""Functions by the name of their processor and by what stands for what they do."""


@dataclass(frozen=True)
class Processor:
    """How a processor's rows are computed.

    `by` are the columns of a unit, `key` those that identify a row; `columns` are (name, SQL type) of every column that is not
    of `by`; `constants` are (name, value). `reads` are (source, columns that hold `by`, or a SELECT of columns named so).
    `sampled` and `ignored` name sources or columns of them. At most `batch` units are computed at once. `version` stands for
    what the function does; `slow_ms` is from when on a batch is slow. `changes` tells that the function is shown what changed.
    """

    by: tuple[str, ...]
    key: tuple[str, ...]
    columns: tuple[tuple[str, str], ...]
    constants: tuple[tuple[str, str | int], ...]
    reads: tuple[tuple[str, tuple[str, ...] | str], ...]
    sampled: tuple[str, ...]
    ignored: tuple[str, ...]
    batch: int
    slow_ms: float
    version: str
    function: Function = field(compare=False, repr=False)
    changes: bool = False

    @property
    def query(self) -> str:
        """A row for each unit that the watched inputs have: the columns of `by`, and places for the others."""
        first = f"u.{quote(self.by[0])}"
        shown = [f"u.{quote(name)}" for name in self.by]
        # It reads a column, or it would be a constant, by which rows of one table are told apart.
        shown += [
            f"CASE WHEN {first} IS NULL THEN CAST(NULL AS {type_}) END AS {quote(name)}" for name, type_ in self.columns
        ]
        shown += [f"{_written(value)} AS {quote(name)}" for name, value in self.constants]
        branches = [self._branch(source, how) for source, how in self.reads]
        if len(branches) == 1:
            branches = [branches[0].replace("SELECT ", "SELECT DISTINCT ", 1)]
        return f"SELECT {', '.join(shown)} FROM ({' UNION '.join(branches)}) AS u"

    def _branch(self, source: str, how: tuple[str, ...] | str) -> str:
        if isinstance(how, str):
            columns, table = self.by, f"({how})"
        else:
            columns, table = how, quote(*source.split("."))
        shown = ", ".join(f"x.{quote(mine)} AS {quote(name)}" for mine, name in zip(columns, self.by, strict=True))
        known = " AND ".join(f"x.{quote(column)} IS NOT NULL" for column in columns)
        return f"SELECT {shown} FROM {table} AS x WHERE {known}"


def is_select(text: str) -> bool:
    """Whether a text is a SELECT, and not the name of a column."""
    return _SELECT.match(text) is not None


def _written(value: str | int) -> str:
    return str(value) if isinstance(value, int) else literal(value)


def names_of(declared: str | Sequence[str]) -> tuple[str, ...]:
    """One name or several as a tuple."""
    return (declared,) if isinstance(declared, str) else tuple(declared)


@dataclass(frozen=True)
class KeptChanges:
    """The changes of one watched input that wait for their units. `columns` are those of its rows; `read` (parameter
    ``:limit``) gives (ordinal in the batch, weight, columns…), the weight 0 where nobody can say what changed; `clear` lets go
    of those of the batch's units."""

    source: str
    columns: tuple[str, ...]
    read: str
    clear: str


@dataclass(frozen=True)
class Compute:
    """The statements around a processor's function, for the unit columns `units` and the row columns `columns`.

    `code` stands for what the function does. `clear` empties the place for its rows; `list_units` gives the ordinal of each unit
    of the batch and its values, `list_previous` (ordinal, columns…) what is stored for them; `take` (parameter ``:rows``, a JSON
    array of arrays in the order of `columns`) puts its rows there. `let_go` (parameter ``:n``) takes a unit out of the batch,
    `forget` out of the dirty set that the batch was taken from. `constants` are (column, value as text), `declares`
    are (source, column, or empty for all of them) that the function may read. `changes` are kept for it, one for each input.
    """

    name: str
    code: str
    units: tuple[str, ...]
    columns: tuple[str, ...]
    constants: tuple[tuple[str, str], ...]
    clear: str
    list_units: str
    list_previous: str
    take: str
    let_go: str
    forget: str
    batch_max: int
    slow_ms: float
    declares: tuple[tuple[str, str], ...] = ()
    changes: tuple[KeptChanges, ...] = ()
