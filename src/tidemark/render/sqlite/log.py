"""SQLite: the log of a source and the row triggers that write it.

Owns: the pieces of a capture on SQLite. Promises: each changed row leaves its images in the log of its source, in order of commit
(there is one writer, and ids are never reused), REPLACE's victims included; an update of columns that nobody reads leaves
nothing.
"""

from __future__ import annotations

from tidemark.contract.script import Piece
from tidemark.dialect import SQLITE
from tidemark.model import Table
from tidemark.names import CaptureNames
from tidemark.render.images import image, images_after, log_name, log_of
from tidemark.render.sqlite import rows
from tidemark.render.sqlite import stash as sqlite_stash


def log_pieces(table: Table, columns: tuple[str, ...]) -> tuple[Piece, ...]:
    """The log of a source and the triggers that write it."""
    dialect, names, log = SQLITE, CaptureNames(SQLITE), log_of(SQLITE, table)
    own = ("id INTEGER PRIMARY KEY", "pair INTEGER")
    create = f"CREATE TABLE {log} ({images_after(dialect, own, table, columns)})"
    found = [Piece("table", log_name(dialect, table), create, f"DROP TABLE IF EXISTS {log}", on=table.name)]
    into = f"INSERT INTO {log} ({', '.join(['weight', *(dialect.quote(image(name)) for name in columns)])})"

    def images(weight: int, row: str) -> str:
        return ", ".join([str(weight), *(f"{row}.{dialect.quote(name)}" for name in columns)])

    came, went = f"{into} SELECT {images(1, 'NEW')}", f"{into} SELECT {images(-1, 'OLD')}"
    # The images of an update know each other, so that who reads none of the columns that it changed can let both go.
    pair = into.replace("(weight", "(pair, weight", 1)
    was, became = f"{pair} SELECT 1, {images(-1, 'OLD')}", f"{pair} SELECT -1, {images(1, 'NEW')}"
    changed, of = rows.changed(table, columns), rows.assigned(table, columns)
    found += [
        rows.trigger(names, dialect, table, "insert", None, [came]),
        rows.trigger(names, dialect, table, "delete", None, [went]),
        rows.trigger(names, dialect, table, "update", changed, [was, became], of=of),
    ]
    stash = sqlite_stash.stash_pieces(
        names,
        dialect,
        table,
        columns,
        lambda victims: [f"{into} SELECT {images(-1, 'v')} {victims}"],
        lambda condition: [f"{into} SELECT {images(1, 'OLD')} WHERE {condition}"],
    )
    return (*found, *stash)
