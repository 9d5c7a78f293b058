"""Every backfill as operators see it: migrations of theirs, and fillings.

Owns: `list_everything`. Promises: a filling stands as its generation does, whatever its own record says: it ends when readers
have the rows, which is after the verification.
"""

from __future__ import annotations

from dataclasses import replace

from tidemark.runtime.backfill.record import (
    CANCELLED,
    BackfillStatus,
    list_backfills,
    seconds_between,
)
from tidemark.runtime.lease import is_gone
from tidemark.runtime.ledger import Ledger
from tidemark.states import DERIVED, read_state

UNVERIFIED = "its runner ended before the rows were verified"


def list_everything(ledger: Ledger, name: str = "") -> tuple[BackfillStatus, ...]:
    """Every backfill, or the one of that name: migrations as they stand, and for each derived table the newest generation, with
    what its filling tells. Raises `Refusal` (``not-installed``) without a ledger."""
    ledger.require()
    with ledger.session.transaction("read", snapshot=True):
        return list_everything_here(ledger, name)


def list_everything_here(ledger: Ledger, name: str = "") -> tuple[BackfillStatus, ...]:
    """The same in the caller's transaction."""
    known = {one.name: one for one in list_backfills(ledger, name)}
    now = str(ledger.value("read_now"))
    newest = {row[0]: row for row in ledger.all("list_fills") if row[2] != "retired" and name in ("", row[0])}
    found = {one.name: one for one in known.values() if one.kind == "data"}
    for about, generation, stored, failure, installed_at, live_at, holder in newest.values():
        record = known.get(about)
        if record is not None and (record.kind != "fill" or record.fingerprint != str(generation)):
            record = None
        if record is None and stored == "live":
            continue
        blank = _blank(about, int(generation), installed_at)
        if stored == "backfilling" and holder is not None and not is_gone(holder):
            # What its keys are is found out before there is a record of it.
            blank = replace(blank, state="backfilling", holder=holder)
        found[about] = _combine(record or blank, read_state(stored, DERIVED), failure, live_at, now)
    return tuple(found[one] for one in sorted(found))


def _blank(name: str, generation: int, installed_at: str) -> BackfillStatus:
    """What there is to say of a filling that never began."""
    return BackfillStatus(
        name=name,
        kind="fill",
        fingerprint=str(generation),
        state="planned",
        wish="",
        nice=None,
        attempt=1,
        run=None,
        rows_done=0,
        rows_total=None,
        total_is_estimate=False,
        rows_written=0,
        quarantined=0,
        rate=None,
        rate_state="unknown",
        reasons=(),
        failure=None,
        started=None,
        ended=None,
        updated=installed_at,
        elapsed_seconds=None,
        holder="",
    )


def _combine(record: BackfillStatus, stored: str, failure: str | None, live_at: str | None, now: str) -> BackfillStatus:
    """A filling's record under the state of its generation, which is the one that counts: it ends when readers have the rows,
    which is after the verification."""
    if stored == "backfilling":
        # Filled, and not moved on: the process ended in between. Or it may go on after a rest, and nobody does yet.
        if record.state == "finished":
            return replace(record, state="interrupted", failure=record.failure or UNVERIFIED)
        return replace(record, state="interrupted") if record.state == "paused" else record
    left = stored == "verifying" and not record.holder
    state = "interrupted" if left else stored
    state = "cancelled" if stored == "failed" and failure == CANCELLED else state
    failure = failure or record.failure or (UNVERIFIED if left else None)
    # What is filled again was shown before.
    ended = max(live_at or "", record.ended or "") or None if stored == "live" else None
    ended = record.ended if stored == "failed" else ended
    known = record.rate_state if stored == "verifying" else "unknown"
    elapsed = (
        seconds_between(record.started, ended or now) if stored in ("live", "verifying") else record.elapsed_seconds
    )
    return replace(record, state=state, failure=failure, ended=ended, rate_state=known, elapsed_seconds=elapsed)
