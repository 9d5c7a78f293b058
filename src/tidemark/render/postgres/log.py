"""PostgreSQL: the log of a source and what writes it.

Owns: the pieces of a capture on PostgreSQL. Promises: a changed row leaves its images in the log of its source, stamped with its
transaction; an update of columns that nobody reads leaves nothing; TRUNCATE leaves a marker that says that everything changed;
nothing in these texts is looked up by a name that the writing session could have made its own.
"""

from __future__ import annotations

from tidemark.contract.script import Piece
from tidemark.dialect import POSTGRESQL
from tidemark.model import Table
from tidemark.names import CaptureNames
from tidemark.render.images import image, images_after, log_name, log_of
from tidemark.render.postgres.alike import as_spelled, has_equality
from tidemark.render.postgres.triggers import event_pieces, routine, truncate_pieces

# Rows come and go by the thousand: the space of those that went is wanted back soon, and again and again.
_STORAGE = (
    "autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_insert_threshold = -1"
)
# Pinning a search path costs as much as the row of the log (docs/why/logs.md). These functions pin none and need none: tables and
# types have their schema, rows of a transition table come before any table, and EXCEPT compares by the type's equality, not by an
# operator's name.


def log_pieces(table: Table, columns: tuple[str, ...]) -> tuple[Piece, ...]:
    """The log of a source, and what writes it."""
    dialect, names, log = POSTGRESQL, CaptureNames(POSTGRESQL), log_of(POSTGRESQL, table)
    own = "xid xid8 NOT NULL DEFAULT pg_catalog.pg_current_xact_id()"
    create = f"CREATE TABLE {log} ({images_after(dialect, (own,), table, columns)}) WITH ({_STORAGE})"
    found = [Piece("table", f"tidemark.{log_name(dialect, table)}", create, f"DROP TABLE IF EXISTS {log}")]
    by_row = table.written_by_row
    into = f"INSERT INTO {log} ({', '.join(['weight', *(dialect.quote(image(name)) for name in columns)])})"
    spelled = as_spelled(table, columns)

    def images(weight: int, row: str, other: str, event: str) -> str:
        values = ", ".join([str(weight), *(f"{row}.{dialect.quote(name)}" for name in columns)])
        if by_row:
            return f"  {into} SELECT {values};\n"
        source = row
        if event == "update" and columns and all(has_equality(table, name) for name in columns):
            source = f"(SELECT {spelled} FROM {row} EXCEPT ALL SELECT {spelled} FROM {other}) AS {row}"
        return f"  {into} SELECT {values} FROM {source};\n"

    new, old = ("NEW", "OLD") if by_row else ("n", "o")
    for event in ("insert", "update", "delete"):
        body = "BEGIN\n"
        body += images(-1, old, new, event) if event != "insert" else ""
        body += images(1, new, old, event) if event != "delete" else ""
        found += event_pieces(names, table, event, routine(body + "  RETURN NULL;\nEND"), columns, by_row=by_row)
    marker = f"BEGIN\n  INSERT INTO {log} (weight) VALUES (0);\n  RETURN NULL;\nEND"
    for schema, name in table.leaves or ((table.schema, table.name),):
        found += truncate_pieces(names, table, schema, name, routine(marker), timing="AFTER")
    return tuple(found)
