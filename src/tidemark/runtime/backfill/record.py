"""The record of a backfill: what everybody may read of it, and what an operator may wish.

Owns: `BackfillStatus`, `list_backfills` and the wishes. Promises: reading asks one statement of the ledger's own small tables,
never of the user's; a backfill whose runner died without a word reads as interrupted, an unknown stored state as ``unknown``,
never as something that works; numbers that nobody knows are None, never made up.
"""

from __future__ import annotations

import datetime
import json
import math
from dataclasses import dataclass
from shlex import quote
from typing import Any

from tidemark.errors import Code, Fault, Refusal
from tidemark.runtime.duty import Duty
from tidemark.runtime.lease import is_gone
from tidemark.runtime.ledger import Ledger
from tidemark.states import BACKFILL, check_move, read_state

AT_WORK = ("backfilling", "throttled")
WAITING = ("paused", "installing", "verifying")
CANCELLED = "an operator cancelled it"
DIED = "its runner ended without a word, or could not write one down"
STALLED_SECONDS = 60.0


@dataclass(frozen=True)
class BackfillStatus:
    """Where one backfill stands. `kind` is ``data`` for a migration of the user's and ``fill`` for a derived table's filling.
    `state` is one of `states.BACKFILL`, for a filling also one of `states.DERIVED`, or ``unknown``; `wish` what an operator
    asked for and the runner has not done yet (``pause``, ``cancel`` or empty).

    Counters are of this attempt: `rows_done` keys are accounted for, of `rows_total` (None = not known, an estimate when
    `total_is_estimate`); `rows_written` rows were changed, `quarantined` is how many keys are. `rate` is rows in a second of this
    run alone; `rate_state` is ``unknown``, ``estimating``, ``steady`` or ``stalled``. `reasons` say why it is throttled.
    Times are UTC texts, `elapsed_seconds` is how long the run took so far; None where a time is missing or cannot be read.
    `holder` is the runner that is at it, empty when nobody is.
    """

    name: str
    kind: str
    fingerprint: str
    state: str
    wish: str
    nice: float | None
    attempt: int
    run: int | None
    rows_done: int
    rows_total: int | None
    total_is_estimate: bool
    rows_written: int
    quarantined: int
    rate: float | None
    rate_state: str
    reasons: tuple[str, ...]
    failure: str | None
    started: str | None
    ended: str | None
    updated: str | None
    elapsed_seconds: float | None
    holder: str

    @property
    def running(self) -> bool:
        """Whether a runner is at it, working or waiting. Never true for what is unknown."""
        return bool(self.holder) and self.state in (*AT_WORK, *WAITING)

    @property
    def counting(self) -> bool:
        """Whether a runner is finding out what there is to be done."""
        return self.running and self.state == "backfilling" and self.rows_total is None

    @property
    def remaining(self) -> int | None:
        """Keys that are left, or None."""
        return None if self.rows_total is None else max(0, self.rows_total - self.rows_done)

    @property
    def eta_seconds(self) -> float | None:
        """Seconds that are left at the present rate; None where that would be made up."""
        if self.state != "backfilling" or self.rate_state not in ("estimating", "steady"):
            return None
        if self.remaining is None or not self.rate:
            return None
        return self.remaining / self.rate

    @property
    def progress(self) -> float | None:
        """The share that is accounted for, at most 0.99 until it is finished; None where the total is not known."""
        if self.state in ("finished", "quarantined", "live"):
            return 1.0
        if self.rows_total is None:
            return None
        return 0.99 if self.rows_total == 0 else min(0.99, self.rows_done / self.rows_total)

    def as_json(self) -> dict[str, Any]:
        """The status as plain data; every key is always there."""
        return {
            "name": self.name,
            "kind": self.kind,
            "state": self.state,
            "running": self.running,
            "rows_done": self.rows_done,
            "rows_total": self.rows_total,
            "total_is_estimate": self.total_is_estimate,
            "rows_written": self.rows_written,
            "quarantined": self.quarantined,
            "progress": self.progress,
            "rate": self.rate,
            "rate_state": self.rate_state,
            "eta_seconds": self.eta_seconds,
            "failure": self.failure,
            "started": self.started,
            "ended": self.ended,
            "updated": self.updated,
            "elapsed_seconds": self.elapsed_seconds,
            "attempt": self.attempt,
            "run": self.run,
            "wish": self.wish,
            "nice": self.nice,
            "throttled": self.state == "throttled",
            "reasons": list(self.reasons),
        }


def next_of(one: BackfillStatus) -> str:
    """The command that a backfill or a filling waits for; empty where nothing is to be done, or somebody is at it."""
    if one.state == "paused" and one.running and not one.wish:
        # Whoever is at it looks twice a second.
        return ""
    if one.state == "paused":
        return f"tidemark backfill resume {quote(one.name)}"
    if one.kind == "fill":
        # Whatever a filling met, an apply goes on with it; what nobody has begun was left to a worker.
        left = "tidemark run" if one.state == "planned" else "tidemark apply"
        return "" if one.running or one.state in ("live", "retired") else left
    if one.state in ("failed", "cancelled", "quarantined"):
        return f"tidemark backfill retry {quote(one.name)}"
    return f"tidemark backfill run {quote(one.name)}" if one.state in ("planned", "interrupted") else ""


def tell_quarantined(count: int) -> str:
    """So many keys that are quarantined, for people."""
    return (
        "1 key is quarantined, with its error" if count == 1 else f"{count:,} keys are quarantined, each with its error"
    )


def list_backfills(ledger: Ledger, name: str = "") -> tuple[BackfillStatus, ...]:
    """Every backfill, or the one of that name, by name. Raises `Refusal` (``not-installed``) without a ledger."""
    ledger.require()
    now = read_time(ledger.value("read_now"))
    return tuple(_read(row, now) for row in ledger.all("list_backfills", {"name": name}))


def find_backfill(ledger: Ledger, name: str) -> BackfillStatus:
    """The backfill of that name. Raises `Refusal` when there is none."""
    found = list_backfills(ledger, name)
    if not found:
        raise Refusal(
            Code.NOT_INSTALLED, f"no backfill {name} was ever begun here", instead="look at `tidemark backfill list`"
        )
    return found[0]


def _read(row: tuple[Any, ...], now: datetime.datetime | None) -> BackfillStatus:
    *facts, rate, rate_state, reasons, failure, started, ended, updated, holder = row
    name, kind, fingerprint, stored, wish, nice, attempt, run, done, total, estimate, written, quarantine = facts
    state = read_state(stored, BACKFILL)
    began, last = read_time(started), read_time(ended) if ended else now
    if holder is None or is_gone(holder):
        holder = ""
        if state in AT_WORK:
            state, failure = "interrupted", DIED
    elif state == "planned":
        # What there is to be done is counted before anything begins.
        state, total = "backfilling", None
    heard = read_time(updated or started)
    quiet = (now - heard).total_seconds() if now and heard else math.inf
    if state != "backfilling" or total is None:
        rate_state = "unknown" if state != "throttled" else "stalled"
    elif quiet > STALLED_SECONDS:
        rate_state = "stalled"
    return BackfillStatus(
        name=name,
        kind=kind,
        fingerprint=fingerprint,
        state=state,
        wish=wish,
        nice=nice,
        attempt=int(attempt),
        run=None if run is None else int(run),
        rows_done=int(done),
        rows_total=None if total is None else int(total),
        total_is_estimate=bool(estimate),
        rows_written=int(written),
        quarantined=int(quarantine),
        rate=rate,
        rate_state=rate_state,
        reasons=tuple(json.loads(reasons)),
        failure=failure,
        started=started,
        ended=ended,
        updated=updated,
        elapsed_seconds=_between(began, last),
        holder=holder,
    )


def read_time(text: str | None) -> datetime.datetime | None:
    """The time of a stored text, or None when it is none: then nothing is computed from it."""
    try:
        return datetime.datetime.fromisoformat(text) if text else None
    except ValueError:
        return None


def seconds_between(started: str | None, ended: str | None) -> float | None:
    """How many seconds lie between two stored times, none where a clock was set back meanwhile; None where one of them cannot be
    read."""
    return _between(read_time(started), read_time(ended))


def _between(began: datetime.datetime | None, last: datetime.datetime | None) -> float | None:
    return max(0.0, round((last - began).total_seconds(), 3)) if began and last else None


def require_uncancelled(ledger: Ledger, name: str, wanted: str) -> None:
    """Raises `Refusal` where somebody gave a backfill up that its runner has not heard of yet, and `wanted` would take that back:
    of two operators the one who gives up has the last word."""
    now = next(iter(list_backfills(ledger, name)), None)
    if now is not None and now.running and now.wish == "cancel" and wanted != "cancel":
        raise Refusal(
            Code.DECLARATION,
            f"{name} is being cancelled, as an operator asked",
            instead="look at `tidemark backfill list`; `tidemark backfill retry` does what is left",
        )


def set_wish(duty: Duty, name: str, wanted: str) -> BackfillStatus:
    """Ask for ``pause`` or ``cancel``, or for neither (empty); a runner sees it within one chunk. Where nobody is at work
    it is done at once. Raises `Refusal` for a backfill that is not there or has ended."""
    now = find_backfill(duty.ledger, name)
    after = {"pause": "paused", "cancel": "cancelled"}.get(wanted, "interrupted" if now.state == "paused" else "")

    _require_unended(name, now.state)

    def work() -> None:
        # It may have come to its end since.
        _require_unended(name, str(duty.ledger.all("hold_control", {"name": name})[0][2]))
        require_uncancelled(duty.ledger, name, wanted)
        duty.ledger.run("set_wish", {"name": name, "wish": wanted})
        if now.running or not after or now.state == after:
            return
        # Nobody is at work, so nobody would see the wish; what is stored may be what a dead runner left.
        stored = duty.ledger.value("read_state_of_backfill", {"name": name})
        if stored != after:
            move(duty.ledger, name, stored, after)
        if wanted == "cancel":
            duty.ledger.run("set_wish", {"name": name, "wish": ""})

    duty.write(work)
    return find_backfill(duty.ledger, name)


def _require_unended(name: str, state: str) -> None:
    """Raises `Refusal`: what has ended neither rests nor goes on, and another attempt at it is asked for by another name."""
    retry = f"`tidemark backfill retry {quote(name)}`"
    does = {
        "finished": f"{retry[:-1]} --anew` does every row again",
        "quarantined": f"{retry} tries the keys again that were quarantined",
        "failed": f"{retry} does what is left, once its error is mended",
        "cancelled": f"{retry} does what is left",
    }.get(state)
    if does is not None:
        raise Refusal(Code.DECLARATION, f"{name} has ended: it is {state}", instead=does)


def move(ledger: Ledger, name: str, before: str, after: str, reasons: tuple[str, ...] = ()) -> None:
    """Move a backfill to another state, in the caller's transaction. Raises `Fault` for a move that there is not."""
    check_move(before, after, BACKFILL)
    failure = CANCELLED if after == "cancelled" else None
    parameters = {
        "name": name,
        "before": before,
        "after": after,
        "reasons": json.dumps(list(reasons)),
        "failure": failure,
    }
    if ledger.run("move_backfill", parameters) != 1:
        raise Fault(f"the backfill {name} is not {before} any more: somebody else changed it")


def check_nice(nice: float | None) -> None:
    """Raises `Refusal` for what is no number of seconds to rest; None says nothing."""
    if nice is not None and not (math.isfinite(nice) and nice >= 0):
        raise Refusal(Code.DECLARATION, f"nice {nice} is no number of seconds", instead="say 0 or more")
