"""Writers go on while we install, fill, verify and cut over; nothing of theirs is lost, and none of them waits for long."""

import contextlib
from collections.abc import Callable, Iterator

import pytest

from tests.unit.runtime.place import World
from tidemark.database.open import open_session
from tidemark.database.session import Session
from tidemark.errors import Fault
from tidemark.runtime.clock import Clock
from tidemark.runtime.duty import Duty
from tidemark.runtime.pace import Pace
from tidemark.runtime.progress import Event
from tidemark.runtime.ticks.tick import tick

BOTH = pytest.mark.parametrize("freshness", ["commit", "tick"])


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """One key at a time, so that there is a moment between any two."""
    for place in (
        "backfill.fill.choose_patient",
        "backfill.fill_whole.choose_patient",
        "backfill.fill_pages.choose_patient",
        "backfill.mending.choose_patient",
        "ticks.tick.choose",
    ):
        monkeypatch.setattr(
            f"tidemark.runtime.{place}_pace",
            lambda dialect, hold_ms=None: Pace(1e9, dialect.writers_wait_in_line, size=1, size_min=1, size_max=1),
        )


class Busy:
    """Somebody who changes posts at every event: new keys, vanishing keys, keys before and after the cursor."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.number = 5000
        self.phases: list[str] = []

    def __call__(self, event: Event) -> None:
        self.phases.append(event.phase)
        n = self.number = self.number + 3
        self.world.posts((n, n % 14, 5), (n + 1, (n * 7) % 23, 5))
        self.world.write(f"DELETE FROM posts WHERE thread_id = {n % 10} AND id % 2 = {n % 2}")
        self.world.write(f"UPDATE posts SET thread_id = {(n + 5) % 30} WHERE id = {n - 2}")


@BOTH
@pytest.mark.usefixtures("small_chunks")
def test_nothing_is_lost_while_a_table_is_built(world: World, freshness: str) -> None:
    busy = Busy(world)
    world.apply(world.wanted(freshness), listen=busy)
    assert {"install", "fill", "verify", "cutover"} <= set(busy.phases)
    tick(world.leased(), world.script(freshness))
    assert world.shown() == world.truth()


@BOTH
@pytest.mark.usefixtures("small_chunks")
def test_nothing_is_lost_while_a_table_is_replaced(world: World, freshness: str) -> None:
    world.apply(world.wanted(freshness))
    busy = Busy(world)
    world.apply(world.wanted(freshness, score_min=3), listen=busy)
    tick(world.leased(), world.row().script)
    assert world.shown() == world.truth(3)


@contextlib.contextmanager
def _slow_writer(world: World, sql: str) -> Iterator[tuple[Session, Callable[[], None]]]:
    """A writer whose transaction stays open until the function is called."""
    with contextlib.closing(open_session(world.url)) as session, contextlib.ExitStack() as stack:
        stack.enter_context(session.transaction())
        session.run(sql)
        yield session, stack.close


def _duty_that_waits(world: World, waits: int, then: Callable[[], None]) -> Duty:
    """A duty for whom something happens when it has waited so many times."""
    seen = 0

    def wait(seconds: float) -> None:
        nonlocal seen
        world.time.wait(seconds)
        seen += seconds > 0
        if seen == waits:
            then()

    return Duty(world.duty.ledger, Clock(lambda: world.time.seconds, wait, lambda: 0.5))


@BOTH
def test_installing_gives_way_to_a_long_writer(world: World, freshness: str) -> None:
    """A capture is created when the writer has ended, and by trying again: nobody queues behind us meanwhile."""
    with _slow_writer(world, "INSERT INTO posts VALUES (3000, 2, 5)") as (_, end):
        world.duty = _duty_that_waits(world, 3, end)
        world.apply(world.wanted(freshness))
    assert len([seconds for seconds in world.time.waits if seconds > 0]) >= 3
    assert world.shown() == world.truth()


def test_a_writer_that_never_ends_is_a_fault_that_can_be_repeated(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tidemark.runtime.duty.CONFLICTS_MAX", 5)
    with _slow_writer(world, "INSERT INTO posts VALUES (3000, 2, 5)"):
        world.duty.session.set_lock_timeout(0.001)
        with pytest.raises(Fault, match="locked") as fault:
            world.apply(world.wanted())
        assert fault.value.retry_safe
    world.duty.session.set_lock_timeout(1.0)
    world.apply(world.wanted())
    assert world.shown() == world.truth()


@BOTH
def test_filling_waits_for_a_writer_that_holds_a_key(world: World, freshness: str) -> None:
    world.apply(world.wanted(freshness), detach=True)
    with _slow_writer(world, "INSERT INTO posts VALUES (3000, 2, 5)") as (_, end):
        if freshness == "tick" and not world.duty.session.dialect.writers_wait_in_line:
            # A writer that only appends to a log holds no stored row, so nobody waits for it.
            world.apply(world.wanted(freshness))
            end()
        else:
            world.duty = _duty_that_waits(world, 2, end)
            world.apply(world.wanted(freshness))
    tick(world.leased(), world.script(freshness))
    assert world.shown() == world.truth()
