"""Logs of changes: what an image of a row looks like in storage, and which changes a derived table has still to seal.

Owns: the names and columns of a log. Promises: an image's columns have names that cannot collide with the log's own; a log
belongs to its source and not to whoever reads it.
"""

from __future__ import annotations

from tidemark.dialect import Dialect
from tidemark.maintenance.key_types import has_one_spelling
from tidemark.model import Column, Table
from tidemark.names import CaptureNames, Names, ledger


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


def log_definition(dialect: Dialect, table: Table, columns: tuple[str, ...]) -> str:
    """The columns of a log."""
    own = "id INTEGER PRIMARY KEY, pair INTEGER"
    if dialect.has_schemas:
        own = "xid xid8 NOT NULL DEFAULT pg_catalog.pg_current_xact_id()"
    return ", ".join([own, "weight smallint NOT NULL", *(image_definition(dialect, table, name) for name in columns)])


def slice_definition(dialect: Dialect, table: Table, columns: tuple[str, ...]) -> str:
    """The columns of a slice: the weight, and the images that a derived table reads."""
    place = [] if dialect.has_schemas else ["id INTEGER"]
    return ", ".join(
        [*place, "weight smallint NOT NULL", *(image_definition(dialect, table, name) for name in columns)]
    )


def slice_columns(dialect: Dialect, columns: tuple[str, ...]) -> str:
    """The quoted columns that a slice has of a log."""
    place = [] if dialect.has_schemas else ["id"]
    return ", ".join([*place, "weight", *(dialect.quote(image(name)) for name in columns)])


def concerns(dialect: Dialect, table: Table, columns: tuple[str, ...]) -> str:
    """Which rows ``l`` of a log concern whoever reads those columns. On SQLite it is true for those that may: which are no image
    of an update that changed others only. On PostgreSQL images of a transaction for which it is the same take each other back.
    """
    if dialect.has_schemas:
        images = ", ".join(f"l.{dialect.quote(image(name))}" for name in columns)
        return f'ROW({images})::text COLLATE "C"'
    other = ["o.id = l.id + l.pair AND o.pair = -l.pair"]
    for name in columns:
        column, source = dialect.quote(image(name)), table.column(name)
        other.append(f"o.{column} IS l.{column} COLLATE BINARY")
        if source is None or not has_one_spelling(source.type, None, dialect):
            other.append(f"typeof(o.{column}) = typeof(l.{column})")
    return f"NOT EXISTS (SELECT 1 FROM {log_of(dialect, table)} AS o WHERE {' AND '.join(other)})"


def fill_slice(dialect: Dialect, table: Table, columns: tuple[str, ...], slice_: str) -> str:
    """Copy the changes of a part of a log that concern whoever reads those columns, and markers."""
    copied, log = slice_columns(dialect, columns), log_of(dialect, table)
    part, concern = f"FROM {log} AS l WHERE {sliced(dialect, 'l')}", concerns(dialect, table, columns)
    if not dialect.has_schemas:
        return f"INSERT INTO {slice_} ({copied}) SELECT {copied} {part} AND {concern}"
    # Nobody has ever seen what is between two statements of a transaction. What two of them did to a row may be undone here,
    # and must not be: a row of ours may have been computed after the first. Where nothing went there is nothing to set off.
    total = f"sum(l.weight) OVER (PARTITION BY l.xid, l.weight = 0, {concern}) AS tidemark_total"
    rows = f"(SELECT {copied}, {total} {part}) AS l"
    gone = f"WITH tidemark_gone AS MATERIALIZED (SELECT EXISTS (SELECT 1 {part} AND l.weight < 0) AS is_there)"
    there = "(SELECT is_there FROM tidemark_gone)"
    return (
        f"INSERT INTO {slice_} ({copied}) {gone} SELECT {copied} {part} AND NOT {there} "
        f"UNION ALL SELECT {copied} FROM {rows} WHERE {there} AND (l.weight = 0 OR l.tidemark_total <> 0)"
    )


def is_ahead(names: Names, table: Table) -> str:
    """True when the checkpoint of a log is ahead of it, as it is after a restore, or on SQLite when somebody emptied the log."""
    if not names.dialect.has_schemas:
        last = f"coalesce((SELECT max(id) FROM {log_of(names.dialect, table)}), 0)"
        return f"(SELECT CAST(snapshot AS INTEGER) {_checkpoint(names, table)}) > {last}"
    end = f"(SELECT pg_snapshot_xmax(snapshot::pg_snapshot) {_checkpoint(names, table)})"
    return f"{end} > pg_snapshot_xmax(pg_current_snapshot())"


def _checkpoint(names: Names, table: Table) -> str:
    dialect = names.dialect
    return (
        f"FROM {ledger(dialect, 'checkpoint')} WHERE derived = {dialect.literal(names.derived)} "
        f"AND generation = {names.generation} AND source = {dialect.literal(table.label)}"
    )


def unsealed(names: Names, table: Table, row: str, upto: str = "snapshot") -> str:
    """True for the rows of a source's log that no finished seal of the derived table has taken; `upto` is what of its
    checkpoint counts as taken."""
    checkpoint = _checkpoint(names, table)
    if not names.dialect.has_schemas:
        return f"{row}.id > (SELECT CAST({upto} AS INTEGER) {checkpoint})"
    snapshot = f"(SELECT ({upto})::pg_snapshot {checkpoint})"
    return f"{row}.xid >= pg_snapshot_xmin({snapshot}) AND NOT pg_visible_in_snapshot({row}.xid, {snapshot})"


def sliced(dialect: Dialect, row: str) -> str:
    """True for the rows of a log in the part after ``:position`` that ``:limit`` measures, where ``:target`` sees them and
    ``:previous`` does not. On PostgreSQL parts are ranges of blocks, as rows never move in a log."""
    if not dialect.has_schemas:
        start = "max(:position, CAST(:previous AS INTEGER))"
        return f"{row}.id > {start} AND {row}.id <= min(CAST(:target AS INTEGER), {start} + :limit)"
    block, blocks = "CAST(:position AS bigint)", "greatest(1, CAST(:limit AS bigint) / 64)"
    before, after = "CAST(:previous AS pg_snapshot)", "CAST(:target AS pg_snapshot)"
    return (
        f"{row}.ctid >= CAST('(' || {block} || ',0)' AS tid) AND {row}.ctid < CAST('(' || ({block} + {blocks}) || ',0)' AS tid) "
        f"AND {row}.xid >= pg_snapshot_xmin({before}) AND NOT pg_visible_in_snapshot({row}.xid, {before}) "
        f"AND pg_visible_in_snapshot({row}.xid, {after})"
    )
