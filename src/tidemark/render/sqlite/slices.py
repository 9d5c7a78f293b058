"""SQLite: which changes of a log a derived table has still to take.

Owns: the texts of `render.slices`. Promises: ids are in the order of commits, so that a number says what was taken.
"""

from __future__ import annotations

from tidemark.dialect import SQLITE
from tidemark.maintenance.key_types import has_one_spelling
from tidemark.model import Table
from tidemark.names import Names, checkpoint, ledger
from tidemark.render.images import image, images_after, log_of


def definition(table: Table, columns: tuple[str, ...]) -> str:
    """The columns of a slice."""
    return images_after(SQLITE, ("id INTEGER",), table, columns)


def columns(columns: tuple[str, ...]) -> str:
    """What it has of a log."""
    return ", ".join(["id", "weight", *(SQLITE.quote(image(name)) for name in columns)])


def concerns(table: Table, columns: tuple[str, ...]) -> str:
    """True for those that may concern a reader: which are no image of an update that changed other columns only."""
    other = ["o.id = l.id + l.pair AND o.pair = -l.pair"]
    for name in columns:
        column, source = SQLITE.quote(image(name)), table.column(name)
        other.append(f"o.{column} IS l.{column} COLLATE BINARY")
        if source is None or not has_one_spelling(source.type, None, SQLITE):
            other.append(f"typeof(o.{column}) = typeof(l.{column})")
    # Most changes are no updates, and are told apart before anything is looked up.
    return f"(l.pair IS NULL OR NOT EXISTS (SELECT 1 FROM {log_of(SQLITE, table)} AS o WHERE {' AND '.join(other)}))"


def fill(table: Table, columns_: tuple[str, ...], slice_: str) -> str:
    """Copy a part of a log."""
    copied, log = columns(columns_), log_of(SQLITE, table)
    return f"INSERT INTO {slice_} ({copied}) SELECT {copied} FROM {log} AS l WHERE {sliced()} AND {concerns(table, columns_)}"


def is_ahead(names: Names, table: Table) -> str:
    """True after a restore, or when somebody emptied the log."""
    last = f"coalesce((SELECT max(id) FROM {log_of(SQLITE, table)}), 0)"
    return f"(SELECT CAST(snapshot AS INTEGER) {checkpoint(names, table.label)}) > {last}"


def mark(table: Table) -> str:
    """Put a marker behind all that anybody has taken: where the log was emptied, others are ahead of it, too, and would not see
    one whose id they have passed."""
    log, taken = log_of(SQLITE, table), "max(CAST(snapshot AS INTEGER), ifnull(CAST(target AS INTEGER), 0))"
    reached = f"(SELECT max({taken}) FROM {ledger(SQLITE, 'checkpoint')} WHERE source = {SQLITE.literal(table.label)})"
    return f"INSERT INTO {log} (id, weight) SELECT max(ifnull((SELECT max(id) FROM {log}), 0), ifnull({reached}, 0)) + 1, 0"


def unsealed(names: Names, table: Table, upto: str = "snapshot") -> str:
    """True for rows that no finished seal has taken."""
    return f"l.id > (SELECT CAST({upto} AS INTEGER) {checkpoint(names, table.label)})"


def sliced() -> str:
    """True for the rows of a part, a range of ids."""
    start = "max(:position, CAST(:previous AS INTEGER))"
    return f"l.id > {start} AND l.id <= min(CAST(:target AS INTEGER), {start} + :limit)"
