"""Emptying the temporary tables of a session of ours.

Owns: `clear`, `clear_batch` and `clear_list`. Promises: what is emptied again and again takes up no more than it holds.
"""

from __future__ import annotations

from tidemark.dialect import Dialect
from tidemark.names import Names

FILE_BYTES_MAX = 1024**2
"""Above this, emptying a table as a whole is quicker than leaving its dead rows to be read again."""


def clear(dialect: Dialect, table: str, *others: str) -> str:
    """Empty a temporary table. On PostgreSQL rows that are deleted leave their places behind, and nobody vacuums what is
    temporary: so a file that has grown goes as a whole, and with it the `others`, which are emptied later anyway."""
    if not dialect.has_schemas:
        return f"DELETE FROM {table}"
    size = f"pg_catalog.pg_relation_size({dialect.literal(table)}) > {FILE_BYTES_MAX}"
    every = ", ".join((table, *others))
    body = f"BEGIN IF {size} THEN TRUNCATE {every}; ELSE DELETE FROM {table}; END IF; END"
    return f"DO {dialect.literal(body)}"


def clear_batch(names: Names) -> str:
    """Empty the batch, which is as large as what is found for it."""
    return clear(names.dialect, *(names.temporary(kind) for kind in ("batch", "fresh", "stored")))


def clear_list(dialect: Dialect, table: str) -> str:
    """Empty a numbered list. Places are counted from one every time; an identity would go on where the list before ended."""
    return f"TRUNCATE {table} RESTART IDENTITY" if dialect.has_schemas else f"DELETE FROM {table}"
