"""The edges of soundgraph's rules that generated input is too small to reach, asked of the declared queries as plain views."""

import pytest

from examples.soundgraph.challenges import CATALOGUE
from examples.soundgraph.derived import query_text
from examples.soundgraph.stores import Store
from examples.soundgraph.trending import TOP

MANY = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) SELECT "
LONG_AGO = "'2025-01-01 00:00:00'"


def add_users(store: Store, first: int, count: int) -> None:
    """Users of whom nothing is known, numbered from `first`."""
    store.execute(
        "INSERT INTO users (user_id, is_current, created_at, updated_at, blocknumber) "
        + MANY.format(count=count)
        + f"{first} - 1 + i, true, {LONG_AGO}, {LONG_AGO}, 1 FROM n"
    )


def add_follows(store: Store, follower: str, followee: str, count: int, *, current: str = "true") -> None:
    """`count` follows; either side may be an expression over `i`, from 1."""
    store.execute(
        "INSERT INTO follows (follower_user_id, followee_user_id, is_delete, is_current, created_at, blocknumber, txhash) "
        + MANY.format(count=count)
        + f"{follower}, {followee}, false, {current}, {LONG_AGO}, 1, 'made' FROM n"
    )


def view(store: Store, *names: str) -> None:
    """Views for declared queries."""
    for name in names:
        store.execute(f"CREATE VIEW {name} AS {query_text(name, store.engine)}")


def karma_of(store: Store, *users: int) -> list[int]:
    """The karma of users, in that order."""
    found = dict(store.query("SELECT user_id, karma FROM user_karma WHERE user_id < 1000"))
    return [int(found[user]) for user in users]


def test_karma_is_whole_beyond_a_thousand_followers(store: Store) -> None:
    add_users(store, 1, 2)
    add_users(store, 2_000, 1_001)
    add_follows(store, "1999 + i", "1", 1_001)
    add_follows(store, "1999 + i", "2", 1_000)
    view(store, "aggregate_user", "user_karma")
    assert karma_of(store, 1, 2) == [100, 0]


def test_who_follows_everybody_gives_no_karma(store: Store) -> None:
    add_users(store, 1, 4)
    add_users(store, 2_000, 10_000)
    add_follows(store, "1999 + i", "1", 500)
    add_follows(store, "1999 + i", "2", 700)
    add_follows(store, "1", "1999 + i", 9_999)
    add_follows(store, "2", "1999 + i", 10_000)
    add_follows(store, "1", "3", 1, current="false")
    add_follows(store, "2", "4", 1)
    view(store, "aggregate_user", "user_karma")
    assert karma_of(store, 3, 4) == [0, 0], (
        "history and those who follow everybody count for nothing, not for everything"
    )
    store.execute("UPDATE follows SET is_current = true WHERE followee_user_id = 3")
    store.execute("UPDATE follows SET is_current = false WHERE follower_user_id = 1 AND followee_user_id = 2000")
    assert karma_of(store, 3) == [5]


@pytest.mark.parametrize("tracks", [TOP - 1, TOP, TOP + 3])
def test_underground_is_what_the_main_list_leaves(store: Store, tracks: int) -> None:
    add_users(store, 1, tracks)
    store.execute(
        "INSERT INTO tracks (track_id, owner_id, is_current, created_at, updated_at, blocknumber) "
        + MANY.format(count=tracks)
        + f"i, i, true, {LONG_AGO}, {LONG_AGO}, 1 FROM n"
    )
    view(store, "aggregate_user")
    store.execute(
        "CREATE TABLE track_trending_scores (track_id integer, version text, time_range text, genre text, score float)"
    )
    store.execute(
        "INSERT INTO track_trending_scores "
        + MANY.format(count=tracks)
        + "i, 'pnagD', 'week', NULL, CASE WHEN i < 5 THEN 7 ELSE 1 END FROM n"
    )
    view(store, "underground_trending")
    left = [number for (number,) in store.query("SELECT track_id FROM underground_trending ORDER BY 1")]
    assert left == list(range(5, 5 + max(0, tracks - TOP)))


def test_the_catalogue_in_the_database_is_the_one_that_queries_are_made_of(store: Store) -> None:
    rows = store.query("SELECT id, amount, starting_block FROM challenges ORDER BY id")
    assert rows == sorted((c.id, c.amount, c.starting_block) for c in CATALOGUE.values())
