"""With ``settle="block"`` derived tables pass through the states at blocks, whatever the batches, the workers and the kills."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from tests.streams.ground import Ledger, block, take_play
from tidemark import Project, Tidemark, first, iterable, ratchet
from tidemark.database.open import open_session
from tidemark.errors import Exit, Fault
from tidemark.events import Event
from tidemark.runtime.clock import Clock
from tidemark.runtime.duty import interrupted
from tidemark.streams import Database


def _plays(*pairs: tuple[int, int]) -> dict[str, Any]:
    return {"type": "plays", "plays": [{"listener": listener, "track": track} for listener, track in pairs]}


# What is kept differs when two of these blocks are looked at as one: the first track of listener 1, the most plays of 2.
BLOCKS = [
    block(1, _plays((1, 5), (2, 5), (2, 6))),
    block(2, _plays((1, 3)), {"type": "forget", "listener": 2}),
    block(4, _plays((2, 1), (3, 9))),
    block(5, {"type": "forget", "listener": 3}, _plays((1, 1))),
]
KEPT = [(1, 3, 5), (2, 2, 5), (3, 1, 9)]


def _project(settle: str) -> Project:
    project = Project("heard")
    project.derive(
        "crowd",
        key="listener",
        freshness="tick",
        query="SELECT listener, count(*) AS plays, min(track) AS low FROM plays GROUP BY listener",
        keep={"plays": ratchet(), "low": first()},
        keep_rows=True,
    )
    stream = project.stream("ledger", source=iterable(lambda after: BLOCKS), settle=settle)
    stream.on("plays", each="plays")(take_play)

    @stream.on("forget")
    def forget(db: Database, event: Event) -> None:
        db.run("DELETE FROM plays WHERE listener = :listener", {"listener": event.data["listener"]})

    return project


def _rows(url: str) -> list[tuple[Any, ...]]:
    with contextlib.closing(open_session(url)) as session:
        return session.all("SELECT listener, plays, low FROM crowd ORDER BY listener")


@pytest.mark.parametrize("at_once", [1, 3, None])
def test_any_batching_gives_the_same_rows(ledger: Ledger, at_once: int | None) -> None:
    engine = Tidemark(_project("block"), ledger.url, clock=Clock(wait=lambda seconds: None))
    engine.apply()
    while engine.stream("ledger").run(at_once).blocks:
        # Another worker has nothing left to do between two blocks.
        assert not any(done.changes_sealed for done in engine.tick())
    assert _rows(ledger.url) == KEPT


def test_a_kill_between_a_block_and_its_settling_changes_nothing(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Tidemark(_project("block"), ledger.url, clock=Clock(wait=lambda seconds: None))
    engine.apply()
    for at in range(1, 5):
        left = iter(range(1, 100))
        settle = engine._settle

        def die(duty: Any, at: int = at, left: Any = left, settle: Any = settle) -> None:
            if next(left) == 1 + at:
                raise KeyboardInterrupt
            settle(duty)

        monkeypatch.setattr(engine, "_settle", die)
        with contextlib.suppress(KeyboardInterrupt):
            engine.stream("ledger").run()
        monkeypatch.setattr(engine, "_settle", settle)
    engine.stream("ledger").run()
    assert _rows(ledger.url) == KEPT


def test_who_ends_a_stream_while_it_settles_halts_nothing(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Tidemark(_project("block"), ledger.url, clock=Clock(wait=lambda seconds: None))
    engine.apply()
    settle, calls = engine._settle, iter(range(9))

    def end(duty: Any) -> None:
        if next(calls) == 2:
            raise interrupted("the tick of crowd")
        settle(duty)

    monkeypatch.setattr(engine, "_settle", end)
    with pytest.raises(Fault) as fault:
        engine.stream("ledger").run()
    assert fault.value.exit is Exit.INTERRUPTED
    assert [(one.state, one.cause) for one in engine.streams()] == [("interrupted", None)]
    monkeypatch.undo()
    engine.stream("ledger").run()
    assert _rows(ledger.url) == KEPT and [one.state for one in engine.streams()] == ["waiting"]


def test_without_it_the_states_are_those_at_ticks(ledger: Ledger) -> None:
    """The mutant of the two tests above: ticks that come too seldom keep other rows."""
    engine = Tidemark(_project("tick"), ledger.url, clock=Clock(wait=lambda seconds: None))
    engine.apply()
    engine.stream("ledger").run()
    engine.tick()
    assert _rows(ledger.url) != KEPT
