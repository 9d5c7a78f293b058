"""The worker: finishes what was begun, ticks what waits, survives what fails, ends when asked."""

import pytest

from tests.unit.runtime.place import World
from tidemark.cli.reports import worker_text
from tidemark.errors import Code, Refusal
from tidemark.names import ledger
from tidemark.runtime.lease import try_lease
from tidemark.runtime.runs import list_runs
from tidemark.runtime.workers.worker import IDLE_SECONDS, run_worker


def test_a_worker_wants_a_ledger(world: World) -> None:
    with pytest.raises(Refusal) as refused:
        run_worker(world.duty, until_idle=True)
    assert refused.value.code is Code.NOT_INSTALLED


def test_a_worker_brings_a_detached_table_to_life(world: World) -> None:
    world.apply(world.wanted("commit"), world.wanted("tick", name="other"), detach=True)
    world.posts((800, 3, 3))
    report = run_worker(world.duty, until_idle=True)
    assert report.brought_live == 2 and report.problems == 0 and not report.interrupted
    assert world.shown() == world.truth()
    assert world.shown("other") == world.truth()


def test_a_worker_finishes_a_detached_replacement(world: World) -> None:
    world.apply(world.wanted("tick"))
    world.apply(world.wanted("tick", score_min=2), detach=True)
    assert world.shown() == world.truth()
    run_worker(world.duty, until_idle=True)
    assert world.shown() == world.truth(2)
    assert [(row.generation, row.state) for row in world.duty.ledger.derived()] == [(2, "live")]


def test_a_worker_ticks_what_waits(world: World) -> None:
    world.apply(world.wanted("tick"))
    world.posts((801, 3, 3), (802, 44, 3))
    report = run_worker(world.duty, until_idle=True)
    assert (report.ticks, report.changes) == (1, 2)
    assert world.shown() == world.truth()


def test_a_worker_that_is_asked_to_stop_says_whether_work_is_left(world: World) -> None:
    world.apply(world.wanted("tick"))
    world.duty.stop = lambda: True
    assert not run_worker(world.duty).interrupted
    world.posts((803, 3, 3))
    report = run_worker(world.duty)
    assert report.ticks == 0


def test_an_idle_worker_only_looks(world: World) -> None:
    world.apply(world.wanted("tick"))
    before = len(list_runs(world.duty.ledger))
    calls = 0

    def stop() -> bool:
        nonlocal calls
        calls += 1
        return calls > 100

    world.duty.stop = stop
    world.time.waits.clear()
    run_worker(world.duty)
    assert world.time.waits and all(seconds == pytest.approx(IDLE_SECONDS) for seconds in world.time.waits)
    assert len(list_runs(world.duty.ledger)) == before


def test_a_duty_that_somebody_else_holds_is_left_to_them(world: World) -> None:
    world.apply(world.wanted("tick"))
    world.posts((804, 3, 3))
    assert try_lease(world.duty.ledger, world.duty.clock, "keep thread_stats", "other") is not None
    left = run_worker(world.duty, until_idle=True)
    assert left.ticks == 0 and left.held == ("thread_stats",)
    assert "Another worker is at thread_stats, where something still waits." in worker_text(left)
    world.write(f"UPDATE {ledger(world.duty.session.dialect, 'lease')} SET expires = ''")
    done = run_worker(world.duty, until_idle=True)
    assert done.ticks == 1 and not done.held


def test_a_problem_with_one_table_does_not_stop_the_others(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.apply(world.wanted("tick"), world.wanted("tick", name="other"))
    world.posts((805, 3, 3))
    monkeypatch.setattr("tidemark.runtime.objects.gaps.Look.gap", lambda look, row: "")
    script = next(row for row in world.duty.ledger.derived() if row.name == "other").script
    assert script.tick is not None
    world.write(f"DROP TABLE {script.tick.dirty}")
    report = run_worker(world.duty, until_idle=True)
    assert report.problems == 1
    assert world.shown() == world.truth()


@pytest.mark.parametrize("freshness", ["commit", "tick"])
def test_a_table_that_is_not_captured_is_taken_out_of_service(world: World, freshness: str) -> None:
    world.apply(world.wanted(freshness), world.wanted("tick", name="other"))
    world.write(world.trigger(freshness).drop)
    report = run_worker(world.duty, until_idle=True)
    # Whoever reads the same capture misses the same changes.
    both = freshness == "tick"
    assert (report.gaps, report.problems) == (2 if both else 1, 0)
    states = {row.name: (row.state, row.verified_at) for row in world.duty.ledger.derived()}
    assert states["thread_stats"] == ("installing", None) and states["other"][0] == ("installing" if both else "live")
    assert [past.kind for past in list_runs(world.duty.ledger, "thread_stats", 1)] == ["gap"]
    world.posts((806, 3, 3))
    world.apply(world.wanted(freshness), world.wanted("tick", name="other"))
    assert world.shown() == world.truth()
    assert world.row().state == "live"


def test_a_cadence_spaces_ticks(world: World) -> None:
    world.apply(world.wanted("tick"))
    ticks_at: list[float] = []
    calls = 0

    def stop() -> bool:
        nonlocal calls
        calls += 1
        return calls > 400

    world.duty.stop = stop
    number = 900

    def listen(event: object) -> None:
        nonlocal number
        ticks_at.append(world.time.seconds)
        number += 1
        if number < 920:
            world.posts((number, 3, 3))

    world.posts((899, 3, 3))
    world.duty.listen = listen
    run_worker(world.duty, cadence={"thread_stats": 5.0})
    gaps = [later - earlier for earlier, later in zip(ticks_at, ticks_at[1:], strict=False)]
    # Within a tick there are only the rests between its transactions.
    assert [gap for gap in gaps if gap >= 5.0]
    assert all(gap < 0.1 or gap >= 5.0 for gap in gaps)
