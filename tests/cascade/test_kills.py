"""An apply that rebuilds a chain is killed after every number of commits; what is run again goes on and everything is true."""

import contextlib
from typing import Any
from unittest import mock

from tests.cascade.forum import QUERIES, Forum, forum
from tests.unit.runtime.killing import Killed, MortalSession
from tidemark import workshop
from tidemark.database.open import open_session
from tidemark.runtime.ledger import Ledger

CHAIN = ("thread_stats", "author_stats", "vip_board")
ALL_POSTS = QUERIES["thread_stats"].replace(" WHERE hidden = 0", "")
# Each attempt lives a little longer than the one before, so that one of them ends.
COMMITS_MIN = 4
STRIDE = 2


def _expire(place: Forum) -> None:
    """What the time until a dead worker's leases end would bring."""
    table = "tidemark._lease" if place.user.dialect.has_schemas else "tidemark__lease"
    place.write(f"UPDATE {table} SET expires = '1970-01-01T00:00:00.000Z'")


def _one_kill(place: Forum, commits: int) -> bool:
    """Go on with the apply and die after so many commits; False when it was done before."""
    opened: list[Any] = []

    def mortal(*about: Any, **options: Any) -> Any:
        opened.append(open_session(*about, **options))
        return MortalSession(opened[-1], commits)

    with mock.patch.object(workshop, "open_session", mortal), contextlib.suppress(Killed):
        place.keep(forum(CHAIN, thread_stats=ALL_POSTS)).apply()
        return False
    for session in opened:
        session.close()
    return True


def test_a_rebuild_of_a_chain_may_be_killed_anywhere(place: Forum) -> None:
    place.keep(forum(CHAIN)).apply()
    kills = 0
    while _one_kill(place, COMMITS_MIN + STRIDE * kills):
        kills += 1
        _expire(place)
        # Readers see rows of one definition or the other, and those are true after a tick.
        place.write(place.chances.change())
        place.keep(None).tick()
        new = next(
            row
            for row in Ledger(place.user).derived()
            if row.name == "thread_stats" and row.live_at and row.state != "retired"
        )
        queries = {"thread_stats": ALL_POSTS} if new.generation == 2 else {}
        assert place.wrong(("thread_stats",), queries) == []
    assert kills > 3
    keeper = place.keep(forum(CHAIN, thread_stats=ALL_POSTS))
    keeper.tick()
    assert place.wrong(CHAIN, {"thread_stats": ALL_POSTS}) == []
    assert keeper.plan().is_empty
    assert {(row.name, row.generation, row.state) for row in Ledger(place.user).derived()} == {
        (name, 2, "live") for name in CHAIN
    }
