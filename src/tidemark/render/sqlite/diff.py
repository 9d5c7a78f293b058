"""SQLite: what the comparison of two writers' tables asks of a column.

Owns: `WORDS`. Promises: measures mean the same as on PostgreSQL.
"""

from __future__ import annotations

from tidemark.model import Column
from tidemark.render.measures import Kind, Words

_NUMBERS = ("INT", "REAL", "NUM", "FLOA", "DOUB", "DEC", "BOOL")


def _kind(column: Column) -> Kind:
    word = column.type.upper()
    if "JSON" in word:
        return "json"
    if any(part in word for part in ("CHAR", "TEXT", "CLOB")):
        return "text"
    return "number" if any(part in word for part in _NUMBERS) else "other"


def _is_whole(column: Column) -> bool:
    return "INT" in column.type.upper()


WORDS = Words(
    kind=_kind,
    sums={"number": "total({0})", "text": "total(length({0}))", "json": "0", "other": "0"},
    known="{0} IS NOT NULL",
    known_json="{0} IS NOT NULL AND trim({0}) <> 'null'",
    is_whole=_is_whole,
    place_of_number="abs({0})",
    place_of_text="(length({0}) + 31 * ifnull(unicode(substr({0}, -1)), 0) + 7 * ifnull(unicode(substr({0}, -2, 1)), 0))",
)
