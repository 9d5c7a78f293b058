"""What is little is done in one transaction, and only where nothing else was begun."""

import contextlib
import re
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from time import monotonic
from unittest import mock

import pytest

from tests.protocols.forum import Forum, one_key_at_a_time, open_forum
from tidemark.contract.script import Applier
from tidemark.database.session import Conflict, Session
from tidemark.errors import TidemarkError
from tidemark.runtime import book as books
from tidemark.runtime.clock import Clock
from tidemark.runtime.statements import find_statement
from tidemark.runtime.ticks import at_once, deltas, portions, small, tick
from tidemark.runtime.ticks.batch import apply_batch

LOGS = {"sqlite": "tidemark__capture_log_posts", "postgres": "tidemark._capture_log_posts"}


def _saying(wanted: str, pattern: str, by: str) -> AbstractContextManager[object]:
    """A mistake: a statement of the ledger says something else."""

    def find(engine: str, name: str, *book: str) -> str:
        text = find_statement(engine, name, *book)
        if name != wanted:
            return text
        changed = re.sub(pattern, by, text)
        assert changed != text
        return changed

    return mock.patch.object(books, "find_statement", find)


def _blind() -> AbstractContextManager[object]:
    """The mistake: a small tick does not see that a seal is under way."""
    return _saying("look_at_log", r"c\.target IS NOT NULL|CASE WHEN c\.target IS NULL THEN 0 ELSE 1 END", "0")


def test_what_is_little_is_one_transaction_and_leaves_nothing_behind(engine_url: str) -> None:
    # However long the machine takes for some units: what is learned from that is for tests of its own.
    quick = mock.patch.object(portions.Portion, "learn", lambda portion, units, hold_ms: None)
    with open_forum(engine_url, seed=5) as forum, quick:
        for _ in range(3):
            forum.write(*forum.change())
            reports = forum.tidemark.tick()
            assert [one.transactions for one in reports if one.changes_sealed] == [1] * len(
                [one for one in reports if one.changes_sealed]
            )
            assert not forum.differences()
            # On SQLite the last change stays, behind which the next one is numbered.
            kept = forum.user.all(f"SELECT * FROM {LOGS[forum.user.dialect.name]}")
            assert len(kept) <= (0 if forum.user.dialect.has_schemas else 1)
        assert all(one.transactions == 0 for one in forum.tidemark.tick())


def _begin_to_add(forum: Forum) -> None:
    """A tick that ends in the middle of its seal: some keys have what was added up, and some have not."""
    with mock.patch.object(deltas, "choose_pace", one_key_at_a_time):
        (report,) = forum.tidemark.tick("thread_sums", max_batches=2)
    assert not report.drained and report.keys_applied == 1


@pytest.mark.parametrize("mistaken", [False, True])
def test_a_seal_that_was_begun_is_finished_as_it_was_begun(engine_url: str, mistaken: bool) -> None:
    with open_forum(engine_url) as forum:
        forum.write(
            "INSERT INTO posts VALUES (9001, 1, 1, 2, 1, NULL), (9002, 2, 1, 3, 1, NULL), (9003, 3, 1, 4, 1, NULL)"
        )
        _begin_to_add(forum)
        forum.write("INSERT INTO posts VALUES (9004, 1, 1, 2, 1, NULL), (9005, 2, 1, 3, 1, NULL)")
        with _blind() if mistaken else nullcontext():
            forum.drain()
        assert bool(forum.differences()) is mistaken


@pytest.mark.parametrize("mistaken", [False, True])
def test_a_small_tick_tells_each_change_once(engine_url: str, mistaken: bool) -> None:
    # However busy the machine, the whole result, which is true in any case, is not to take the place of what is added.
    usual = mock.patch.object(small.Rival, "outruns", lambda *about, **more: None)
    where_it_stands = r"snapshot = (\(SELECT[^)]*\)[^)]*\)|CAST\(:moments AS json\) ->> source), "
    with open_forum(engine_url) as forum, usual:
        forum.drain()
        with _saying("move_checkpoints", where_it_stands, "") if mistaken else nullcontext():
            for number in (9001, 9002):
                forum.write(f"INSERT INTO posts VALUES ({number}, 1, 1, 2, 1, NULL)")
                forum.tidemark.tick("thread_sums")
        assert ("thread_sums" in forum.differences()) is mistaken


@pytest.mark.parametrize("mistaken", [False, True])
def test_a_truncate_is_not_for_a_small_tick(pg_database: str, mistaken: bool) -> None:
    with open_forum(pg_database) as forum:
        forum.drain()
        with _saying("look_at_log", r"w\.markers", "0") if mistaken else nullcontext():
            forum.write("TRUNCATE posts")
            forum.tidemark.tick()
        assert bool(forum.differences()) is mistaken


def _move_everybody(forum: Forum) -> None:
    """Many posts that change their thread, which not every derived table reads."""
    posts = ", ".join(f"({9000 + number}, 1, {number % 5}, 3, 1, NULL)" for number in range(300))
    forum.write(f"INSERT INTO posts VALUES {posts}")
    forum.drain()
    forum.write("UPDATE posts SET thread_id = 2 WHERE id >= 9000")


def test_many_changes_of_which_few_concern_a_table_are_little(engine_url: str) -> None:
    with open_forum(engine_url) as forum:
        _move_everybody(forum)
        (report,) = forum.tidemark.tick("post_names")
        assert (report.changes_sealed, report.keys_applied, report.transactions) == (0, 0, 1)
        forum.write("UPDATE posts SET thread_id = 1 WHERE id >= 9000", "UPDATE posts SET score = 5 WHERE id = 9000")
        (report,) = forum.tidemark.tick("post_names")
        assert (report.keys_applied, report.transactions) == (1, 1)
        (report,) = forum.tidemark.tick("thread_sums")
        assert report.changes_sealed > 600
        forum.drain()
        assert not forum.differences()


@pytest.mark.parametrize("mistaken", [False, True])
def test_a_truncate_after_many_changes_is_seen(pg_database: str, mistaken: bool) -> None:
    with open_forum(pg_database) as forum:
        _move_everybody(forum)
        with _saying("look_at_log", r"w\.markers", "0") if mistaken else nullcontext():
            forum.write("TRUNCATE posts")
            forum.tidemark.tick("post_names")
        assert ("post_names" in forum.differences()) is mistaken


@pytest.mark.parametrize("mistaken", [False, True])
def test_temporary_tables_go_with_the_transaction_that_made_them(engine_url: str, mistaken: bool) -> None:
    with open_forum(engine_url) as forum, contextlib.ExitStack() as stack:
        forum.drain()
        forum.write("INSERT INTO posts VALUES (9001, 1, 1, 2, 1, NULL)")
        stack.enter_context(
            mock.patch.object(small, "apply_batch", side_effect=Conflict("somebody else writes that row"))
        )
        if mistaken:
            stack.enter_context(mock.patch.object(at_once, "preparing", lambda duty, script: nullcontext()))
            stack.enter_context(pytest.raises(TidemarkError, match="post_names"))
        forum.tidemark.tick("post_names")
        assert "post_names" not in forum.differences()


@pytest.mark.parametrize("portions_max", [0, 2, 20], ids=["none of them", "too many", "some of them"])
def test_changes_that_reach_more_than_a_portion_are_sealed_in_one_transaction(
    engine_url: str, portions_max: int
) -> None:
    few = mock.patch.object(portions, "FIRST_UNITS", 10)
    # However busy the machine, the whole result is not to take their place.
    usual = mock.patch.object(small.Rival, "outruns", lambda *about, **more: None)
    with open_forum(engine_url) as forum, few, usual, mock.patch.object(small, "PORTIONS_MAX", portions_max):
        forum.drain()
        forum.write("UPDATE users SET name = name || '!'", "UPDATE posts SET score = score + 1")
        with mock.patch.object(tick, "_take_changes", side_effect=AssertionError("it is sealed already")):
            (report,) = forum.tidemark.tick("post_names")
        assert report.drained and report.keys_applied > 20
        assert portions_max == 20 or report.transactions > 1
        assert "post_names" not in forum.differences()


@pytest.mark.parametrize("mistaken", [False, True])
def test_what_did_not_fit_into_the_time_of_a_transaction_is_computed_after_it(engine_url: str, mistaken: bool) -> None:
    def some(session: Session, applier: Applier, take: Callable[[], object]) -> int:
        written = apply_batch(session, applier, take)
        # From the first portion on no time is left.
        late.append(10.0)
        return written

    late: list[float] = []
    few = mock.patch.object(portions, "FIRST_UNITS", 10)
    with open_forum(engine_url) as forum, few, contextlib.ExitStack() as stack:
        forum.drain()
        forum.write("UPDATE users SET name = name || '!'", "UPDATE posts SET score = score + 1")
        stack.enter_context(mock.patch.object(small, "apply_batch", some))
        clock = Clock(now=lambda: monotonic() + sum(late))
        stack.enter_context(mock.patch.object(forum.tidemark, "_clock", clock))
        # However long it seems to take, the whole result is not to take its place.
        for other_way in ("_weigh_units", "_leaves"):
            stack.enter_context(mock.patch.object(tick, other_way, lambda state: False))
        if mistaken:
            stack.enter_context(mock.patch.object(small, "_leave", lambda *about: None))
        (report,) = forum.tidemark.tick("post_names")
        assert late and report.transactions > 1
        assert mistaken == ("post_names" in forum.differences())
