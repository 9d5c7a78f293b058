"""What a worker does for one generation of a derived table: the duty that is due, under its lease.

Owns: deciding, under the lease, what the ledger asks for now. Promises: a duty that somebody else holds is left to them; what was
seen before the lease was ours is looked at again; a duty that took longer than the threshold leaves a line in the history.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from tidemark.database.session import Conflict
from tidemark.errors import TidemarkError
from tidemark.runtime.backfill.withdraw import withdraw
from tidemark.runtime.cascade import awaits, is_served, readers
from tidemark.runtime.changes.apply import finish
from tidemark.runtime.changes.failing import recording_failure
from tidemark.runtime.duty import Duty
from tidemark.runtime.ledger import Installed
from tidemark.runtime.objects.captures import CaptureOf
from tidemark.runtime.objects.gaps import look_at_catalog, record_gap
from tidemark.runtime.objects.install import remove
from tidemark.runtime.objects.narrowing import narrow
from tidemark.runtime.objects.relief import relieve
from tidemark.runtime.runs import add_named_run
from tidemark.runtime.ticks.tick import tick
from tidemark.runtime.workers.sweeps import sweep_on

TICK_MS_MAX = 500.0
CANNOT_RUN = (
    "what captured its changes cannot run without a column that is gone, and was taken away so that writers go on"
)
KEPT_UP = ("live", "backfilling", "verifying", "retired")


@dataclass(frozen=True)
class Upkeep:
    """What was done for a generation.

    `kind` is ``tick``, ``fill``, ``drop``, ``withdraw``, ``gap``, ``relieve``, ``verify``, ``held`` (somebody else holds it) or
    ``none``.
    `note` is a sentence for the log, or empty. `wait_seconds` is how long nothing more is due.
    """

    kind: str
    changes: int = 0
    rows_written: int = 0
    drained: bool = True
    note: str = ""
    wait_seconds: float = 0.0


@dataclass(frozen=True)
class Terms:
    """Under which terms duties are done: in whose name, and from how many milliseconds on a duty is slow.
    `capture_of` makes the captures that are left of what nobody reads any more; without it they stay as they are."""

    holder: str
    slow_ms: float
    capture_of: CaptureOf | None = None


def kind_of(row: Installed, gap: str, rows: Sequence[Installed]) -> str:
    """The kind of duty that a generation's state asks for, and what the catalog shows of it; `rows` are all generations."""
    if row.state == "failed":
        return "withdraw" if gap else "none"
    if row.state == "installing":
        return "relieve" if gap else "none"
    if row.state == "live":
        return "gap" if gap else "tick"
    if row.state == "retired" and readers(row, rows):
        return "tick" if is_served(row, rows) else "none"
    if row.state in ("backfilling", "verifying"):
        return "none" if awaits(row, rows) else "fill"
    return "drop" if row.state == "retired" else "none"


def look_after(duty: Duty, row: Installed, gap: str, terms: Terms) -> Upkeep:
    """Do what is due for one generation, if nobody else does. Raises what the duty raises."""
    if row.state not in KEPT_UP and not gap:
        return Upkeep("none")
    with duty.leased_if_free(f"keep {row.name}", terms.holder, yields=True) as mine:
        if mine is None:
            return Upkeep("held")
        began = duty.clock.now()
        done = _do(mine, row, gap, terms)
        ms = duty.clock.ms_since(began)
        if ms > terms.slow_ms and done.kind == "tick":
            _record_slow(mine, row, done, ms, terms.slow_ms)
        return done


def keep_verifying(duty: Duty, row: Installed, terms: Terms) -> Upkeep:
    """Go on with the verification for ever of one generation, if it is time and nobody else does."""
    if not duty.ledger.is_as(row):
        return Upkeep("none")
    swept = sweep_on(duty, row, terms.holder)
    if swept is None:
        return Upkeep("held")
    if not swept.keys:
        return Upkeep("none", wait_seconds=swept.wait_seconds)
    # What is known to be wrong and is left to somebody would be found again at once, and again.
    wait_seconds = swept.wait_seconds if swept.note and not swept.repaired else 0.0
    return Upkeep("verify", rows_written=swept.repaired, note=swept.note, wait_seconds=wait_seconds)


def _do(duty: Duty, row: Installed, gap: str, terms: Terms) -> Upkeep:
    """Do what the ledger says now; it may have moved on before the lease was ours."""
    if row.state == "live" and not gap and duty.ledger.is_as(row):
        return _keep_live(duty, row, gap, terms)
    everything = duty.ledger.derived()
    rows = [other for other in everything if other.name == row.name]
    fresh = next((other for other in rows if other.generation == row.generation), None)
    if fresh is None or kind_of(fresh, gap, everything) == "none":
        return Upkeep("none")
    if fresh.state == "retired" and readers(fresh, everything):
        # Its own readers have moved on; those that still read it want it true.
        return _keep_live(duty, fresh, "", terms)
    if fresh.state == "retired":
        if not any(other.state == "live" for other in rows):
            # It was being dropped by an apply that was killed; only an apply may go on with that.
            return Upkeep("none")
        remove(duty, fresh)
        if terms.capture_of is not None:
            narrow(duty, terms.capture_of)
        return Upkeep("drop")
    if fresh.state == "failed":
        withdraw(duty, fresh)
        return Upkeep("withdraw")
    if fresh.state == "installing":
        return _make_way(duty, fresh, terms)
    if fresh.state == "live":
        return _keep_live(duty, fresh, gap, terms)
    older = [other for other in rows if other.live_at is not None and other.state != "retired"]
    before = next((other for other in reversed(older) if other.generation < fresh.generation), None)
    with recording_failure(duty, fresh):
        finish(duty, fresh, before if fresh.live_at is None else None)
    if terms.capture_of is not None:
        narrow(duty, terms.capture_of)
    return Upkeep("fill")


def _make_way(duty: Duty, row: Installed, terms: Terms) -> Upkeep:
    """Let writers go on, who fail where a column is gone that a capture reads."""
    if terms.capture_of is None or not relieve(duty, row, terms.capture_of):
        return Upkeep("none")
    return Upkeep("relieve", note=f"{row.name}: {CANNOT_RUN}")


def _keep_live(duty: Duty, row: Installed, gap: str, terms: Terms) -> Upkeep:
    waits = not gap
    if gap:
        # An apply may have been at work while we looked; nobody is while we hold the lease.
        gap = look_at_catalog(duty.ledger, [row]).gap(row)
    if gap:
        record_gap(duty, row, gap)
        # Writers should not wait for the next look at the catalog; what cannot be had now is tried again then.
        way = ""
        with suppress(TidemarkError, Conflict):
            way = f"; {CANNOT_RUN}" if _make_way(duty, row, terms).note else ""
        return Upkeep("gap", note=f"{row.name}: {gap}; it is out of service until `tidemark apply`{way}")
    done = tick(duty, row.script, max_ms=TICK_MS_MAX, waits=waits)
    if done.drained and not (done.changes_sealed or done.keys_applied or done.rows_written):
        return Upkeep("none")
    return Upkeep("tick", done.changes_sealed, done.rows_written, done.drained)


def _record_slow(duty: Duty, row: Installed, done: Upkeep, ms: float, slow_ms: float) -> None:
    """Keep in the history that a duty was slow."""

    def work() -> None:
        said = f"the {done.kind} took {ms / 1000:.2f} s, more than {slow_ms / 1000:.2f} s"
        run = add_named_run(duty, "slow", row.name, row.generation, None, said)
        run.rows_done, run.rows_written, run.longest_ms = done.changes, done.rows_written, ms
        run.end("done", said)

    duty.write(work)
