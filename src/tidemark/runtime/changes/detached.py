"""Triggers of ours that are away while somebody changes the schema.

Owns: `detach` and `reattach`. Promises: what was there comes back with the same text, except on tables that are gone and where a
column that a trigger reads is gone, since every writer would fail there; whatever may have been missed meanwhile is a gap.
Everything runs in the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from tidemark.contract.script import Piece
from tidemark.dialect import unquote
from tidemark.runtime.duty import Duty
from tidemark.runtime.ledger import Installed, Ledger
from tidemark.runtime.objects.gaps import open_gap
from tidemark.runtime.objects.pieces import marks, mirror_pieces
from tidemark.runtime.objects.sources import Change, find_changes


@dataclass(frozen=True)
class Detached:
    """A trigger that is away: its name, its table and the statement that makes it."""

    name: str
    table: str
    create: str


def detach(ledger: Ledger) -> tuple[Detached, ...]:
    """Drop every trigger of ours, on the user's tables and on our own."""
    found = tuple(Detached(*row) for row in ledger.all("list_triggers"))
    quote = ledger.session.dialect.quote
    ledger.session.script(*(f"DROP TRIGGER IF EXISTS {quote(trigger.name)}" for trigger in found))
    return found


def reattach(duty: Duty, triggers: Sequence[Detached], written: Collection[str] | None) -> dict[str, str]:
    """Put back what is missing, and give the gaps by name. `written` are the tables that were written meanwhile, in lower case;
    None where anything may have been."""
    ledger = duty.ledger
    rows = ledger.derived()
    changes = find_changes(ledger, rows)
    catalog = ledger.session.catalog()
    columns = {name.lower(): {one.name for one in table.columns} for (_, name), table in catalog.tables.items()}
    shown = {row.name.lower() for row in rows}
    present = {row[0] for row in ledger.all("list_triggers")}
    if {trigger.name for trigger in triggers} <= present:
        # The transaction in which they went was undone, so that nobody ever missed them.
        written = ()
    stays = present | _broken(rows, columns)
    for trigger in triggers:
        on = trigger.table.lower()
        # Views have triggers of ours too: they guard what readers see.
        is_there = on in columns or on.startswith(ledger.session.dialect.ours_prefix) or on in shown
        if trigger.name not in stays and is_there:
            ledger.session.script(trigger.create)
    here = [Piece("trigger", one.name, one.create, "", on=one.table, capture=True) for one in triggers]
    ledger.session.script(*marks(ledger.session, here))
    gaps = {
        row.name: _gap(row, changes.get((row.name, row.generation)), written) for row in rows if row.state == "live"
    }
    for row in rows:
        if gaps.get(row.name) and row.state == "live":
            open_gap(duty, row, gaps[row.name])
    return {name: gap for name, gap in gaps.items() if gap}


def _broken(rows: Sequence[Installed], there: dict[str, set[str]]) -> set[str]:
    """The names of the triggers that read or write a column which is gone."""
    found: set[str] = set()
    for row in rows:
        watched = [(row.script.pieces, source, columns) for source, columns in row.script.watches]
        watched += [(capture.pieces, capture.source, capture.columns) for capture in row.captures]
        for pieces, source, columns in watched:
            if source.lower() in there and not set(columns) <= there[source.lower()]:
                found |= _triggers(pieces)
        # What carries rows to columns of the user's table writes there with every change of a source.
        shown = there.get(unquote(row.script.public).lower(), set()) if mirror_pieces(row.script) else None
        if shown is not None and not {*row.script.key, *row.script.columns} <= shown:
            found |= {piece.name for piece in mirror_pieces(row.script) if piece.kind == "trigger"}
    return found


def _triggers(pieces: Sequence[Piece]) -> set[str]:
    return {piece.name for piece in pieces if piece.kind == "trigger" and piece.capture}


def _gap(row: Installed, change: Change | None, written: Collection[str] | None) -> str:
    """Why a generation may have missed changes while triggers were away; empty when it cannot have."""
    if change is not None:
        return change.says
    if written is None:
        return "others wrote while the triggers were away for a migration"
    mine = [source for source, _ in row.script.watches if source.lower() in written]
    return f"a migration wrote {', '.join(mine)} while the triggers were away" if mine else ""
