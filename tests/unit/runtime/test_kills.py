"""A kill between any two transactions loses nothing and doubles nothing; what is run again goes on.

A plain run kills at every `STRIDE`-th place, ``TIDEMARK_TEST_TURN`` moves them on; ``TIDEMARK_TEST_FULL=1`` leaves none out.
"""

import contextlib
from collections.abc import Callable

import pytest

from tests.kit.size import in_turn
from tests.unit.runtime.killing import Killed, MortalSession
from tests.unit.runtime.place import World
from tidemark.database.open import open_session
from tidemark.names import ledger
from tidemark.runtime.changes.uninstall import uninstall
from tidemark.runtime.duty import Duty
from tidemark.runtime.ledger import Ledger
from tidemark.runtime.ticks.tick import tick

POINTS_MAX = 60
STRIDE = 3


def free_leases(world: World) -> None:
    """Let the time of the dead holder's leases be over."""
    if world.duty.ledger.exists():
        world.write(f"UPDATE {ledger(world.duty.session.dialect, 'lease')} SET expires = ''")


def kill_everywhere(world: World, work: Callable[[], object], check: Callable[[int], None]) -> int:
    """Kill `work` after 0, 1, 2 … commits, each time in a session of its own, until it lives; give the number that it needs."""
    for commits in (number for number in range(POINTS_MAX) if in_turn(number, STRIDE)):
        with contextlib.closing(open_session(world.url, lock_timeout=0.2)) as session:
            mortal = MortalSession(session, commits)
            world.duty = Duty(Ledger(mortal), world.time.clock())  # type: ignore[arg-type]
            died = False
            try:
                work()
            except Killed:
                died = True
        with contextlib.closing(open_session(world.url, lock_timeout=0.2)) as session:
            world.duty = Duty(Ledger(session), world.time.clock())
            free_leases(world)
            check(commits)
        if not died:
            return commits
    raise AssertionError("it never ends")


@pytest.mark.parametrize("freshness", ["commit", "tick"])
def test_a_first_apply_may_be_killed_anywhere(world: World, freshness: str) -> None:
    wanted = world.wanted(freshness)

    def check(commits: int) -> None:
        # Writers go on while the half-built table waits for the next apply.
        world.posts((1000 + commits, commits % 12, 5))
        world.apply(wanted)
        tick(world.leased(), world.script(freshness))
        free_leases(world)
        assert world.shown() == world.truth(), commits
        assert world.plan(wanted).is_empty
        uninstall(world.duty)
        assert world.duty.session.installed() == {}

    assert kill_everywhere(world, lambda: world.apply(wanted), check) > 5


@pytest.mark.parametrize("freshness", ["commit", "tick"])
def test_a_replacement_may_be_killed_anywhere(world: World, freshness: str) -> None:
    state = {"score": 0}
    world.apply(world.wanted(freshness))

    def work() -> None:
        world.apply(world.wanted(freshness, score_min=state["score"] + 1))

    def check(commits: int) -> None:
        old, new = state["score"], state["score"] + 1
        # Readers see one whole definition or the other, never a mixture.
        assert world.shown() in (world.truth(old), world.truth(new)), commits
        world.apply(world.wanted(freshness, score_min=new))
        assert world.shown() == world.truth(new), commits
        assert world.plan(world.wanted(freshness, score_min=new)).is_empty
        assert [row.state for row in world.duty.ledger.derived()] == ["live"]
        state["score"] = new % 6 if new < 6 else 0
        if new >= 6:
            world.apply(world.wanted(freshness, score_min=0))

    assert kill_everywhere(world, work, check) > 5


def test_an_uninstall_may_be_killed_anywhere(world: World) -> None:
    world.apply(world.wanted("commit"), world.wanted("tick", name="other"))

    def check(commits: int) -> None:
        uninstall(world.duty)
        assert world.duty.session.installed() == {}, commits
        world.apply(world.wanted("commit"), world.wanted("tick", name="other"))

    assert kill_everywhere(world, lambda: uninstall(world.duty), check) > 3


def test_a_tick_may_be_killed_anywhere(world: World) -> None:
    world.apply(world.wanted())
    number = 10_000

    def work() -> None:
        nonlocal number
        number += 10
        world.posts(*((number + i, i % 12, 5) for i in range(10)))
        world.write(f"DELETE FROM posts WHERE id = {number - 3}")
        tick(world.leased(), world.script())

    def check(commits: int) -> None:
        report = tick(world.leased(), world.script())
        assert report.drained
        assert world.shown() == world.truth(), commits
        free_leases(world)

    assert kill_everywhere(world, work, check) > 2
