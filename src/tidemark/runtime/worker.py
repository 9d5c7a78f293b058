"""The worker: does whatever duty is due, until it is asked to stop.

Owns: the loop. Promises: any number of workers may run, each duty has one holder at a time; a worker that finds nothing to
do asks again within a tenth of a second and writes nothing meanwhile; asked to stop, it ends after the transaction at hand
and says whether work was left. A problem with one derived table never stops the others: it is logged, and tried again
later. Looks at the captures now and then: a table that is not captured is taken out of service, because it may be wrong.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from tidemark.database.session import Conflict
from tidemark.errors import Exit, Fault, TidemarkError
from tidemark.runtime.apply import finish, recording_failure
from tidemark.runtime.duty import Duty
from tidemark.runtime.install import find_gap, record_gap, remove
from tidemark.runtime.lease import name_holder, try_lease
from tidemark.runtime.ledger import Installed
from tidemark.runtime.progress import Listener, ignore
from tidemark.runtime.tick import has_work, tick

log = logging.getLogger("tidemark.worker")

IDLE_SECONDS = 0.1
LOOK_SECONDS = 1.0
TELL_SECONDS = 30.0
RETRY_SECONDS = 5.0
TICK_MS_MAX = 500.0
CAPTURE_SECONDS = 10.0


@dataclass
class WorkerReport:
    """What a worker did: ticks with work in them, changes sealed, rows written, tables brought to life, problems met.

    `gaps` counts tables that were taken out of service because a capture was missing.
    `interrupted` tells that work was at hand when it was asked to stop.
    """

    ticks: int = 0
    changes: int = 0
    rows_written: int = 0
    brought_live: int = 0
    problems: int = 0
    gaps: int = 0
    interrupted: bool = False


@dataclass
class _Loop:
    duty: Duty
    holder: str
    report: WorkerReport
    listen: Listener
    not_before: dict[str, float]
    cadence: Mapping[str, float]


def run_worker(
    duty: Duty, *, cadence: Mapping[str, float] | None = None, until_idle: bool = False, listen: Listener = ignore
) -> WorkerReport:
    """Work until `duty.stop` says so, or, with `until_idle`, until nothing is left to do.

    `cadence` gives the seconds between two ticks by derived table; without an entry ticks follow the changes at once.
    Raises `Refusal` (``not-installed``) when there is no ledger.
    """
    duty.ledger.require()
    loop = _Loop(duty, name_holder(), WorkerReport(), listen, {}, {} if until_idle else cadence or {})
    rows: tuple[Installed, ...] = ()
    looked = told = checked = duty.clock.now() - TELL_SECONDS
    while not duty.stop():
        now = duty.clock.now()
        if now - looked >= LOOK_SECONDS or until_idle:
            rows, looked = duty.ledger.derived() if duty.ledger.exists() else (), now
        present: Mapping[str, str] | None = None
        if now - checked >= CAPTURE_SECONDS:
            present, checked = duty.session.installed(), now
        busy = False
        for row in rows:
            if not duty.stop() and now >= loop.not_before.get(row.name, 0.0):
                busy = _look_after(loop, row, present) or busy
        if busy:
            looked = now - LOOK_SECONDS
        elif until_idle:
            break
        if now - told >= TELL_SECONDS:
            told = now
            log.info("%d derived tables, %s", len({row.name for row in rows}), loop.report)
        if not busy:
            duty.clock.wait(IDLE_SECONDS)
    loop.report.interrupted = loop.report.interrupted or (duty.stop() and _is_behind(duty, rows))
    return loop.report


def _look_after(loop: _Loop, row: Installed, present: Mapping[str, str] | None) -> bool:
    """Do what is due for one generation; give whether anything was."""
    duty = loop.duty
    try:
        gap = find_gap(row, present) if present is not None and row.state == "live" else ""
        if row.state == "live" and not gap and not has_work(duty, row.script):
            return False
        if row.state not in ("live", "backfilling", "verifying", "retired"):
            return False
        lease = try_lease(duty.ledger, duty.clock, f"keep {row.name}", loop.holder)
        if lease is None:
            return False
        try:
            return _do(loop, Duty(duty.ledger, duty.clock, lease, duty.stop), row, gap)
        finally:
            lease.release()
    except (TidemarkError, Conflict) as problem:
        if isinstance(problem, Fault) and problem.exit is Exit.INTERRUPTED:
            loop.report.interrupted = True
            return False
        loop.report.problems += 1
        loop.not_before[row.name] = duty.clock.now() + RETRY_SECONDS
        log.warning("%s: %s; trying again in %d s", row.name, problem, RETRY_SECONDS)
        return False


def _do(loop: _Loop, duty: Duty, row: Installed, gap: str) -> bool:
    """Do what the ledger says now; it may have moved on before the lease was ours."""
    fresh = _read_again(duty, row)
    if fresh is None:
        return False
    others = [other for other in duty.ledger.derived() if other.name == row.name]
    if fresh.state == "retired":
        if not any(other.state == "live" for other in others):
            # It was being dropped by an apply that was killed; only an apply may go on with that.
            return False
        remove(duty, fresh, loop.listen)
        return True
    if fresh.state == "live" and gap:
        # An apply may have been at work while we looked; nobody is while we hold the lease.
        gap = find_gap(fresh, duty.session.installed())
    if fresh.state == "live" and gap:
        record_gap(duty, fresh, gap)
        loop.report.gaps += 1
        log.warning("%s: %s; it is out of service until `tidemark apply`", row.name, gap)
        return True
    if fresh.state == "live":
        done = tick(duty, fresh.script, max_ms=TICK_MS_MAX, listen=loop.listen)
        loop.report.ticks += 1
        if done.drained and row.name in loop.cadence:
            loop.not_before[row.name] = duty.clock.now() + loop.cadence[row.name]
        loop.report.changes += done.changes_sealed
        loop.report.rows_written += done.rows_written
        return True
    if fresh.state not in ("backfilling", "verifying"):
        return False
    older = [other for other in others if other.live_at is not None and other.state != "retired"]
    before = next((other for other in reversed(older) if other.generation < fresh.generation), None)
    with recording_failure(duty, fresh):
        finish(duty, fresh, before if fresh.live_at is None else None, loop.listen)
    loop.report.brought_live += 1
    return True


def _read_again(duty: Duty, row: Installed) -> Installed | None:
    same = (other for other in duty.ledger.derived() if (other.name, other.generation) == (row.name, row.generation))
    return next(same, None)


def _is_behind(duty: Duty, rows: tuple[Installed, ...]) -> bool:
    """Whether something is left to do for tables that this worker looks after."""
    unfinished = any(row.state in ("backfilling", "verifying") for row in rows)
    return unfinished or any(map(partial(has_work, duty), (row.script for row in rows if row.state == "live")))
