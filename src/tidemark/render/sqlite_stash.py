"""SQLite: the rows that REPLACE deletes without firing a DELETE trigger.

Owns: the stash of one source and its triggers. INSERT OR REPLACE and UPDATE OR REPLACE remove every row that collides on a
unique key; unless ``recursive_triggers`` is on, which each connection decides for itself, no trigger tells. So a BEFORE trigger
copies the rows that collide into the stash, and an AFTER trigger takes back the parts of those that are gone. Promises: a
victim's parts are taken back exactly once, whatever the pragma, the conflict clause, or the number of unique keys.

A stashed row that was not deleted in the end (DO NOTHING, DO UPDATE, an error that was ignored) is dropped from the stash by the
next trigger that looks for victims; it is never taken for one, because it is still there.
"""

from __future__ import annotations

from collections.abc import Callable

from tidemark.dialect import Dialect
from tidemark.model import Table
from tidemark.names import Names
from tidemark.query.terms import Probe, Term, probes
from tidemark.render import sqlite_rows
from tidemark.render.statements import qualified
from tidemark.script import Piece


def identity(table: Table) -> tuple[str, ...]:
    """Columns that identify a row of the source for as long as it stays.

    A unique key without NULLs, the primary one first. VACUUM may give other rowids to a table without ``INTEGER PRIMARY KEY``,
    so a rowid serves only where nothing else does.
    """
    taken = {column.name.lower() for column in table.columns}
    rowid = next(name for name in ("rowid", "_rowid_", "oid") if name not in taken)
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


def stash_pieces(
    names: Names, dialect: Dialect, table: Table, reads: tuple[str, ...], take_back: Callable[[str], list[str]]
) -> list[Piece]:
    """The stash of a source and its triggers.

    `take_back` gives the statements that undo rows given as ``FROM … AS v WHERE …``.
    """
    keys = probes(table, dialect)
    quote = dialect.quote
    stash = names.own("stash", table.name)
    identities = [f"i{number}" for number in range(len(identity(table)))]
    columns = [*identities, *(quote(name) for name in reads)]
    described = [
        definition(table, name, dialect, stored) for name, stored in zip(identity(table), identities, strict=True)
    ]
    definitions = ", ".join([*described, *(definition(table, name, dialect) for name in reads)])
    create = f"CREATE TABLE {stash} ({definitions}, PRIMARY KEY ({', '.join(identities)}))"
    found = [Piece("table", names.plain("stash", table.name), create, f"DROP TABLE IF EXISTS {stash}", on=table.name)]
    source = qualified(table, dialect)
    there = f"EXISTS (SELECT 1 FROM {source} AS t WHERE {same_row(table, 't', 'v', dialect)})"
    for event in ("insert", "update"):
        others = f" AND NOT ({same_row(table, 'r', 'OLD', dialect, old=True)})" if event == "update" else ""
        collide = f"SELECT 1 FROM {source} AS r WHERE ({_collides(keys, table)}){others}"
        picked = ", ".join([*(f"r.{quote(n)}" for n in identity(table)), *(f"r.{quote(name)}" for name in reads)])
        fill = [
            f"DELETE FROM {stash} WHERE EXISTS "
            f"(SELECT 1 FROM {source} AS t WHERE {same_row(table, 't', stash, dialect)})",
            f"INSERT INTO {stash} ({', '.join(columns)}) SELECT {picked} FROM {source} AS r "
            f"WHERE ({_collides(keys, table)}){others}\n"
            f"  ON CONFLICT ({', '.join(identities)}) DO UPDATE SET "
            + ", ".join(f"{column} = excluded.{column}" for column in columns),
        ]
        when, moves = f"EXISTS ({collide})", ""
        if event == "update":
            # A row whose unique keys stay as they were collides with nothing, and most updates are of that kind.
            moves = _moves(keys, table, dialect)
            when = f"({moves}) AND {when}"
        if table.pruned:
            # A row that is pruned is no victim, so whatever an earlier statement left goes before the next one looks.
            fill[0], when = f"DELETE FROM {stash}", f"{when} OR EXISTS (SELECT 1 FROM {stash})"
        before = sqlite_rows.trigger(names, dialect, table, f"stash_{event}", when, fill, timing="BEFORE")
        replaced = same_row(table, "v", "NEW", dialect, new=True)
        gone = f"({replaced} OR NOT {there})"
        forgets, some = f"DELETE FROM {stash}", f"EXISTS (SELECT 1 FROM {stash})"
        if event == "update":
            gone = f"({moves}) AND NOT ({same_row(table, 'v', 'OLD', dialect, new=True)}) AND {gone}"
            # One that collides with nothing may come from a trigger within a statement that has victims, the user's or what
            # carries rows to this table, and leaves those to it.
            some, left = f"({moves}) AND {some}", _left(table, reads, stash, dialect)
            if left:
                some, forgets = f"EXISTS (SELECT 1 FROM {stash})", f"{forgets} WHERE ({moves}) OR ({left})"
        undo = [*take_back(f"FROM {stash} AS v WHERE {gone}"), forgets]
        after = sqlite_rows.trigger(names, dialect, table, f"unstash_{event}", some, undo, timing="AFTER")
        found += [before, after]
    if table.pruned:
        # Nor does a victim that fires DELETE triggers, under recursive_triggers, go uncounted.
        return found
    forget = f"DELETE FROM {stash} WHERE {same_row(table, stash, 'OLD', dialect, new=True)}"
    found.append(
        sqlite_rows.trigger(names, dialect, table, "unstash_delete", f"EXISTS (SELECT 1 FROM {stash})", [forget])
    )
    return found


def _left(table: Table, reads: tuple[str, ...], stash: str, dialect: Dialect) -> str:
    """True for a stashed row that DO UPDATE has left in its place, where only its rowid says which one it is: that may be another
    after VACUUM, so it cannot wait. Where rows are carried to this table, one that has just been replaced may look the same."""
    if not _plain_rowid(table) or any(table.column(name) for name in identity(table)):
        return ""
    same = " AND ".join(f"{stash}.{dialect.quote(name)} IS OLD.{dialect.quote(name)}" for name in reads) or "1"
    carried = (
        f"type = 'trigger' AND tbl_name = {dialect.literal(table.name)} AND name LIKE '{dialect.ours_prefix}_mirror%'"
    )
    return (
        f"{same_row(table, stash, 'OLD', dialect, new=True)} AND {same} "
        f"AND NOT EXISTS (SELECT 1 FROM sqlite_schema WHERE {carried})"
    )


def definition(table: Table, name: str, dialect: Dialect, stored: str = "") -> str:
    """A column of a source for a table of ours, under the name `stored` if one is given."""
    column = table.column(name)
    type_ = column.type if column else ""
    collation = f" COLLATE {dialect.quote(column.collation)}" if column and column.collation else ""
    return f"{stored or dialect.quote(name)} {type_}{collation}".rstrip()


def same_row(table: Table, left: str, right: str, dialect: Dialect, *, old: bool = False, new: bool = False) -> str:
    """True when both are the same row. The stash calls its identity ``i0`` …; OLD, NEW and scans use the real names."""
    tests = []
    for number, name in enumerate(identity(table)):
        one = f"{left}.i{number}" if new else f"{left}.{dialect.quote(name)}"
        other = f"{right}.{dialect.quote(name)}" if old or new else f"{right}.i{number}"
        tests.append(f"{one} IS {other}")
    return " AND ".join(tests)


def _collides(keys: tuple[Probe, ...], table: Table) -> str:
    """True for stored rows ``r`` that share a unique key, or the rowid, with NEW."""
    found = [f"(r.{rowid} = NEW.{rowid})" for rowid in _plain_rowid(table)]
    for probe in keys:
        tests = [f"{_compare(term)}" for term in probe.terms]
        if probe.stored_where is not None and probe.coming_where is not None:
            tests += [f"({probe.stored_where.at_row('r')})", f"({probe.coming_where.at_row('NEW')})"]
        found.append("(" + " AND ".join(tests) + ")")
    return " OR ".join(found)


def _moves(keys: tuple[Probe, ...], table: Table, dialect: Dialect) -> str:
    """True when an update changes something that a unique key, or the predicate of a partial one, is made of."""
    scalars = [term.coming for probe in keys for term in probe.terms]
    scalars += [probe.coming_where for probe in keys if probe.coming_where is not None]
    names = sorted({name for scalar in scalars for _, name in scalar.columns})
    tests = [f"OLD.{rowid} IS NOT NEW.{rowid}" for rowid in _plain_rowid(table)]
    for quoted in map(dialect.quote, names):
        # An index over an expression can tell 1 from 1.0.
        tests.append(f"OLD.{quoted} IS NOT NEW.{quoted} COLLATE BINARY OR typeof(OLD.{quoted}) <> typeof(NEW.{quoted})")
    return " OR ".join(tests) or "0"


def _plain_rowid(table: Table) -> tuple[str, ...]:
    """The name of the rowid where it is a key that no column shows."""
    if table.without_rowid or any(column.rowid_alias for column in table.columns):
        return ()
    taken = {column.name.lower() for column in table.columns}
    return (next(name for name in ("rowid", "_rowid_", "oid") if name not in taken),)


def _compare(term: Term) -> str:
    collation = f' COLLATE "{term.collation}"' if term.collation and term.collation != "BINARY" else ""
    return f"({term.stored.at_row('r')}) = ({term.coming.at_row('NEW')}){collation}"
