"""PostgreSQL: what the comparison of two writers' tables asks of a column.

Owns: `WORDS`. Promises: measures mean the same as on SQLite.
"""

from __future__ import annotations

from tidemark.model import Column
from tidemark.render.measures import Kind, Words

_NUMBERS = ("smallint", "integer", "bigint", "numeric", "real", "double precision")


def _kind(column: Column) -> Kind:
    if column.type in ("json", "jsonb"):
        return "json"
    if column.type.startswith(("text", "character")):
        return "text"
    return "number" if column.type.startswith((*_NUMBERS, "boolean")) else "other"


def _is_whole(column: Column) -> bool:
    return column.type in ("smallint", "integer", "bigint")


_TEXT = "({0})::text"
WORDS = Words(
    kind=_kind,
    sums={
        "number": f"coalesce(sum((CASE {_TEXT} WHEN 'true' THEN '1' WHEN 'false' THEN '0' ELSE {_TEXT} END)::numeric), 0)",
        "text": "coalesce(sum(length({0})), 0)",
        "json": "0",
        "other": "0",
    },
    known="{0} IS NOT NULL",
    known_json=f"{{0}} IS NOT NULL AND trim({_TEXT}) <> 'null'",
    is_whole=_is_whole,
    place_of_number="abs(({0})::numeric)",
    place_of_text=f"(length({_TEXT}) + 31 * ascii(right({_TEXT}, 1)) + 7 * (CASE WHEN length({_TEXT}) > 1 THEN "
    f"ascii(left(right({_TEXT}, 2), 1)) ELSE 0 END))",
)
