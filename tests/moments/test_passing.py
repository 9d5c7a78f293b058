"""Queries that read the clock: rows enter and leave as time passes, with no write at all."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from sqlglot import exp

from tests.kit.size import on_engines_in_turn
from tests.unit.runtime.killing import Killed
from tidemark import Project
from tidemark.database.open import open_session
from tidemark.database.session import Session
from tidemark.engine import Tidemark
from tidemark.errors import Code, Refusal
from tidemark.query import staged
from tidemark.query.relation import Block
from tidemark.query.scalar import Scalar
from tidemark.render import due
from tidemark.runtime.clock import Clock
from tidemark.runtime.duty import Duty
from tidemark.runtime.ticks import seals, tick

START = datetime(2026, 3, 1, 12, 0, 0)

SCHEMA = (
    "CREATE TABLE users (id integer PRIMARY KEY, name text)",
    "CREATE TABLE events (id integer PRIMARY KEY, user_id integer, at timestamp, n integer)",
    "CREATE INDEX events_by_time ON events (at)",
    "CREATE INDEX events_by_user ON events (user_id)",
)

# NOW stands for the clock, AGO(7 days) for a time before it.
QUERIES = {
    "counted": "SELECT u.id AS id, (SELECT count(*) FROM events e WHERE e.user_id = u.id AND e.at > AGO(7 days)) AS n "
    "FROM users u",
    "grouped": "SELECT user_id, count(*) AS n, sum(n) AS total FROM events WHERE at BETWEEN AGO(3 days) AND NOW GROUP BY user_id",
    "joined": "SELECT e.id AS id, u.name AS name, e.at AS at FROM events e LEFT JOIN users u ON u.id = e.user_id AND e.at <= NOW",
    "either": "SELECT u.id AS id, CASE WHEN EXISTS (SELECT 1 FROM events e WHERE e.user_id = u.id AND NOT e.at < AGO(1 days)) "
    "THEN 1 ELSE 0 END AS fresh FROM users u WHERE u.id IN (SELECT user_id FROM events WHERE at < NOW)",
    "nested": "SELECT t.user_id AS user_id, t.n + 1 AS m FROM (SELECT user_id, count(*) AS n FROM events "
    "WHERE at > AGO(2 days) GROUP BY user_id) AS t WHERE t.n > 1",
}

# What is taken together of the rows within a window, over a stage of these.
TOTALS = {
    "total": "SELECT count(*) AS active, sum(n) AS sum, max(id) AS last FROM events WHERE at > AGO(7 days)",
    "different": "SELECT count(DISTINCT user_id) AS users, count(*) AS n FROM events WHERE at > AGO(2 days) AND n = 1",
    "windows": "SELECT count(*) FILTER (WHERE at > AGO(1 days)) AS day, count(DISTINCT user_id) FILTER (WHERE at > AGO(7 days) "
    "AND at <= NOW) AS week, sum(id) FILTER (WHERE NOT at > AGO(3 days)) AS older FROM events",
    "beside": "SELECT count(*) AS n, sum(CASE WHEN e.at BETWEEN AGO(2 days) AND NOW THEN e.id ELSE 0 END) AS fresh, "
    "max(e.id) FILTER (WHERE at > AGO(1 days)) AS last FROM events e JOIN users u ON u.id = e.user_id",
    "figures": "SELECT (SELECT count(*) FROM users) AS users, (SELECT count(*) FROM events WHERE at > AGO(2 days)) AS fresh, "
    "(SELECT count(DISTINCT user_id) FROM events WHERE at > AGO(7 days)) AS week",
    "filtered": "SELECT count(*) AS n, sum(x.id) AS s FROM (SELECT id, n FROM events WHERE at > AGO(2 days)) x WHERE x.n = 1",
    "subtotals": "SELECT user_id, count(*) AS n, max(id) AS last FROM events WHERE at > AGO(3 days) GROUP BY user_id "
    "UNION ALL SELECT NULL, count(*), max(id) FROM events WHERE at > AGO(3 days)",
    "spread": "SELECT n, count(*) AS users FROM (SELECT user_id, count(*) AS n FROM events WHERE at > AGO(3 days) "
    "GROUP BY user_id) x GROUP BY n",
    "active": "SELECT count(*) AS n FROM users u WHERE EXISTS (SELECT 1 FROM events e WHERE e.user_id = u.id "
    "AND e.at > AGO(2 days))",
    "busiest": "WITH r AS (SELECT user_id, count(*) AS n FROM events WHERE at > AGO(3 days) GROUP BY user_id) "
    "SELECT user_id, n FROM r WHERE n = (SELECT max(n) FROM r)",
}


@dataclass
class Calendar:
    """A clock that stands still until it is told to go on."""

    moment: datetime = START

    def today(self) -> str:
        return self.moment.strftime("%Y-%m-%d %H:%M:%S.000")


def spelled(query: str, session: Session, now: str | None) -> str:
    """The query with the engine's own clock, or at a given time."""
    if session.dialect.has_schemas:
        clock = "now()" if now is None else f"timestamptz '{now}+00'"
        return query.replace("NOW", clock).replace("AGO(", f"({clock} - interval '").replace(" days)", " days')")
    clock = "'now'" if now is None else f"'{now}'"
    text = query.replace("NOW", f"datetime({clock})").replace("AGO(", f"datetime({clock}, '-")
    return text.replace(" days)", " days')")


def is_true(session: Session, query: str, name: str, now: str) -> None:
    wanted = sorted(session.all(spelled(query, session, now)), key=repr)
    assert sorted(session.all(f"SELECT * FROM {name}"), key=repr) == wanted


def write(session: Session, sql: str) -> None:
    with session.transaction("write"):
        session.run(sql)


@on_engines_in_turn("name", [*QUERIES, *TOTALS])
def test_rows_come_and_go_with_the_time(engine_url: str, name: str) -> None:
    assert walk(engine_url, name) > 0


def walk(url: str, name: str) -> int:
    """Changes, late ones among them, while time passes, goes back and stands still, and workers that die; give how many results
    there were after the first."""
    rng, calendar, seen = random.Random(f"passing {name}"), Calendar(), set[str]()
    with closing(open_session(url)) as session:
        for statement in SCHEMA:
            write(session, statement)
        for user in range(1, 5):
            write(session, f"INSERT INTO users VALUES ({user}, 'u{user}')")
            for event in (user, 4 + user):
                write(
                    session, f"INSERT INTO events VALUES ({event}, {user}, '{START - timedelta(hours=20 * user)}', 1)"
                )
        project = Project("time")
        query = {**QUERIES, **TOTALS}[name]
        key = "id" if "AS id" in query else "user_id" if name in QUERIES else None
        project.derive("kept", key=key, query=spelled(query, session, None))
        tidemark = Tidemark(project, url, clock=Clock(today=calendar.today))
        tidemark.apply()
        for step in range(12):
            for _ in range(rng.randrange(3)):
                write(session, change(rng, calendar, step))
            if rng.random() < 0.8:
                calendar.moment += timedelta(hours=rng.choice((1, 5, 13, 30, 100, -7)), minutes=rng.randrange(3))
            if rng.random() < 0.3:
                with suppress(Killed), dying(rng.randrange(1, 8)):
                    tidemark.tick()
            tidemark.tick()
            is_true(session, query, "kept", calendar.today())
            seen.add(str(sorted(session.all("SELECT * FROM kept"), key=repr)))
        assert not any(report.drift for report in tidemark.verify())
    return len(seen) - 1


@contextmanager
def dying(writes: int) -> Iterator[None]:
    """Workers die instead of the write transaction after so many."""
    left, whole = [writes], Duty.write

    def write(duty: Duty, *given: Any, **how: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise Killed
        return whole(duty, *given, **how)

    with mock.patch.object(Duty, "write", write):
        yield


def forget_who_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(due, "_differs", lambda store, test: f"({due._later(store, test.test)})")


def ask_the_first_window(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = staged._within

    def first(block: Block) -> exp.Expression | None:
        tests = whole(block)
        return None if tests is None else next(iter(tests.find_all(exp.Paren))).copy()

    monkeypatch.setattr(staged, "_within", first)


def leave_the_moment_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tick, "let_time_pass", lambda duty, script: None)
    monkeypatch.setattr(seals, "let_time_pass", lambda duty, script: None)


@pytest.mark.parametrize(
    ("mistake", "name"),
    [(forget_who_leaves, "total"), (ask_the_first_window, "windows"), (leave_the_moment_behind, "different")],
)
def test_a_mistake_in_what_is_within_a_window_is_found(
    sqlite_path: Path, monkeypatch: pytest.MonkeyPatch, mistake: Callable[[pytest.MonkeyPatch], None], name: str
) -> None:
    mistake(monkeypatch)
    with pytest.raises(AssertionError):
        walk(f"sqlite:///{sqlite_path}", name)


def change(rng: random.Random, calendar: Calendar, step: int) -> str:
    at = calendar.moment.replace(minute=0) + timedelta(hours=rng.randrange(-200, 60))
    user = rng.choice(("NULL", "1", "2", "3", "9"))
    moment = rng.choice(("NULL", f"'{at:%Y-%m-%d %H:%M:%S}'", f"'{at:%Y-%m-%d %H:%M:%S}'"))
    which = rng.randrange(12)
    return rng.choice(
        (
            f"INSERT INTO events VALUES ({1000 + step * 10 + rng.randrange(9)}, {user}, {moment}, 1) ON CONFLICT DO NOTHING",
            f"INSERT INTO events VALUES ({which}, {user}, {moment}, 1) ON CONFLICT (id) DO UPDATE SET at = excluded.at",
            f"UPDATE events SET user_id = {user}, at = {moment} WHERE id % 7 = {which % 7}",
            f"DELETE FROM events WHERE id % 5 = {which % 5}",
            f"DELETE FROM users WHERE id = {which % 5}",
            f"INSERT INTO users VALUES ({which % 5}, 'again') ON CONFLICT DO NOTHING",
        )
    )


def test_nothing_is_written_while_nothing_is_due(engine_url: str) -> None:
    calendar = Calendar()
    with closing(open_session(engine_url)) as session:
        for statement in SCHEMA:
            write(session, statement)
        write(session, "INSERT INTO users VALUES (1, 'one')")
        write(session, "INSERT INTO events VALUES (1, 1, '2026-03-01 11:00:00', 1)")
        project = Project("time")
        project.derive("kept", key="id", query=spelled(QUERIES["counted"], session, None))
        tidemark = Tidemark(project, engine_url, clock=Clock(today=calendar.today))
        tidemark.apply()
        tidemark.tick()
        calendar.moment += timedelta(days=6)
        assert [report.transactions for report in tidemark.tick()] == [0]
        calendar.moment += timedelta(days=1)
        assert [report.rows_written for report in tidemark.tick()] == [1]
        is_true(session, QUERIES["counted"], "kept", calendar.today())


def test_a_range_of_an_index_finds_what_is_due(engine_url: str) -> None:
    with closing(open_session(engine_url)) as session:
        for statement in SCHEMA:
            write(session, statement)
        project = Project("time")
        project.derive("kept", key="id", query=spelled(QUERIES["counted"], session, None))
        tidemark = Tidemark(project, engine_url)
        tidemark.apply()
        (script,) = tidemark.sql()
        assert script.due is not None
        (statement,) = script.tick.due.statements
        if session.dialect.has_schemas:
            with session.transaction("write"):
                session.run("SET LOCAL enable_seqscan = off")
                plan = session.all(f"EXPLAIN {statement}", {"at": "2026-03-01 12:00:00"})
        else:
            plan = session.all(f"EXPLAIN QUERY PLAN {statement}", {"at": "2026-03-01 12:00:00"})
        assert "events_by_time" in str(plan)


def test_a_value_made_of_the_time_wants_a_cadence(engine_url: str) -> None:
    calendar = Calendar()
    with closing(open_session(engine_url)) as session:
        for statement in SCHEMA:
            write(session, statement)
        write(session, "INSERT INTO events VALUES (1, 1, '2026-03-01 11:00:00', 1)")
        query = "SELECT id, NOW AS seen FROM events"
        project = Project("time")
        project.derive("kept", key="id", query=spelled(query, session, None))
        with pytest.raises(Refusal) as caught:
            Tidemark(project, engine_url).plan()
        assert caught.value.code is Code.VOLATILE
        project = Project("time")
        project.derive("kept", key="id", query=spelled(query, session, None), every="60s")
        tidemark = Tidemark(project, engine_url, clock=Clock(today=calendar.today))
        tidemark.apply()
        tidemark.tick()
        is_true(session, query, "kept", calendar.today())
        calendar.moment += timedelta(seconds=59)
        assert [report.rows_written for report in tidemark.tick()] == [0]
        calendar.moment += timedelta(seconds=1)
        assert [report.rows_written for report in tidemark.tick()] == [1]
        is_true(session, query, "kept", calendar.today())


def test_no_commit_is_due(engine_url: str) -> None:
    with closing(open_session(engine_url)) as session:
        for statement in SCHEMA:
            write(session, statement)
        project = Project("time")
        project.derive("kept", key="id", query=spelled(QUERIES["counted"], session, None), freshness="commit")
        with pytest.raises(Refusal) as caught:
            Tidemark(project, engine_url).plan()
        assert caught.value.code is Code.FRESHNESS


SECONDS = "CAST(strftime('%s', 'now') AS INTEGER)"
CONVERTED = (f"at > {SECONDS}", f"{SECONDS} = at", f"at BETWEEN ({SECONDS}) AND CAST({SECONDS} + 7200 AS TEXT)")


def _passes(path: str, type_: str) -> list[str]:
    """Which comparisons with a CAST were wrong while hours passed, of texts and of numbers in a column of that type."""
    calendar, wrong = Calendar(), []
    start = int((START - datetime(1970, 1, 1)).total_seconds())
    with closing(open_session(path)) as session:
        write(session, f"CREATE TABLE events (id INTEGER PRIMARY KEY, at {type_})")
        hours = [start + 3600 * hour for hour in range(-2, 5)]
        for value in [str(at) for at in hours] + [f"'{at}'" for at in hours] + [f"{start}.5", "NULL", "'x'", "''"]:
            write(session, f"INSERT INTO events (at) VALUES ({value})")
        project = Project("time")
        for number, test in enumerate(CONVERTED):
            project.derive(f"kept_{number}", key="id", query=f"SELECT id, at FROM events WHERE {test}")
        tidemark = Tidemark(project, path, clock=Clock(today=calendar.today))
        tidemark.apply()
        for hours_on in (1, 1, -3, 2):
            calendar.moment += timedelta(hours=hours_on)
            tidemark.tick()
            for number, test in enumerate(CONVERTED):
                query = f"SELECT id, at FROM events WHERE {test}".replace("'now'", f"'{calendar.today()}'")
                if sorted(session.all(query)) != sorted(session.all(f"SELECT * FROM kept_{number}")):
                    wrong.append(test)
    return wrong


@pytest.mark.parametrize("type_", ["", "TEXT", "INTEGER"])
def test_what_is_compared_with_a_cast_is_converted_where_time_passes_too(sqlite_path: Path, type_: str) -> None:
    assert not _passes(f"sqlite:///{sqlite_path}", type_)


def test_bounds_that_forget_what_they_were_cast_to_leave_rows_behind(
    sqlite_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Scalar, "typed", lambda self, value: value)
    assert _passes(f"sqlite:///{sqlite_path}", "")
