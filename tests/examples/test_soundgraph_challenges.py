"""Soundgraph's rewards as somebody sees them who earns them: deployed over history or from now on, seen at the next tick,
never taken back."""

from collections.abc import Callable
from contextlib import closing

import pytest

from examples.soundgraph import newcomer
from examples.soundgraph.derived import CHALLENGES, COUNTS, make_project
from examples.soundgraph.indexer import add_stream, run_stream, take
from examples.soundgraph.statements import Writer
from examples.soundgraph.stores import Store, open_store
from examples.soundgraph.world import spelled
from tests.examples.conftest import Generated
from tests.examples.soundgraph_rows import CHALLENGE, CHALLENGE_IDS, answered_progress, derived, progress, stored
from tests.examples.test_soundgraph_indexer import NOON, block, entity
from tidemark import Tidemark, iterable

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


def test_deployment_over_history_completes_everything(new_database: NewDatabase, generated: Generated) -> None:
    database = new_database()
    with closing(tables(database)) as store:
        take(store.database, generated.blocks)
        tidemark = Tidemark(make_project("history", CHALLENGES), database)
        tidemark.apply()
        tidemark.tick()
        for challenge in CHALLENGE_IDS:
            expected = answered_progress(generated.answers, challenge, "user_challenges_afresh")
            assert progress(store, challenge) == expected
        assert all(report.clean for report in tidemark.verify())


def test_deployment_from_now_on_completes_nothing_from_history(new_database: NewDatabase, generated: Generated) -> None:
    database = new_database()
    with closing(tables(database)) as store:
        take(database, generated.blocks)
        tidemark = Tidemark(make_project("now", CHALLENGES), database)
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


def test_a_replay_from_the_first_block_gives_the_same_rows(new_database: NewDatabase, generated: Generated) -> None:
    """Whatever the batches, the kills in between, and the other workers that tick."""
    blocks = generated.blocks[100:118]
    found = []
    for at_once in (None, 5):
        database = new_database()
        project = make_project(wanted=(*COUNTS[:1], *CHALLENGES))
        add_stream(project, iterable(lambda _: blocks), settle="block")
        with closing(tables(database)) as store:
            tidemark = Tidemark(project, database)
            tidemark.apply()
            while run_stream(tidemark, at_once).blocks:
                tidemark.tick()
            found.append({name: derived(store, name) for name in ("aggregate_user", "challenge_profile_completion")})
            found[-1]["user_challenges"] = stored(store, "user_challenges", CHALLENGE)
    assert found[0] == found[1] and found[0]["user_challenges"]


def test_a_profile_completed_seconds_ago_is_complete_at_the_next_tick(new_database: NewDatabase) -> None:
    database = new_database()
    with closing(tables(database)) as store:
        tidemark = Tidemark(make_project(wanted=CHALLENGES), database)
        tidemark.apply()
        told = [line.split()[-1] for line in newcomer.show(store, tidemark.tick)]
        assert told == ["steps", "steps", "3", "3"]
        assert steps_of(store, "p", newcomer.NEWCOMER) == [(7, 1)]


@pytest.mark.parametrize("writer", WRITERS)
def test_an_owner_with_nothing_left_keeps_the_steps(new_database: NewDatabase, writer: Writer) -> None:
    database = new_database()
    with closing(tables(database)) as store:
        tidemark = Tidemark(make_project(wanted=CHALLENGES), database)
        tidemark.apply()
        height = LATE
        seen = []
        for action, track in (("Create", 1), ("Create", 2), ("Delete", 1), ("Delete", 2), ("Create", 3)):
            height += 1
            take(database, [block(height, entity(USER, "Track", track, action, title="a"))], writer=writer)
            tidemark.tick()
            seen += steps_of(store, "u", USER)
        assert seen == [(1, 0), (2, 0), (1, 0), (1, 0), (1, 0)]


@pytest.mark.parametrize("writer", WRITERS)
def test_a_pair_is_referred_once_by_what_the_referrer_is_at_first(new_database: NewDatabase, writer: Writer) -> None:
    database = new_database()
    with closing(tables(database)) as store:
        tidemark = Tidemark(make_project(wanted=CHALLENGES), database)
        tidemark.apply()

        def verify(user: int, verdict: bool) -> dict[str, object]:
            return entity(user, "User", user, "Verify", is_verified=verdict)

        def sign_up(user: int, referrer: int) -> dict[str, object]:
            return entity(user, "User", user, "Create", handle=f"ha{user}", events={"referrer": referrer})

        # 1 is verified after the referral and before the tick; 2 only after it.
        take(database, [block(LATE, sign_up(11, 1), sign_up(12, 2)), block(LATE + 1, verify(1, True))], writer=writer)
        tidemark.tick()
        take(database, [block(LATE + 2, verify(1, False), verify(2, True))], writer=writer)
        mobile = [entity(user, "User", user, "Update", events={"is_mobile_user": True}) for user in (11, 12)]
        tidemark.tick()
        take(database, [block(LATE + 3, *mobile)], writer=writer)
        tidemark.tick()
        rows = store.query(
            "SELECT challenge_id, specifier, user_id FROM user_challenges WHERE challenge_id IN ('r', 'rv', 'rd')"
        )
        assert sorted(rows) == [("r", "2:c", 2), ("rd", "b", 11), ("rd", "c", 12), ("rv", "1:b", 1)]
        assert all(report.clean for report in tidemark.verify())


def test_changes_without_a_new_block_and_with_an_old_one_are_seen(new_database: NewDatabase) -> None:
    database = new_database()
    with closing(tables(database)) as store:
        tidemark = Tidemark(make_project(wanted=CHALLENGES), database)
        tidemark.apply()
        hidden = [entity(USER, "Track", track, "Create", is_unlisted=True) for track in (1, 2)]
        take(store.database, [block(LATE, *hidden, entity(OTHER, "User", USER, "Follow"))])
        tidemark.tick()
        assert steps_of(store, "u", USER) == []
        # A job publishes what is due, with no block of its own.
        store.execute("UPDATE tracks SET is_unlisted = false WHERE owner_id = ?", (USER,))
        # Another writer is behind: its row has a lower number than what was seen.
        store.execute(
            "INSERT INTO tracks (track_id, owner_id, is_current, created_at, updated_at, blocknumber) "
            "VALUES (3, ?, true, '2025-03-14 12:00:00', '2025-03-14 12:00:00', ?)",
            (USER, LATE - 100),
        )
        tidemark.tick()
        assert steps_of(store, "u", USER) == [(3, 1)]


def test_who_is_away_completes_nothing_until_they_come_back(new_database: NewDatabase) -> None:
    database = new_database()
    with closing(tables(database)) as store:
        tidemark = Tidemark(make_project(wanted=CHALLENGES), database)
        tidemark.apply()

        def update(away: bool) -> dict[str, object]:
            return entity(USER, "User", USER, "Update", is_deactivated=away, events={"is_mobile_user": True})

        seen = []
        for number, away in enumerate((True, False, True)):
            take(database, [block(LATE + number, update(away))])
            tidemark.tick()
            seen.append(steps_of(store, "m", USER))
        assert seen == [[], [(1, 1)], [(1, 1)]]
        [(completed, at)] = store.query("SELECT completed_blocknumber, completed_at FROM user_challenges")
        assert (completed, str(at)) == (LATE + 1, spelled(NOON + LATE + 1))
