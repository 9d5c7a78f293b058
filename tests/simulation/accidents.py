"""What happens to a database besides writes: a trigger of ours is dropped, a migration rebuilds a source inside a guard.

Owns: both accidents. Promises: what is written while nobody looks is written for good; whoever may be wrong then says so before
anything is mended, or it is a `Failure`; afterwards everything was applied again.
"""

from __future__ import annotations

import contextlib
import random
import sqlite3
from collections.abc import Sequence
from typing import Protocol

from tests.simulation.case import Duty, Failure
from tidemark.database.open import open_session
from tidemark.database.session import Conflict
from tidemark.errors import TidemarkError
from tidemark.migrations import guard
from tidemark.runtime.ledger import Installed, Ledger
from tidemark.runtime.objects.gaps import look_at_catalog
from tidemark.script import Piece

WAIT_SECONDS = 0.5


class Keeper(Protocol):
    """What of an upkeep an accident has to know."""

    url: str

    def ledger(self) -> Ledger:
        """The books."""
        ...

    def rows(self) -> Sequence[Installed]:
        """Every generation that readers see."""
        ...


def lose_trigger(keeper: Keeper, duty: Duty) -> bool:
    """Drop one of our triggers on a source and write; False where there is none, or it cannot be had."""
    rows = keeper.rows()
    # What goes from a pruned source while nobody looks is lost to its totals: that is what pruned means.
    pruned = {name for row in rows if row.script.pruned for name in _names(row)}
    known = sorted({(p.name, p.drop) for row in rows for p in _captures(row) if p.name not in pruned})
    if not known:
        return False
    name, drop = random.Random(duty.at).choice(known)
    with contextlib.closing(open_session(keeper.url, lock_timeout=WAIT_SECONDS)) as session:
        try:
            with session.transaction():
                session.script(drop)
        except (TidemarkError, Conflict):
            return False
        for text in duty.sql:
            with contextlib.suppress(TidemarkError, Conflict), session.transaction():
                session.run(text)
    look = look_at_catalog(keeper.ledger(), rows)
    for row in rows:
        if any(piece.name == name for piece in _captures(row)) and not look.gap(row):
            raise Failure("dishonest", row.name, f"the trigger {name} is gone, and nobody says so")
    return True


def _names(row: Installed) -> set[str]:
    return {piece.name for piece in _captures(row)}


def _captures(row: Installed) -> list[Piece]:
    pieces = [*row.script.pieces, *(piece for capture in row.captures for piece in capture.pieces)]
    ours = ("tidemark_", "tidemark.")
    return [one for one in pieces if one.kind == "trigger" and not one.public and not one.on.startswith(ours)]


def rebuild_in_guard(keeper: Keeper, duty: Duty) -> bool:
    """Rebuild a source as migrations do on SQLite, with writes on the way; False where that cannot be done."""
    if not keeper.url.startswith("sqlite"):
        return False
    connection = sqlite3.connect(keeper.url.removeprefix("sqlite:///"), isolation_level=None, timeout=WAIT_SECONDS)
    with contextlib.closing(connection):
        for pragma in ("foreign_keys = OFF", "legacy_alter_table = ON"):
            connection.execute(f"PRAGMA {pragma}")
        try:
            with guard(connection):
                _rebuild(connection, duty.table)
                for text in duty.sql:
                    with contextlib.suppress(sqlite3.Error):
                        connection.execute(text)
                stands = connection.in_transaction
        except (sqlite3.Error, TidemarkError, Conflict):
            return False
    if not stands:
        # A statement OR ROLLBACK has undone the rebuild.
        return False
    for row in keeper.rows():
        if any(source == duty.table for source, _ in row.script.watches) and row.state == "live":
            raise Failure("dishonest", row.name, f"{duty.table} was rebuilt, and it is said to be live")
    return True


def _rebuild(connection: sqlite3.Connection, table: str) -> None:
    """A new table, a copy of the rows, DROP, RENAME; the user's indexes and triggers again."""
    quoted = '"' + table.replace('"', '""') + '"'
    parts = connection.execute(
        "SELECT type, sql FROM sqlite_schema WHERE tbl_name = ? AND sql IS NOT NULL AND name NOT LIKE 'tidemark%' "
        "ORDER BY type = 'table' DESC, rowid",
        (table,),
    ).fetchall()
    columns = [row[1] for row in connection.execute("SELECT * FROM pragma_table_xinfo(?)", (table,)) if row[6] == 0]
    listed = ", ".join('"' + name.replace('"', '""') + '"' for name in columns)
    kind, create = parts[0]
    opening = create.index("(")
    assert kind == "table"
    connection.execute(f'CREATE TABLE "rebuilt" {create[opening:]}')
    connection.execute(f'INSERT INTO "rebuilt" ({listed}) SELECT {listed} FROM {quoted}')
    connection.execute(f"DROP TABLE {quoted}")
    connection.execute(f'ALTER TABLE "rebuilt" RENAME TO {quoted}')
    for _, text in parts[1:]:
        connection.execute(text)
