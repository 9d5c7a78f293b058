"""Many rows of one table at once, on SQLite.

Owns: the texts behind `put_rows` and `find_rows`. Promises: a prepared statement is run for each row that is put; keys travel as
one JSON text, and each of them is looked up by an index if there is one.
"""

from __future__ import annotations

from collections.abc import Sequence

from tidemark.dialect import SQLITE
from tidemark.streams import Shelf


def put_text(shelf: Shelf) -> str:
    """The statement that puts one row, with a ``?`` for each column."""
    quoted = [SQLITE.quote(column) for column in shelf.columns]
    return (
        f"INSERT INTO {shelf.table} ({', '.join(quoted)}) VALUES ({', '.join('?' for _ in quoted)})"
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
