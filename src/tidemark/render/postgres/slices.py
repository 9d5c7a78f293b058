"""PostgreSQL: which changes of a log a derived table has still to take.

Owns: the texts of `render.slices`. Promises: a snapshot says what was taken, whatever the order of commits; parts are ranges of
blocks, as rows never move in a log.
"""

from __future__ import annotations

from tidemark.dialect import POSTGRESQL
from tidemark.model import Table
from tidemark.names import Names, checkpoint
from tidemark.render.images import image, images_after, log_of

BLOCKS_OF = 64
"""Rows that a block of a log is taken to have, where a part is so many blocks."""


def definition(table: Table, columns: tuple[str, ...]) -> str:
    """The columns of a slice."""
    return images_after(POSTGRESQL, (), table, columns)


def columns(columns: tuple[str, ...]) -> str:
    """What it has of a log."""
    return ", ".join(["weight", *(POSTGRESQL.quote(image(name)) for name in columns)])


def concerns(table: Table, columns: tuple[str, ...]) -> str:
    """What images of a transaction have in common that take each other back."""
    images = ", ".join(f"l.{POSTGRESQL.quote(image(name))}" for name in columns)
    return f'ROW({images})::text COLLATE "C"'


def fill(table: Table, columns_: tuple[str, ...], slice_: str) -> str:
    """Copy a part of a log, but for what a transaction took back itself."""
    copied, part = columns(columns_), f"FROM {log_of(POSTGRESQL, table)} AS l WHERE {sliced()}"
    # Nobody has ever seen what is between two statements of a transaction. What two of them did to a row may be undone here,
    # and must not be: a row of ours may have been computed after the first. Where nothing went there is nothing to set off.
    alike = f"PARTITION BY l.xid, l.weight = 0, {concerns(table, columns_)}"
    rows = f"(SELECT {copied}, sum(l.weight) OVER ({alike}) AS tidemark_total {part}) AS l"
    gone = f"WITH tidemark_gone AS MATERIALIZED (SELECT EXISTS (SELECT 1 {part} AND l.weight < 0) AS is_there)"
    there = "(SELECT is_there FROM tidemark_gone)"
    return (
        f"INSERT INTO {slice_} ({copied}) {gone} SELECT {copied} {part} AND NOT {there} "
        f"UNION ALL SELECT {copied} FROM {rows} WHERE {there} AND (l.weight = 0 OR l.tidemark_total <> 0)"
    )


def is_ahead(names: Names, table: Table) -> str:
    """True after a restore."""
    end = f"(SELECT pg_snapshot_xmax(snapshot::pg_snapshot) {checkpoint(names, table.label)})"
    return f"{end} > pg_snapshot_xmax(pg_current_snapshot())"


def mark(table: Table) -> str:
    """Put a marker into a log."""
    return f"INSERT INTO {log_of(POSTGRESQL, table)} (weight) VALUES (0)"


def unsealed(names: Names, table: Table, upto: str = "snapshot") -> str:
    """True for rows that no finished seal has taken."""
    return _between("l", f"(SELECT ({upto})::pg_snapshot {checkpoint(names, table.label)})")


def sliced() -> str:
    """True for the rows of a part, a range of blocks."""
    block, blocks = "CAST(:position AS bigint)", f"greatest(1, CAST(:limit AS bigint) / {BLOCKS_OF})"
    return (
        f"l.ctid >= CAST('(' || {block} || ',0)' AS tid) AND l.ctid < CAST('(' || ({block} + {blocks}) || ',0)' AS tid) "
        f"AND {_between('l', 'CAST(:previous AS pg_snapshot)')} "
        f"AND pg_visible_in_snapshot(l.xid, CAST(:target AS pg_snapshot))"
    )


def _between(row: str, snapshot: str) -> str:
    """True for a row that came after a snapshot."""
    return f"{row}.xid >= pg_snapshot_xmin({snapshot}) AND NOT pg_visible_in_snapshot({row}.xid, {snapshot})"
