"""PostgreSQL: when two rows of a source are the same, in the columns that somebody reads.

Owns: comparing images of a row in a trigger and in a transition table. Promises: equal values that are spelled otherwise are not
the same; a column whose type knows no equality is compared by how it is stored, or not at all.
"""

from __future__ import annotations

from tidemark.dialect import POSTGRESQL
from tidemark.maintenance.key_types import has_one_spelling
from tidemark.model import Table

_HASHED = frozenset({"xid", "cid", "aclitem", "xid[]", "cid[]", "aclitem[]"})
"""Types whose values have no order. EXCEPT takes rows of these, or rows of types that cannot be hashed, and no rows of both."""


def differ(table: Table, name: str, left: str, right: str) -> str:
    """True when two rows of a source do not have the very same value there: 1.0 and 1.00 are equal, and are not the same."""
    column, quoted = table.column(name), POSTGRESQL.quote(name)
    if column is not None and has_one_spelling(column.type, column.collation, POSTGRESQL):
        return f"{left}.{quoted} IS DISTINCT FROM {right}.{quoted}"
    # The function of the operator `*<>`: what a dump says of ROW(…) *<> ROW(…) means something else when it is read.
    return f"pg_catalog.record_image_ne(ROW({left}.{quoted}), ROW({right}.{quoted}))"


def as_spelled(table: Table, names: tuple[str, ...]) -> str:
    """Columns of a source for EXCEPT, which takes equal values for one: with how they are spelled, where that may differ."""
    found = [POSTGRESQL.quote(name) for name in names]
    for number, name in enumerate(names):
        column = table.column(name)
        if column is None or not has_one_spelling(column.type, column.collation, POSTGRESQL):
            # A row's text keeps the blanks at the end of a bpchar, which a cast to text takes away.
            spelled = f'ROW({POSTGRESQL.quote(name)})::pg_catalog.text COLLATE pg_catalog."C"'
            found.append(f"{spelled} AS tidemark_spelled_{number}")
    return ", ".join(found)


def has_equality(table: Table, name: str) -> bool:
    """True when values of the column can be compared beside any others."""
    column = table.column(name)
    return column is not None and column.comparable and column.type not in _HASHED
