"""What handlers of many events are given, how far transactions are known, and how often garbage is looked for meanwhile."""

from __future__ import annotations

import contextlib
import gc
from pathlib import Path
from typing import Any

import pytest

from tests.streams.ground import Blocks, Ledger, block, name, open_ledger, plays
from tidemark import Shelf
from tidemark.errors import Fault
from tidemark.events import Event, Events
from tidemark.runtime.streams.account import Account
from tidemark.runtime.streams.garbage import OBJECTS_BETWEEN
from tidemark.streams import Database

PLAYS = Shelf("plays", ("track", "at"))
WAYS: tuple[dict[str, Any], ...] = ({}, {"savepoints": False}, {"savepoints": False, "together": 100})


@pytest.mark.parametrize("way", WAYS)
def test_columns_say_what_the_events_say(ledger: Ledger, way: dict[str, Any]) -> None:
    stream = ledger.stream(**way)
    told: list[Event] = []
    taken: list[Event] = []
    followed: list[Event] = []

    @stream.ahead
    def before(db: Database, events: Events) -> None:
        told.extend(events)
        assert [one.kind for one in events] == events.kinds and [one.position for one in events] == events.positions

    @stream.on("views", each="views", many=True)
    def views(db: Database, events: Events) -> None:
        columns = (events.positions, events.times, events.identities, events.kinds, events.data, events.transactions)
        assert [one[1:7] for one in events] == list(zip(*columns, strict=True))
        assert list(events[:1]) == [events[0]] and events[-1] == list(events)[-1]
        taken.extend(events)
        db.put_all(PLAYS, zip(events.data, events.times, strict=True))

    @stream.after("views", many=True)
    def after(db: Database, events: Events) -> None:
        assert [one.taken for one in events] == events.taken
        followed.extend(events)

    first: dict[str, Any] = {"type": "views", "views": [5, 6]}
    ledger.blocks = [
        block(1, first, name(1, "one"), {"type": "views", "views": [7]}),
        block(4, {"type": "views", "views": []}),
    ]
    ledger.engine().stream("ledger").run()
    assert [(one.position, one.time, one.identity, one.data) for one in taken] == [
        (1, "1001", (1, 0, 0), 5),
        (1, "1001", (1, 0, 1), 6),
        (1, "1001", (1, 2, 0), 7),
    ]
    assert [(one.identity, one.taken, one.data) for one in followed] == [
        ((1, 0, 0), 2, first),
        ((1, 2, 0), 1, {"type": "views", "views": [7]}),
    ]
    assert [(one.identity, one.kind) for one in told] == [
        ((1, 0, 0), "views"),
        ((1, 1, 0), "name"),
        ((1, 2, 0), "views"),
        ((4, 0, 0), "views"),
    ]
    assert ledger.tracks() == [5, 6, 7]


def _grown() -> list[Blocks]:
    """What is delivered one after the other: a transaction that grows twice, and comes again whole and in part."""
    origin = {"origin": {"block": 1, "tx": 0}}
    return [
        [block(1, plays(5), name(1, "one"))],
        [block(2, plays(5, 6, 7) | origin, plays(8)), block(3, plays(5, 6) | origin)],
        [block(1, plays(5, 6, 7, 9), name(1, "one")), block(2, plays(5, 6, 7) | origin, plays(8))],
    ]


@pytest.mark.parametrize("way", WAYS)
def test_a_transaction_is_known_as_far_as_it_was_taken(ledger: Ledger, way: dict[str, Any]) -> None:
    stream = ledger.stream(**way)
    counts = []
    for blocks in _grown():
        ledger.blocks = blocks
        done = ledger.engine().stream(stream.name).run()
        counts.append((done.counts.events, done.counts.redelivered))
    # 5 and a name; 6, 7 and 8, where 5 came twice and 6 once again; 9, where all the others came again.
    assert counts == [(2, 0), (3, 3), (1, 4 + 4)]
    assert ledger.tracks() == [5, 6, 7, 8, 9]


def test_what_does_not_know_how_far_takes_too_much(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant of the test above: the first item stands for all that were seen with it."""
    known = Account.seen
    monkeypatch.setattr(Account, "seen", lambda self, *of: dict.fromkeys(known(self, *of), 1))
    ledger.stream()
    with contextlib.suppress(Fault):
        for blocks in _grown():
            ledger.blocks = blocks
            ledger.engine().stream("ledger").run()
    assert ledger.tracks() != [5, 6, 7, 8, 9]


@pytest.mark.parametrize("way", WAYS)
def test_garbage_is_looked_for_as_before_once_blocks_are_taken(ledger: Ledger, way: dict[str, Any]) -> None:
    stream, before, meanwhile = ledger.stream(**way), gc.get_threshold(), list[int]()

    @stream.on_block
    def opened(db: Database, event: Event) -> None:
        meanwhile.append(gc.get_threshold()[0])
        if event.position == 7:
            raise ValueError("no such block")

    ledger.blocks = [block(1, plays(5)), block(4, plays(6))]
    ledger.engine().stream("ledger").run()
    assert gc.get_threshold() == before
    ledger.blocks.append(block(7))
    with pytest.raises(Fault, match="halted at block 7"):
        ledger.engine().stream("ledger").run()
    assert gc.get_threshold() == before
    assert set(meanwhile) == {OBJECTS_BETWEEN if way.get("together") else before[0]}


@pytest.mark.parametrize("way", WAYS)
def test_sqlite_undoes_in_memory_where_many_blocks_are_taken_at_once(sqlite_path: Path, way: dict[str, Any]) -> None:
    with open_ledger(f"sqlite:///{sqlite_path}") as ledger:
        stream, found = ledger.stream(**way), list[tuple[Any, ...] | None]()

        @stream.on_block
        def opened(db: Database, event: Event) -> None:
            found.append(db.one("PRAGMA temp_store"))

        ledger.blocks = [block(1, plays(5)), block(4, plays(6))]
        ledger.engine().stream("ledger").run()
        assert set(found) == {(2,) if way.get("together") else (0,)}
