"""A ledger of a newer shape is nobody's who keeps this one: no worker of this version does anything to it."""

import pytest

from tests.unit.runtime.place import World
from tidemark.errors import Fault
from tidemark.names import ledger
from tidemark.runtime.lease import Lost, try_lease
from tidemark.runtime.ledger import SHAPE
from tidemark.runtime.ticks.tick import tick
from tidemark.runtime.workers.upkeep import Terms, look_after
from tidemark.runtime.workers.worker import run_worker

NEWER = f"the ledger has shape '{int(SHAPE) + 1}', this version keeps shape '{SHAPE}': a newer version of Tidemark was applied"


def _convert(world: World) -> None:
    """What the conversion of a newer version does to those of this one."""
    dialect = world.user.dialect
    with world.user.transaction():
        world.user.run(f"UPDATE {ledger(dialect, 'meta')} SET value = '{int(SHAPE) + 1}' WHERE key = 'shape'")
        world.user.run(f"DELETE FROM {ledger(dialect, 'lease')}")


def _waiting(world: World) -> list[tuple[int, int]]:
    """A table for which something waits; its rows as they are."""
    world.apply(world.wanted("tick"))
    known = world.shown()
    world.posts((800, 3, 3))
    return known


def test_a_worker_that_begins_is_refused(world: World) -> None:
    known = _waiting(world)
    _convert(world)
    with pytest.raises(Fault, match=NEWER):
        run_worker(world.duty, until_idle=True)
    assert world.shown() == known


def test_a_worker_that_runs_ends(world: World) -> None:
    world.apply(world.wanted("tick"))
    looks = 0

    def stop() -> bool:
        nonlocal looks
        looks += 1
        if looks == 10:
            _convert(world)
            world.posts((800, 3, 3))
        return looks > 1000

    world.duty.stop, known = stop, world.shown()
    with pytest.raises(Fault, match=NEWER):
        run_worker(world.duty)
    assert looks < 1000 and world.shown() == known


def test_what_a_worker_knew_before_gets_no_lease(world: World) -> None:
    known = _waiting(world)
    row = world.row()
    _convert(world)
    with pytest.raises(Fault, match=NEWER):
        look_after(world.duty, row, "", Terms("holder", 1000.0))
    with pytest.raises(Fault, match=NEWER):
        try_lease(world.duty.ledger, world.duty.clock, "another duty", "holder")
    assert world.shown() == known


def test_who_has_a_lease_has_none_any_more(world: World) -> None:
    known, mine = _waiting(world), world.leased()
    script = world.row().script
    _convert(world)
    with pytest.raises(Lost):
        tick(mine, script)
    assert world.shown() == known
