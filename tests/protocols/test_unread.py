"""Values that no expression of a query can read: while they stand in a source, when they are gone, and in between.

A value that stands keeps the tables that cannot read it behind, each with a fault that names it, and no other. A value that is
gone keeps nothing behind, although its images are still in the log.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count, product
from typing import Any
from unittest import mock

import psycopg
import pytest

from tests.kit.size import on_engines_in_turn, taken
from tidemark import Project, Tidemark
from tidemark.database.open import open_session
from tidemark.database.session import Session, Unacceptable
from tidemark.runtime.pace import Pace
from tidemark.runtime.ticks import deltas, tick
from tidemark.runtime.ticks.guard import Choice

NUMBER = {"sqlite": "json_extract({}, '$.a')", "postgresql": "CAST({} AS integer)"}
GOOD = {"sqlite": "'{{\"a\": {}}}'", "postgresql": "'{}'"}
SAID = {"sqlite": "malformed JSON", "postgresql": "invalid input syntax"}
KEYED = {
    "joined by it": "SELECT t.id, p.id AS post, t.name FROM threads t LEFT JOIN posts p ON {note} = t.id",
    "parted by it": "SELECT p.id, row_number() OVER (PARTITION BY {note} ORDER BY p.id) AS place FROM posts p",
}
LINEAR = {
    "sum of it": "SELECT t.id, (SELECT sum({note}) FROM posts p WHERE p.thread_id = t.id) AS total FROM threads t",
    "greatest of it": "SELECT t.id, (SELECT max({note}) FROM posts p WHERE p.thread_id = t.id) AS most FROM threads t",
    "counted by it": "SELECT {note} AS k, count(*) AS n FROM posts p GROUP BY {note}",
    "shown": "SELECT p.id, {note} AS v FROM posts p WHERE p.thread_id > 0",
}
ADDED = {
    "sum of a join": "SELECT t.name, sum({note}) AS total, count(*) AS n FROM threads t JOIN posts p ON p.thread_id = t.id "
    "GROUP BY t.name",
    "count of a join": "SELECT t.name, count(*) AS n FROM threads t JOIN posts p ON {note} = t.id GROUP BY t.name",
}
QUERIES = {**KEYED, **LINEAR, **ADDED}
WELL = "SELECT p.thread_id, count(p.note) AS n FROM posts p GROUP BY p.thread_id"


@dataclass
class Place:
    """A database with a derived table that reads notes as numbers, and one that only counts them."""

    url: str
    engine: str
    query: str
    user: Session

    def open(self) -> Tidemark:
        project = Project("forum")
        project.derive("poisoned", query=self.query, freshness="tick", every="10s", allow_global=True)
        project.derive("well", query=WELL, freshness="tick")
        return Tidemark(project, self.url)

    def write(self, statement: str) -> None:
        with self.user.transaction():
            self.user.script(statement)

    def note(self, post: int, value: int | None) -> None:
        """Write a note that is a number, or one that is none."""
        text = "'no number'" if value is None else GOOD[self.engine].format(value)
        self.write(f"UPDATE posts SET note = {text} WHERE id = {post}")

    def is_true(self, name: str = "poisoned") -> bool:
        query = self.query if name == "poisoned" else WELL
        rows = [sorted(map(repr, self.user.all(text))) for text in (f"SELECT * FROM {name}", query)]
        return rows[0] == rows[1]

    def status(self, tidemark: Tidemark, name: str = "poisoned") -> Any:
        return next(one for one in tidemark.status() if one.name == name)


@contextlib.contextmanager
def _place(url: str, query: str, posts: int = 3) -> Iterator[Place]:
    engine = "sqlite" if url.startswith("sqlite") else "postgresql"
    with contextlib.closing(open_session(url)) as user:
        place = Place(url, engine, query.format(note=NUMBER[engine].format("p.note")), user)
        rows = ", ".join(f"({one}, {1 + one % 3}, {GOOD[engine].format(1 + one % 2)})" for one in range(1, posts + 1))
        place.write(
            "CREATE TABLE threads (id integer PRIMARY KEY, name text NOT NULL);"
            "CREATE TABLE posts (id integer PRIMARY KEY, thread_id integer NOT NULL, note text);"
            f"INSERT INTO threads VALUES (1, 'a'), (2, 'b'), (3, 'a'); INSERT INTO posts VALUES {rows}"
        )
        place.open().apply()
        yield place


@on_engines_in_turn("shape", QUERIES)
def test_a_value_that_stands_keeps_only_those_behind_that_cannot_read_it(engine_url: str, shape: str) -> None:
    with _place(engine_url, QUERIES[shape]) as place:
        tidemark = place.open()
        place.note(1, None)
        for _ in range(3):
            with pytest.raises(Unacceptable, match=SAID[place.engine]) as told:
                tidemark.tick()
        assert "poisoned cannot be made true" in str(told.value)
        assert place.is_true("well")
        # It is on record, and what asks for the health of everything finds it.
        failed = [one for one in tidemark.history("poisoned") if one.state == "failed"]
        assert len(failed) == 3 and SAID[place.engine] in str(failed[0].cause)
        with contextlib.closing(tidemark.onlooker()) as looking:
            found = [one for one in looking.overview().verdict.findings if one.level == "fail"]
        assert [(one.name, one.says) for one in found] == [("poisoned", found[0].says)] and "failed" in found[0].says
        # A worker goes on with the others.
        place.write("INSERT INTO posts VALUES (77, 2, NULL)")
        report = tidemark.run(until_idle=True)
        assert report.failing == ("poisoned",) and place.is_true("well")
        place.note(1, 2)
        tidemark.tick()
        assert place.is_true() and place.is_true("well") and place.status(tidemark).pending == 0
        with contextlib.closing(tidemark.onlooker()) as looking:
            assert not [one for one in looking.overview().verdict.findings if one.level == "fail"]
        _goes_on(place, tidemark)


@pytest.mark.parametrize(("shape", "gone"), taken(product(QUERIES, ("corrected", "deleted")), 3))
def test_a_value_that_is_gone_keeps_nothing_behind(engine_url: str, shape: str, gone: str) -> None:
    with _place(engine_url, QUERIES[shape]) as place:
        tidemark = place.open()
        place.note(1, None)
        if gone == "corrected":
            place.note(1, 2)
        else:
            place.write("DELETE FROM posts WHERE id = 1")
        tidemark.tick()
        assert place.is_true() and place.status(tidemark).pending == 0
        _goes_on(place, tidemark)


def _goes_on(place: Place, tidemark: Tidemark) -> None:
    """What comes later is followed as ever, and the logs hold nothing."""
    place.note(2, 1)
    place.write(f"INSERT INTO posts VALUES (9, 1, {GOOD[place.engine].format(3)})")
    tidemark.tick()
    assert place.is_true() and place.is_true("well")
    assert "could not be read" not in place.status(tidemark).reason


@pytest.mark.parametrize("shape", ["joined by it", "sum of it"])
def test_the_history_says_why_everything_was_computed_anew(engine_url: str, shape: str) -> None:
    with _place(engine_url, QUERIES[shape]) as place:
        tidemark = place.open()
        place.note(1, None)
        place.note(1, 2)
        tidemark.tick()
        newest = tidemark.history("poisoned")[0]
        assert newest.state == "done" and newest.message is not None
        assert "everything was computed anew" in newest.message and SAID[place.engine] in newest.message
        assert "everything was computed anew" in place.status(tidemark).reason


@pytest.mark.parametrize("shape", [shape for shape in QUERIES if shape != "parted by it"])
def test_at_commit_freshness_its_own_writer_is_refused(engine_url: str, shape: str) -> None:
    with _place(engine_url, QUERIES[shape]) as place:
        project = Project("forum")
        project.derive("poisoned", query=place.query, freshness="commit", allow_global=True)
        tidemark = Tidemark(project, engine_url)
        tidemark.apply(allow_drop=True)
        before = place.user.all("SELECT * FROM posts ORDER BY id")
        with pytest.raises(Unacceptable, match=SAID[place.engine]):
            place.note(1, None)
        assert place.user.all("SELECT * FROM posts ORDER BY id") == before and place.is_true()
        place.note(1, 2)
        assert place.is_true()


MANY = {
    "keyed": KEYED["joined by it"],
    "linear": "SELECT t.id, (SELECT sum(p.id) FROM posts p WHERE p.thread_id = t.id) AS total,"
    " (SELECT max({note}) FROM posts p WHERE p.thread_id = t.id) AS most FROM threads t",
    "added": ADDED["count of a join"],
}


def test_a_unit_that_fits_into_no_index_waits_while_it_stands(pg_database: str) -> None:
    query = (
        "SELECT p.note, count(*) AS n, string_agg(p.id::text, ' ' ORDER BY p.id) AS ids FROM posts p GROUP BY p.note"
    )
    with _place(pg_database, query) as place:
        tidemark = place.open()
        for digests in (100, 1_000):
            long = f"(SELECT string_agg(md5(g::text), '') FROM generate_series(1, {digests}) g)"
            place.write(f"UPDATE posts SET note = {long} WHERE id = 1")
            with pytest.raises(Unacceptable, match=r"cannot be made true.* has to fit into an index"):
                tidemark.tick()
            assert place.is_true("well")
            place.note(1, 2)
            tidemark.tick()
            assert place.is_true()
        # Writers of a table that is true at every commit are told by the index.
        project = Project("forum")
        project.derive("poisoned", query=query, freshness="commit")
        Tidemark(project, pg_database).apply(allow_drop=True)
        with pytest.raises(Unacceptable, match="has to fit into an index"):
            place.write(f"UPDATE posts SET note = {long} WHERE id = 1")
        assert place.is_true()


def _in_sevens(*_: object) -> Pace:
    return Pace(target_ms=1e9, in_line=False, size=7, size_min=7, size_max=7)


@pytest.fixture
def in_small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """No tick is small, a transaction takes a few changes or units, and nothing is read as a whole."""
    monkeypatch.setattr(tick, "tick_at_once", lambda duty, script: None)
    for module in (tick, deltas):
        monkeypatch.setattr(
            module,
            "choose_pace",
            lambda dialect, hold_ms=None: Pace(target_ms=1e9, in_line=False, size=7, size_min=7, size_max=7),
        )
    # Whatever it costs at this moment: on a busy machine the whole result may seem the cheaper way.
    monkeypatch.setattr(deltas, "choose_for", lambda duty, script, usual, *_: Choice(usual, "asked for"))


@pytest.mark.usefixtures("in_small_steps")
@pytest.mark.parametrize(("shape", "batches"), taken(product(MANY, range(1, 9, 2)), 3))
def test_a_long_seal_goes_on_whenever_it_was_left(engine_url: str, shape: str, batches: int) -> None:
    with _place(engine_url, MANY[shape], 90) as place:
        tidemark = place.open()
        place.write("UPDATE posts SET thread_id = 1 + (thread_id % 3) WHERE id % 2 = 0")
        place.note(41, None)
        place.note(41, 1)
        place.write("UPDATE posts SET thread_id = 1 + (thread_id % 3) WHERE id % 3 = 0")
        with contextlib.suppress(Unacceptable):
            tidemark.tick(max_batches=batches)
        place.note(42, None)
        with contextlib.suppress(Unacceptable):
            tidemark.tick(max_batches=batches)
        place.note(42, 2)
        place.open().tick()
        assert place.is_true()
        place.write("DELETE FROM posts WHERE id % 5 = 0")
        tidemark.tick()
        assert place.is_true()


@pytest.mark.usefixtures("in_small_steps")
def test_a_log_whose_rows_move_between_two_slices_is_added_up_from_its_beginning(pg_database: str) -> None:
    """A statement that was undone leaves a gap at the log's beginning, which VACUUM FULL closes."""
    read, slices = deltas._read_slice, count()

    def moving(state: Any, added: Any, log: Any, checkpoint: Any) -> None:
        read(state, added, log, checkpoint)
        if log.source == "posts" and next(slices) == 1:
            with psycopg.connect(pg_database, autocommit=True) as connection:
                connection.execute(f"VACUUM FULL {log.log}")

    with _place(pg_database, MANY["linear"], 90) as place:
        with psycopg.connect(pg_database) as undone:
            for note in range(10, 20):
                undone.execute(f"UPDATE posts SET note = '{note}'")
            undone.rollback()
        place.write("UPDATE posts SET note = '7', thread_id = 1 + id % 2")
        with mock.patch.object(deltas, "_read_slice", moving):
            place.open().tick("poisoned")
        assert place.is_true() and next(slices) > 3


class Killed(Exception):
    """The process ends here."""


@pytest.mark.usefixtures("in_small_steps")
@pytest.mark.parametrize("mistake", [False, True], ids=["remembered", "forgotten"])
def test_what_a_seal_had_added_before_it_began_anew_is_not_added_twice(engine_url: str, mistake: bool) -> None:
    """Sums are added up to some place; then a row is not accepted, and the process is killed. Whoever goes on knows by the seal's
    place alone that everything is computed anew."""
    with _place(engine_url, MANY["linear"], 90) as place:
        place.write("INSERT INTO threads SELECT id + 10, 'c' FROM posts; UPDATE posts SET thread_id = id + 10")
        tidemark = place.open()
        tidemark.tick()
        # A greater value than before is added; with an equal one its row would be computed anew.
        place.write(f"UPDATE posts SET id = id + 1000, note = {GOOD[place.engine].format(9)}")
        assert not tidemark.tick("poisoned", max_batches=4)[0].drained
        with contextlib.ExitStack() as stack:
            stack.enter_context(mock.patch.object(deltas, "_add", side_effect=Unacceptable("a veto")))
            stack.enter_context(mock.patch.object(deltas, "_add_everything", side_effect=Killed))
            if mistake:
                stack.enter_context(mock.patch.object(deltas, "_move", _forgetting(deltas._move)))
            with pytest.raises((Killed, Unacceptable)):
                tidemark.tick("poisoned")
        place.open().tick()
        assert place.is_true() is not mistake


def _forgetting(original: Callable[..., int]) -> Callable[..., int]:
    def move(state: Any, place: int) -> int:
        return original(state, max(0, place))

    return move


@pytest.mark.usefixtures("in_small_steps")
def test_a_whole_result_too_large_for_one_transaction_is_added_up(
    engine_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where sums are added all that differs is written at once or not at all, in whichever of the transactions it turns out."""
    monkeypatch.setattr(deltas, "choose_for", lambda duty, script, usual, *_: Choice("full", "asked for"))
    monkeypatch.setattr(Pace, "rows_known", 5)
    with _place(
        engine_url, "SELECT p.id / 3 AS g, count(*) AS n, sum(p.thread_id) AS s FROM posts p GROUP BY 1", 60
    ) as place:
        tidemark = place.open()
        place.write("UPDATE posts SET thread_id = 1 + (thread_id % 3) WHERE id < 6")
        tidemark.tick()
        assert place.is_true() and place.status(tidemark).way == "full"
        place.write("UPDATE posts SET thread_id = thread_id + 1; DELETE FROM posts WHERE id % 7 = 0")
        tidemark.tick("poisoned", max_batches=2)
        place.write("UPDATE posts SET thread_id = thread_id + 1 WHERE id % 2 = 0")
        tidemark.tick()
        assert place.is_true() and "too much for one transaction" in place.status(tidemark).reason
        assert all(report.clean for report in tidemark.verify())


BEGUN = {
    "grouped": "SELECT {note} AS k, count(*) AS n FROM posts p GROUP BY {note}",
    "joined": "SELECT t.id, count(*) AS n FROM threads t JOIN posts p ON {note} = t.id GROUP BY t.id",
    "scanned": "SELECT {name} AS k, count(*) AS n FROM posts p JOIN threads t ON t.id = p.thread_id GROUP BY {name}",
}


@contextlib.contextmanager
def _begun(url: str, shape: str) -> Iterator[tuple[Place, Tidemark]]:
    """A table whose rows begin with the first change after deployment. Of 1, 2 and 7 there are rows before."""
    with _place(url, WELL, 40) as place:
        number, seven = NUMBER[place.engine], GOOD[place.engine].format(7)
        named = " ".join(
            f"UPDATE threads SET name = {GOOD[place.engine].format(one)} WHERE id = {one};" for one in (1, 2, 3)
        )
        place.write(f"{named} INSERT INTO threads VALUES (7, {seven}); INSERT INTO posts VALUES (50, 7, {seven})")
        place.query = BEGUN[shape].format(note=number.format("p.note"), name=number.format("t.name"))
        project = Project("forum")
        if shape == "scanned":
            project.source("posts", capture="scan", watermark="id")
        project.derive("begun", query=place.query, marks="now", keep_rows=True)
        tidemark = Tidemark(project, place.url)
        tidemark.apply(allow_drop=True)
        yield place, tidemark


@pytest.mark.parametrize("small", [False, True], ids=["at once", "in small steps"])
@on_engines_in_turn("shape", BEGUN)
def test_rows_that_begin_with_a_change_begin_beside_one_that_cannot_be_read(
    engine_url: str, shape: str, small: bool, request: pytest.FixtureRequest
) -> None:
    if small:
        request.getfixturevalue("in_small_steps")
    with _begun(engine_url, shape) as (place, tidemark):
        assert place.user.all("SELECT * FROM begun") == []
        one, three = (GOOD[place.engine].format(number) for number in (1, 3))
        if shape == "scanned":
            place.write("UPDATE threads SET name = 'no number' WHERE id = 3; INSERT INTO posts VALUES (60, 1, NULL)")
            mended = f"UPDATE threads SET name = {three} WHERE id = 3; INSERT INTO posts VALUES (61, 2, NULL)"
        else:
            place.write("UPDATE posts SET note = NULL WHERE id > 1 AND id % 2 = 0")
            place.note(1, None)
            mended = f"DELETE FROM posts WHERE id = 1; UPDATE posts SET note = {one} WHERE id < 9"
        # While it stands nothing is taken for read.
        for _ in range(2):
            with pytest.raises(Unacceptable, match=SAID[place.engine]):
                tidemark.tick()
            assert place.user.all("SELECT * FROM begun") == []
        place.write(mended)
        tidemark.tick()
        true = {one for one in place.user.all(place.query) if one[0] != 7}
        assert {*place.user.all("SELECT * FROM begun")} == true and len(true) >= 2
        assert "could not be read" in str(tidemark.history("begun")[0].message)
        place.write(f"INSERT INTO posts VALUES (70, 7, {GOOD[place.engine].format(7)})")
        tidemark.tick()
        assert {*place.user.all("SELECT * FROM begun")} == {*place.user.all(place.query)}
