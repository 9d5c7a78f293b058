"""Types of keys that rows of several sources share.

Owns: `common_type`, whether equal values are written in one way only, how many spellings a key may have, whether a type is
hashed, and how a message names a collation. Promises: where it gives a type, values are equal in a store of that type exactly
when the engine compares them as equal in the sources.
"""

from __future__ import annotations

import re
from typing import Literal

from tidemark.dialect import Dialect
from tidemark.model import OutputColumn

Spelling = Literal["one", "number", "many"]

INTEGERS = ("smallint", "integer", "bigint")
TEXTS = ("text", "character varying")
_MODIFIER = re.compile(r"\s*\([^)]*\)")
_NEEDS_LENGTH = frozenset({"bit", "character"})
_ONE_SPELLING = frozenset(
    ["smallint", "integer", "bigint", "text", "character varying", "uuid", "date", "boolean", "bytea"]
    + ["timestamp without time zone", "timestamp with time zone", "time without time zone", "time with time zone"]
    + ['"char"', "name", "oid", "money", "inet", "cidr", "macaddr", "bit", "bit varying"]
    # Blanks at the end count for nothing, and are as many as the length says: `bpchar` has none.
    + ["character"]
)
_FIXED_SCALE = re.compile(r"numeric\(\d+,-?\d+\)$")
_WITHOUT_HASH = frozenset(["money", "bit", "bit varying", "tsvector", "tsquery"])
_HASHED_BESIDES = frozenset(
    ["numeric", "real", "double precision", "interval", "jsonb", "citext", "numrange", "int4range", "int8range"]
    + ["daterange", "tsrange", "tstzrange"]
)
_PLAIN_COLLATIONS = (None, "BINARY", "default", "C", "POSIX")


def common_type(one: OutputColumn, other: OutputColumn, dialect: Dialect) -> str | None:
    """The type of a store in which equality of both columns is equality of stored values; None when there is none."""
    if (one.collation or "") != (other.collation or ""):
        return None
    if not dialect.types_are_fixed:
        numeric = {"INT", "INTEGER", "NUM", "NUMERIC", "REAL"}
        left, right = one.type.upper(), other.type.upper()
        return one.type if left == right or (left in numeric and right in numeric) else None
    left, right = (_MODIFIER.sub("", column.type) for column in (one, other))
    for family in (INTEGERS, TEXTS):
        if left in family and right in family:
            return max(left, right, key=INTEGERS.index) if family is INTEGERS else "text"
    if one.type == other.type:
        return one.type
    # A store with one side's precision would round the other side's values into equality.
    return left if left == right and left not in _NEEDS_LENGTH else None


def has_one_spelling(type_: str, collation: str | None, dialect: Dialect) -> bool:
    """Whether values of a column that are equal are also the same."""
    if collation not in _PLAIN_COLLATIONS:
        return False
    if dialect.types_are_fixed:
        return _MODIFIER.sub("", type_) in _ONE_SPELLING or _FIXED_SCALE.match(type_) is not None
    # Without an affinity 1 and 1.0 are stored as they come, and are one group all the same.
    return bool(type_) and "BLOB" not in type_.upper() and type_.upper() != "ANY"


def spelling_of_key(column: OutputColumn, dialect: Dialect) -> Spelling:
    """How many spellings equal values of a key may have: one, that of an integer and of a real number (SQLite), or many."""
    if has_one_spelling(column.type, column.collation, dialect) or column.enumerated:
        return "one"
    return "many" if dialect.types_are_fixed or column.collation not in _PLAIN_COLLATIONS else "number"


def is_hashed(type_: str) -> bool:
    """Whether PostgreSQL is known to hash values of a type, equal ones alike, and to read them from JSON again."""
    plain = _MODIFIER.sub("", type_).removesuffix("[]").rpartition(".")[2]
    return plain in _HASHED_BESIDES or (plain in _ONE_SPELLING and plain not in _WITHOUT_HASH)


def collated(column: OutputColumn) -> str:
    """What a message says of a column's collation, after its type."""
    return f" collate {column.collation}" if column.collation else ""
