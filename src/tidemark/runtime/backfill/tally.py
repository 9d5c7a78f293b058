"""What the workers of one run have done together, and what they tell of it.

Owns: `Tally`. Promises: any number of threads may count; the record is published at most once a second and always at the end;
ranges and keys are given out once each; when one worker has to end, the others end after the chunk at hand.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from tidemark.database.session import Conflict
from tidemark.errors import TidemarkError
from tidemark.runtime.backfill.begin import Begun
from tidemark.runtime.backfill.chunk import Range
from tidemark.runtime.backfill.meter import Meter
from tidemark.runtime.backfill.pages import Key
from tidemark.runtime.duty import Duty, Held
from tidemark.runtime.pace import Pace
from tidemark.runtime.progress import Event, Listener
from tidemark.runtime.samples import Hold, Sampler

TELL_SECONDS = 1.0


@dataclass
class Tally:
    """The counts of a run: `done` keys are accounted for in this attempt, `chunks`, `written` and `longest_ms` are of this run.

    `problem` is what ended a worker before everything was done, None while all is well.
    """

    name: str
    begun: Begun
    meter: Meter
    listen: Listener
    told: float
    phase: str = "backfill"
    chunks: int = 0
    written: int = 0
    longest_ms: float = 0.0
    problem: BaseException | None = None
    _noted: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.done = self.begun.rows_done
        self._sampler = Sampler(self.begun.run.id, self.name, self.phase, self.told)
        self._ranges = deque(self.begun.ranges)
        self._quarantine = deque(self.begun.quarantine)

    def next_quarantined(self) -> Key | None:
        """A key to try again that nobody has, or None."""
        with self._lock:
            return self._quarantine.popleft() if self._quarantine else None

    def next_range(self) -> Range | None:
        """A range that nobody has, or None."""
        with self._lock:
            return self._ranges.popleft() if self._ranges else None

    @property
    def has_ranges(self) -> bool:
        """Whether there is a range that nobody has."""
        with self._lock:
            return bool(self._ranges)

    def give_back(self, todo: Range) -> None:
        """Let somebody else do what is left of a range."""
        with self._lock:
            self._ranges.append(todo)

    def settle(self, duty: Duty, pace: Pace, keys: int, written: int, held: Held[Any]) -> None:
        """Count a chunk that is committed, tell it when it is time to, and let others have the database."""
        hold = Hold(held.hold_ms, held.wait_ms, pace.size, pace.target_ms)
        self.count(keys, written, hold, duty.clock.now())
        self.tell(duty)
        duty.clock.rest(pace.rest_seconds(held.hold_ms), duty.stop)

    def count(self, keys: int, written: int, hold: Hold, now: float) -> None:
        """Take down a chunk that is committed. One without keys is nothing to tell of."""
        with self._lock:
            self._sampler.count(keys, hold)
            self.meter.record(keys, now)
            self.done, self.written, self.chunks = self.done + keys, self.written + written, self.chunks + 1
            self.longest_ms = max(self.longest_ms, hold.hold_ms)
            if keys:
                self.listen(Event(self.name, self.phase, self.done, self.begun.rows_total or 0))

    def leave_out(self, now: float) -> None:
        """What passed until now was no time to work in."""
        with self._lock:
            self.meter.leave_out(now)

    def give_up(self, problem: BaseException) -> None:
        """Have everybody end after the chunk at hand. The first problem is the one that counts."""
        with self._lock:
            self.problem = self.problem or problem

    def note(self, text: str) -> None:
        """Tell a sentence, once when several sessions have the same to say."""
        with self._lock:
            if text != self._noted:
                self._noted = text
                self.listen(Event(self.name, self.phase, note=text))

    def tell(self, duty: Duty) -> None:
        """Publish the rate when the last time is a second ago. What cannot be told stops no work: the next chunk tells it."""
        with self._lock:
            if duty.clock.now() - self.told < TELL_SECONDS:
                return
            self.told = duty.clock.now()
        try:
            duty.write(lambda: self.record(duty), once=True)
            self.recorded()
        except (TidemarkError, Conflict):
            if not duty.session.is_open():
                raise

    def record(self, duty: Duty) -> None:
        """Write down how far the run has come, in the caller's transaction."""
        duty.ledger.run("tell_backfill", {"name": self.name, **self.rates})
        run = self.begun.run
        numbers = {"rows_done": self.done, "rows_total": self.begun.rows_total, "rows_written": self.written}
        duty.ledger.run("advance_run", {"id": run.id, **numbers, "longest_ms": self.longest_ms})
        with self._lock:
            self._sampler.write(duty.ledger, duty.clock.now(), self.done)

    def recorded(self) -> None:
        """What was written down is committed."""
        with self._lock:
            self._sampler.wrote()

    @property
    def rates(self) -> dict[str, object]:
        """The rate and how sure it is."""
        rows = None if self.begun.rows_total is None else self.begun.rows_total - self.begun.rows_done
        return {"rate": self.meter.rate, "rate_state": self.meter.state(rows)}
