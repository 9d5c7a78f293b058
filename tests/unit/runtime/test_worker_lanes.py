"""Lanes, timing and waking up: what lets a worker do several duties, and none twice at once."""

import itertools
import json
import logging
import threading
from functools import partial

import pytest

from tests.unit.runtime.place import World
from tidemark.cli.lines import JsonLines
from tidemark.database.open import open_session
from tidemark.errors import Fault
from tidemark.runtime.clock import Clock
from tidemark.runtime.duty import Duty
from tidemark.runtime.ledger import Ledger
from tidemark.runtime.runs import list_runs
from tidemark.runtime.ticks.tick import has_work, tick
from tidemark.runtime.timing import Timings
from tidemark.runtime.workers.lanes import Ended, Lanes
from tidemark.runtime.workers.wake import Watch, find_waiting
from tidemark.runtime.workers.worker import run_worker

PATIENCE_SECONDS = 60.0


def _collect(lanes: Lanes[str], count: int) -> list[Ended[str]]:
    found: list[Ended[str]] = []
    pause = threading.Event()
    for _ in range(int(PATIENCE_SECONDS / 0.01)):
        found += lanes.collect()
        if len(found) >= count:
            break
        pause.wait(0.01)
    return found


def _connect(world: World) -> Duty:
    return Duty(Ledger(open_session(world.url, lock_timeout=1)), Clock())


def test_lanes_work_beside_each_other_and_leave_room_for_short_duties(world: World) -> None:
    lanes: Lanes[str] = Lanes(2, lambda: _connect(world), lambda: world.duty, Clock())
    together = threading.Barrier(2, timeout=PATIENCE_SECONDS)

    def meet(duty: Duty) -> str:
        together.wait()
        return str(duty.session.one("SELECT 1"))

    assert lanes.has_room(long=True)
    lanes.start("long", meet, long=True)
    assert lanes.runs("long") and not lanes.has_room(long=True) and lanes.has_room(long=False)
    lanes.start("short", meet, long=False)
    for name in ("next", "last"):
        assert lanes.has_room(long=False)
        lanes.start(name, lambda duty: "", long=False)
    assert not lanes.has_room(long=False)
    met = {"long": "(1,)", "short": "(1,)"}
    assert {ended.name: ended.value for ended in _collect(lanes, 4)} == {**met, "next": "", "last": ""}
    assert not lanes.busy and not lanes.runs("long")
    lanes.close()


def test_what_has_not_begun_when_the_end_is_asked_for_never_does(world: World) -> None:
    world.duty.stop = lambda: stopping.is_set()
    stopping, began, done = threading.Event(), threading.Event(), list[str]()

    def work(duty: Duty, name: str) -> str:
        done.append(name)
        began.set()
        assert stopping.wait(PATIENCE_SECONDS)
        return name

    lanes: Lanes[str] = Lanes(1, lambda: _connect(world), lambda: world.duty, Clock())
    for name in ("at hand", "in line"):
        lanes.start(name, partial(work, name=name), long=False)
    assert began.wait(PATIENCE_SECONDS)
    stopping.set()
    lanes.close()
    assert [(ended.name, ended.value, ended.problem) for ended in lanes.collect()] == [
        ("at hand", "at hand", None),
        ("in line", None, None),
    ]
    assert done == ["at hand"]


def test_what_a_duty_raises_is_its_result(world: World) -> None:
    def fail(duty: Duty) -> str:
        raise Fault("it fails")

    for count in (0, 1):
        lanes: Lanes[str] = Lanes(count, lambda: _connect(world), lambda: world.duty, Clock())
        lanes.start("bad", fail, long=False)
        (ended,) = _collect(lanes, 1)
        assert isinstance(ended.problem, Fault) and ended.value is None and not ended.lost
        lanes.close()


def test_a_mistake_of_ours_is_not_taken_for_a_problem_of_the_duty(world: World) -> None:
    def err(duty: Duty) -> str:
        raise ZeroDivisionError

    lanes: Lanes[str] = Lanes(1, lambda: _connect(world), lambda: world.duty, Clock())
    lanes.start("bad", err, long=False)
    with pytest.raises(ZeroDivisionError):
        _collect(lanes, 1)
    lanes.close()


def test_a_lane_opens_another_session_for_one_that_was_closed(world: World) -> None:
    opened: list[Duty] = []

    def connect() -> Duty:
        if len(opened) == 1:
            opened.append(world.duty)
            raise Fault("the database is away")
        opened.append(_connect(world))
        return opened[-1]

    def use(duty: Duty) -> str:
        return str(duty.session.one("SELECT 1"))

    lanes: Lanes[str] = Lanes(1, connect, lambda: world.duty, Clock())
    results = []
    for _ in range(3):
        lanes.start("work", use, long=False)
        results += _collect(lanes, 1)
        if len(opened) == 1:
            opened[0].session.close()
    assert [ended.value for ended in results] == ["(1,)", None, "(1,)"]
    assert [ended.lost for ended in results] == [False, True, False] and len(opened) == 3
    lanes.close()


def test_a_worker_with_lanes_does_the_same(world: World) -> None:
    world.apply(world.wanted("tick"), world.wanted("tick", name="other"))
    world.posts((901, 3, 3), (902, 44, 3))
    report = run_worker(world.duty, until_idle=True, connect=lambda: _connect(world), lanes=2)
    assert report.ticks == 2 and report.problems == 0
    assert world.shown() == world.shown("other") == world.truth()
    assert set(report.timings) == {"tick thread_stats", "tick other"}


def test_timings_are_counted_summed_and_compared_with_the_threshold() -> None:
    timings = Timings(slow_ms=100.0)
    assert [timings.record("tick a", ms) for ms in (10.0, 150.0, 30.0)] == [False, True, False]
    timings.record("tick b", 500.0)
    (longest, _), (name, timing) = timings
    assert (longest, name) == ("tick b", "tick a")
    assert (timing.count, timing.total_ms, timing.longest_ms, timing.last_ms, timing.slow) == (3, 190.0, 150.0, 30.0, 1)


def test_a_slow_tick_is_told_and_kept_in_the_history(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.apply(world.wanted("tick"))
    world.posts((903, 3, 3))

    def listen(event: object) -> None:
        world.time.seconds += 2.0

    world.duty.listen = listen
    with caplog.at_level(logging.INFO, logger="tidemark.worker"):
        report = run_worker(world.duty, until_idle=True, slow_ms=1000.0)
    assert report.slow == 1 and report.timings["tick thread_stats"].slow == 1
    (slow,) = [past for past in list_runs(world.duty.ledger) if past.kind == "slow"]
    assert slow.derived == "thread_stats" and slow.state == "done" and "more than 1.00 s" in (slow.message or "")
    (told,) = [json.loads(JsonLines().format(one)) for one in caplog.records if "the tick took" in one.message]
    assert told["level"] == "warning" and told["logger"] == "tidemark.worker"
    assert (told["definition"], told["duty"]) == ("thread_stats", "tick") and told["ms"] >= 1000
    assert json.loads(JsonLines().format(caplog.records[-1]))["counts"]["slow"] == 1
    block = [record.message for record in caplog.records if "derived table" in record.message]
    assert block and "with changes waiting" in block[0]


def test_a_table_that_fails_is_tried_again_later_and_later(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.apply(world.wanted("tick"), world.wanted("tick", name="other"))
    world.posts((904, 3, 3))
    monkeypatch.setattr("tidemark.runtime.objects.gaps.Look.gap", lambda look, row: "")
    script = next(row for row in world.duty.ledger.derived() if row.name == "other").script
    world.write(f"ALTER TABLE {script.store} RENAME TO moved")
    tried: list[float] = []
    world.duty.stop = lambda: len(tried) >= 5
    handler = logging.Handler()
    handler.emit = lambda record: tried.append(world.time.seconds)  # type: ignore[method-assign]
    logger = logging.getLogger("tidemark.worker")
    logger.addHandler(handler)
    try:
        report = run_worker(world.duty)
    finally:
        logger.removeHandler(handler)
    assert report.failing == ("other",) and report.problems == 5 and report.interrupted
    assert [round(later - earlier) for earlier, later in itertools.pairwise(tried)] == [1, 2, 4, 8]
    assert world.shown() == world.truth()


def test_each_generation_is_asked_about_whatever_waits_for_it_and_nothing_else(world: World) -> None:
    world.apply(world.wanted("tick"), world.wanted("tick", name="other"))
    rows = {row.name: row for row in world.duty.ledger.derived()}
    scripts = [row.script for row in rows.values()]

    def waiting() -> frozenset[str]:
        alone = frozenset(script.name for script in scripts if has_work(world.duty, script))
        found = find_waiting(world.duty, scripts)
        assert found == alone
        return found

    assert waiting() == frozenset()
    world.posts((905, 3, 3))
    assert waiting() == {"thread_stats", "other"}
    tick(world.leased("other"), rows["other"].script)
    assert waiting() == {"thread_stats"}, "one log, of which each has taken as much as it says"
    tick(world.leased("thread_stats"), rows["thread_stats"].script)
    assert waiting() == frozenset()
    dirty = rows["other"].script.tick
    assert dirty is not None
    world.write(f"INSERT INTO {dirty.dirty} (thread_id) VALUES (3)")
    assert waiting() == {"other"}, "what is dirty is in no log"
    tick(world.leased("other"), rows["other"].script)
    ahead = "999999999" if world.duty.session.dialect.writers_wait_in_line else "999999999:999999999:"
    checkpoint = world.duty.ledger.text("list_checkpoints").partition("FROM ")[2].split()[0]
    world.write(f"UPDATE {checkpoint} SET snapshot = '{ahead}' WHERE derived = 'thread_stats'")
    assert find_waiting(world.duty, scripts) == {"thread_stats"}, "a database that was restored has earlier moments"
    assert find_waiting(world.duty, [rows["other"].script]) == frozenset(), "nobody asked about the other one"


def test_nobody_is_asked_while_nobody_commits(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.apply(world.wanted("tick"))
    watch = Watch()
    watch.read(world.duty)
    assert watch.waiting == frozenset() and [row.name for row in watch.rows] == ["thread_stats"]
    asked = 0

    def count(duty: Duty, scripts: object) -> frozenset[str]:
        nonlocal asked
        asked += 1
        return find_waiting(duty, scripts)  # type: ignore[arg-type]

    monkeypatch.setattr("tidemark.runtime.workers.wake.find_waiting", count)
    for _ in range(5):
        world.time.seconds += 0.1
        watch.read(world.duty)
    assert asked == 0
    world.posts((905, 3, 3))
    watch.read(world.duty)
    assert asked == 1 and watch.waiting == {"thread_stats"}
    world.posts((906, 3, 3))
    watch.take("thread_stats")
    watch.read(world.duty, force=True, crowded=True)
    assert asked == 1 and watch.waiting == frozenset(), "what is known to wait comes first"
    watch.leave("other")
    watch.read(world.duty)
    assert asked == 2 and watch.waiting == {"thread_stats"}
    world.posts((907, 3, 3))
    world.time.seconds += 1.0
    watch.take("thread_stats")
    watch.read(world.duty, crowded=True)
    assert asked == 3 and watch.waiting == {"thread_stats"}, "however much there is to do, it is asked within a second"
