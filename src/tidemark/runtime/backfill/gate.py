"""What a runner asks before each chunk: whether it may go on, now or later.

Owns: `Gate`, `Brake` and `Ended`. Promises: a wish of an operator is honoured within one chunk, the wish to stop and the end of
the time before the next one; what the database is under is looked at once a second, and at once where its log has grown beyond
what may wait, and while there is any reason to hold back
nothing is done; while it waits the lease is kept, and the waiting is on record with every reason.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from shlex import quote

from tidemark.runtime.backfill.record import CANCELLED, move
from tidemark.runtime.backfill.tally import Tally
from tidemark.runtime.duty import Duty
from tidemark.runtime.progress import Event
from tidemark.runtime.samples import add_held
from tidemark.runtime.throttle import reasons_of
from tidemark.runtime.values import pack

POLL_SECONDS = 0.5
LOOK_SECONDS = 1.0


def _is_due(duty: Duty, looked: float, log_bytes: int) -> bool:
    """Whether to look again at what the database is under, when the log's file had that size at the last look."""
    late = duty.clock.now() - looked >= LOOK_SECONDS
    return late or duty.session.log_bytes() > max(log_bytes, duty.limits.wal_bytes)


class Ended(Exception):
    """The run is to end in that state, for that cause."""

    def __init__(self, state: str, cause: str) -> None:
        self.state = state
        self.cause = cause
        super().__init__(cause)


@dataclass
class Brake:
    """What holds back work that has no record of its own, as a repair: `name` and `phase` are those of what it tells."""

    duty: Duty
    name: str
    phase: str
    _looked: float = float("-inf")
    _log_bytes: int = 0

    def check(self) -> None:
        """Wait while the database is under strain; why is told, and counted. Raises `Fault` (exit 75) when asked to stop."""
        clock, told = self.duty.clock, tuple[str, ...]()
        while told or _is_due(self.duty, self._looked, self._log_bytes):
            self._log_bytes = self.duty.session.log_bytes()
            reasons = reasons_of(self.duty.session.strain(), self.duty.limits)
            self._looked = clock.now()
            if not reasons:
                return
            if reasons != told:
                self.duty.listen(Event(self.name, self.phase, note=f"holding back: {'; '.join(reasons)}"))
            self.duty.write(partial(add_held, self.duty.ledger, self.name, self.phase, reasons, POLL_SECONDS))
            self.duty.check_stop(f"the {self.phase} of {self.name}")
            clock.wait(POLL_SECONDS)
            told = reasons


@dataclass
class Gate:
    """The gate of one worker. `until` is the moment at which its time is over, None = never; `max_seconds` says so to people.
    With `waits` a pause is waited for, otherwise it ends the run."""

    duty: Duty
    tally: Tally
    until: float | None = None
    max_seconds: float | None = None
    waits: bool = True
    company: bool = True
    _looked: float = float("-inf")
    _log_bytes: int = 0
    _held_by: tuple[str, ...] = ()

    def check(self) -> None:
        """Wait while there is a reason to hold back. Raises `Ended` when the run is to end now."""
        self.check_end()
        if _is_due(self.duty, self._looked, self._log_bytes):
            reasons = self._look()
            if reasons:
                self._hold_back(reasons)

    def obey(self, wish: str) -> None:
        """Do what an operator wishes: wait, or raise `Ended`."""
        if wish == "cancel":
            raise Ended("cancelled", CANCELLED)
        if wish == "pause" and not self.waits:
            raise Ended("paused", "an operator asked for a rest")
        if wish == "pause":
            self._wait(lambda: (), "paused")

    def check_end(self) -> None:
        """Raises `Ended` when the run is to end now, whatever holds it back; what else is to be done meanwhile is done."""
        if self.tally.problem is not None:
            raise self.tally.problem
        if self.duty.stop():
            raise Ended("interrupted", "it was asked to stop")
        if self.until is not None and self.duty.clock.now() >= self.until:
            raise Ended("interrupted", f"its time of {self.max_seconds:g} s was over")
        self.duty.meanwhile()

    def _look(self) -> tuple[str, ...]:
        """Why to hold back now."""
        session = self.duty.session
        self._log_bytes = session.log_bytes()
        self.company = session.others_connected()
        reasons = reasons_of(session.strain(), self.duty.limits)
        self._looked = self.duty.clock.now()
        return reasons

    def _hold_back(self, reasons: tuple[str, ...]) -> None:
        told = [reasons]

        def look() -> tuple[str, ...]:
            if self.duty.clock.now() - self._looked >= LOOK_SECONDS:
                told[0] = self._look()
            return told[0]

        self.tally.note(f"holding back: {'; '.join(reasons)}")
        self._wait(look, "throttled")

    def _wait(self, look: Callable[[], tuple[str, ...]], first: str) -> None:
        """Wait while an operator or the database wants that; the state on record is always the reason that holds now."""
        state, since, resting = first, self.duty.clock.now(), False
        self._held_by = ()
        while state != "backfilling":
            reasons, now = look(), self.duty.clock.now()
            state = self.duty.write(partial(self._take_position, reasons, now - since)).value
            self._held_by, since = reasons if state == "throttled" else (), now
            if state == "cancelled":
                raise Ended("cancelled", CANCELLED)
            if state == "paused" and not self.waits:
                raise Ended("paused", "an operator asked for a rest")
            if state == "paused" and not resting:
                resume = f"tidemark backfill resume {quote(self.tally.name)}"
                self.tally.note(f"paused, as an operator asked; it goes on with {resume}")
            resting = state == "paused"
            if state != "backfilling":
                self.check_end()
                self.duty.clock.wait(POLL_SECONDS)
        self.tally.note("goes on")
        self.tally.leave_out(self.duty.clock.now())

    def _take_position(self, reasons: tuple[str, ...], seconds: float) -> str:
        """Record where the run stands between an operator's wish and the database's strain, and the `seconds` for which it was
        held back until now, in the caller's transaction."""
        ledger, name = self.duty.ledger, self.tally.name
        add_held(ledger, name, self.tally.phase, self._held_by, seconds)
        wish, _, stored = ledger.all("hold_control", {"name": name})[0]
        if wish == "cancel":
            return "cancelled"
        wanted = "paused" if wish == "pause" else "throttled" if reasons else "backfilling"
        if wanted != stored and not (wanted == "paused" and not self.waits):
            if stored != "backfilling" and wanted != "backfilling":
                move(ledger, name, stored, "backfilling")
                stored = "backfilling"
            move(ledger, name, stored, wanted, reasons if wanted == "throttled" else ())
        elif wanted == "throttled":
            ledger.run("set_reasons", {"name": name, "reasons": pack(reasons)})
        return wanted
