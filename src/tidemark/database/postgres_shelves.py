"""Many rows of one table at once, on PostgreSQL.

Owns: the texts behind `put_rows` and `find_rows`. Promises: rows and keys travel as one JSON text and are one statement, so that
statement triggers fire once for all of them; a value is what its text is as the type of its column, as with a parameter.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, time
from decimal import Decimal
from typing import Any

from tidemark.dialect import POSTGRESQL
from tidemark.streams import Shelf

TYPES = (
    "SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod) FROM pg_catalog.pg_attribute AS a "
    "WHERE a.attrelid = CAST(:label AS regclass) AND a.attnum > 0 AND NOT a.attisdropped"
)
"""The columns of a table with their types."""
_JSON = ("json", "jsonb")


def put_text(shelf: Shelf, types: Mapping[str, str]) -> str:
    """The statement that puts ``:rows``."""
    columns = ", ".join(POSTGRESQL.quote(column) for column in shelf.columns)
    return (
        f"INSERT INTO {shelf.table} ({columns}) SELECT {_cast(shelf.columns, types)} "
        f"FROM json_array_elements(CAST(:rows AS json)) AS e (v){shelf.replacing(POSTGRESQL.quote)}"
    )


def find_text(shelf: Shelf, by: Sequence[str], types: Mapping[str, str]) -> str:
    """The query of the rows whose columns `by` are one of ``:keys``."""
    columns = ", ".join(_shown(column, types) for column in shelf.columns)
    conditions = [f"t.{POSTGRESQL.quote(column)} = k.tidemark_{place}" for place, column in enumerate(by)]
    conditions += [f"({shelf.where})"] if shelf.where else []
    keys = f"SELECT {_cast(by, types, named=True)} FROM json_array_elements(CAST(:keys AS json)) AS e (v)"
    return f"SELECT {columns} FROM ({keys}) AS k JOIN {shelf.table} AS t ON {' AND '.join(conditions)}"


def _cast(columns: Sequence[str], types: Mapping[str, str], *, named: bool = False) -> str:
    return ", ".join(
        f"CAST(e.v ->> {place} AS {types[column]}){f' AS tidemark_{place}' if named else ''}"
        for place, column in enumerate(columns)
    )


def _shown(column: str, types: Mapping[str, str]) -> str:
    name = f"t.{POSTGRESQL.quote(column)}"
    return f"CAST({name} AS text)" if types[column] in _JSON else name


def as_rows(rows: Sequence[Sequence[Any]]) -> str:
    """Rows as one JSON text. Raises `ValueError` or `TypeError` for a value that has no text."""
    return json.dumps(rows, default=_text_of, allow_nan=False, separators=(",", ":"))


def _text_of(value: Any) -> str:
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return "\\x" + bytes(value).hex()
    raise TypeError(f"a {type(value).__name__} is no value of a row")
