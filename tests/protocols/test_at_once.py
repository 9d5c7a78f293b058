"""What is little is done in one transaction, and only where nothing else was begun."""

import re
from contextlib import AbstractContextManager, nullcontext
from unittest import mock

import pytest

from tests.protocols.forum import Forum, open_forum
from tidemark.dialect import Dialect
from tidemark.runtime import ledger, tick_deltas
from tidemark.runtime.pace import Pace, choose_pace
from tidemark.runtime.statements import find_statement

LOGS = {"sqlite": "tidemark__capture_log_posts", "postgres": "tidemark._capture_log_posts"}


def _one_key_at_a_time(dialect: Dialect, hold_ms: float | None = None) -> Pace:
    pace = choose_pace(dialect)
    pace.size = pace.size_min = pace.size_max = 1
    return pace


def _blind() -> AbstractContextManager[object]:
    """The mistake: a small tick does not see that a seal is under way."""

    def find(engine: str, name: str, *book: str) -> str:
        text = find_statement(engine, name, *book)
        if name != "look_at_log":
            return text
        blind = re.sub(r"c\.target IS NOT NULL|CASE WHEN c\.target IS NULL THEN 0 ELSE 1 END", "0", text)
        assert blind != text
        return blind

    return mock.patch.object(ledger, "find_statement", find)


def test_what_is_little_is_one_transaction_and_leaves_nothing_behind(engine_url: str) -> None:
    with open_forum(engine_url, seed=5) as forum:
        for _ in range(3):
            forum.write(*forum.change())
            reports = forum.tidemark.tick()
            assert [one.transactions for one in reports if one.changes_sealed] == [1] * len(
                [one for one in reports if one.changes_sealed]
            )
            assert not forum.differences()
            assert forum.user.all(f"SELECT * FROM {LOGS[forum.user.dialect.name]}") == []
        assert all(one.transactions == 0 for one in forum.tidemark.tick())


def _begin_to_add(forum: Forum) -> None:
    """A tick that ends in the middle of its seal: some keys have what was added up, and some have not."""
    with mock.patch.object(tick_deltas, "choose_pace", _one_key_at_a_time):
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
