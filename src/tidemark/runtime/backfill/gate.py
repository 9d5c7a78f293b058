"""What a runner asks before each chunk: whether it may go on, now or later.

Owns: `Gate` and `Ended`. Promises: a wish of an operator is honoured within one chunk, the wish to stop and the end of the time
before the next one; while it waits the lease is kept and the waiting is on record, with its reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from tidemark.runtime.backfill.record import move
from tidemark.runtime.backfill.tally import Tally
from tidemark.runtime.duty import Duty

POLL_SECONDS = 0.5
CANCELLED = "an operator cancelled it"


class Ended(Exception):
    """The run is to end in that state, for that cause."""

    def __init__(self, state: str, cause: str) -> None:
        self.state = state
        self.cause = cause
        super().__init__(cause)


@dataclass
class Gate:
    """The gate of one worker. `until` is the moment at which its time is over, None = never; `max_seconds` says so to people."""

    duty: Duty
    tally: Tally
    until: float | None
    max_seconds: float | None

    def check(self) -> None:
        """Raises `Ended` when the run is to end now."""
        if self.tally.problem is not None:
            raise self.tally.problem
        if self.duty.stop():
            raise Ended("interrupted", "it was asked to stop")
        if self.until is not None and self.duty.clock.now() >= self.until:
            raise Ended("interrupted", f"its time of {self.max_seconds:g} s was over")

    def obey(self, wish: str) -> None:
        """Do what an operator wishes: wait, or raise `Ended`."""
        if wish == "cancel":
            raise Ended("cancelled", CANCELLED)
        if wish == "pause":
            self._pause()

    def _pause(self) -> None:
        ledger, name = self.duty.ledger, self.tally.name

        def look(before: str) -> str:
            wish, _, stored = ledger.all("read_control", {"name": name})[0]
            wanted = "paused" if wish == "pause" else "backfilling"
            if stored == before and wanted != stored:
                move(ledger, name, stored, wanted)
            return str(wish)

        wish = self.duty.write(partial(look, "backfilling")).value
        while wish == "pause":
            self.check()
            self.duty.clock.wait(POLL_SECONDS)
            wish = self.duty.write(partial(look, "paused")).value
        self.tally.leave_out(self.duty.clock.now())
        if wish == "cancel":
            raise Ended("cancelled", CANCELLED)
