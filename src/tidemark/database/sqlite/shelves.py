"""Many rows of one table at once, on SQLite.

Owns: the texts behind `put_rows` and `find_rows`. Promises: rows that are put are few statements, each value bound as it is; keys
travel as one JSON text, and each of them is looked up by an index if there is one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

from tidemark.dialect import SQLITE
from tidemark.streams import Shelf

_ROWS_MAX = 64
_FEW = 8
_VALUES_MAX = 999
"""So many values may be bound to one statement wherever SQLite was built."""


def put_many(shelf: Shelf, rows: Sequence[tuple[Any, ...]]) -> Iterator[tuple[str, Sequence[tuple[Any, ...]]]]:
    """What puts the rows, in their order: statements, each with what is bound to it, time after time.

    Where a table has triggers, a statement keeps of each page what it was before, so that one for each row costs three times
    as much. The statements have one of three sizes, so that few are prepared.
    """
    widest, done = max(1, _VALUES_MAX // len(shelf.columns)), 0
    for size in dict.fromkeys((min(_ROWS_MAX, widest), min(_FEW, widest), 1)):
        end = done + (len(rows) - done) // size * size
        if end > done:
            bound = [tuple(chain.from_iterable(rows[at : at + size])) for at in range(done, end, size)]
            yield _put_text(shelf, size), bound
        done = end


def _put_text(shelf: Shelf, size: int) -> str:
    """The statement that puts so many rows, with a ``?`` for each value."""
    quoted = [SQLITE.quote(column) for column in shelf.columns]
    row = f"({', '.join('?' for _ in quoted)})"
    return (
        f"INSERT INTO {shelf.table} ({', '.join(quoted)}) VALUES {', '.join([row] * size)}"
        f"{shelf.replacing(SQLITE.quote)}"
    )


def find_text(shelf: Shelf, by: Sequence[str]) -> str:
    """The query of the rows whose columns `by` are one of ``:keys``."""
    columns = ", ".join(f"t.{SQLITE.quote(column)}" for column in shelf.columns)
    keys = ", ".join(f"value ->> {place} AS tidemark_{place}" for place in range(len(by)))
    conditions = [f"t.{SQLITE.quote(column)} = k.tidemark_{place}" for place, column in enumerate(by)]
    conditions += [f"({shelf.where})"] if shelf.where else []
    # CROSS JOIN: the keys are gone through, and never the table.
    return (
        f"SELECT {columns} FROM (SELECT {keys} FROM json_each(:keys)) AS k CROSS JOIN {shelf.table} AS t "
        f"WHERE {' AND '.join(conditions)}"
    )
