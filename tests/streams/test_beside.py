"""Workers beside a stream that settles: what remembers never sees a block that what it reads has not got to."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from tests.kit.size import FULL
from tests.streams.ground import Ledger, block, take_play
from tidemark import Project, Tidemark, iterable, ratchet
from tidemark.database.open import open_session
from tidemark.events import Event
from tidemark.runtime.clock import Clock
from tidemark.runtime.lease import take_lease
from tidemark.runtime.ledger import Ledger as Book
from tidemark.runtime.ticks import at_once, steady
from tidemark.runtime.ticks.steady import list_settling
from tidemark.streams import Database

TABLES = ("heard_by", "twice", "gaps")
PROGRAMS = 12 if FULL else 2


def _play(listener: int) -> dict[str, Any]:
    return {"type": "plays", "plays": [{"listener": listener, "track": listener}]}


def _blocks(chance: random.Random) -> list[dict[str, Any]]:
    found = []
    for at in range(1, 8):
        txs = [_play(chance.randint(1, 3)) for _ in range(chance.randint(0, 3))]
        found.append(block(at, *txs, *([{"type": "forget", "listener": chance.randint(1, 3)}] * chance.randint(0, 1))))
    return found


def _project(blocks: list[dict[str, Any]], settle: str = "block") -> Project:
    """Two tables kept by ticks, one over the other, and one that remembers by how much they were ever behind the plays."""
    project = Project("beside")
    project.derive(
        "heard_by",
        freshness="tick",
        query="SELECT listener, count(*) AS plays, max(track) AS top FROM plays GROUP BY listener",
    )
    project.derive("twice", key="listener", freshness="tick", query="SELECT listener, plays + plays AS d FROM heard_by")
    project.derive(
        "gaps",
        key="listener",
        query="SELECT p.listener, count(*) * 2 - max(coalesce(t.d, 0)) AS behind, max(coalesce(t.d, 0)) - count(*) * 2 AS ahead "
        "FROM plays p LEFT JOIN twice t ON t.listener = p.listener GROUP BY p.listener",
        keep={"behind": ratchet(), "ahead": ratchet()},
        keep_rows=True,
    )
    stream = project.stream("ledger", source=iterable(lambda after: blocks), settle=settle)
    stream.on("plays", each="plays")(take_play)

    @stream.on("forget")
    def forget(db: Database, event: Event) -> None:
        db.run("DELETE FROM plays WHERE listener = :listener", {"listener": event.data["listener"]})

    return project


def _gaps(url: str) -> list[tuple[Any, ...]]:
    with contextlib.closing(open_session(url)) as session:
        return session.all("SELECT behind, ahead FROM gaps WHERE behind <> 0 OR ahead <> 0")


def _run(url: str, monkeypatch: pytest.MonkeyPatch, seed: int) -> list[tuple[Any, ...]]:
    """Run a stream while another worker ticks one table or another, in part, before each settling; give what was ever behind."""
    chance = random.Random(f"beside {seed}")
    project = _project(_blocks(chance))
    engine, other = (Tidemark(project, url, clock=Clock(wait=lambda seconds: None)) for _ in range(2))
    engine.apply()
    settle = engine._settle

    def beside(duty: Any) -> None:
        for _ in range(chance.randint(0, 3)):
            other.tick(chance.choice(TABLES), max_batches=chance.choice((None, 1, 2)))
        settle(duty)

    monkeypatch.setattr(engine, "_settle", beside)
    engine.stream("ledger").run()
    return _gaps(url)


@pytest.mark.parametrize("seed", range(PROGRAMS))
def test_what_remembers_sees_whole_blocks(ledger: Ledger, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    assert _run(ledger.url, monkeypatch, seed) == []
    assert list_settling(Book(ledger.session)) == ("ledger",)


def test_without_the_wait_it_sees_half_of_one(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant: a worker that asks nothing of what is read."""
    monkeypatch.setattr(steady, "read_first", lambda duty, script: ())
    monkeypatch.setattr(at_once, "read_first", lambda duty, script: ())
    assert _run(ledger.url, monkeypatch, 0) != []


def test_a_table_that_somebody_else_is_at_is_waited_for(ledger: Ledger) -> None:
    project = _project([block(1, _play(1))])
    waits: list[Callable[[], None]] = []
    engine = Tidemark(project, ledger.url, clock=Clock(wait=lambda seconds: waits.pop()() if waits else None))
    engine.apply()
    engine.stream("ledger").run()
    with ledger.session.transaction():
        ledger.session.run("INSERT INTO plays (track, listener) VALUES (9, 1)")
    book = Book(ledger.session)
    lease = take_lease(book, Clock(), "keep heard_by", "elsewhere:1:abc")
    waits += [lease.release]
    (done,) = engine.tick("gaps")
    assert done.drained and not waits
    assert _gaps(ledger.url) == []


def test_where_no_stream_settles_nobody_waits(ledger: Ledger) -> None:
    """A table over stored rows is as fresh as they are: that is what ticks promise, and nothing more is asked of them."""
    engine = Tidemark(_project([block(1, _play(1))], "tick"), ledger.url, clock=Clock(wait=lambda seconds: None))
    engine.apply()
    engine.stream("ledger").run()
    engine.tick("gaps")
    assert _gaps(ledger.url) != []


def test_what_is_tried_again_is_settled_one_by_one(ledger: Ledger) -> None:
    """Two events that are quarantined and taken later are two states, as two blocks are."""
    mood = {"fails": True}
    project = Project("again")
    project.derive(
        "most",
        key="listener",
        freshness="tick",
        query="SELECT listener, count(*) AS plays FROM plays GROUP BY listener",
        keep={"plays": ratchet()},
        keep_rows=True,
    )
    blocks = [block(1, {"type": "add"}), block(2, {"type": "drop"})]
    stream = project.stream("ledger", source=iterable(lambda after: blocks), settle="block")

    def work(sql: str, db: Database, event: Event) -> None:
        db.run(sql)
        if mood["fails"]:
            raise ValueError("not yet")

    stream.on("add")(partial(work, "INSERT INTO plays (track, listener) VALUES (1, 1)"))
    stream.on("drop")(partial(work, "DELETE FROM plays"))
    engine = Tidemark(project, ledger.url, clock=Clock(wait=lambda seconds: None))
    engine.apply()
    engine.stream("ledger").run()
    assert ledger.rows("SELECT listener, plays FROM most") == []
    mood["fails"] = False
    assert engine.stream("ledger").retry().taken == 2
    assert ledger.rows("SELECT listener, plays FROM most") == [(1, 1)]
