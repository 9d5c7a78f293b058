"""The edges of soundgraph's rules that generated input is too small to reach, asked of the declared queries as plain views."""

import pytest

from examples.soundgraph.catalogue import read_catalogue, seed_text
from examples.soundgraph.derived import declare_challenges, query_text
from examples.soundgraph.indexer import take
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


@pytest.mark.parametrize("network", ["recorded", "production"])
def test_the_catalogue_is_filled_for_a_network_and_filling_it_again_changes_nothing(store: Store, network: str) -> None:
    catalogue = read_catalogue(network)
    store.execute(seed_text(catalogue))
    rows = store.query("SELECT id, amount, step_count, starting_block, cooldown_days FROM challenges ORDER BY id")
    assert rows == sorted((c.id, c.amount, c.step_count, c.starting_block, c.cooldown_days) for c in catalogue.values())
    assert store.execute(seed_text(catalogue)) == 0
    assert {c.starting_block for c in catalogue.values()} > {0} or network == "recorded"


def test_production_pays_nothing_before_its_starting_blocks(store: Store) -> None:
    store.execute(
        "INSERT INTO users (user_id, is_current, created_at, updated_at, blocknumber, is_verified) "
        f"VALUES (1, true, {LONG_AGO}, {LONG_AGO}, 1, true)"
    )
    for track, height in ((1, 25_346_435), (2, 25_346_436)):
        store.execute(
            "INSERT INTO tracks (track_id, owner_id, is_current, created_at, updated_at, blocknumber) "
            f"VALUES ({track}, 1, true, {LONG_AGO}, {LONG_AGO}, {height})"
        )
    for network, steps in (("production", 1), ("recorded", 2)):
        [declared] = [one for one in declare_challenges(read_catalogue(network)) if one.name == "challenge_u"]
        found = store.query(f"SELECT current_step_count FROM ({declared.query[store.engine]}) asked")  # type: ignore[index]
        assert found == [(steps,)]


def test_each_tier_begins_where_the_one_before_it_ends(store: Store) -> None:
    add_users(store, 1, 5)
    store.execute("UPDATE users SET is_verified = true")
    store.execute("CREATE TABLE artist_plays (user_id integer, plays integer)")
    store.execute("INSERT INTO artist_plays VALUES (1, 249), (2, 250), (3, 999), (4, 1000), (5, 10000)")
    view(store, "challenge_p1", "challenge_p2", "challenge_p3")
    found = [
        [
            (int(user), int(steps), bool(done))
            for user, steps, done in store.query(
                f"SELECT user_id, current_step_count, is_complete FROM challenge_{tier} ORDER BY 1"
            )
        ]
        for tier in ("p1", "p2", "p3")
    ]
    assert found[0] == [(1, 249, False), *((user, 250, True) for user in (2, 3, 4, 5))]
    assert found[1] == [(2, 250, False), (3, 999, False), (4, 1_000, True), (5, 1_000, True)]
    assert found[2] == [(4, 1_000, False), (5, 10_000, True)]


def test_an_amount_that_is_none_is_quarantined(store: Store) -> None:
    tip = {"type": "tip", "sender_user_id": 1, "receiver_user_id": 2}
    bought = {"type": "usdc_purchase", "buyer_user_id": 1, "seller_user_id": 2, "amount": 5}
    payments = [
        *({**tip, "amount": amount} for amount in (-5, 0, "x", None, 2**63, "7")),
        {**tip, "receiver_user_id": 1, "amount": 5},
        {**bought, "content_type": "house", "content_id": 3},
        {**bought, "content_type": "track", "content_id": 3},
    ]
    tally = take(store.database, [{"block": 1, "timestamp": 1_741_953_600, "txs": payments}])
    assert tally.skipped == {"bad_amount": 5, "self_tip": 1, "no_content": 1}
    assert store.query("SELECT sender_user_id, receiver_user_id, amount FROM user_tips") == [(1, 2, 7)]
    assert store.query("SELECT buyer_user_id, content_id, amount FROM usdc_purchases") == [(1, 3, 5)]


def test_who_went_away_is_paid_nothing_for_what_others_do_until_they_come_back(store: Store) -> None:
    def did(user: int, entity: str, action: str, number: int, **metadata: object) -> dict[str, object]:
        known = {"type": "manage_entity", "user_id": user, "entity_type": entity, "action": action}
        return {**known, "entity_id": number, "metadata": metadata}

    came = [
        *(did(user, "User", "Create", user, handle=f"h{user}") for user in (1, 2)),
        did(1, "User", "Verify", 1, is_verified=True),
        did(1, "Track", "Create", 11),
        did(2, "Track", "Create", 12, remix_of={"tracks": [{"parent_track_id": 11}]}),
        did(1, "Track", "Save", 12),
        did(2, "Comment", "Create", 5, entity_id=11, entity_type="Track"),
        did(1, "Track", "Update", 11, pinned_comment_id=5),
        did(1, "Event", "Create", 7, event_type="remix_contest", entity_id=11, event_data={"winners": [12]}),
    ]
    take(store.database, [{"block": 1, "timestamp": 1_741_953_600, "txs": came}])
    view(store, "cosigns", "contest_wins", "challenge_cp", "challenge_cs", "challenge_w")
    for block, is_away in ((2, True), (3, False)):
        gone = did(2, "User", "Update", 2, is_deactivated=is_away)
        take(store.database, [{"block": block, "timestamp": 1_741_953_600 + block, "txs": [gone]}])
        for challenge, specifier in (("cp", "2:b"), ("cs", "1:c"), ("w", "7:2")):
            found = store.query(f"SELECT user_id, specifier FROM challenge_{challenge}")
            assert found == ([] if is_away else [(2, specifier)]), challenge


def test_karma_of_a_track_is_of_those_who_show_themselves_whoever_they_are(store: Store) -> None:
    add_users(store, 1, 5)
    shown = "bio = 'b', profile_picture_sizes = 'p', cover_photo = 'c'"
    for user, said in (
        (1, shown),
        (2, f"{shown}, is_deactivated = true"),
        (3, "profile_picture = 'p', cover_photo = 'c'"),
        (4, "bio = 'b'"),
    ):
        store.execute(f"UPDATE users SET {said} WHERE user_id = {user}")
    add_follows(store, "5", "i", 4)
    for table, kind, users in (("saves", "save", (1, 2, 3)), ("reposts", "repost", (1, 4))):
        for user in users:
            store.execute(
                f"INSERT INTO {table} (user_id, {kind}_item_id, {kind}_type, is_delete, is_current, created_at, blocknumber) "
                f"VALUES ({user}, 9, 'track', false, true, {LONG_AGO}, 1)"
            )
    view(store, "aggregate_user", "track_karma")
    assert [tuple(map(int, row)) for row in store.query("SELECT track_id, karma FROM track_karma")] == [(9, 3)]


def test_an_aggregate_reward_goes_on_beyond_its_steps_whatever_it_pays(store: Store) -> None:
    """`r` has five steps and pays one for each, `s` pays five for a dollar: neither rows nor amounts are held against steps."""
    add_users(store, 1, 8)
    store.execute("UPDATE users SET is_verified = true WHERE user_id = 8")
    for number in range(2, 8):
        store.execute(
            f"INSERT INTO user_events (user_id, referrer, is_current, blocknumber) VALUES ({number}, 1, true, 1)"
        )
        store.execute(
            "INSERT INTO usdc_purchases (slot, signature, buyer_user_id, seller_user_id, amount, content_type, content_id, "
            f"created_at) VALUES ({number}, 's', {number}, 8, 2500000, 'track', 7, {LONG_AGO})"
        )
    view(store, "referrals", "challenge_r", "challenge_s")
    for challenge, user, amount, specifier in (("r", 1, 1, "1:{}"), ("s", 8, 10, "{}:track:7")):
        found = store.query(
            f"SELECT user_id, specifier, amount, is_complete FROM challenge_{challenge} ORDER BY specifier"
        )
        wanted = [(user, specifier.format(number), amount, True) for number in range(2, 8)]
        assert [(who, said, int(pays), bool(done)) for who, said, pays, done in found] == wanted
