"""Soundgraph's rewards as somebody sees them who earns them: deployed over history or from now on, seen at the next tick,
never taken back."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from examples.soundgraph import newcomer
from examples.soundgraph.api import make_app
from examples.soundgraph.derived import CHALLENGES, COUNTS, LISTENING, NOTICES, STANDING, make_project
from examples.soundgraph.indexer import run_stream, take
from examples.soundgraph.statements import Writer
from examples.soundgraph.stores import Store, open_store
from examples.soundgraph.world import spelled
from tests.examples.conftest import Generated
from tests.examples.soundgraph_rows import CHALLENGE, CHALLENGE_IDS, answered_progress, derived, progress, stored
from tests.examples.test_soundgraph_indexer import NOON, block, entity, play, plays
from tests.kit.asgi import ask
from tests.kit.size import in_turn, on_one_engine
from tidemark import Tidemark, iterable

SETTLED = ("challenge_profile_completion", "challenge_p", "challenge_u", "challenge_fp")
NewDatabase = Callable[[], str]
WRITERS: tuple[Writer, ...] = ("upsert", "history")
USER, OTHER = 501, 502
LATE = 200
"""A height after the starting block of every challenge."""


def tables(database: str) -> Store:
    """A store with the base tables."""
    store = open_store(database)
    store.create_schema()
    return store


def steps_of(store: Store, challenge: str, user: int) -> list[tuple[int, int]]:
    """Steps and completion of a user's rows of one challenge."""
    rows = store.query(
        "SELECT current_step_count, is_complete FROM user_challenges WHERE challenge_id = ? AND user_id = ?",
        (challenge, user),
    )
    return [(int(steps), int(complete)) for steps, complete in rows]


@dataclass
class Place:
    """A database with everything that earns, and what is told of it. Each test has users of its own."""

    store: Store
    tidemark: Tidemark
    writer: Writer
    height: int = LATE

    def play(self, *txs: dict[str, Any]) -> int:
        """One block, then a tick and the delivery of what it brought; returns the height."""
        self.height += 1
        take(self.store.database, [block(self.height, *txs)], writer=self.writer)
        self.tick()
        return self.height

    def tick(self) -> None:
        """Ticks until nothing waits, and hands out what was crossed."""
        while any(report.keys_applied or not report.drained for report in self.tidemark.tick()):
            pass
        self.tidemark.deliver()
        assert [event.error for event in self.tidemark.events("waiting")] == []

    def told(self, user: int) -> list[str]:
        """The types of what a user was told."""
        return [
            str(kind)
            for (kind,) in self.store.query("SELECT type FROM notification WHERE user_id = ? ORDER BY 1", (user,))
        ]


@contextmanager
def place(database: str) -> Iterator[Place]:
    """Everything that earns, installed. SQLite's rows are demoted and written anew, PostgreSQL's changed in place."""
    with closing(tables(database)) as store:
        tidemark = Tidemark(make_project(wanted=(*COUNTS, *LISTENING[:2], *CHALLENGES, *STANDING, *NOTICES)), database)
        tidemark.apply()
        yield Place(store, tidemark, WRITERS[store.engine == "sqlite"])


@on_one_engine(1)
def test_deployment_over_history_completes_everything(new_database: NewDatabase, generated: Generated) -> None:
    database = new_database()
    with closing(tables(database)) as store:
        take(store.database, generated.blocks)
        tidemark = Tidemark(make_project("history", (*COUNTS[4:5], *CHALLENGES)), database)
        tidemark.apply()
        tidemark.tick()
        for challenge in CHALLENGE_IDS:
            expected = answered_progress(generated.answers, challenge, "user_challenges_afresh")
            assert progress(store, challenge) == expected
        assert all(report.clean for report in tidemark.verify())


@on_one_engine(0)
def test_deployment_from_now_on_completes_nothing_from_history(new_database: NewDatabase, generated: Generated) -> None:
    database = new_database()
    with closing(tables(database)) as store:
        take(database, generated.blocks)
        tidemark = Tidemark(make_project("now", (*COUNTS[4:5], *CHALLENGES)), database)
        tidemark.apply()
        tidemark.tick()
        assert store.query("SELECT * FROM user_challenges") == []
        assert store.query("SELECT * FROM referrals") == []
        # Whoever does something now is looked at as they are, with what they did before.
        kept = {(row["challenge_id"], row["user_id"]): row for row in generated.answers["user_challenges_afresh"]}
        uploader = next(user for (challenge, user), row in kept.items() if challenge == "u" and row["is_complete"])
        height = generated.blocks[-1]["block"] + 1
        take(database, [block(height, entity(uploader, "Track", 77, "Create", title="one more"))])
        tidemark.tick()
        assert steps_of(store, "u", uploader) == [(3, 1)]
        assert {row[0] for row in store.query("SELECT user_id FROM user_challenges")} == {uploader}
        assert all(report.clean for report in tidemark.verify())


@on_one_engine(1)
def test_a_replay_from_the_first_block_gives_the_same_rows(new_database: NewDatabase, generated: Generated) -> None:
    """Whatever the batches, the kills in between, and the other workers that tick."""
    blocks = generated.blocks[100:112]
    wanted = [*COUNTS[:1], *(one for one in CHALLENGES if one.name in SETTLED)]
    found = []
    for at_once in (None, 5):
        database = new_database()
        source = iterable(lambda _: blocks)
        project = make_project(wanted=wanted, source=source, settle="block")
        with closing(tables(database)) as store:
            tidemark = Tidemark(project, database)
            tidemark.apply()
            while run_stream(tidemark, at_once).blocks:
                tidemark.tick()
            found.append({name: derived(store, name) for name in ("aggregate_user", "challenge_profile_completion")})
            found[-1]["user_challenges"] = stored(store, "user_challenges", CHALLENGE)
    assert found[0] == found[1] and found[0]["user_challenges"]


def a_profile_completed_seconds_ago_is_complete_at_the_next_tick(place: Place) -> None:
    told = [line.split()[-1] for line in newcomer.show(place.store, place.tick)]
    [(place.height,)] = place.store.query("SELECT max(number) FROM blocks")
    assert told == ["steps", "steps", str(place.height - 1), str(place.height - 1)]
    assert steps_of(place.store, "p", newcomer.NEWCOMER) == [(7, 1)]
    assert place.told(newcomer.NEWCOMER) == ["reward_in_cooldown"]


def an_owner_with_nothing_left_keeps_the_steps(place: Place) -> None:
    seen = []
    for action, track in (("Create", 1), ("Create", 2), ("Delete", 1), ("Delete", 2), ("Create", 3)):
        place.play(entity(USER, "Track", track, action, title="a"))
        seen += steps_of(place.store, "u", USER)
    assert seen == [(1, 0), (2, 0), (1, 0), (1, 0), (1, 0)]


def verify(user: int, verdict: bool) -> dict[str, Any]:
    """The network vouches for a user, or stops."""
    return entity(user, "User", user, "Verify", is_verified=verdict)


def a_pair_is_referred_once_by_what_the_referrer_is_at_first(place: Place) -> None:
    def sign_up(user: int, referrer: int) -> dict[str, Any]:
        return entity(user, "User", user, "Create", handle=f"ha{user}", events={"referrer": referrer})

    # 601 is verified after the referral and before the tick; 602 only after it.
    place.play(sign_up(611, 601), sign_up(612, 602), verify(601, True))
    place.play(verify(601, False), verify(602, True))
    place.play(*(entity(user, "User", user, "Update", events={"is_mobile_user": True}) for user in (611, 612)))
    rows = place.store.query(
        "SELECT challenge_id, specifier, user_id FROM user_challenges WHERE challenge_id IN ('r', 'rv', 'rd')"
    )
    assert sorted(rows) == [("r", "25a:264", 602), ("rd", "263", 611), ("rd", "264", 612), ("rv", "259:263", 601)]


def changes_without_a_new_block_and_with_an_old_one_are_seen(place: Place) -> None:
    user, tracks = 701, (711, 712)
    place.play(*(entity(user, "Track", track, "Create", is_unlisted=True) for track in tracks))
    assert steps_of(place.store, "u", user) == []
    # A job publishes what is due, with no block of its own.
    place.store.execute("UPDATE tracks SET is_unlisted = false WHERE owner_id = ?", (user,))
    # Another writer is behind: its row has a lower number than what was seen.
    place.store.execute(
        "INSERT INTO tracks (track_id, owner_id, is_current, created_at, updated_at, blocknumber) "
        "VALUES (713, ?, true, '2025-03-14 12:00:00', '2025-03-14 12:00:00', ?)",
        (user, LATE - 100),
    )
    place.tick()
    assert steps_of(place.store, "u", user) == [(3, 1)]


def who_is_away_completes_nothing_until_they_come_back(place: Place) -> None:
    user, seen, heights = 801, [], []
    for away in (True, False, True):
        update = entity(user, "User", user, "Update", is_deactivated=away, events={"is_mobile_user": True})
        heights.append(place.play(update))
        seen.append(steps_of(place.store, "m", user))
    assert seen == [[], [(1, 1)], [(1, 1)]]
    [(completed, at)] = place.store.query(
        "SELECT completed_blocknumber, completed_at FROM user_challenges WHERE user_id = ?", (user,)
    )
    assert (completed, str(at)) == (heights[1], spelled(NOON + heights[1]))


def a_count_that_jumps_over_two_round_numbers_reaches_each_once(place: Place) -> None:
    artist, track, fans = 901, 911, range(9_000, 9_030)
    place.play(entity(artist, "Track", track, "Create", title="t"))
    follow = [entity(fan, "User", artist, "Follow") for fan in fans]
    height = place.play(*follow, plays(*(play(str(track)) for _ in range(60))), entity(fans[0], "Track", track, "Save"))
    place.play(*(entity(fan, "User", artist, "Unfollow") for fan in fans[:9]))
    place.play(*follow[:9])
    found = place.store.query('SELECT name, threshold, blocknumber, slot, "timestamp" FROM milestones ORDER BY 1, 2')
    wanted = [("FOLLOWER_COUNT", at) for at in (10, 25)] + [("LISTEN_COUNT", at) for at in (10, 25, 50)]
    assert [(name, at) for name, at, *_ in found] == wanted
    assert {(number, slot, str(at)) for _, _, number, slot, at in found} == {(height, height, spelled(NOON + height))}
    told = place.told(artist)
    assert (told.count("milestone"), told.count("milestone_follower_count")) == (3, 2)
    assert (told.count("follow"), told.count("save")) == (30, 1)


def who_is_taken_for_a_machine_counts_and_is_not_told_of(place: Place) -> None:
    machine, artist, track = 1_001, 1_002, 1_011
    place.play(entity(machine, "User", machine, "Create", handle="airdrop_for_all"))
    place.play(entity(artist, "Track", track, "Create", title="t"))
    place.play(entity(machine, "User", artist, "Follow"), entity(machine, "Track", track, "Save"))
    assert place.store.query("SELECT follower_count FROM aggregate_user WHERE user_id = ?", (artist,)) == [(1,)]
    assert place.told(artist) == []


def what_was_told_stays_told_once(place: Place) -> None:
    owner, fan, track, comment = 1_101, 1_102, 1_111, 1_112
    place.play(entity(fan, "User", owner, "Follow"))
    place.play(entity(owner, "Track", track, "Create", title="t"))
    place.play(
        entity(fan, "Track", track, "Repost"),
        entity(fan, "Comment", comment, "Create", entity_id=track, body="fine"),
        entity(owner, "Comment", comment + 1, "Create", entity_id=track, body="my own"),
        {"type": "tip", "sender_user_id": fan, "receiver_user_id": owner, "amount": 5},
    )
    undo, again = entity(fan, "Track", track, "Unrepost"), entity(fan, "Track", track, "Repost")
    place.play(undo, entity(fan, "Comment", comment, "Delete"))
    place.play(again)
    rewards = {"claimable_reward", "reward_in_cooldown"}
    assert [told for told in place.told(owner) if told not in rewards] == [
        *("comment", "follow", "repost", "supporter_rank_up", "tip_receive")
    ]
    assert [told for told in place.told(fan) if told not in rewards] == ["create", "supporting_rank_up", "tip_send"]


def a_reward_that_cools_down_is_told_of_once_an_hour_by_an_index(place: Place) -> None:
    user = 1_201
    place.play(verify(user, True))
    # Verified needs no time to cool down, so that it is there to be claimed at once.
    assert place.told(user) == ["challenge_reward", "claimable_reward"]
    place.play(
        entity(user, "User", user, "Update", events={"is_mobile_user": True}),
        entity(user, "Playlist", 1_211, "Create", playlist_name="p"),
        {"type": "usdc_purchase", "buyer_user_id": user, "seller_user_id": 1_202, "amount": 7_000_000}
        | {"content_type": "track", "content_id": 1_212},
    )
    assert place.told(user).count("reward_in_cooldown") == 1
    assert steps_of(place.store, "fp", user) == steps_of(place.store, "m", user) == steps_of(place.store, "b", user)
    plan = " ".join(
        str(row)
        for row in place.store.query(
            ("EXPLAIN QUERY PLAN " if place.store.engine == "sqlite" else "EXPLAIN ")
            + "SELECT 1 FROM notification WHERE type = 'reward_in_cooldown' AND user_id = 1 "
            "AND \"timestamp\" >= '2025-03-14 12:00:00' LIMIT 1"
        )
    )
    assert "notification_cooldown" in plan or place.store.engine == "postgresql"
    # What is seven days old has cooled down, whenever that is looked at.
    assert "claimable_reward" in place.told(user)


STORIES = (
    a_profile_completed_seconds_ago_is_complete_at_the_next_tick,
    an_owner_with_nothing_left_keeps_the_steps,
    a_pair_is_referred_once_by_what_the_referrer_is_at_first,
    changes_without_a_new_block_and_with_an_old_one_are_seen,
    who_is_away_completes_nothing_until_they_come_back,
    a_count_that_jumps_over_two_round_numbers_reaches_each_once,
    who_is_taken_for_a_machine_counts_and_is_not_told_of,
    what_was_told_stays_told_once,
    a_reward_that_cools_down_is_told_of_once_an_hour_by_an_index,
)
# What `read_it_all` looks for comes from these.
ASKED_FOR = (
    a_count_that_jumps_over_two_round_numbers_reaches_each_once,
    a_reward_that_cools_down_is_told_of_once_an_hour_by_an_index,
)


def read_it_all(database: str) -> None:
    """The API over the same database: lists by pages, what there is not, and what is no question."""

    def get(path: str) -> Any:
        answer = asyncio.run(ask(make_app(database), path))
        return answer.json if answer.status == 200 else answer.status

    def walk(path: str, limit: int) -> list[Any]:
        found, after = [], ""
        while True:
            page = get(f"{path}?limit={limit}{after}")
            found += page["items"]
            if page["next"] is None:
                return found
            assert len(page["items"]) == limit
            after = f"&after={quote(page['next'])}"

    for path in ("/users", "/tracks", "/milestones", "/users/901/notifications", "/users/1201/challenges"):
        whole = walk(path, 200)
        assert walk(path, 7) == whole and whole, path
    assert get("/users/901")["follower_count"] == 30
    assert get("/tracks/911")["play_count"] == 60
    assert [row["threshold"] for row in walk("/milestones", 2) if row["name"] == "FOLLOWER_COUNT"] == [10, 25]
    verified = [row for row in walk("/users/1201/challenges", 50) if row["challenge_id"] == "v"]
    assert [(row["is_complete"], row["amount"]) for row in verified] == [(True, 5)]
    assert walk("/users/901/notifications", 50)[0]["type"]
    refused = (
        "/users/77777",
        "/users/0",
        "/users?limit=0",
        "/users?limit=x",
        "/milestones?after=[1]",
        "/users?after=?",
    )
    assert [get(path) for path in refused] == [404, 400, 400, 400, 400, 400]


def test_every_story(new_database: NewDatabase) -> None:
    """One after the other in one database, because there is much to install: each has users of its own.

    A plain run tells half of those that the API is not asked about, and the other half on the other engine.
    """
    database = new_database()
    with place(database) as found:
        for number, story in enumerate(STORIES):
            if story in ASKED_FOR or in_turn(number + database.startswith("sqlite"), 2):
                story(found)
        read_it_all(found.store.database)
        assert all(report.clean for report in found.tidemark.verify())
