"""Changes that commit in another order than they were made: each is applied once, and nobody waits for the slowest.

The hazards are those that every consumer of a log meets on an engine with many writers; on SQLite, which has one, the order of
ids is the order of commits, and what is tested there is that ids are never given twice.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.protocols.forum import Forum, open_forum
from tidemark.errors import Fault
from tidemark.runtime.progress import Event

POST = "INSERT INTO posts VALUES ({0}, 1, 1, 5, 0, NULL)"


@pytest.fixture
def forum(pg_database: str) -> Iterator[Forum]:
    with open_forum(pg_database) as made:
        yield made


@contextlib.contextmanager
def _client(forum: Forum) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with psycopg.connect(forum.url, autocommit=True) as connection:
        yield connection


def _shown(forum: Forum) -> dict[int, int]:
    """Posts by number as readers see them."""
    return dict(forum.user.all("SELECT id, score FROM post_names WHERE id >= 1000"))


def test_a_commit_that_comes_late_is_not_skipped(forum: Forum) -> None:
    with _client(forum) as early:
        early.execute("BEGIN")
        early.execute(POST.format(1001))
        # A later transaction, with later numbers everywhere, commits first and is applied first.
        forum.write(POST.format(1002))
        forum.drain()
        assert _shown(forum) == {1002: 5}
        early.execute("COMMIT")
    forum.drain()
    assert _shown(forum) == {1001: 5, 1002: 5} and not forum.differences()


def test_a_long_transaction_holds_nobody_back(forum: Forum) -> None:
    with _client(forum) as long:
        long.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        long.execute(POST.format(1100))
        for number in range(1101, 1121):
            forum.write(POST.format(number), f"DELETE FROM posts WHERE id = {number - 1} AND id > 1110")
            forum.drain()
            assert not forum.differences()
        long.execute("UPDATE posts SET score = 9 WHERE id = 1100")
        long.execute("COMMIT")
    forum.drain()
    assert _shown(forum)[1100] == 9 and not forum.differences()


@pytest.mark.parametrize("end", ["COMMIT PREPARED", "ROLLBACK PREPARED"])
def test_a_prepared_transaction_is_applied_when_it_commits(forum: Forum, end: str) -> None:
    with _client(forum) as client:
        client.execute("BEGIN")
        client.execute(POST.format(1200))
        client.execute("UPDATE users SET name = 'prepared' WHERE id = 3")
        client.execute("PREPARE TRANSACTION 'forum'")
    for number in (1201, 1202):
        forum.write(POST.format(number))
        forum.drain()
        assert set(_shown(forum)) == set(range(1201, number + 1)) and not forum.differences()
    with _client(forum) as client:
        client.execute(f"{end} 'forum'")
    forum.drain()
    assert (1200 in _shown(forum)) == (end == "COMMIT PREPARED") and not forum.differences()


def test_sequences_that_hand_out_numbers_in_bundles_do_not_matter(forum: Forum) -> None:
    """With CACHE a later change of a row may carry a smaller number than an earlier one, in the source and in the log."""
    sequences = forum.user.all(
        "SELECT c.oid::regclass::text FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace "
        "WHERE n.nspname = 'tidemark' AND c.relkind = 'S'"
    )
    forum.write(*(f"ALTER SEQUENCE {name} CACHE 50" for (name,) in sequences))
    forum.write("CREATE SEQUENCE numbers START 2000 CACHE 50")
    forum.write(POST.format(1300))
    with _client(forum) as first, _client(forum) as second:
        for score, client in enumerate((first, second, first, second, first), start=10):
            client.execute(f"UPDATE posts SET score = {score}, thread_id = {score % 3} WHERE id = 1300")
            client.execute(POST.format("nextval('numbers')"))
            if score % 2:
                forum.drain()
                assert not forum.differences()
    forum.drain()
    assert _shown(forum)[1300] == 14 and len(_shown(forum)) == 6 and not forum.differences()


def test_savepoints_that_are_rolled_back_leave_nothing(forum: Forum) -> None:
    with _client(forum) as client:
        client.execute("BEGIN")
        client.execute(POST.format(1400))
        client.execute("SAVEPOINT a")
        client.execute(POST.format(1401))
        forum.drain()
        client.execute("ROLLBACK TO a")
        client.execute(POST.format(1402))
        client.execute("COMMIT")
    forum.drain()
    assert set(_shown(forum)) == {1400, 1402} and not forum.differences()


def test_writes_between_any_two_transactions_of_a_tick_are_not_lost(engine_url: str) -> None:
    """The log and the sources are read in transactions that follow each other: what comes in between is a later change."""
    with open_forum(engine_url, seed=3) as forum:
        for _ in range(5):
            forum.write(*forum.change())

        def disturb(event: Event) -> None:
            if event.phase == "tick":
                forum.write(*forum.change())

        disturbed = type(forum.tidemark)(forum.tidemark.project, engine_url, listen=disturb)
        for _ in range(20):
            disturbed.tick(max_batches=4)
        forum.drain()
        assert not forum.differences()


def test_ids_of_a_log_are_never_given_twice(sqlite_path: Path) -> None:
    with open_forum(f"sqlite:///{sqlite_path}") as forum:
        forum.write(POST.format(1500))
        forum.drain()
        # All is sealed, and deleted but for the last change; without that the next id would be one that a checkpoint has seen.
        forum.write(POST.format(1501))
        forum.drain()
        assert set(_shown(forum)) == {1500, 1501} and not forum.differences()


def test_a_log_that_somebody_emptied_makes_everything_dirty(sqlite_path: Path) -> None:
    with open_forum(f"sqlite:///{sqlite_path}") as forum:
        forum.write(POST.format(1500), POST.format(1501))
        forum.drain()
        logs = forum.user.all(
            "SELECT name FROM sqlite_master WHERE name LIKE 'tidemark%capture_log%' AND type = 'table'"
        )
        forum.write(*(f'DELETE FROM "{name}"' for (name,) in logs))
        forum.write(POST.format(1502))
        forum.drain()
        assert set(_shown(forum)) == {1500, 1501, 1502} and not forum.differences()


def test_a_tick_that_cannot_be_recorded_has_no_effect(engine_url: str) -> None:
    with open_forum(engine_url) as forum:
        forum.drain()
        before = sorted(forum.user.all("SELECT * FROM post_names"), key=str)
        forum.write(POST.format(1600), "UPDATE users SET name = 'x' WHERE id = 1")
        asked = 0

        def stop() -> bool:
            nonlocal asked
            asked += 1
            return asked > 1

        with contextlib.suppress(Fault):
            type(forum.tidemark)(forum.tidemark.project, engine_url, stop=stop).tick()
        after = sorted(forum.user.all("SELECT * FROM post_names"), key=str)
        assert before == after or not forum.differences()
        forum.drain()
        assert not forum.differences()
