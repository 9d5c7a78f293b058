"""Logs of changes: what an image of a row looks like in storage.

Owns: the columns of a log. Promises: an image's columns have names that cannot collide with the log's own.
"""

from __future__ import annotations

from tidemark.dialect import Dialect
from tidemark.maintenance.program import KeyedProgram
from tidemark.model import Table


def log_columns(program: KeyedProgram, table: Table) -> tuple[str, ...]:
    """The columns of a source whose images are logged."""
    return program.reads[table.label]


def log_definition(dialect: Dialect, table: Table, columns: tuple[str, ...], *, for_slice: bool) -> str:
    """Columns of a log or of its slice, typed like the source."""
    found = []
    if dialect.has_schemas:
        found.append("id bigint" if for_slice else "id bigint GENERATED ALWAYS AS IDENTITY")
        found.append("xid xid8" if for_slice else "xid xid8 NOT NULL DEFAULT pg_catalog.pg_current_xact_id()")
    else:
        found.append("id INTEGER" if for_slice else "id INTEGER PRIMARY KEY AUTOINCREMENT")
    found.append("weight smallint NOT NULL")
    for name in columns:
        column = table.column(name)
        type_ = column.type if column else ""
        collation = f" COLLATE {dialect.quote(column.collation)}" if column and column.collation else ""
        found.append(f"{dialect.quote(image(name))} {type_}{collation}".rstrip())
    return ", ".join(found)


def image(column: str) -> str:
    """The name of a source's column in its log; it cannot collide with the log's own columns."""
    return f"c_{column}"
