"""A runner that dies after any of its commits: the next one goes on, and no row is left out or done twice."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.backfill.place import Songs
from tests.unit.runtime.killing import Killed, MortalSession
from tidemark import Fault, workshop
from tidemark.database.open import open_session
from tidemark.runtime.backfill import worker
from tidemark.runtime.backfill.runner import Orders
from tidemark.runtime.pace import Pace

ADD = "UPDATE songs SET tally = coalesce(tally, 0) + 1 WHERE id IN (SELECT id FROM tidemark_batch)"
COMMITS_MAX = 60


@contextlib.contextmanager
def dying_after(commits: int) -> Iterator[None]:
    """Whoever opens a session dies after so many commits."""
    with pytest.MonkeyPatch.context() as patch, contextlib.ExitStack() as stack:

        def open_one(*given: Any, **named: Any) -> Any:
            session = open_session(*given, **named)
            stack.callback(session.close)
            return MortalSession(session, commits)

        patch.setattr(workshop, "open_session", open_one)
        patch.setattr(worker, "choose_first_pace", lambda *asked: Pace(100.0, False, size=9, size_min=9, size_max=9))
        yield


def test_a_death_after_any_commit_leaves_nothing_out_and_doubles_nothing(songs: Songs) -> None:
    songs.add(130)
    songs.project.backfill("count", table="songs", key="id", sql=ADD)
    with contextlib.suppress(Fault):
        songs.engine().backfill("count", Orders(max_seconds=0.0))
    for commits in range(COMMITS_MAX):
        try:
            with dying_after(commits):
                songs.engine().backfill("count")
            break
        except Killed:
            with songs.session.transaction():
                songs.session.run(f"UPDATE {songs.ledger('lease')} SET expires = ''")
    else:
        pytest.fail("it never ended")
    assert commits > 6, "it was killed many times"
    assert songs.session.all("SELECT tally, count(*) FROM songs GROUP BY tally") == [(1, 130)]
    (status,) = songs.engine().backfills()
    assert (status.state, status.rows_done) == ("finished", 130)
