"""How long duties take: counted, summed, and the longest remembered.

Owns: `Timing` and `Timings`. Promises: one small record for each duty, whatever the number of times it was done; asks no clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from tidemark.telling import tell_count

SLOW_SECONDS = 1.0


@dataclass
class Timing:
    """How often a duty was done and how long that took, in milliseconds; `slow` counts times above the threshold."""

    count: int = 0
    total_ms: float = 0.0
    longest_ms: float = 0.0
    last_ms: float = 0.0
    slow: int = 0

    def __str__(self) -> str:
        slow = f", {self.slow} of them slow" if self.slow else ""
        return (
            f"{tell_count(self.count, 'time')}{slow}, {self.total_ms / 1000:.2f} s in all, longest {self.longest_ms:.0f} ms, "
            f"last {self.last_ms:.0f} ms"
        )


@dataclass
class Timings:
    """The timings of a worker's duties by name. A duty is slow when it takes more than `slow_ms`."""

    slow_ms: float = SLOW_SECONDS * 1000
    _by_duty: dict[str, Timing] = field(default_factory=dict)

    def record(self, duty: str, ms: float) -> bool:
        """Take down that `duty` took `ms`; give whether that was slow."""
        timing = self._by_duty.setdefault(duty, Timing())
        slow = ms > self.slow_ms
        timing.count += 1
        timing.total_ms += ms
        timing.longest_ms = max(timing.longest_ms, ms)
        timing.last_ms = ms
        timing.slow += slow
        return slow

    def __iter__(self) -> Iterator[tuple[str, Timing]]:
        """Duties and their timings, those that took most of the time first."""
        return iter(sorted(self._by_duty.items(), key=lambda item: (-item[1].total_ms, item[0])))
