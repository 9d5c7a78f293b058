"""A stream that is killed between any two of its statements loses and doubles nothing."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from tests.kit.clock import hurried
from tests.kit.size import FULL
from tests.streams.dying import Dead, Dying
from tests.streams.ground import Ledger, block, name, plays
from tidemark.database.open import open_session
from tidemark.errors import Fault
from tidemark.runtime.changes.apply import ensure_ledger
from tidemark.runtime.clock import Clock
from tidemark.runtime.duty import Duty
from tidemark.runtime.ledger import Ledger as Book
from tidemark.runtime.streams.ingest import Ingest
from tidemark.streams import Stream

BLOCKS = [
    block(1, plays(1, "x", 2), name(1, "one")),
    block(3, name(1, "again"), plays(2, 2)),
    block(2, plays(7)),
    block(4, {**plays(2, 2, 3), "origin": {"block": 3, "tx": 1}}, name(2, "nobody")),
]
TRACKS = [1, 2, 2, 2, 3, 7]
STEPS_MAX = 400
STRIDE = 1 if FULL else 7


def _run_and_die(ledger: Ledger, stream: Stream, steps: int) -> bool:
    """Run until the process dies after so many steps; whether it lived to its end."""
    with contextlib.closing(open_session(ledger.url)) as session:
        ensure_ledger(Duty(Book(session), Clock()), "kills")
        duty = Duty(Book(Dying(session, steps)), Clock(wait=lambda seconds: None))
        try:
            Ingest(duty, stream).run()
        except Dead:
            return False
        return True


@pytest.mark.parametrize("savepoints", [True, False], ids=["savepoints", "without"])
def test_a_kill_between_any_two_statements_loses_and_doubles_nothing(ledger: Ledger, savepoints: bool) -> None:
    stream = ledger.stream(savepoints=savepoints)
    ledger.blocks = BLOCKS
    kills = 0
    for steps in range(0, STEPS_MAX, STRIDE):
        if _run_and_die(ledger, stream, steps):
            break
        # Nobody is running it, and it says so.
        assert [one.state for one in ledger.engine().streams() if one.state != "interrupted"] == []
        kills += 1
    assert 5 < kills < STEPS_MAX / STRIDE - 1
    assert [one.state for one in ledger.engine().streams()] == ["waiting"]
    assert ledger.tracks() == TRACKS
    assert ledger.rows("SELECT id, name FROM names") == [(1, "one")]
    _, quarantine = ledger.engine().stream("ledger").open_ends()
    assert [one.identity for one in quarantine] == [(1, 0, 1), (3, 0, 0), (4, 1, 0)]


def test_a_sign_taken_for_another_would_be_seen(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant: what was seen is not written down, so that a delivery after a kill is taken twice."""
    stream = ledger.stream()
    ledger.blocks = BLOCKS
    monkeypatch.setattr("tidemark.runtime.streams.account.Account.remember", lambda *_: None)
    _run_and_die(ledger, stream, STEPS_MAX)
    _run_and_die(ledger, stream, STEPS_MAX)
    assert ledger.tracks() != TRACKS


def test_only_one_runs_a_stream_and_a_late_one_commits_nothing(ledger: Ledger) -> None:
    stream = ledger.stream()
    ledger.blocks = BLOCKS[:1]
    inside = ledger.engine(hurried())

    @stream.on("meet")
    def meet(db: Any, event: Any) -> None:
        with pytest.raises(Fault, match="is held by"):
            inside.stream("ledger").run()

    ledger.blocks = [*BLOCKS[:1], block(9, {"type": "meet"})]
    assert ledger.engine().stream("ledger").run().blocks == 2
