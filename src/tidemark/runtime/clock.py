"""Time as an argument: how the runtime measures and how it waits.

Owns: `Clock`. Promises: nothing else in the runtime reads a clock or waits, so that tests need neither.
Times that are stored come from the database's clock, never from here, unless a test gives them.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

REST_SECONDS_MAX = 4.0
LISTEN_SECONDS = 0.25


@dataclass(frozen=True)
class Clock:
    """`now` gives seconds that only grow, `wait` lets seconds pass, `chance` gives numbers from 0 to 1.

    `today` gives the time that queries see as they read the clock, ``2026-01-31 12:00:00.000`` in UTC; None = the database's.
    """

    now: Callable[[], float] = time.monotonic
    wait: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = field(default_factory=lambda: random.Random().random)
    today: Callable[[], str | None] = lambda: None

    def rest(self, seconds: float, stop: Callable[[], bool]) -> None:
        """Let seconds pass, or as many as there are until `stop` wants an end. Never more than a few at a time: whoever rests
        hears of no other wish, and renews no lease."""
        left = min(seconds, REST_SECONDS_MAX)
        self.wait(min(left, LISTEN_SECONDS))
        while (left := left - LISTEN_SECONDS) > 0 and not stop():
            self.wait(min(left, LISTEN_SECONDS))

    def ms_since(self, moment: float) -> float:
        """Milliseconds from `moment`, a value of `now`, until now."""
        return (self.now() - moment) * 1000
