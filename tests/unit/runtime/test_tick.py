"""Ticks: exactly once, in any commit order, in bounded steps."""

import contextlib
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import psycopg
import pytest

from tests.unit.runtime.place import World
from tidemark.contract.script import Script
from tidemark.database.open import open_session
from tidemark.errors import Exit, Fault
from tidemark.names import ledger
from tidemark.runtime import lease as leases
from tidemark.runtime.lease import Lost, name_holder, take_lease, try_lease
from tidemark.runtime.operate.status import read_status
from tidemark.runtime.pace import Pace
from tidemark.runtime.ticks.tick import count_dirty, has_work, tick


def test_a_tick_makes_changes_visible_and_empties_the_log(world: World) -> None:
    world.apply(world.wanted())
    world.posts((200, 3, 1), (201, 77, 1))
    assert world.shown() != world.truth()
    assert has_work(world.duty, world.script())
    (status,) = read_status(world.duty.ledger)
    assert (status.pending, status.next) == (2, "tidemark tick")
    report = tick(world.leased(), world.script())
    assert (report.changes_sealed, report.keys_applied, report.drained) == (2, 2, True)
    assert world.shown() == world.truth()
    assert not has_work(world.duty, world.script())
    (status,) = read_status(world.duty.ledger)
    assert (status.pending, status.behind_since) == (0, None)


def test_a_tick_without_work_writes_nothing(world: World) -> None:
    world.apply(world.wanted())
    runs = world.user.all(f"SELECT count(*) FROM {ledger(world.duty.session.dialect, 'run')}")
    assert tick(world.leased(), world.script()).transactions == 0
    assert world.user.all(f"SELECT count(*) FROM {ledger(world.duty.session.dialect, 'run')}") == runs


def test_a_key_that_loses_its_last_row_goes(world: World) -> None:
    world.apply(world.wanted())
    world.write("DELETE FROM posts WHERE thread_id = 4")
    world.write("UPDATE posts SET thread_id = 99 WHERE thread_id = 5")
    tick(world.leased(), world.script())
    assert world.shown() == world.truth()
    assert 4 not in dict(world.shown()) and 5 not in dict(world.shown())


def test_a_bounded_tick_stops_and_the_next_goes_on(world: World) -> None:
    world.apply(world.wanted())
    world.posts(*((1000 + number, number, 1) for number in range(50)))
    report = tick(world.leased(), world.script(), max_batches=1)
    assert not report.drained
    assert count_dirty(world.duty, world.script()) == 50
    # What comes between the two is in no finished seal and is not lost.
    world.posts((2000, 7, 1), (2001, 1234, 1))
    _free_lease(world)
    assert tick(world.leased(), world.script()).drained
    assert world.shown() == world.truth()


def _tick_by_seven(monkeypatch: pytest.MonkeyPatch) -> None:
    for room in ("tick", "state"):
        monkeypatch.setattr(f"tidemark.runtime.ticks.{room}.choose_pace", lambda dialect, hold_ms=None: _small_pace(7))


def test_an_unfinished_seal_is_finished_before_a_new_one_begins(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.apply(world.wanted())
    world.posts(*((1000 + number, number, 1) for number in range(600)))
    _tick_by_seven(monkeypatch)
    first = tick(world.leased(), world.script(), max_batches=1)
    assert 0 < first.changes_sealed < 600 and first.keys_applied == 0 and not first.drained
    world.write("UPDATE posts SET thread_id = 555 WHERE id >= 1590")
    _free_lease(world)
    second = tick(world.leased(), world.script())
    assert second.drained and first.changes_sealed + second.changes_sealed == 600 + 20
    assert world.shown() == world.truth()


def test_a_log_that_is_rewritten_in_the_middle_of_a_seal_is_read_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.apply(world.wanted())
    world.posts(*((1000 + number, number, 1) for number in range(600)))
    _tick_by_seven(monkeypatch)
    tick(world.leased(), world.script(), max_batches=1)
    if not world.duty.session.dialect.writers_wait_in_line:
        # VACUUM FULL moves rows to other blocks; a delete before it makes sure that they do move.
        log = world.script().tick
        assert log is not None
        world.write(f"DELETE FROM {log.logs[0].log} WHERE thread_id BETWEEN 21 AND 299")
        with psycopg.connect(world.url, autocommit=True) as connection:
            connection.execute(f"VACUUM FULL {log.logs[0].log}")
        world.write("DELETE FROM posts WHERE thread_id BETWEEN 20 AND 299")
    _free_lease(world)
    assert tick(world.leased(), world.script()).drained
    assert world.shown() == world.truth()


def _leave_a_long_seal(world: World, monkeypatch: pytest.MonkeyPatch, change: Callable[[Script], Script]) -> bool:
    """Leave a seal of many slices after one, two, three … transactions, write in between, and go on; whether all is true."""
    world.apply(world.wanted())
    _tick_by_seven(monkeypatch)
    for number in (1, 3):
        rows = ((number * 1000 + post, number * 1000 + post, 1) for post in range(700))
        world.posts(*rows)
        tick(world.leased(), change(world.script()), max_batches=number)
        world.write(f"UPDATE posts SET thread_id = {number * 1000 + 1} WHERE id = {number * 1000 + 20}")
        _free_lease(world)
        tick(world.leased(), change(world.script()))
        _free_lease(world)
        if world.shown() != world.truth():
            return False
    return True


def test_a_long_seal_that_is_left_is_read_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _leave_a_long_seal(world, monkeypatch, lambda script: script)


@pytest.mark.parametrize("by", [("> :low", "> :low + 1"), ("<= :high", "< :high")])
def test_a_unit_that_a_long_seal_loses_is_missed(
    world: World, monkeypatch: pytest.MonkeyPatch, by: tuple[str, str]
) -> None:
    def change(script: Script) -> Script:
        assert script.tick is not None
        return replace(script, tick=replace(script.tick, mark_listed=script.tick.mark_listed.replace(*by)))

    assert not _leave_a_long_seal(world, monkeypatch, change)


def _free_lease(world: World) -> None:
    world.write(f"UPDATE {ledger(world.duty.session.dialect, 'lease')} SET expires = ''")


def _small_pace(size: int) -> Pace:
    return Pace(target_ms=1e9, in_line=False, size=size, size_min=size, size_max=size)


def test_a_late_commit_with_a_low_number_is_not_skipped(world: World) -> None:
    """The number of a log row is drawn before its transaction commits; another one may commit and be sealed first."""
    world.apply(world.wanted())
    if world.duty.session.dialect.writers_wait_in_line:
        world.posts((300, 3, 1))
        tick(world.leased(), world.script())
        assert world.shown() == world.truth()
        return
    with contextlib.closing(open_session(world.url)) as slow:
        with slow.transaction():
            slow.run("INSERT INTO posts (id, thread_id, score) VALUES (300, 3, 1)")
            world.posts((301, 4, 1))
            duty = world.leased()
            assert tick(duty, world.script()).changes_sealed == 1
            assert dict(world.shown())[4] == 11
            assert tick(duty, world.script()).changes_sealed == 0
        report = tick(duty, world.script())
    assert report.changes_sealed == 1
    assert world.shown() == world.truth()
    assert not has_work(world.duty, world.script())


def test_a_lost_lease_ends_a_tick_without_effect(world: World) -> None:
    world.apply(world.wanted())
    world.posts((400, 2, 1))
    old = world.leased(holder="old")
    world.write(f"UPDATE {ledger(world.duty.session.dialect, 'lease')} SET expires = ''")
    new = world.leased(holder="new")
    with pytest.raises(Lost):
        tick(old, world.script())
    assert dict(world.shown())[2] == 10
    tick(new, world.script())
    assert world.shown() == world.truth()


def test_a_duty_has_one_holder(world: World) -> None:
    world.apply(world.wanted())
    held = world.leased(holder="one")
    assert try_lease(world.duty.ledger, world.duty.clock, "keep thread_stats", "two") is None
    with pytest.raises(Fault) as fault:
        take_lease(world.duty.ledger, world.duty.clock, "keep thread_stats", "two", 1.0)
    assert fault.value.exit is Exit.HELD and "one" in fault.value.cause
    assert held.lease is not None
    held.lease.release()
    assert take_lease(world.duty.ledger, world.duty.clock, "keep thread_stats", "two", 0.0).term == held.lease.term + 1


def test_a_lock_of_the_application_is_not_taken_for_another_holder(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "BUSY_SECONDS", 0.5)
    world.apply(world.wanted())
    lease = ledger(world.duty.session.dialect, "lease")
    world.duty.session.set_lock_timeout(0.2)
    with world.user.transaction():
        world.user.run(f"UPDATE {lease} SET expires = expires WHERE duty = 'keep thread_stats'")
        with pytest.raises(Fault, match="keep thread_stats could not begin, since the database was locked") as fault:
            world.leased()
    assert fault.value.exit is Exit.ERROR and fault.value.retry_safe
    assert world.leased().lease is not None


def test_a_checkpoint_ahead_of_the_database_makes_everything_dirty(world: World) -> None:
    world.apply(world.wanted())
    checkpoint = ledger(world.duty.session.dialect, "checkpoint")
    far = "900000000:900000000:" if world.duty.session.dialect.has_schemas else "900000000"
    world.write(f"UPDATE {checkpoint} SET snapshot = '{far}'")
    world.write(f"UPDATE {world.store()} SET n = 5 WHERE thread_id = 3")
    world.posts((401, 2, 1))
    tick(world.leased(), world.script())
    assert world.shown() == world.truth()


def test_a_duty_of_a_process_that_is_gone_is_free_at_once(world: World) -> None:
    world.apply(world.wanted())
    with subprocess.Popen(
        [sys.executable, "-c", "from tidemark.runtime.lease import name_holder; print(name_holder())"],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        gone = process.communicate()[0].strip()
    dead = world.leased(holder=gone)
    assert dead.lease is not None
    taken = try_lease(world.duty.ledger, world.duty.clock, "keep thread_stats", "two")
    assert taken is not None and taken.term == dead.lease.term + 1
    with pytest.raises(Lost):
        dead.write(lambda: None)
    taken.release()
    world.leased(holder=dead.lease.deputy)
    taken = try_lease(world.duty.ledger, world.duty.clock, "keep thread_stats", "two")
    assert taken is not None
    taken.release()
    alive = world.leased(holder=name_holder())
    assert try_lease(world.duty.ledger, world.duty.clock, "keep thread_stats", "two") is None
    assert alive.write(lambda: 5).value == 5
