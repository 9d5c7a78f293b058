"""Verification and repair: every wrong row is named, both ways, and mended; nothing that waits is called wrong."""

import contextlib
from dataclasses import replace

import pytest

from tests.unit.runtime.place import World
from tidemark.database.open import open_session
from tidemark.names import ledger
from tidemark.runtime.changes.apply import drainer
from tidemark.runtime.duty import Duty
from tidemark.runtime.lease import take_lease
from tidemark.runtime.ledger import Ledger
from tidemark.runtime.operate.status import read_status
from tidemark.runtime.pace import Pace
from tidemark.runtime.runs import list_runs
from tidemark.runtime.truth.findings import count_drift, list_drift
from tidemark.runtime.truth.repair import repair
from tidemark.runtime.truth.verify import Leisure, verify

BOTH = pytest.mark.parametrize("freshness", ["commit", "tick"])


def _sabotage(world: World) -> None:
    world.write(f"UPDATE {world.store()} SET n = 99 WHERE thread_id = 3")
    world.write(f"DELETE FROM {world.store()} WHERE thread_id = 4")
    world.write(f"INSERT INTO {world.store()} (thread_id, n) VALUES (12345, 6)")


@BOTH
def test_every_wrong_row_is_named_and_mended(world: World, freshness: str) -> None:
    world.apply(world.wanted(freshness))
    _sabotage(world)
    duty, row = world.leased(), world.row()
    report = verify(duty, row, drainer(duty, row.script))
    assert report.drift == 3
    assert sorted((d.key, d.kind, d.stored, d.truth) for d in report.findings) == [
        ((3,), "different", (99,), (10,)),
        ((4,), "missing", None, (10,)),
        ((12345,), "extra", (6,), None),
    ]
    (status,) = read_status(world.duty.ledger)
    assert (status.drift, status.well, status.next, status.verified_at) == (3, False, "tidemark repair", None)
    mended = repair(duty, row)
    assert (mended.keys, mended.rows_written) == (3, 3)
    assert world.shown() == world.truth()
    assert count_drift(duty.ledger, row.script) == 0
    assert verify(duty, row, drainer(duty, row.script)).clean
    outcomes = world.user.all(f"SELECT outcome FROM {ledger(duty.session.dialect, 'drift')}")
    assert outcomes == [("repaired",)] * 3
    assert [past.kind for past in list_runs(duty.ledger)[:3]] == ["verify", "repair", "verify"]


@BOTH
def test_drift_is_open_once_however_often_it_is_found(world: World, freshness: str) -> None:
    world.apply(world.wanted(freshness))
    _sabotage(world)
    duty, row = world.leased(), world.row()
    for _ in range(3):
        assert verify(duty, row, drainer(duty, row.script)).drift == 3
    assert len(list_drift(duty.ledger, row.script)) == 3
    # A row that comes true by itself closes its finding, too.
    world.write(f"UPDATE {world.store()} SET n = 10 WHERE thread_id = 3")
    assert verify(duty, row, drainer(duty, row.script)).drift == 2
    assert len(list_drift(duty.ledger, row.script)) == 2


def test_verifications_beside_each_other_close_nothing_that_another_one_found(world: World) -> None:
    """A worker sweeps while somebody looks: what either finds stays known, and neither of them was killed."""
    world.apply(world.wanted("commit"))
    row = world.row()
    world.write(f"UPDATE {world.store()} SET n = 99 WHERE thread_id = 3")

    def look_beside(_: float) -> None:
        world.write(f"UPDATE {world.store()} SET n = 98 WHERE thread_id = 1")
        with contextlib.closing(open_session(world.url)) as session:
            duty = Duty(Ledger(session), world.duty.clock)
            lease = take_lease(duty.ledger, duty.clock, "verify thread_stats", "other", 0.0)
            assert verify(replace(duty, lease=lease), row).drift == 2

    sweeping = replace(world.duty, clock=replace(world.duty.clock, wait=look_beside))
    assert verify(sweeping, row, leisure=Leisure(1.0, 0, lambda *_: None)).drift == 1
    assert sorted(one.key for one in list_drift(world.duty.ledger, row.script)) == [(1,), (3,)]
    assert [run.state for run in list_runs(world.duty.ledger)[:2]] == ["done", "done"]
    repair(world.leased(), row)
    assert world.shown() == world.truth() and verify(world.duty, row).clean


def test_changes_that_wait_are_no_drift(world: World) -> None:
    world.apply(world.wanted())
    duty, row = world.leased(), world.row()
    number = 1000

    def drain() -> None:
        """Writers are always a step ahead: after every drain something waits again."""
        nonlocal number
        work = drainer(duty, row.script)
        assert work is not None
        work()
        number += 1
        world.posts((number, number % 10, 1))

    report = verify(duty, row, drain)
    assert report.drift == 0


def test_drift_is_found_among_changes_that_wait(world: World) -> None:
    world.apply(world.wanted())
    _sabotage(world)
    duty, row = world.leased(), world.row()
    number = 1000

    def drain() -> None:
        nonlocal number
        work = drainer(duty, row.script)
        assert work is not None
        work()
        number += 1
        world.posts((number, 7, 1))

    report = verify(duty, row, drain)
    assert sorted(d.key for d in report.findings) == [(3,), (4,), (12345,)]


def test_a_verification_leaves_rows_as_they_are(world: World) -> None:
    world.apply(world.wanted("commit"))
    _sabotage(world)
    before = world.shown()
    verify(world.duty, world.row())
    assert world.shown() == before


def test_more_changes_than_are_kept_for_a_second_look_are_no_drift_either(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tidemark.runtime.truth.verify.DOUBTED_MAX", 3)
    monkeypatch.setattr(
        "tidemark.runtime.truth.verify.Pace", lambda **_: Pace(250.0, False, size=2, size_min=2, size_max=2)
    )
    world.apply(world.wanted())
    _sabotage(world)
    duty, row = world.leased(), world.row()
    number = 1000

    def drain() -> None:
        """What was committed is applied, and then every thread gets another post."""
        nonlocal number
        work = drainer(duty, row.script)
        assert work is not None
        work()
        world.posts(*((number + thread, thread, 1) for thread in range(10) if thread not in (3, 4)))
        number += 10

    report = verify(duty, row, drain)
    assert sorted(d.key for d in report.findings) == [(3,), (4,), (12345,)]
