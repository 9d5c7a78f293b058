"""No tick's transaction is long twice: what units took, and how far changes reached, is remembered in the ledger."""

import contextlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from unittest import mock

import pytest

from tests.unit.runtime.place import Time
from tidemark import Project, Tidemark
from tidemark.database.open import open_session
from tidemark.database.session import Session
from tidemark.dialect import Dialect
from tidemark.runtime import pace
from tidemark.runtime.ticks import at_once, backlog, portions, rival, sealing, small, state, tick
from tidemark.runtime.ticks import batch as apply_batch
from tidemark.runtime.ticks.guard import Choice, Way
from tidemark.runtime.ticks.seals import TickReport

SCHEMA = """
CREATE TABLE forums (id INTEGER PRIMARY KEY, title TEXT);
CREATE TABLE posts (id INTEGER PRIMARY KEY, forum_id INTEGER, author TEXT);
CREATE INDEX posts_by_forum ON posts (forum_id);
INSERT INTO forums VALUES (1, 'one'), (2, 'two');
"""
QUERY = "SELECT p.id, p.author, f.title FROM posts p JOIN forums f ON f.id = p.forum_id"


AUTHORS = "SELECT forum_id, count(DISTINCT author) AS authors FROM posts GROUP BY forum_id"


def _few(dialect: Dialect, hold_ms: float | None = None) -> pace.Pace:
    return pace.Pace(1e9, dialect.writers_wait_in_line, size=20, size_min=10, size_max=500)


@dataclass
class Forum:
    """A database with posts in threads, whose authors are counted by ticks. Time stands still but for units that are computed."""

    url: str
    user: Session
    time: Time

    def tick(self, first: int, ms: float, threads: int = 8) -> TickReport:
        """Some threads get a post each, numbered from there on, and computing each of them takes so long; what a tick did."""
        with self.user.transaction():
            values = ", ".join(f"({first + number}, {number}, '{first + number}')" for number in range(threads))
            self.user.run(f"INSERT INTO posts VALUES {values}")
        # An application of its own each time: what is remembered is in the database.
        with units_take(self.time, ms):
            (report,) = Tidemark(self.project(), self.url, clock=self.time.clock()).tick()
        assert report.drained and report.keys_applied == threads
        assert sorted(self.user.all("SELECT * FROM authors")) == sorted(self.user.all(AUTHORS))
        return report

    @staticmethod
    def project() -> Project:
        project = Project("forum")
        project.derive("authors", query=AUTHORS, freshness="tick", support=False)
        return project


@pytest.fixture
def forum(engine_url: str) -> Iterator[Forum]:
    with contextlib.closing(open_session(engine_url)) as user:
        with user.transaction():
            user.script(SCHEMA)
        made = Forum(engine_url, user, Time())
        Tidemark(made.project(), engine_url).apply()
        yield made


@contextlib.contextmanager
def units_take(time: Time, ms: float) -> Iterator[None]:
    """Each unit that is computed takes so long."""

    def slowly(session: Any, one: Any, take: Callable[[], object], compute: Any = None) -> int:
        written = apply_batch.apply_batch(session, one, take, compute)
        found = re.search(r"(?:INTO|FROM|TABLE) ([^ ;]*batch[^ ;]*)", one.clear_batch)
        row = session.one(f"SELECT count(*) FROM {found[1]}") if found else None
        time.seconds += int(row[0]) * ms / 1000 if row else 0.0
        return written

    def usual(duty: object, script: object, way: Way, work: int, word: str) -> Choice:
        return Choice(way, "there is no other way")

    with contextlib.ExitStack() as stack:
        for room in (sealing, small):
            stack.enter_context(mock.patch.object(room, "apply_batch", slowly))
        for room in (tick, at_once):
            stack.enter_context(mock.patch.object(room, "choose_for", usual))
        stack.enter_context(mock.patch.object(rival.Rival, "outruns", return_value=None))
        yield


def test_units_that_took_long_are_computed_alone_from_then_on(forum: Forum) -> None:
    assert forum.tick(1000, ms=1.0).transactions == 1
    assert forum.tick(2000, ms=400.0).longest_ms == pytest.approx(8 * 400)
    assert forum.tick(3000, ms=400.0).longest_ms == pytest.approx(400)
    # Units that are small again are soon taken together.
    forum.tick(4000, ms=1.0)
    assert forum.tick(5000, ms=1.0).transactions == 1


def test_a_tick_that_forgets_is_long_again(forum: Forum) -> None:
    with mock.patch.object(portions.Portion, "remember", lambda portion: None):
        for first in (1000, 2000):
            assert forum.tick(first, ms=400.0).longest_ms == pytest.approx(8 * 400)


def test_a_first_tick_of_many_units_takes_few_at_a_time(forum: Forum) -> None:
    assert forum.tick(1000, ms=20.0, threads=150).longest_ms <= portions.FIRST_UNITS * 20


@pytest.mark.parametrize("mistaken", [False, True])
def test_what_changes_reach_far_is_read_before_anything_is_written(engine_url: str, mistaken: bool) -> None:
    project = Project("forum")
    project.derive("titles", query=QUERY, freshness="tick")
    with contextlib.closing(open_session(engine_url)) as user, contextlib.ExitStack() as stack:
        with user.transaction():
            user.script(SCHEMA)
            rows = ", ".join(f"({number}, {1 if number < 120 else 2}, 'a{number}')" for number in range(1, 130))
            user.run(f"INSERT INTO posts VALUES {rows}")
        tidemark = Tidemark(project, engine_url)
        tidemark.apply()
        for room in (tick, state, at_once):
            stack.enter_context(mock.patch.object(room, "choose_pace", _few))
        readings = stack.enter_context(mock.patch.object(sealing, "read_more", side_effect=backlog.read_more))
        stack.enter_context(mock.patch.object(rival.Rival, "outruns", return_value=None))
        if mistaken:
            stack.enter_context(mock.patch.object(portions.Portion, "reached", lambda portion, changes, units: None))
        for title in ("first", "second"):
            readings.reset_mock()
            with user.transaction():
                user.run(f"UPDATE forums SET title = '{title}' WHERE id = 1")
            (report,) = tidemark.tick()
            assert report.drained and report.keys_applied == 119
            assert readings.called is not mistaken
            assert sorted(user.all("SELECT * FROM titles")) == sorted(user.all(QUERY))
        # Changes that reach little are followed at once again, after one that has shown it.
        for number, transactions in ((120, {4, 5}), (121, {1})):
            with user.transaction():
                user.run(f"UPDATE posts SET author = 'x' WHERE id = {number}")
            (report,) = tidemark.tick()
            assert report.transactions in transactions or mistaken
            assert sorted(user.all("SELECT * FROM titles")) == sorted(user.all(QUERY))
