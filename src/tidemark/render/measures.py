"""Measures of columns, for the comparison of two writers' tables.

Owns: `Words`, what an engine calls them, and the texts that are made of them. Promises: a measure of one engine means the same as
that of the other, so that their tables can be compared; rows are sampled by their keys alone, so that both sides pick the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from tidemark.dialect import Dialect
from tidemark.model import Column, Table
from tidemark.render.statements import qualified

Kind = Literal["number", "text", "json", "other"]
"""What can be added up of a column: its values, its characters, or nothing."""


@dataclass(frozen=True)
class Words:
    """How an engine says the measures of a column ``{0}``. `kind` tells what can be added up of it.

    `sums` are by kind. `known` is true for a value that is there; a JSON ``null`` is none. `place` is a number that a key column
    gives, the same on both engines; `is_whole` tells whether it is one by itself.
    """

    kind: Callable[[Column], Kind]
    sums: dict[str, str]
    known: str
    known_json: str
    is_whole: Callable[[Column], bool]
    place_of_number: str
    place_of_text: str


def measure(table: Table, dialect: Dialect, words: Words, columns: Sequence[str], where: str) -> str:
    """SELECT of one row: how many rows, then for each column how many values there are and what they add up to."""
    by_name, found = {column.name: column for column in table.columns}, ["count(*)"]
    for name in columns:
        quoted, kind = dialect.quote(name), words.kind(by_name[name])
        known = words.known_json if kind == "json" else words.known
        found.append(f"count(CASE WHEN {known.format(quoted)} THEN 1 END)")
        found.append(words.sums[kind].format(quoted))
    return f"SELECT {', '.join(found)} FROM {qualified(table, dialect)}{_where(where)}"


def sample(table: Table, dialect: Dialect, words: Words, key: Sequence[str], columns: Sequence[str], where: str) -> str:
    """SELECT of key and columns of the rows whose key has the remainder 0 by ``:modulo``, at most ``:limit`` in key order."""
    by_name = {column.name: column for column in table.columns}
    places = [
        (words.place_of_number if words.is_whole(by_name[name]) else words.place_of_text).format(dialect.quote(name))
        for name in key
    ]
    keys = ", ".join(dialect.quote(name) for name in key)
    shown = ", ".join(dialect.quote(name) for name in (*key, *columns))
    also = f"{_where(where)} {'AND' if where else 'WHERE'} ({' + '.join(places)}) % :modulo = 0"
    return f"SELECT {shown} FROM {qualified(table, dialect)}{also} ORDER BY {keys} LIMIT :limit"


def _where(where: str) -> str:
    return f" WHERE ({where})" if where else ""
