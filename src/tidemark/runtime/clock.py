"""Time as an argument: how the runtime measures and how it waits.

Owns: `Clock`. Promises: nothing else in the runtime reads a clock or waits, so that tests need neither.
Times that are stored come from the database's clock, never from here, unless a test gives them.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Clock:
    """`now` gives seconds that only grow, `wait` lets seconds pass, `chance` gives numbers from 0 to 1.

    `today` gives the time that queries see as they read the clock, ``2026-01-31 12:00:00.000`` in UTC; None = the database's.
    """

    now: Callable[[], float] = time.monotonic
    wait: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = field(default_factory=lambda: random.Random().random)
    today: Callable[[], str | None] = lambda: None

    def ms_since(self, moment: float) -> float:
        """Milliseconds from `moment`, a value of `now`, until now."""
        return (self.now() - moment) * 1000
