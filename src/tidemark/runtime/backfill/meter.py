"""How fast a run goes, and how sure that is.

Owns: `Meter`. Promises: only what this run did counts, and only the time in which it could work: neither what an earlier run
did nor the time for which an operator or the database held it back. Old chunks weigh less and less: the rate is that of now.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

MEMORY_SECONDS = 30.0
SURE_SECONDS = 30.0
SURE_CHUNKS = 20
SURE_SHARE = 0.01


@dataclass
class Meter:
    """The rate of one run that began at the moment `since`; moments are seconds of one clock. `seconds` is the time in which it
    could work, `rate` rows a second in it."""

    since: float
    rows: int = 0
    seconds: float = 0.0
    chunks: int = 0
    _rows: float = 0.0
    _seconds: float = 0.0

    def record(self, rows: int, now: float) -> None:
        """Take down a chunk that is over now, with whatever rest came before it."""
        passed, self.since = max(0.0, now - self.since), now
        fade = math.exp(-passed / MEMORY_SECONDS)
        self._rows = self._rows * fade + rows
        self._seconds = self._seconds * fade + passed
        self.rows, self.seconds, self.chunks = self.rows + rows, self.seconds + passed, self.chunks + 1

    def leave_out(self, now: float) -> None:
        """What passed until now was no time to work in."""
        self.since = now

    @property
    def rate(self) -> float | None:
        """Rows a second now, or None when nothing is known."""
        return self._rows / self._seconds if self._seconds > 0 and self._rows > 0 else None

    def state(self, total: int | None) -> str:
        """How far the rate can be trusted: ``unknown``, ``estimating`` or ``steady``; `total` are the rows of the run."""
        if self.rate is None:
            return "unknown"
        share = self.rows / total if total else 0.0
        sure = self.chunks >= SURE_CHUNKS and (self.seconds >= SURE_SECONDS or share >= SURE_SHARE)
        return "steady" if sure else "estimating"
