"""Writers of a SQLite file beside transactions of ours, played with their own way of waiting: each sleep is longer."""

from __future__ import annotations

import random
from bisect import bisect_right
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate
from typing import Any, cast

import pytest

from tidemark.database.session import Session
from tidemark.runtime import turns
from tidemark.runtime.clock import Clock
from tidemark.runtime.pace import IN_LINE_MS, IN_LINE_PATIENT_MS
from tidemark.runtime.turns import Turns

SLEEPS_MS = (1, 2, 5, 10, 15, 20, 25, 25, 25, 50, 50, *[100] * 40)
LOOKS_MS = (0, *accumulate(SLEEPS_MS))
HOLD_MS = IN_LINE_MS
HELD_MS = 4_000.0


@dataclass(eq=False)
class Lane:
    """What turns ask of a session: whether somebody else has committed since it asked last."""

    file: File
    own: int = 0
    seen: int = 0
    marker: int = 0

    def changes_marker(self) -> str:
        """Another text when another connection has committed."""
        others = self.file.commits - self.own
        self.marker, self.seen = self.marker + (others != self.seen), others
        return str(self.marker)


@dataclass
class File:
    """A file and a clock, in milliseconds. `company` commits in a gap, every so many milliseconds."""

    company: float = 0.0
    now: float = 0.0
    commits: int = 0
    came: float = float("-inf")
    holds: list[tuple[float, float]] = field(default_factory=list)
    lanes: list[Lane] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.turns = Turns(Clock(now=lambda: self.now / 1000, wait=lambda seconds: self.go_by(seconds * 1000)))

    def lane(self) -> Lane:
        """One more session of ours."""
        return Lane(self)

    def go_by(self, ms: float) -> None:
        """Time passes in which nobody of us holds anything."""
        self.now += ms
        if self.company and self.now - self.came >= self.company:
            self.came, self.commits = self.now, self.commits + 1

    def hold(self, lane: Lane, ms: float, *, patient: bool = False) -> None:
        """A transaction of ours."""
        with self.turns.take(cast(Session, cast(Any, lane)), patient=patient) as turn:
            self.holds.append((self.now, self.now + ms))
            self.now += ms
            self.commits += 1
            lane.own += 1
            turn.held_seconds = ms / 1000

    def gaps(self) -> list[float]:
        """What is between the holds."""
        return [after[0] - before[1] for before, after in zip(self.holds, self.holds[1:], strict=False)]

    def waits(self, came: list[float]) -> list[float]:
        """How long writers wait who come at these moments, in order."""
        begins = [begin for begin, _ in self.holds]

        def is_free(moment: float) -> bool:
            place = bisect_right(begins, moment) - 1
            return place < 0 or moment >= self.holds[place][1]

        return sorted(next(look for look in LOOKS_MS if is_free(moment + look)) for moment in came)


def work(file: File, lanes: list[Lane], mean_ms: float, apart_ms: float = 0.2, *, patient: bool = False) -> list[float]:
    """Hold the lock for so long at a time, with moments between, for long enough; how long writers wait beside it."""
    chance, held = random.Random(8), 0.0
    while held < HELD_MS:
        hold = max(mean_ms / 10, chance.gauss(mean_ms, mean_ms * 0.3))
        file.go_by(apart_ms)
        file.hold(chance.choice(lanes), hold, patient=patient)
        held += hold
    return file.waits([chance.uniform(0.0, file.now) for _ in range(20_000)])


@pytest.mark.parametrize(("mean_ms", "looks"), [(IN_LINE_MS, 18), (4.0, 8), (3.0, 8), (1.0, 8)])
@pytest.mark.parametrize("lanes", [1, 3])
def test_a_writer_is_served_at_one_of_its_first_looks(mean_ms: float, looks: int, lanes: int) -> None:
    file = File(company=20.0)
    found = work(file, [file.lane() for _ in range(lanes)], mean_ms)
    assert found[len(found) * 99 // 100] <= looks
    assert found[len(found) * 999 // 1000] <= 78
    assert file.now <= 2.9 * HELD_MS, "and the work gets on"


@pytest.mark.parametrize("lanes", [1, 3])
def test_fewer_meet_work_for_which_nobody_waits_and_are_served_sooner(lanes: int) -> None:
    file = File(company=20.0)
    found = work(file, [file.lane() for _ in range(lanes)], IN_LINE_PATIENT_MS, patient=True)
    assert found[len(found) * 69 // 100] == 0 and found[len(found) * 95 // 100] <= 3
    assert found[len(found) * 99 // 100] <= 8
    assert file.now <= 3.4 * HELD_MS, "and the work gets on"


def test_a_gap_begins_when_the_lock_is_given_back() -> None:
    file = File(company=5.0)
    lane = file.lane()
    for _ in range(20):
        with file.turns.take(cast(Session, cast(Any, lane)), patient=True) as turn:
            begin = file.now
            file.now += 12.0
            turn.held_seconds, turn.freed = 0.002, (begin + 2.0) / 1000
            file.holds.append((begin, begin + 2.0))
            file.commits, lane.own = file.commits + 1, lane.own + 1
        file.go_by(0.1)
    assert max(file.gaps()[5:]) == pytest.approx(10.1), "what comes after it is a gap already"


def test_what_is_read_ahead_of_the_lock_is_a_part_of_the_gap() -> None:
    file = File(company=5.0)
    lane = file.lane()
    for number in range(40):
        reads = 20.0 if number == 30 else 1.0
        with file.turns.take(cast(Session, cast(Any, lane)), patient=True, ahead=partial(file.go_by, reads)) as turn:
            file.holds.append((file.now, file.now + 4.0))
            file.now, file.commits, lane.own = file.now + 4.0, file.commits + 1, lane.own + 1
            turn.held_seconds = 0.004
    gaps = [gap for gap in file.gaps()[5:] if gap < 20.0]
    assert min(gaps) >= 6.9, "a reading that took long once does not stand for the next gap"
    assert sum(gaps) / len(gaps) == pytest.approx(8.0, abs=0.2)


def test_gaps_shorter_than_the_holds_serve_them_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "NICE", 0.5)
    file = File(company=20.0)
    found = work(file, [file.lane()], HOLD_MS)
    assert found[len(found) * 99 // 100] > 18


def test_many_short_holds_are_as_one_that_is_long() -> None:
    file, lane = File(company=5.0), None
    lane = file.lane()
    for _ in range(2_000):
        file.go_by(0.1)
        file.hold(lane, 0.5)
    together = 0.0
    for (begin, end), gap in zip(file.holds[100:], file.gaps()[100:], strict=False):
        together += end - begin
        if gap >= 1.0:
            assert gap >= turns.NICE * together - 2.0
            together = 0.0
        assert together <= 7.0, "nothing long is held in pieces"


def test_a_gap_that_came_by_itself_is_one() -> None:
    file = File(company=5.0)
    lane = file.lane()
    for _ in range(100):
        file.go_by(16.0)
        file.hold(lane, 10.0)
    assert max(file.gaps()[10:]) == pytest.approx(16.0), "nothing was rested for besides"


@pytest.mark.parametrize("lanes", [1, 2])
def test_nobody_rests_for_nobody_but_for_a_moment_now_and_then(lanes: int) -> None:
    file = File()
    work(file, [file.lane() for _ in range(lanes)], HOLD_MS, apart_ms=0.0)
    rests = [gap for gap in file.gaps() if gap > 0]
    assert rests == [pytest.approx(25.0)] * len(rests)
    assert len(rests) == pytest.approx(HELD_MS / 250, abs=2)


@pytest.mark.parametrize("lanes", [1, 2])
def test_who_comes_later_is_seen_and_who_goes_is_forgotten(lanes: int) -> None:
    file = File()
    mine = [file.lane() for _ in range(lanes)]
    work(file, mine, HOLD_MS)
    alone, file.company = len(file.holds), 20.0
    work(file, mine, HOLD_MS)
    beside, file.company = len(file.holds), 0.0
    work(file, mine, HOLD_MS)
    gaps = file.gaps()
    short = [gap for gap in gaps[alone + 30 : beside] if gap < 5.0]
    assert len(short) < (beside - alone) * 0.1, "holds are rested for beside somebody"
    rests = [gap for gap in gaps[beside + 60 :] if gap > 1.0]
    assert len(rests) <= HELD_MS / 100, "and not any more when nobody is there"


def test_who_writes_now_and_then_is_served_before_it_looks_rarely(monkeypatch: pytest.MonkeyPatch) -> None:
    file = File(company=3_000.0)
    mine = [file.lane()]
    file.hold(mine[0], 1.0)
    assert work(file, mine, HOLD_MS)[-1] <= 128
    assert file.now <= 1.7 * HELD_MS
    monkeypatch.setattr(turns, "NEAR_SECONDS", turns.COMPANY_SECONDS)
    file = File(company=3_000.0)
    mine = [file.lane()]
    file.hold(mine[0], 1.0)
    assert work(file, mine, HOLD_MS)[-1] > 500, "with fewer gaps some fall into the holds again and again"


@pytest.mark.parametrize("looks", [True, False])
def test_who_wrote_before_the_work_began_is_company_from_the_first_hold_on(looks: bool) -> None:
    file = File()
    worker, *lanes = (file.lane() for _ in range(3))
    for lane in (*lanes, *lanes):
        file.hold(lane, 10.0)
    file.company = 20.0
    for _ in range(10):
        file.go_by(50.0)
        if looks:
            file.turns.look(cast(Session, cast(Any, worker)))
    file.company, begun = 0.0, len(file.holds)
    for lane in (*lanes, *lanes):
        file.hold(lane, 10.0)
    gaps = file.gaps()[begun:]
    assert gaps == [pytest.approx(turns.NICE * 10.0 if looks else 0.0)] * 3, (
        "the session of a lane cannot tell who it was"
    )


@pytest.mark.parametrize("counted", [True, False])
def test_a_lease_of_another_lane_is_nobody(counted: bool) -> None:
    file = File()
    mine, other = file.lane(), file.lane()
    for _ in range(20):
        file.hold(mine, 10.0)
        with file.turns.aside(cast(Session, cast(Any, other))) if counted else nullcontext():
            file.commits, other.own = file.commits + 1, other.own + 1
    assert (max(file.gaps()) == 0.0) is counted


def test_a_hold_that_failed_is_a_hold() -> None:
    file = File(company=5.0)
    lane = file.lane()
    for _ in range(50):
        with pytest.raises(ValueError, match="no"), file.turns.take(cast(Session, cast(Any, lane))) as turn:
            file.holds.append((file.now, file.now + 10.0))
            file.now += 10.0
            turn.held_seconds = 0.010
            raise ValueError("no")
        file.go_by(0.1)
    assert min(file.gaps()[5:]) >= 10.0
