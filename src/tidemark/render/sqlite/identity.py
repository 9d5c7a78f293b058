"""SQLite: what tells the rows of a source apart, in triggers and in tables of ours that hold images of them.

Owns: the identity of a row, and tests for whether two rows are the same or look alike. Promises: what identifies a row in a table
of ours does so for as long as the row stays, VACUUM included; what finds a row inside one statement is what SQLite goes by.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from tidemark.dialect import Dialect
from tidemark.errors import Code, Refusal
from tidemark.maintenance.key_types import has_one_spelling
from tidemark.model import Table

ROWIDS = ("rowid", "_rowid_", "oid")
"""What SQLite calls the number of a row, where no column is called so."""


def identity(table: Table) -> tuple[str, ...]:
    """Columns that identify a row of the source for as long as it stays.

    A unique key without NULLs, the primary one first. VACUUM may give other rowids to a table without ``INTEGER PRIMARY KEY``,
    so a rowid serves only where nothing else does.
    """
    rowid = "" if table.without_rowid else rowid_name(table)
    if not table.without_rowid and any(column.rowid_alias for column in table.columns):
        return (rowid,)
    for unique in sorted(table.uniques, key=lambda one: not one.primary):
        columns = [table.column(term) for term in unique.terms if term is not None]
        if (
            unique.where is None
            and len(columns) == len(unique.terms)
            and all(c is not None and c.not_null for c in columns)
        ):
            return tuple(term for term in unique.terms if term is not None)
    return (rowid,)


def stand_ins(table: Table) -> tuple[str, ...]:
    """The names of the identity's columns in a table of ours, where columns of the source may stand beside them: ``i0`` …"""
    return tuple(f"{prefix(table)}{number}" for number in range(len(identity(table))))


def prefix(table: Table) -> str:
    """What the names of stand-ins begin with."""
    found = "i"
    while any(re.fullmatch(rf"{found}(\d+|_moves)", column.name.lower()) for column in table.columns):
        found += "i"
    return found


def definition(table: Table, name: str, dialect: Dialect, stored: str = "") -> str:
    """A column of a source for a table of ours, under the name `stored` if one is given."""
    column = table.column(name)
    type_ = column.type if column else ""
    collation = f" COLLATE {dialect.quote(column.collation)}" if column and column.collation else ""
    return f"{stored or dialect.quote(name)} {type_}{collation}".rstrip()


def same_row(table: Table, left: str, right: str, dialect: Dialect, *, old: bool = False, new: bool = False) -> str:
    """True when both are the same row. The stash calls its identity ``i0`` …; OLD, NEW and scans use the real names."""
    tests = []
    for own, name in zip(stand_ins(table), identity(table), strict=True):
        one = f"{left}.{own}" if new else f"{left}.{dialect.quote(name)}"
        other = f"{right}.{dialect.quote(name)}" if old or new else f"{right}.{own}"
        tests.append(f"{one} IS {other}")
    return " AND ".join(tests)


def goes_by_hidden_rowid(table: Table) -> bool:
    """Whether nothing but a number that no column shows tells rows apart."""
    return bool(plain_rowid(table)) and not any(table.column(name) for name in identity(table))


def plain_rowid(table: Table) -> tuple[str, ...]:
    """The name of the rowid where it is a key that no column shows."""
    if table.without_rowid or any(column.rowid_alias for column in table.columns):
        return ()
    return (rowid_name(table),)


def rowid_name(table: Table) -> str:
    """A name for the number of a row. Raises `Refusal` where columns have all of them."""
    taken = {column.name.lower() for column in table.columns}
    found = next((name for name in ROWIDS if name not in taken), "")
    if not found:
        raise Refusal(
            Code.SOURCE_KIND,
            f"{table.label} has columns called rowid, _rowid_ and oid: no name is left for what tells its rows apart.",
            instead="another name for one of them",
        )
    return found


def places(table: Table) -> tuple[str, ...]:
    """Columns by which a statement that is under way finds a row of the source again, whatever triggers do to it meanwhile."""
    return identity(table) if table.without_rowid else (rowid_name(table),)


def is_at(table: Table, row: str, other: str, dialect: Dialect) -> str:
    """True when a row is where another one is."""
    return " AND ".join(f"{row}.{name} IS {other}.{name}" for name in map(dialect.quote, places(table)))


def differs(row: str, other: str, table: Table, names: Iterable[str], dialect: Dialect) -> list[str]:
    """Tests for each way in which two rows do not look alike in some columns: in value, or in storage class."""
    found = []
    for name in names:
        column, quoted = table.column(name), dialect.quote(name)
        found.append(f"{row}.{quoted} IS NOT {other}.{quoted} COLLATE BINARY")
        if column is None or not has_one_spelling(column.type, None, dialect):
            found.append(f"typeof({row}.{quoted}) <> typeof({other}.{quoted})")
    return found
