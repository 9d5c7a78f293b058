"""Indexes on the user's tables that upkeep would profit from, each with its reason.

Owns: the advice that `plan` and `explain` print. Promises: nothing is created; an index is advised only where a look-up by key
reaches none.
"""

from __future__ import annotations

from tidemark.dialect import Dialect
from tidemark.maintenance.program import Feed, KeyedProgram, LinearProgram
from tidemark.model import Table
from tidemark.names import shorten
from tidemark.query.keys import has_index
from tidemark.render.statements import qualified


def for_linear(program: LinearProgram, dialect: Dialect) -> tuple[tuple[str, str], ...]:
    """(statement, reason) for sources from which a key is computed anew without an index."""
    found = []
    for feed in program.feeds:
        again = feed.by_kind("highest", "lowest", "recomputed", "copied")
        columns = _columns(feed)
        if columns and not has_index(feed.table, columns):
            what = f"{', '.join(part.name.lstrip('_') for part in again)} of one key" if again else "one key"
            when = "when the extreme value leaves" if again else "for filling, verifying and repairing"
            reason = f"computing {what} anew {when} reads all of {feed.table.label} without it"
            found.append((_index(feed.table, columns, dialect), reason))
    return tuple(found)


def _index(table: Table, columns: tuple[str, ...], dialect: Dialect) -> str:
    """The statement as both engines read it: SQLite wants a name."""
    name = shorten("_".join((table.name, *columns)), dialect.name_bytes_max)
    listed = ", ".join(dialect.quote(column) for column in columns)
    return f"CREATE INDEX {dialect.quote(name)} ON {qualified(table, dialect)} ({listed})"


def _columns(feed: Feed) -> tuple[str, ...]:
    return tuple(name for one in feed.key for name in sorted(one.columns))


def for_keyed(program: KeyedProgram, dialect: Dialect) -> tuple[tuple[str, str], ...]:
    """(statement, reason) for the key's own table and for each step of a way to the key."""
    found: dict[str, str] = {}
    tables = {occurrence.alias: occurrence.table for occurrence in program.block.all_occurrences}
    for scalar in program.key_scalars:
        if scalar.column is not None and not has_index(tables[scalar.column[0]], (scalar.column[1],)):
            table = tables[scalar.column[0]]
            reason = f"recomputing a key reads all of {table.label} without it"
            found[_index(table, (scalar.column[1],), dialect)] = reason
    for way in program.routes:
        for occurrence in way.joined:
            names = [name for scalar in way.on for alias, name in sorted(scalar.columns) if alias == occurrence.alias]
            if names and not has_index(occurrence.table, tuple(names)):
                found[_index(occurrence.table, (names[0],), dialect)] = (
                    f"a change of {way.changed.table.label} finds its keys by reading all of {occurrence.table.label} without it"
                )
    return tuple(found.items())
