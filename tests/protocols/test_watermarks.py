"""Mistakes that systems with watermarks made, one by one, each with the test that shows why it cannot happen here.

`MISTAKES` is the table: what went wrong elsewhere, and the function that makes the same happen on this side. Positions,
timestamps and numbers of rows decide nothing: a change is consumed because a snapshot sees it.
"""

import contextlib
from collections.abc import Callable, Iterator

import pytest

from tests.protocols.forum import QUERIES, Forum, open_forum
from tests.unit.runtime.killing import Fragile, Killed
from tidemark.database.open import open_session
from tidemark.runtime.clock import Clock
from tidemark.runtime.duty import Duty
from tidemark.runtime.lease import take_lease
from tidemark.runtime.ledger import Ledger
from tidemark.runtime.ticks.tick import has_work, tick


def _leased(forum: Forum, name: str) -> Duty:
    ledger = Ledger(forum.user)
    return Duty(ledger, Clock(), take_lease(ledger, Clock(), f"keep {name}", "whole"))


def _post(number: int, block: str, created_at: str, score: int = 5) -> str:
    return f"INSERT INTO posts VALUES ({number}, 1, 1, {score}, {block}, {created_at})"


def _settle(forum: Forum) -> None:
    forum.drain()
    assert not forum.differences()


def _old_timestamps(forum: Forum) -> None:
    """A watermark on the time of an event misses events that are told later than newer ones."""
    forum.write(_post(1001, "50", "'2026-02-01'"))
    _settle(forum)
    forum.write(_post(1002, "51", "'1999-01-01'"), _post(1003, "52", "'2026-02-01'"), _post(1004, "53", "'9999-12-31'"))
    _settle(forum)
    forum.write(_post(1005, "54", "'2026-02-02'"))


def _lower_positions(forum: Forum) -> None:
    """A row of a lower block that arrives after a higher one was scanned is below the watermark for ever."""
    for block in (70, 60, 65, 1, -5):
        forum.write(_post(1000 + abs(block), str(block), "NULL"))
        _settle(forum)


def _overflowing_position(forum: Forum) -> None:
    """A block with more rows than a batch holds was cut, and the watermark moved past the rest."""
    rows = ", ".join(f"({number}, {number % 5}, {number % 9}, 1, 80, NULL)" for number in range(2000, 3500))
    forum.write(f"INSERT INTO posts VALUES {rows}")
    # Bounded ticks end in the middle of it.
    while not all(report.drained for report in forum.tidemark.tick(max_batches=3)):
        continue


def _unwatched_dependency(forum: Forum) -> None:
    """An input that the rule reads and the watermark does not watch changes, and nobody recomputes."""
    forum.write("UPDATE users SET name = 'renamed' WHERE id = 1")
    _settle(forum)
    assert forum.user.one("SELECT count(*) FROM post_names WHERE name = 'renamed'") != (0,)
    forum.write("DELETE FROM users WHERE id = 1")


def _change_without_a_position(forum: Forum) -> None:
    """A row changes while its block stays, as a scheduled release or a delisting does."""
    forum.write(_post(1100, "90", "NULL"))
    _settle(forum)
    forum.write("UPDATE posts SET score = 0 WHERE id = 1100", "UPDATE posts SET thread_id = 3 WHERE id = 1100")
    _settle(forum)
    forum.write("DELETE FROM posts WHERE id = 1100")


def _position_without_a_value(forum: Forum) -> None:
    """A row whose position is NULL is greater than no watermark, and was never paid."""
    forum.write(_post(1200, "NULL", "NULL"))
    _settle(forum)
    assert forum.user.one("SELECT score FROM post_names WHERE id = 1200") == (5,)
    forum.write("UPDATE posts SET block = NULL, score = score + 1 WHERE id <= 20")


def _effect_without_its_record(forum: Forum) -> None:
    """Counts and checkpoint were written by two statements without a transaction: a kill in between counted twice."""
    for name in ("thread_sums", "thread_scores"):
        number = 0
        while _kill_before(forum, name, number):
            number += forum.chance.randint(1, 6)
        assert number > 5, "a tick has more statements than that"


def _kill_before(forum: Forum, name: str, number: int) -> bool:
    """Change something and kill a tick before its statement of that number; False when it had no more statements."""
    again = "INSERT INTO posts VALUES (9, 2, 1, 3, 0, NULL)"
    forum.write("UPDATE posts SET score = score + 1 WHERE id <= 8", "DELETE FROM posts WHERE id = 9", again)
    with contextlib.closing(open_session(forum.url, lock_timeout=1)) as session:
        lease = take_lease(Ledger(session), Clock(), f"keep {name}", "fragile", 0.0)
        script = next(row.script for row in Ledger(session).derived() if row.name == name)
        killed = False
        try:
            tick(Duty(Ledger(Fragile(session, number)), Clock(), lease), script)  # type: ignore[arg-type]
        except Killed:
            killed = True
        lease.release()
    duty = _leased(forum, name)
    assert tick(duty, script).drained and duty.lease is not None
    duty.lease.release()
    assert name not in forum.differences()
    return killed


def _queue_trimmed_first(forum: Forum) -> None:
    """The queue was emptied before its entries were processed: whoever was killed in between lost them."""
    for bound in range(1, 6):
        forum.write("UPDATE posts SET score = score + 1 WHERE id <= 30")
        # Whatever the log has lost by now is in the dirty set, and both are in the database.
        forum.tidemark.tick(max_batches=bound)
        for name in QUERIES:
            with contextlib.closing(open_session(forum.url)) as session:
                script = next(row.script for row in Ledger(session).derived() if row.name == name)
                waits = has_work(Duty(Ledger(session), Clock()), script)
            assert waits or name not in forum.differences()


def _held_by_a_timeout(forum: Forum) -> None:
    """A lock timed out, and two workers processed the same: here the older one's term is over."""
    forum.write("UPDATE posts SET score = score + 1")
    forum.tidemark.tick(max_batches=1)
    forum.tidemark.tick()


MISTAKES: dict[str, Callable[[Forum], None]] = {
    "20 the watermark was a timestamp, and late plays were missed": _old_timestamps,
    "21 late rows of a lower block were never seen": _lower_positions,
    "22 an overflowing block was skipped": _overflowing_position,
    "23 a dependency was not watched": _unwatched_dependency,
    "24 a base row changed without a block": _change_without_a_position,
    "25 a NULL position was never paid": _position_without_a_value,
    "26 counts and checkpoint were not one transaction": _effect_without_its_record,
    "27 the queue was trimmed before it was processed": _queue_trimmed_first,
    "35 lock time-outs let two workers process the same": _held_by_a_timeout,
}


@pytest.fixture
def forum(engine_url: str) -> Iterator[Forum]:
    with open_forum(engine_url, seed=5) as made:
        yield made


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_of_other_watermarks_cannot_happen(forum: Forum, mistake: str) -> None:
    MISTAKES[mistake](forum)
    _settle(forum)
    assert all(verdict.clean for verdict in forum.tidemark.verify())
