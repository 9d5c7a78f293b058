"""The clock of a simulation.

Owns: `Time`. Promises: nobody ever waits.
"""

from __future__ import annotations

import time

from tidemark.runtime.clock import Clock


class Time:
    """A clock whose waits take no time: they only move it on, by `haste` times what was asked."""

    def __init__(self) -> None:
        self.skipped = 0.0
        self.haste = 1.0

    def now(self) -> float:
        """Seconds that only grow."""
        return time.monotonic() + self.skipped

    def wait(self, seconds: float) -> None:
        """Let seconds pass at once."""
        self.skipped += seconds * self.haste

    def clock(self) -> Clock:
        """The clock as the runtime wants it."""
        return Clock(self.now, self.wait, lambda: 0.5)
