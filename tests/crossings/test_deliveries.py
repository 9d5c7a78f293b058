"""Random programs of deliveries: writers, handlers that fail now and then, a deliverer that is killed between two statements.

A plain run plays `ROUNDS` rounds on each engine from a fixed seed; ``TIDEMARK_TEST_FULL=1`` plays twenty times as many. What a
handler writes is there exactly once for each event; what lies beyond the database was told at least once, and known by its key.
"""

from __future__ import annotations

import contextlib
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.kit.size import FULL
from tests.streams.dying import Dead, Dying
from tidemark import Project, Tidemark
from tidemark.database.open import open_session
from tidemark.database.session import Conflict, Session
from tidemark.errors import Fault
from tidemark.runtime import outbox
from tidemark.runtime.clock import Clock
from tidemark.runtime.duty import Duty
from tidemark.runtime.ledger import Ledger
from tidemark.runtime.outbox import CrossingEvent, DeliverReport, deliver, list_events
from tidemark.streams import Database, Shelf

ROUNDS = 400 if FULL else 20
AT = (1, 2, 4)
TOLD = Shelf("told", ("event",))


@dataclass
class Told:
    """What left the database, and how often a handler is still to fail for an event."""

    beyond: Counter[str] = field(default_factory=Counter)
    failures: dict[int, int] = field(default_factory=dict)


def _project(rng: random.Random, told: Told) -> Project:
    project = Project("deliveries")
    within = project.derive(
        "within", key="g", query="SELECT g, count(*) AS n FROM facts GROUP BY g", freshness="commit"
    )
    beyond = project.derive(
        "beyond", key="v", query="SELECT v, count(*) AS n FROM facts GROUP BY v", freshness="commit"
    )

    @within.on_crossing("n", at=AT, again=True)
    def write(db: Database, event: CrossingEvent) -> None:
        db.put(TOLD, {"event": event.id})
        left = told.failures.setdefault(event.id, rng.choice((0, 0, 0, 1, 2)))
        told.failures[event.id] = left - 1
        if left > 0:
            db.run("UPDATE told SET event = event + 1000000")
            raise ValueError("not now")

    @beyond.on_crossing("n", at=AT, again=True, external=True)
    def send(event: CrossingEvent) -> None:
        told.beyond[event.idempotency_key] += 1

    return project


def _statement(rng: random.Random) -> str:
    number, group, value = rng.randint(1, 9), rng.choice("12"), rng.choice("123")
    return rng.choice(
        (
            f"INSERT INTO facts (id, g, v) VALUES ({number}, {group}, {value}) ON CONFLICT (id) DO UPDATE SET g = {group}",
            f"DELETE FROM facts WHERE id >= {number}",
            f"UPDATE facts SET v = {value} WHERE id = {number}",
        )
    )


@contextlib.contextmanager
def _ground(url: str) -> Iterator[Session]:
    with contextlib.closing(open_session(url)) as session:
        with session.transaction():
            session.script("CREATE TABLE facts (id integer PRIMARY KEY, g integer, v integer)")
            session.script("CREATE TABLE told (event integer NOT NULL)")
        yield session


def _deliver(url: str, engine: Tidemark, rng: random.Random, *, may_die: bool) -> bool:
    """Deliver what waits; whether the deliverer lived."""
    with contextlib.closing(open_session(url)) as session:
        lives: Any = Dying(session, rng.randint(0, 25)) if may_die else session
        try:
            deliver(Duty(Ledger(lives), Clock(wait=lambda seconds: None)), engine._handlers())
        except Dead:
            return False
        return True


def _play(url: str) -> None:
    rng, told = random.Random("deliveries"), Told()
    with _ground(url) as session:
        engine = Tidemark(_project(rng, told), url, clock=Clock(wait=lambda seconds: None))
        engine.apply()
        deaths = 0
        for _ in range(ROUNDS):
            for _ in range(rng.randint(1, 4)):
                with session.transaction():
                    session.run(_statement(rng))
            deaths += not _deliver(url, engine, rng, may_die=True)
        while list_events(Ledger(session), "waiting"):
            _deliver(url, engine, rng, may_die=False)
        events = engine.events(limit=10_000)
        within = sorted(one.id for one in events if one.derived == "within")
        assert within and deaths > ROUNDS / 5
        assert sorted(row[0] for row in session.all("SELECT event FROM told")) == within
        assert set(told.beyond) == {one.idempotency_key for one in events if one.derived == "beyond"}
        assert {one.state for one in events} == {"delivered"}


def test_every_event_is_told_once_whatever_dies(engine_url: str) -> None:
    _play(engine_url)


def test_a_record_that_commits_apart_would_be_seen(engine_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant: what a handler writes commits, and then that it was told."""
    whole = outbox._tell

    def apart(duty: Duty, event: CrossingEvent, handler: Any, external: bool, report: DeliverReport) -> None:
        def inside(_: CrossingEvent) -> None:
            def work() -> None:
                face = outbox.Face(duty.session)
                handler(face, event)
                face.settle()

            duty.write(work)

        whole(duty, event, handler if external else inside, True, report)

    monkeypatch.setattr(outbox, "_tell", apart)
    with pytest.raises(AssertionError):
        _play(engine_url)


def test_a_database_that_stays_locked_is_no_failure_of_a_handler(engine_url: str) -> None:
    seconds, project = [0.0], Project("deliveries")
    counts = project.derive(
        "counts", key="g", query="SELECT g, count(*) AS n FROM facts GROUP BY g", freshness="commit"
    )

    @counts.on_crossing("n", at=[1])
    def handle(db: Database, event: CrossingEvent) -> None:
        raise Conflict("somebody has it")

    def pass_by(waited: float) -> None:
        seconds[0] += waited

    engine = Tidemark(project, engine_url, clock=Clock(now=lambda: seconds[0], wait=pass_by))
    with contextlib.closing(open_session(engine_url)) as session:
        with session.transaction():
            session.script("CREATE TABLE facts (id integer PRIMARY KEY, g integer)")
        engine.apply()
        with session.transaction():
            session.script("INSERT INTO facts VALUES (1, 1)")
    with pytest.raises(Fault, match="stayed locked"):
        engine.deliver()
    assert [(one.state, one.attempts) for one in engine.events()] == [("waiting", 0)]
