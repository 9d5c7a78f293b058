"""Captures that cannot run any more, taken out of the way of whoever writes.

Owns: `is_burden` and `relieve`. PostgreSQL knows nothing of what a function reads, so a migration renames or drops a column that
a capture reads, and from then on every write of that table fails; or makes it wider than a log has it. Promises: only what is out
of service because of such a column gives its triggers up, and a shared log only columns that are gone or have another type and
that nobody in service reads, so that everybody else goes on without a gap; the next apply puts back what is declared then, and
fills it from the first key on. Locks on the user's tables are asked for briefly and again, as for an installation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from tidemark.contract.script import Capture, Piece
from tidemark.model import Table
from tidemark.runtime.duty import Duty
from tidemark.runtime.ledger import Installed
from tidemark.runtime.objects.captures import CaptureOf, drop_group, find_fault, follows, reshape
from tidemark.runtime.objects.gaps import Look
from tidemark.runtime.objects.pieces import find_pieces, group_pieces
from tidemark.runtime.objects.sources import find_changes

IDLE = ("installing", "planned", "failed")


def is_burden(installed: Installed, look: Look) -> bool:
    """Whether a generation is out of service, and a column that it reads is gone, or another one."""
    change = look.change(installed)
    return installed.state == "installing" and installed.live_at is not None and change is not None and change.loses


def relieve(duty: Duty, installed: Installed, capture_of: CaptureOf) -> bool:
    """Take away the triggers of a generation that is out of service, and what its logs have of columns that are gone or have
    another type; give whether anything went. Safe to repeat after a kill."""
    change = find_changes(duty.ledger, [installed]).get((installed.name, installed.generation))
    if change is None or not change.loses:
        return False
    triggers = [piece for piece in installed.script.pieces if piece.kind == "trigger" and piece.capture]
    present = find_pieces(duty.session, installed.script)
    going = [piece for piece in reversed(triggers) if not piece.public and piece.name in present]
    _drop(duty, going)
    narrowed = [one.source for one in installed.captures if _narrow(duty, one.source, capture_of)]
    return bool(going or narrowed)


def _drop(duty: Duty, going: Sequence[Piece]) -> None:
    for group in group_pieces(duty.session, list(going), dropping=True):
        duty.write(partial(drop_group, duty, group))


def _narrow(duty: Duty, source: str, capture_of: CaptureOf) -> bool:
    """Let a shared log lose the columns that are gone, unless somebody in service reads one: they are taken out first. Where
    nobody in service reads the log at all, what writes it goes."""
    with duty.leased_if_free(f"capture {source}") as mine:
        known = None if mine is None else mine.ledger.captures().get(source)
        if mine is None or known is None:
            # Whoever has it does the same, or is about to need it; it is looked at again.
            return False
        if _read(mine.ledger.derived(), source) is not None:
            return bool(mine.write(partial(_reshape, mine, source, capture_of)).value)
        present = find_pieces(mine.session, known)
        going = [piece for piece in reversed(known.pieces) if piece.kind == "trigger" and piece.name in present]
        if going and _find_stale(mine, known, capture_of):
            _drop(mine, going)
            return True
        return False


def _reshape(duty: Duty, source: str, capture_of: CaptureOf) -> bool:
    known = duty.ledger.captures()[source]
    table, stale = _find(duty, source), _find_stale(duty, known, capture_of)
    read = _read(duty.ledger.derived(), source) or set()
    if table is None or not stale or stale & read or find_fault(known, find_pieces(duty.session, known)):
        return False
    narrower = capture_of(table, tuple(name for name in known.columns if name not in stale))
    if not follows(narrower, known):
        return False
    reshape(duty, known, narrower)
    return True


def _find_stale(duty: Duty, known: Capture, capture_of: CaptureOf) -> set[str]:
    """The columns of a log that the table does not have any more, or has with another type. Looked at anew under the lease:
    whoever has a column back has applied since, perhaps."""
    table = _find(duty, known.source)
    if table is None:
        return set()
    there = tuple(name for name in known.columns if table.column(name) is not None)
    was, now = dict(known.extensions), dict(capture_of(table, there).extensions)
    return {name for name in known.columns if name not in there or was.get(name) != now.get(name)}


def _find(duty: Duty, source: str) -> Table | None:
    return next((table for table in duty.session.catalog().tables.values() if table.label == source), None)


def _read(rows: Sequence[Installed], source: str) -> set[str] | None:
    """The columns of a log that whoever is in service reads; None where nobody in service reads it."""
    logs: list[Mapping[str, Sequence[str]]] = [
        {log.source: log.columns for log in row.script.tick.logs}
        for row in rows
        if row.script.tick and row.state not in IDLE
    ]
    read = [one[source] for one in logs if source in one]
    return {name for columns in read for name in columns} if read else None
