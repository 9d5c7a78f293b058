"""Writers of a SQLite file beside chunks, played with their own way of waiting: they sleep, and longer each time."""

from __future__ import annotations

import random
from bisect import bisect_right
from itertools import accumulate

import pytest

from tidemark.dialect import SQLITE
from tidemark.runtime import pace
from tidemark.runtime.pace import choose_pace

SLEEPS_MS = (1, 2, 5, 10, 15, 20, 25, 25, 25, 50, 50, *[100] * 40)
LOOKS_MS = (0, *accumulate(SLEEPS_MS))
HOLD_MS = 10.0
HELD_MS = 4_000.0


def waits() -> tuple[list[float], float]:
    """How long writers wait who come at any moment of a run that holds the lock for so long, in order; and the run's time."""
    chance, mine = random.Random(8), choose_pace(SQLITE)
    begins, ends, now, held = [], [], 0.0, 0.0
    while held < HELD_MS:
        hold = max(1.0, chance.gauss(HOLD_MS, 3.0))
        begins.append(now)
        ends.append(now + hold)
        now, held = now + hold + 1000 * mine.rest_seconds(hold, contended=True), held + hold

    def is_free(moment: float) -> bool:
        place = bisect_right(begins, moment) - 1
        return moment >= ends[place]

    came = [chance.uniform(0.0, now) for _ in range(20_000)]
    return sorted(next(look for look in LOOKS_MS if is_free(moment + look)) for moment in came), now


def test_a_writer_is_served_at_one_of_its_first_looks() -> None:
    found, seconds = waits()
    assert found[len(found) * 99 // 100] <= 18
    assert found[-1] <= 60
    assert seconds <= 2.7 * HELD_MS, "and the run gets on"


def test_a_rest_shorter_than_the_hold_serves_them_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "NICE_IN_LINE", 0.5)
    assert (found := waits()[0])[len(found) * 99 // 100] > 18
