"""Many rows of one table at once, on PostgreSQL.

Owns: the texts behind `put_rows` and `find_rows`. Promises: rows and keys travel as one array for each column and are one
statement, so that statement triggers fire once for all of them; a value is what its text is as the type of its column, as with a
parameter.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
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
_ESCAPED = re.compile(r'\\(?:(["\\])|u([0-9a-f]{4})|([bfnrt]))')
_PLAIN = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def put_text(shelf: Shelf, types: Mapping[str, str]) -> str:
    """The statement that puts rows, whose columns are ``:c0``, ``:c1``, …"""
    columns = ", ".join(POSTGRESQL.quote(column) for column in shelf.columns)
    return f"INSERT INTO {shelf.table} ({columns}) {_given(shelf.columns, types)}{shelf.replacing(POSTGRESQL.quote)}"


def find_text(shelf: Shelf, by: Sequence[str], types: Mapping[str, str]) -> str:
    """The query of the rows whose columns `by` are one of the keys, whose columns are ``:c0``, ``:c1``, …"""
    columns = ", ".join(_shown(column, types) for column in shelf.columns)
    conditions = [f"t.{POSTGRESQL.quote(column)} = k.tidemark_{place}" for place, column in enumerate(by)]
    conditions += [f"({shelf.where})"] if shelf.where else []
    return f"SELECT {columns} FROM ({_given(by, types)}) AS k JOIN {shelf.table} AS t ON {' AND '.join(conditions)}"


def _given(columns: Sequence[str], types: Mapping[str, str]) -> str:
    """The query of what is given, with a column ``tidemark_0``, ``tidemark_1``, … for each of these."""
    # An array of arrays is one array for PostgreSQL: what is one itself travels as its text.
    is_array = [types[column].endswith("[]") for column in columns]
    arrays = (
        f"CAST(:c{place} AS {'text' if is_array[place] else types[column]}[])" for place, column in enumerate(columns)
    )
    names = [f"tidemark_{place}" for place in range(len(columns))]
    shown = (
        f"CAST(e.{name} AS {types[column]}) AS {name}" if is_array[place] else f"e.{name}"
        for place, (name, column) in enumerate(zip(names, columns, strict=True))
    )
    return f"SELECT {', '.join(shown)} FROM unnest({', '.join(arrays)}) AS e ({', '.join(names)})"


def _shown(column: str, types: Mapping[str, str]) -> str:
    name = f"t.{POSTGRESQL.quote(column)}"
    return f"CAST({name} AS text)" if types[column] in _JSON else name


def as_arrays(rows: Iterable[Sequence[Any]]) -> dict[str, str]:
    """The text of an array for each column. Raises `ValueError` or `TypeError` for a value that has no text."""
    return {f"c{place}": _array(column) for place, column in enumerate(zip(*rows, strict=True))}


def _array(values: Sequence[Any]) -> str:
    if any(issubclass(kind, dict | list | tuple) for kind in set(map(type, values))):
        values = [_nested(value) for value in values]
    text = json.dumps(values, default=_text_of, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    # JSON and an array are written in the same way but for brackets, and for what else but quotes and backslashes is escaped.
    return f"{{{_ESCAPED.sub(_unescape, text[1:-1]) if chr(92) in text else text[1:-1]}}}"


def _unescape(found: re.Match[str]) -> str:
    kept, code, letter = found.groups()
    return found[0] if kept else _PLAIN[letter] if letter else chr(int(code, 16))


def _nested(value: Any) -> Any:
    return json.dumps(value, default=_text_of, allow_nan=False) if isinstance(value, dict | list | tuple) else value


def _text_of(value: Any) -> str:
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return "\\x" + bytes(value).hex()
    raise TypeError(f"a {type(value).__name__} is no value of a row")
