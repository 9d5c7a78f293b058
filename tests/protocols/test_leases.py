"""One holder per duty, whatever happens to it: paused, replaced, awake again; several workers at once."""

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kit.clock import hurried
from tests.protocols.forum import QUERIES, SCHEMA, Forum, declare, open_forum
from tests.protocols.nursery import open_nursery
from tests.simulation.chunks import chunks_of
from tidemark import Tidemark
from tidemark.contract.script import Script
from tidemark.database.open import open_session
from tidemark.database.session import Conflict, Session
from tidemark.errors import Fault
from tidemark.names import ledger
from tidemark.runtime import lease as leases
from tidemark.runtime.backfill import fill_listed, fill_whole
from tidemark.runtime.clock import Clock
from tidemark.runtime.duty import Duty
from tidemark.runtime.lease import Lost, take_lease, try_lease
from tidemark.runtime.ledger import Ledger
from tidemark.runtime.progress import Event
from tidemark.runtime.ticks import expected
from tidemark.runtime.ticks.tick import tick
from tidemark.runtime.workers.upkeep import Terms, look_after

PATIENCE_SECONDS = 60.0


def _wait_until(holds: Callable[[], object]) -> None:
    """Ask again and again; what is waited for is another process, which the asking gives way to."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < PATIENCE_SECONDS, "it never came to pass"
        os.sched_yield()


def _expire(forum: Forum, name: str) -> None:
    forum.write(f"UPDATE {ledger(forum.user.dialect, 'lease')} SET expires = '' WHERE duty = 'keep {name}'")


def _stands_still(worker: int) -> bool:
    """Whether every thread has stopped, where that can be read: one that is in the system yet may come back with a lock."""
    threads = Path(f"/proc/{worker}/task").glob("*/stat")
    return all(one.read_text().rpartition(")")[2].split()[0] in "Tt" for one in threads)


def _pause(worker: int, forum: Forum) -> bool:
    """Stop a worker and take its leases from it; False when it slept with a lock, and goes on."""
    os.kill(worker, signal.SIGSTOP)
    _wait_until(lambda: _stands_still(worker))
    forum.user.set_lock_timeout(0.2)
    try:
        for name in QUERIES:
            _expire(forum, name)
        return True
    except Conflict:
        os.kill(worker, signal.SIGCONT)
        return False
    finally:
        forum.user.set_lock_timeout(30)


def test_nobody_needs_the_duty_of_a_table_for_which_nothing_waits(engine_url: str) -> None:
    with open_forum(engine_url) as forum, contextlib.closing(open_session(engine_url, lock_timeout=1)) as other:
        forum.tidemark.tick()
        lease = take_lease(Ledger(other), Clock(), "keep post_names", "somebody else", 0.0)
        assert {report.derived for report in forum.tidemark.tick() if report.drained} == set(QUERIES)
        forum.write("INSERT INTO posts VALUES (9001, 1, 1, 1, 1, '2026-01-01')")
        with pytest.raises(Fault, match="post_names"):
            Tidemark(declare(), engine_url, clock=hurried()).tick()
        lease.release()
        assert all(report.drained for report in forum.tidemark.tick()) and forum.differences() == {}


def test_a_holder_that_was_replaced_fails_at_its_next_write(engine_url: str) -> None:
    with (
        open_forum(engine_url) as forum,
        contextlib.closing(open_session(engine_url, lock_timeout=1)) as one,
        contextlib.closing(open_session(engine_url, lock_timeout=1)) as two,
    ):
        forum.write(*(f"UPDATE posts SET score = score + 1 WHERE id = {number}" for number in range(1, 9)))
        script = next(row.script for row in Ledger(one).derived() if row.name == "thread_scores")
        holder = Duty(Ledger(one), Clock(), take_lease(Ledger(one), Clock(), "keep thread_scores", "one"))
        stolen = False

        def steal(event: Event) -> None:
            # Between two transactions of the first holder's tick another takes over and does all of the work.
            nonlocal stolen
            if stolen:
                return
            stolen = True
            _expire(forum, "thread_scores")
            lease = take_lease(Ledger(two), Clock(), "keep thread_scores", "two")
            assert tick(Duty(Ledger(two), Clock(), lease), script).drained

        holder.listen = steal
        with pytest.raises(Lost):
            tick(holder, script, at_once=False)
        assert stolen
        _expire(forum, "thread_scores")
        forum.drain()
        assert not forum.differences()


def test_what_is_done_for_a_duty_takes_nothing_from_its_holder(engine_url: str) -> None:
    """A worker verifies in one lane and ticks in another: it is one holder, and these are two who need the same rows."""
    with (
        open_forum(engine_url) as forum,
        contextlib.closing(open_session(engine_url, lock_timeout=1)) as one,
        contextlib.closing(open_session(engine_url, lock_timeout=1)) as two,
    ):
        forum.tidemark.tick()
        ticks = Duty(Ledger(one), Clock(), take_lease(Ledger(one), Clock(), "keep thread_scores", "worker"))
        verifies = Duty(Ledger(two), Clock(), take_lease(Ledger(two), Clock(), "verify thread_scores", "worker"))
        with pytest.raises(Fault, match="keep thread_scores is held by worker"):
            verifies.leased("keep thread_scores", 0.0).__enter__()
        assert ticks.lease is not None and ticks.write(lambda: 5).value == 5
        ticks.lease.release()
        # Who comes back after its connection was lost takes up what it never gave back.
        with verifies.leased("keep thread_scores", 0.0) as lost, verifies.leased("keep thread_scores", 0.0) as again:
            assert lost.lease is not None and again.lease is not None and again.lease.term == lost.lease.term + 1


def test_a_worker_that_was_paused_and_replaced_does_no_harm(engine_url: str) -> None:
    with open_forum(engine_url) as forum, open_nursery(engine_url) as nursery:
        paused = nursery.beget()
        held = f"SELECT term FROM {ledger(forum.user.dialect, 'lease')} WHERE duty = 'keep thread_scores'"
        before = forum.user.one(held)
        forum.write(*forum.change(), "UPDATE posts SET score = score + 1")
        # It has begun: pause it wherever it is, but where it would keep everyone else waiting in the middle of a write.
        _wait_until(lambda: forum.user.one(held) != before)
        _wait_until(lambda: _pause(paused, forum))
        other = nursery.beget()
        forum.write(*forum.change())
        _wait_until(lambda: not forum.differences())
        forum.write(*forum.change())
        os.kill(paused, signal.SIGCONT)
        _wait_until(lambda: not forum.differences())
        for worker in (paused, other):
            os.kill(worker, signal.SIGTERM)
        forum.drain()
        assert not forum.differences()
        assert all(verdict.clean for verdict in forum.tidemark.verify())


def test_many_workers_share_the_work(engine_url: str) -> None:
    with open_forum(engine_url, seed=7) as forum, open_nursery(engine_url) as nursery:
        for _ in range(4):
            nursery.beget()
        for _ in range(60):
            forum.write(*forum.change())
        _wait_until(lambda: not forum.differences())
        assert not [run for run in forum.runs("tick") if run[0] == "failed"]
        assert all(verdict.clean for verdict in forum.tidemark.verify())


def test_whoever_waits_for_a_duty_comes_before_a_worker_that_always_has_work(engine_url: str) -> None:
    with (
        open_forum(engine_url) as forum,
        contextlib.closing(open_session(engine_url, lock_timeout=1)) as one,
        contextlib.closing(open_session(engine_url, lock_timeout=1)) as two,
    ):
        row = next(row for row in Ledger(one).derived() if row.name == "thread_scores")
        worker, terms = Duty(Ledger(one), Clock()), Terms("worker", 1000.0)
        held = take_lease(Ledger(one), Clock(), "keep thread_scores", "worker")
        seen: list[str] = []

        def wait(seconds: float) -> None:
            # While the other one waits the worker gives the duty back, and would like to have it again at once.
            held.release()
            forum.write("UPDATE posts SET score = score + 1")
            seen.append(look_after(worker, row, "", terms).kind)

        lease = take_lease(Ledger(two), Clock(wait=wait), "keep thread_scores", "operator")
        assert seen == ["held"] and lease.holder == "operator"
        lease.release()
        assert look_after(worker, row, "", terms).kind == "tick"


def _unmade(url: str) -> None:
    """A forum with nothing installed."""
    with contextlib.closing(open_session(url)) as session, session.transaction():
        session.script(SCHEMA)
        for number in range(9):
            session.run(f"INSERT INTO users VALUES ({number}, 'user {number}')")
            session.run(f"INSERT INTO posts (id, author_id, score) VALUES ({number}, {number}, 5)")


def test_an_apply_keeps_its_right_however_long_a_filling_takes(
    engine_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _unmade(engine_url)
    monkeypatch.setattr(leases, "TERM_SECONDS", 1.0)
    free: list[bool] = []
    with chunks_of(1), contextlib.closing(open_session(engine_url, lock_timeout=1)) as other:

        def listen(event: Event) -> None:
            Clock().wait(0.12 if event.phase == "fill" else 0.0)
            free.append(try_lease(Ledger(other), Clock(), "apply", "somebody else") is not None)

        Tidemark(declare(), engine_url, listen=listen).apply()
    assert len(free) > 9 and not any(free)


def test_nobody_takes_over_from_who_reads_everything_in_one_go(
    engine_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _unmade(engine_url)
    monkeypatch.setattr(leases, "TERM_SECONDS", 0.5)
    for name, value in (("BYTES_EACH_SECOND", 1.0), ("SECONDS_MAX", 60.0)):
        monkeypatch.setattr(expected, name, value)
    taken: list[tuple[str, bool]] = []
    with contextlib.closing(open_session(engine_url, lock_timeout=1)) as other:
        real = fill_whole.prepare

        def prepare(session: Session, script: Script) -> None:
            """Each first thing that is read in one go takes longer than a lease lasts."""
            real(session, script)
            if len(taken) < 6:
                Clock().wait(0.7)
                for duty in (f"keep {script.name}", "apply"):
                    taken.append((duty, try_lease(Ledger(other), Clock(), duty, "somebody else") is not None))

        for room in (fill_listed, fill_whole):
            monkeypatch.setattr(room, "prepare", prepare)
        Tidemark(declare(), engine_url).apply()
    assert len(taken) == 6 and not any(found for _, found in taken), taken


def test_an_extension_that_was_rolled_back_is_asked_for_again(engine_url: str) -> None:
    with open_forum(engine_url) as forum, contextlib.closing(open_session(engine_url)) as session:
        seconds = [0.0]
        clock = Clock(now=lambda: seconds[0])
        duty = Duty(Ledger(session), clock, take_lease(Ledger(session), clock, "keep stats", "one", 0.0))
        seconds[0] = leases.TERM_SECONDS / 2

        def fail() -> None:
            raise Fault("it is rolled back")

        assert duty.lease is not None and duty.lease.is_old
        with pytest.raises(Fault, match="rolled back"):
            duty.write(fail)
        assert duty.lease.is_old
        duty.write(lambda: None)
        assert not duty.lease.is_old
        assert forum.user.is_open()


def test_an_apply_that_was_replaced_goes_no_further(engine_url: str) -> None:
    _unmade(engine_url)
    with contextlib.closing(open_session(engine_url, lock_timeout=1)) as other:
        seen: list[str] = []

        def listen(event: Event) -> None:
            if not seen:
                with other.transaction():
                    other.run(f"UPDATE {ledger(other.dialect, 'lease')} SET expires = '' WHERE duty = 'apply'")
                assert try_lease(Ledger(other), Clock(), "apply", "somebody else") is not None
            seen.append(event.derived)

        with pytest.raises(Lost, match="another worker has taken over apply"):
            Tidemark(declare(), engine_url, listen=listen).apply()
        assert set(seen) == {seen[0]}
        assert {status.name: status.state for status in Tidemark(None, engine_url).status()} == {seen[0]: "live"}


def test_what_could_not_be_given_back_is_free_for_whoever_asks_here(
    engine_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_forum(engine_url) as forum:
        mine = take_lease(Ledger(forum.user), Clock(), "keep threads", "me", 0)
        alone = Ledger.alone

        def locked(ledger: Ledger, name: str, parameters: dict[str, object]) -> list[tuple[object, ...]]:
            if name == "release_lease":
                raise Conflict("the database is locked")
            return alone(ledger, name, parameters)

        with monkeypatch.context() as patch:
            patch.setattr(Ledger, "alone", locked)
            mine.release()
        theirs = take_lease(Ledger(forum.user), Clock(), "keep threads", "somebody else", 0)
        assert theirs.term > mine.term
        with pytest.raises(Lost), forum.user.transaction():
            mine.check()
        # Whoever has it again holds it.
        theirs.release()
        again = take_lease(Ledger(forum.user), Clock(), "keep threads", "me", 0)
        with pytest.raises(Fault, match="is held by me"):
            take_lease(Ledger(forum.user), Clock(), "keep threads", "somebody else", 0)
        again.release()
