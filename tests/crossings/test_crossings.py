"""Exactly one event for a row and a threshold, whatever the steps, the freshness, the engine and the one who writes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tidemark import Project, Refusal, Tidemark
from tidemark.database.open import open_session
from tidemark.database.session import Session
from tidemark.runtime.clock import Clock
from tidemark.runtime.outbox import CrossingEvent

QUERY = 'SELECT g AS "the group", count(*) AS n, sum(v) AS total FROM facts GROUP BY g'
Reached = list[tuple[Any, float]]


@dataclass
class Ground:
    """A table of facts and a derived table over it with thresholds."""

    url: str
    session: Session
    project: Project

    def engine(self) -> Tidemark:
        """Tidemark over the database."""
        return Tidemark(self.project, self.url, clock=Clock(wait=lambda seconds: None))

    def write(self, *statements: str) -> None:
        """Write in one transaction, then let ticks follow."""
        with self.session.transaction():
            for text in statements:
                self.session.run(text)
        self.engine().tick()

    def reached(self, state: str = "") -> Reached:
        """(group, threshold) of every event, in order."""
        return [(one.key["the group"], one.threshold) for one in self.engine().events(state)]


@contextlib.contextmanager
def _ground(url: str, freshness: str, **options: Any) -> Iterator[Ground]:
    with contextlib.closing(open_session(url)) as session:
        with session.transaction():
            session.script("CREATE TABLE facts (id integer PRIMARY KEY, g text, v integer)")
            session.script("CREATE TABLE told (g text, threshold integer)")
        project = Project("facts")
        counts = project.derive("counts", key="the group", query=QUERY, freshness=freshness)  # type: ignore[arg-type]
        counts.on_crossing("n", at=[3, 5, 10], **options)
        yield Ground(url, session, project)


@pytest.fixture(params=["commit", "tick"])
def ground(engine_url: str, request: pytest.FixtureRequest) -> Iterator[Ground]:
    """Installed at either freshness, on each engine."""
    with _ground(engine_url, request.param) as found:
        found.engine().apply()
        yield found


def _facts(group: str, first: int, last: int) -> str:
    rows = ", ".join(f"({number}, '{group}', {number})" for number in range(first, last + 1))
    return f"INSERT INTO facts (id, g, v) VALUES {rows}"


def test_one_statement_that_jumps_over_two_thresholds_gives_two_events(ground: Ground) -> None:
    ground.write(_facts("a", 1, 7))
    assert ground.reached() == [("a", 3), ("a", 5)]
    # SQLite's commits show every statement's rows; everywhere else the row came as it is now.
    event: CrossingEvent = ground.engine().events()[1]
    assert event.new["n"] >= 5 and event.new["the group"] == "a"


def test_rows_that_change_places_in_one_statement(ground: Ground) -> None:
    """No state of a commit or a tick reaches the threshold. On SQLite a writer's own rows pass it on the way."""
    ground.write(_facts("a", 1, 2), _facts("b", 3, 4))
    ground.write("UPDATE facts SET g = CASE g WHEN 'a' THEN 'b' ELSE 'a' END")
    on_the_way = ground.url.startswith("sqlite") and ground.project.declarations[0].freshness == "commit"
    assert ground.reached() == ([("b", 3)] if on_the_way else [])


def test_a_threshold_is_reached_once_for_ever(ground: Ground) -> None:
    for _ in range(2):
        ground.write(_facts("a", 1, 4), _facts("b", 11, 11))
        ground.write("DELETE FROM facts")
    assert ground.reached() == [("a", 3)]


def test_a_value_that_stays_above_gives_nothing_more(ground: Ground) -> None:
    ground.write(_facts("a", 1, 4))
    ground.write("UPDATE facts SET v = v + 1")
    ground.write("UPDATE facts SET g = 'b' WHERE id = 1")
    assert ground.reached() == [("a", 3)]


def test_null_keys_and_hostile_texts_are_keys(ground: Ground) -> None:
    ground.write("INSERT INTO facts (id, g, v) VALUES (1, NULL, 1), (2, NULL, 1), (3, NULL, 1)")
    ground.write(
        "INSERT INTO facts (id, g, v) VALUES (4, 'it''s \"ü\"', 1), (5, 'it''s \"ü\"', 1), (6, 'it''s \"ü\"', 1)"
    )
    assert ground.reached() == [(None, 3), ('it\'s "ü"', 3)]


@pytest.mark.parametrize("freshness", ["commit", "tick"])
def test_a_key_that_is_spelled_otherwise_is_the_row_that_was_there(engine_url: str, freshness: str) -> None:
    number = "" if engine_url.startswith("sqlite") else "numeric"
    other = "1.0" if engine_url.startswith("sqlite") else "1.00"
    with _ground(engine_url, freshness) as ground:
        with ground.session.transaction():
            ground.session.run(f"CREATE TABLE parts (id integer PRIMARY KEY, k {number})")
        table = ground.project.derive(
            "parts_of", key="k", query="SELECT k, count(*) AS n FROM parts GROUP BY k", freshness=freshness
        )  # type: ignore[arg-type]
        table.on_crossing("n", at=[2], again=True)
        ground.engine().apply()
        ground.write("INSERT INTO parts VALUES (1, 1), (2, 1), (3, NULL), (4, NULL)")
        ground.write(f"UPDATE parts SET k = {other} WHERE k = 1")
        assert len(ground.engine().events()) == 2
        ((k,),) = ground.session.all("SELECT k FROM parts_of WHERE k IS NOT NULL")
        assert str(k) == other


def test_what_repair_mends_gives_no_event(ground: Ground) -> None:
    ground.write(_facts("a", 1, 4))
    store = ground.engine().sql("counts")[0].store
    with ground.session.transaction():
        ground.session.run(f"DELETE FROM {store}")
        ground.session.run(f"DELETE FROM {_outbox(ground)}")
    ground.engine().repair()
    assert ground.session.all("SELECT n FROM counts") == [(4,)]
    assert ground.reached() == []
    ground.write(_facts("a", 5, 5))
    assert ground.reached() == [("a", 5)]


def _outbox(ground: Ground) -> str:
    return "tidemark._outbox" if ground.session.dialect.has_schemas else "tidemark__outbox"


def test_history_gives_no_events(engine_url: str) -> None:
    with _ground(engine_url, "commit") as ground:
        with ground.session.transaction():
            ground.session.run(_facts("a", 1, 9))
        ground.engine().apply()
        assert ground.reached() == []
        ground.write(_facts("a", 10, 10))
        assert ground.reached() == [("a", 10)]


def test_each_upward_crossing_where_that_is_asked_for(engine_url: str) -> None:
    with _ground(engine_url, "commit", again=True) as ground:
        ground.engine().apply()
        for _ in range(3):
            ground.write(_facts("a", 1, 4))
            ground.write("DELETE FROM facts WHERE id > 1")
            ground.write("DELETE FROM facts")
        assert ground.reached() == [("a", 3)] * 3


def test_what_a_handler_writes_commits_with_the_delivery(engine_url: str) -> None:
    with _ground(engine_url, "commit") as ground:
        counts = ground.project.declarations[0]
        failing = [True]

        @counts.on_crossing("total", at=[3])
        def tell(db: Any, event: CrossingEvent) -> None:
            db.run(
                "INSERT INTO told (g, threshold) VALUES (:g, :at)", {"g": event.key["the group"], "at": event.threshold}
            )
            if failing[0]:
                raise ValueError("not now")

        ground.engine().apply()
        ground.write(_facts("a", 1, 2))
        done = ground.engine().deliver()
        assert (done.delivered, done.failed, done.unhandled) == (0, 1, 0)
        assert ground.session.all("SELECT * FROM told") == []
        (event,) = ground.engine().events()
        assert (event.state, event.attempts, event.error) == ("waiting", 1, "ValueError: not now")
        failing[0] = False
        assert ground.engine().deliver().delivered == 1
        assert ground.engine().deliver().delivered == 0
        assert ground.session.all("SELECT * FROM told") == [("a", 3)]
        assert ground.reached("delivered") == [("a", 3)]


def test_an_external_handler_is_told_again_after_a_failure_and_can_know_it(engine_url: str) -> None:
    with _ground(engine_url, "commit") as ground:
        told: list[str] = []

        def tell(event: CrossingEvent) -> None:
            told.append(event.idempotency_key)
            if len(told) < 7:
                raise ConnectionError("away")

        ground.project.declarations[0].on_crossing("total", at=[3], external=True, handler=tell)
        ground.engine().apply()
        ground.write(_facts("a", 1, 2))
        for _ in range(6):
            ground.engine().deliver()
        assert ground.reached("failed") == [("a", 3)]
        assert ground.engine().retry_events() == 1
        ground.engine().deliver()
        assert ground.engine().deliver().delivered == 1
        assert len(set(told)) == 1 and len(told) == 7


def test_what_cannot_be_reached_is_refused(engine_url: str) -> None:
    with _ground(engine_url, "commit") as ground:
        counts = ground.project.declarations[0]
        for thresholds in ([], [float("nan")], ["3"], [True]):
            with pytest.raises(Refusal, match="thresholds"):
                counts.on_crossing("n", at=thresholds)  # type: ignore[arg-type]
        counts.on_crossing("nothing", at=[1])
        with pytest.raises(Refusal, match="not in the result"):
            ground.engine().plan()


def test_uninstall_leaves_no_trigger(ground: Ground) -> None:
    ground.write(_facts("a", 1, 4))
    ground.engine().uninstall()
    with ground.session.transaction():
        ground.session.run("DELETE FROM facts")
    left = "SELECT count(*) FROM pg_proc WHERE proname LIKE '%crossing%'" if ground.session.dialect.has_schemas else ""
    assert ground.session.all(left or "SELECT count(*) FROM sqlite_schema WHERE name LIKE '%crossing%'") == [(0,)]


def test_what_the_ledger_is_made_of_is_no_orphan(ground: Ground) -> None:
    ground.write(_facts("a", 1, 4))
    assert ground.engine().plan().orphans == ()


def test_each_threshold_of_a_column_has_its_own_handler(engine_url: str) -> None:
    with _ground(engine_url, "commit") as ground:
        counts, told = ground.project.declarations[0], []
        engine = ground.engine()
        assert engine.plan().steps
        # Added after the first plan: what was compiled before does not serve any more.
        counts.on_crossing("total", at=[3], external=True, handler=lambda event: told.append(("low", event.threshold)))
        counts.on_crossing("total", at=[6], external=True, handler=lambda event: told.append(("high", event.threshold)))
        with pytest.raises(Refusal, match="already"):
            counts.on_crossing("total", at=[6, 9])
        engine.apply()
        ground.write(_facts("a", 1, 3))
        assert engine.deliver().delivered == 2
        assert told == [("low", 3), ("high", 6)]


def test_a_session_that_settles_in_the_middle_makes_a_state_of_it(pg_database: str) -> None:
    """Why memory is kept by ticks alone: what a flush in the middle sees is no state that a commit leaves."""
    with _ground(pg_database, "commit") as ground:
        ground.engine().apply()
        with ground.session.transaction():
            ground.session.run("INSERT INTO facts VALUES (1, 'a', 1), (2, 'a', 1), (3, 'a', 1)")
            ground.session.script("SET CONSTRAINTS ALL IMMEDIATE")
            ground.session.run("DELETE FROM facts WHERE id > 1")
        assert ground.session.all("SELECT n FROM counts") == [(1,)]
        assert ground.reached() == [("a", 3)]
