"""A worker tells events and takes streams beside its ticks, and nothing that the user's code does there stops a tick."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from tests.streams.ground import Ledger, block, open_ledger, plays, take_play
from tidemark import Project, Tidemark, iterable
from tidemark.runtime.workers.worker import WorkerReport

PATIENCE_SECONDS = 60.0


@pytest.fixture
def ledger(engine_url: str) -> Iterator[Ledger]:
    """An empty ledger on each engine."""
    with open_ledger(engine_url) as found:
        yield found


def declared(
    ledger: Ledger, blocks: Callable[[int | None], Any], handler: Callable[..., object] | None = None
) -> Project:
    project = ledger.project = Project("beside")
    counts = project.derive("counts", query="SELECT track, count(*) AS n FROM plays GROUP BY track", freshness="tick")
    counts.on_crossing("n", at=[2], handler=handler)
    project.stream("ledger", source=iterable(blocks)).on("plays", each="plays")(take_play)
    Tidemark(project, ledger.url).apply()
    return project


def heard(ledger: Ledger, *tracks: int) -> None:
    with ledger.session.transaction():
        for track in tracks:
            ledger.session.run(f"INSERT INTO plays (track) VALUES ({track})")


def until(holds: Callable[[], bool]) -> None:
    """Wait for something that another thread does."""
    pause = threading.Event()
    for _ in range(int(PATIENCE_SECONDS / 0.02)):
        if holds():
            return
        pause.wait(0.02)
    raise AssertionError("it never came")


@contextlib.contextmanager
def worker(project: Project, url: str, **options: Any) -> Iterator[list[WorkerReport]]:
    stop, reports = threading.Event(), list[WorkerReport]()
    engine = Tidemark(project, url, stop=stop.is_set)
    thread = threading.Thread(target=lambda: reports.append(engine.run(**options)))
    thread.start()
    try:
        yield reports
    finally:
        stop.set()
        thread.join(PATIENCE_SECONDS)
        assert not thread.is_alive() and reports


def test_a_handler_that_takes_its_time_stops_no_tick(ledger: Ledger) -> None:
    inside, enough = threading.Event(), threading.Event()
    told: list[int] = []

    def handler(event: Any) -> None:
        inside.set()
        assert enough.wait(PATIENCE_SECONDS)
        told.append(event.key["track"])

    project = declared(ledger, lambda after: ())
    project._declarations["counts"].crossings.clear()
    project._declarations["counts"].on_crossing("n", at=[2], handler=handler, external=True)
    with worker(project, ledger.url, lanes=1, deliver=True) as reports:
        heard(ledger, 1, 1)
        assert inside.wait(PATIENCE_SECONDS)
        heard(ledger, 2, 3, 3)
        until(lambda: len(ledger.rows("SELECT track FROM counts")) == 3)
        assert not told
        enough.set()
        until(lambda: told == [1, 3])
    assert reports[0].delivered == 2 and not reports[0].failing


def test_everything_at_once_ends_with_the_same_rows(ledger: Ledger) -> None:
    said: list[Any] = []
    blocks = [block(at, plays(at % 3, 5)) for at in range(1, 10)]

    def give(after: int | None) -> list[Mapping[str, Any]]:
        return [one for one in blocks if after is None or one["block"] > after]

    def handler(db: Any, event: Any) -> None:
        db.run("INSERT INTO heard VALUES (:track, :n)", {"track": event.key["track"], "n": event.new["n"]})
        said.append(event.key["track"])

    project = declared(ledger, give, handler)
    with worker(project, ledger.url, deliver=True, streams=("ledger",)) as reports:
        until(lambda: len(ledger.rows("SELECT track FROM heard")) == 4)
    assert ledger.rows("SELECT track, n FROM counts ORDER BY track") == [(0, 3), (1, 3), (2, 3), (5, 9)]
    assert sorted(said) == [0, 1, 2, 5]
    assert (reports[0].blocks, reports[0].delivered) == (9, 4)


def test_a_stream_whose_source_breaks_stops_no_tick(ledger: Ledger) -> None:
    def give(after: int | None) -> Iterator[Mapping[str, Any]]:
        yield block(1, plays(7))
        raise ValueError("the wire is cut")

    project = declared(ledger, give)
    report = Tidemark(project, ledger.url).run(until_idle=True, streams=("ledger",))
    assert report.failing == ("stream ledger",)
    assert ledger.rows("SELECT track, n FROM counts") == [(7, 1)]
    (status,) = Tidemark(project, ledger.url).streams()
    assert status.state == "halted" and "the wire is cut" in (status.cause or "")


def test_a_handler_that_fails_is_tried_again_later_and_told(ledger: Ledger) -> None:
    def handler(db: Any, event: Any) -> None:
        raise LookupError("nobody there")

    project = declared(ledger, lambda after: (), handler)
    heard(ledger, 1, 1)
    engine = Tidemark(project, ledger.url)
    engine.tick()
    report = engine.run(until_idle=True, deliver=True)
    assert report.delivered == 0
    (event,) = engine.events()
    # One attempt, and not all of them at once.
    assert (event.state, event.attempts) == ("waiting", 1)
