"""The mistakes that systems with watermarks made (`tests/protocols/test_watermarks.py` has them for triggers), over scans.

Each function makes the mistake's occasion; afterwards everything is true, or verification finds and mends what no scan can see.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest

from tests.protocols.test_watermarks import MISTAKES as OVER_TRIGGERS
from tests.scans.chain import Chain
from tests.unit.runtime.killing import Fragile, Killed
from tidemark.database.open import open_session
from tidemark.errors import Code, Refusal
from tidemark.runtime.clock import Clock
from tidemark.runtime.duty import Duty
from tidemark.runtime.lease import take_lease
from tidemark.runtime.ledger import Ledger
from tidemark.runtime.ticks.tick import tick


def _found_by_verification(chain: Chain) -> None:
    """No scan sees it: it is found and mended by the verification that is part of the mode."""
    chain.drain()
    assert chain.differences()
    assert any(not report.clean for report in chain.tidemark.verify())
    chain.tidemark.repair()
    assert not chain.differences()


def _wrong_column(chain: Chain) -> None:
    """20: here the column is named, checked, and what it cannot show is said."""
    for said in ("at or below the mark", "deleted"):
        assert any(said in line for line in chain.tidemark.explain("played").exactness)
    chain.run(chain.plays(20, [1]), chain.plays(21, [2]))


def _late_rows(chain: Chain) -> None:
    """21: a lower position after the mark has passed it."""
    chain.run(chain.plays(30, [1]))
    chain.settle()
    chain.run(chain.plays(7, [5]))
    _found_by_verification(chain)


def _overflowing_position(chain: Chain) -> None:
    """22: a position with many more rows than a batch holds."""
    chain.run(chain.plays(40, range(60)), chain.plays(41, [1]))


def _unwatched_dependency(chain: Chain) -> None:
    """23: the other source has triggers, and no position."""
    chain.run("UPDATE tracks SET owner_id = 9 WHERE id = 1")


def _change_without_a_position(chain: Chain) -> None:
    """24: a row changes and keeps its position."""
    chain.run("UPDATE plays SET user_id = 77 WHERE id = 1")
    _found_by_verification(chain)


def _position_without_a_value(chain: Chain) -> None:
    """25: a column that can be NULL is no watermark."""
    chain.run("CREATE TABLE loose (id integer NOT NULL PRIMARY KEY, at integer)")
    project = chain.tidemark.project
    assert project is not None
    project.source("loose", capture="scan", watermark="at")
    with pytest.raises(Refusal) as refusal:
        chain.tidemark.plan()
    assert refusal.value.code is Code.WATERMARK
    chain.run("DROP TABLE loose", "CREATE TABLE loose (id integer NOT NULL PRIMARY KEY, at integer NOT NULL)")


def _effect_without_its_record(chain: Chain) -> None:
    """26: killed before any statement, a tick leaves either the dirty keys and the mark, or neither."""
    number = kills = 0
    while _kill_before(chain, number):
        number, kills = number + 5, kills + 1
    assert kills > 3, "a tick has more statements than that"


def _kill_before(chain: Chain, number: int) -> bool:
    """Write something and kill a tick before its statement of that number; False when it had no more statements."""
    chain.run(chain.plays(1000 + number, [number % 4, 3]))
    killed = False
    with contextlib.closing(open_session(chain.url)) as session:
        row = next(row for row in Ledger(session).derived() if row.name == "played")
        lease = take_lease(Ledger(session), Clock(), "keep played", "fragile", 0.0)
        try:
            tick(Duty(Ledger(Fragile(session, number)), Clock(), lease), row.script)  # type: ignore[arg-type]
        except Killed:
            killed = True
        lease.release()
    chain.drain("played")
    assert "played" not in chain.differences()
    return killed


def _queue_trimmed_first(chain: Chain) -> None:
    """27: the mark has passed a row only when what it touches is dirty or true, wherever a tick ends."""
    chain.run(*(chain.plays(50 + number, [number, 1]) for number in range(4)))
    for bound in (1, 2, 3):
        chain.tidemark.tick(max_batches=bound)
        with contextlib.closing(open_session(chain.url)) as session:
            row = next(row for row in Ledger(session).derived() if row.name == "played")
            assert row.script.tick is not None
            waits = session.one(f"SELECT 1 WHERE {row.script.tick.waiting}")
        assert waits or "played" not in chain.differences()


MISTAKES: dict[int, Callable[[Chain], None]] = {
    20: _wrong_column,
    21: _late_rows,
    22: _overflowing_position,
    23: _unwatched_dependency,
    24: _change_without_a_position,
    25: _position_without_a_value,
    26: _effect_without_its_record,
    27: _queue_trimmed_first,
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_of_other_watermarks_cannot_happen_to_a_scan(
    chain: Chain, mistake: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tidemark.runtime.ticks.scanning.BATCH_ROWS", 8)
    chain.run("INSERT INTO tracks VALUES (1, 7, 'a')", chain.plays(1, [1, 2, 3]), chain.plays(9, [1]))
    chain.tidemark.apply()
    MISTAKES[mistake](chain)
    chain.settle()
    assert all(report.clean for report in chain.tidemark.verify())


def test_every_mistake_of_watermarks_is_here() -> None:
    told = {int(name.split()[0]) for name in OVER_TRIGGERS}
    assert {number for number in told if number < 30} == set(MISTAKES)
