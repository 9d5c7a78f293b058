"""Soundgraph's trending tables: they read the clock, and stay true as time passes."""

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta

from examples.soundgraph.derived import DECLARED, INACTIVE, make_project, query_text
from examples.soundgraph.indexer import take
from examples.soundgraph.portable import POSTGRES, SQLITE
from examples.soundgraph.stores import Store, open_store
from examples.soundgraph.weekly import announce
from examples.soundgraph.world import spelled
from tests.examples.conftest import Generated
from tests.examples.soundgraph_rows import WEEKLY_IDS, answered, derived
from tests.examples.test_soundgraph_edges import LONG_AGO, MANY, add_users
from tidemark import Project, Tidemark
from tidemark.runtime.clock import Clock

NewDatabase = Callable[[], str]
BY_NAME = {declared.name: declared for declared in DECLARED}
UPSTREAM = ("aggregate_user", "aggregate_track", "aggregate_playlist", "challenge_profile_completion")
TIMED = ("track_trending_scores", "playlist_trending_scores", "underground_trending")
WEEKLY = ("early_marks", *(f"challenge_{challenge}" for challenge in WEEKLY_IDS))
DAY = 86_400


def declare(*names: str) -> Project:
    """A project of these declarations."""
    return make_project(wanted=[BY_NAME[name] for name in names])


def computed(store: Store, name: str, at: int) -> object:
    """What the declared query gives at another time, over the same upstream tables."""
    now = SQLITE.now if store.engine == "sqlite" else POSTGRES.now
    moment = f"'{spelled(at)}'" if store.engine == "sqlite" else f"timestamp '{spelled(at)}'"
    store.execute(f"CREATE VIEW asked AS {query_text(name, store.engine).replace(now, moment)}")
    found = sorted(store.query("SELECT * FROM asked"), key=repr)
    store.execute("DROP VIEW asked")
    return found


def test_trending_moves_with_the_time_and_the_week_is_announced_once(
    new_database: NewDatabase, generated: Generated
) -> None:
    database, answers = new_database(), generated.answers
    at = [answers["trending_at"]]
    clock = Clock(today=lambda: spelled(at[0]))
    with closing(open_store(database)) as store:
        store.create_schema()
        take(store.database, generated.blocks)
        tidemark = Tidemark(declare(*UPSTREAM, "track_karma", "playlist_karma", *TIMED, *WEEKLY), database, clock=clock)
        tidemark.apply()
        tidemark.tick()
        for name in TIMED:
            assert derived(store, name) == answered(answers, name), name
        friday = datetime.fromtimestamp(at[0], UTC).date()
        assert announce(store, friday - timedelta(days=1)) == 0
        assert announce(store, friday) == len(answers["trending_results"])
        assert announce(store, friday) == 0
        for days in (0, 3, 30):
            at[0] += days * DAY
            tidemark.tick()
            for name in TIMED[:2]:
                assert sorted(store.query(f"SELECT * FROM {name}"), key=repr) == computed(store, name, at[0])
        results = store.query("SELECT week, type, rank, user_id, id FROM trending_results")
        assert sorted(map(list, results)) == answers["trending_results"]
        rewards = store.query("SELECT challenge_id, specifier, user_id, amount FROM user_challenges WHERE is_complete")
        assert sorted(map(list, rewards)) == answers["weekly_challenges"]
        assert {row[0] for row in rewards} == set(WEEKLY_IDS)
        assert all(report.clean for report in tidemark.verify())


def test_everything_can_be_declared(new_database: NewDatabase) -> None:
    database = new_database()
    with closing(open_store(database)) as store:
        store.create_schema()
    planned = {step.derived for step in Tidemark(make_project(), database).plan().steps}
    assert planned == set(BY_NAME) - INACTIVE


def test_underground_is_kept_over_scores_that_are_there(new_database: NewDatabase) -> None:
    database = new_database()
    with closing(open_store(database)) as store:
        store.create_schema()
        add_users(store, 1, 24)
        store.execute(
            "INSERT INTO tracks (track_id, owner_id, is_current, created_at, updated_at, blocknumber) "
            + MANY.format(count=24)
            + f"i, i, true, {LONG_AGO}, {LONG_AGO}, 1 FROM n"
        )
        store.execute(
            "CREATE TABLE track_trending_scores (track_id integer NOT NULL, version varchar(9) NOT NULL, "
            "time_range varchar(9) NOT NULL, genre varchar(9), score integer NOT NULL, "
            "PRIMARY KEY (track_id, version, time_range))"
        )
        store.execute(
            "INSERT INTO track_trending_scores " + MANY.format(count=24) + "i, 'pnagD', 'week', NULL, 10 * i FROM n"
        )
        tidemark = Tidemark(declare("aggregate_user", "underground_trending"), database)
        tidemark.apply()

        def left() -> list[int]:
            return [number for (number,) in store.query("SELECT track_id FROM underground_trending ORDER BY 1")]

        assert left() == [1, 2, 3, 4]
        store.execute("UPDATE track_trending_scores SET score = 999 WHERE track_id = 2")
        tidemark.tick()
        assert left() == [1, 3, 4, 5]
        assert all(report.clean for report in tidemark.verify())
