"""Rows as of now equal the query at every moment, whatever was sealed, applied or neither; reading them changes nothing."""

from collections import Counter

import pytest

from tests.protocols.forum import QUERIES, Forum, open_forum
from tidemark.errors import Code, Refusal

EXACT = ("post_names", "busy_users")


def _check(forum: Forum) -> None:
    for name in EXACT:
        assert Counter(forum.tidemark.live(name)) == Counter(forum.user.all(QUERIES[name][1])), name


def test_rows_as_of_now_are_true_between_any_two_transactions_of_a_tick(engine_url: str) -> None:
    with open_forum(engine_url, seed=11) as forum:
        for _ in range(6):
            forum.write(*forum.change())
            _check(forum)
            forum.tidemark.tick(max_batches=forum.chance.randint(1, 3))
            _check(forum)
        # Two rows that meant something to each other vanish together: only their images tell.
        forum.write("DELETE FROM posts WHERE author_id = 2", "DELETE FROM users WHERE id = 2")
        _check(forum)
        if not forum.user.dialect.writers_wait_in_line:
            forum.write("TRUNCATE users")
            _check(forum)
        assert forum.differences()
        forum.drain()
        _check(forum)
        assert not forum.differences()


def test_what_cannot_be_exact_is_refused_with_the_reason(engine_url: str) -> None:
    with open_forum(engine_url) as forum:
        with pytest.raises(Refusal, match="sums to add") as refused:
            forum.tidemark.live("thread_sums")
        assert refused.value.code is Code.FRESHNESS
        with pytest.raises(Refusal, match="may be NULL"):
            forum.tidemark.live("thread_scores")
