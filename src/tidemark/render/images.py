"""Logs of changes: what an image of a row looks like in storage.

Owns: the names and columns of a log. Promises: an image's columns have names that cannot collide with the log's own; a log
belongs to its source and not to whoever reads it.
"""

from __future__ import annotations

from tidemark.dialect import Dialect
from tidemark.model import Column, Table
from tidemark.names import CaptureNames


def image(column: str) -> str:
    """The name of a source's column in its log; it cannot collide with the log's own columns."""
    return f"c_{column}"


def log_of(dialect: Dialect, table: Table) -> str:
    """The quoted name of a source's log."""
    return CaptureNames(dialect).own("log", table.label)


def log_name(dialect: Dialect, table: Table) -> str:
    """The plain name of a source's log."""
    return CaptureNames(dialect).plain("log", table.label)


def image_definition(dialect: Dialect, table: Table, name: str, called: str = "") -> str:
    """An image column, typed like the source's; under another name if it is `called` so."""
    column = table.column(name) or Column(name, "", False)
    collation = f" COLLATE {dialect.quote(column.collation)}" if column.collation else ""
    return f"{dialect.quote(called or image(name))} {column.type}{collation}".rstrip()


def images_after(dialect: Dialect, own: tuple[str, ...], table: Table, columns: tuple[str, ...]) -> str:
    """The columns of a table of images: its `own` definitions, the weight, and an image for each column."""
    return ", ".join([*own, "weight smallint NOT NULL", *(image_definition(dialect, table, name) for name in columns)])
