"""Soundgraph's trending tables: they read the clock, and stay true as time passes."""

from collections.abc import Callable
from contextlib import closing

import pytest

from examples.soundgraph.derived import DECLARED, make_project, query_text
from examples.soundgraph.indexer import take
from examples.soundgraph.portable import POSTGRES, SQLITE
from examples.soundgraph.stores import Store, open_store
from examples.soundgraph.world import spelled
from tests.examples.conftest import Generated
from tests.examples.soundgraph_rows import answered, derived
from tests.examples.test_soundgraph_edges import LONG_AGO, MANY, add_users
from tidemark import Project, Tidemark
from tidemark.runtime.clock import Clock

NewDatabase = Callable[[], str]
BY_NAME = {declared.name: declared for declared in DECLARED}
UPSTREAM = ("aggregate_user", "aggregate_track", "aggregate_playlist", "challenge_profile_completion")
TIMED = ("track_trending_scores", "playlist_trending_scores", "underground_trending")
DAY = 86_400


def declare(*names: str) -> Project:
    """A project of these declarations."""
    project = Project("soundgraph")
    for name in names:
        declared = BY_NAME[name]
        project.derive(name, key=declared.key, query=declared.query, **declared.options)
    return project


def computed(store: Store, name: str, at: int) -> object:
    """What the declared query gives at another time, over the same upstream tables."""
    now = SQLITE.now if store.engine == "sqlite" else POSTGRES.now
    moment = f"'{spelled(at)}'" if store.engine == "sqlite" else f"timestamp '{spelled(at)}'"
    store.execute(f"CREATE VIEW asked AS {query_text(name, store.engine).replace(now, moment)}")
    found = sorted(store.query("SELECT * FROM asked"), key=repr)
    store.execute("DROP VIEW asked")
    return found


@pytest.mark.parametrize("name", TIMED[:2])
def test_trending_moves_with_the_time(new_database: NewDatabase, generated: Generated, name: str) -> None:
    database, at = new_database(), [generated.answers["trending_at"]]
    karma = "track_karma" if name.startswith("track") else "playlist_karma"
    clock = Clock(today=lambda: spelled(at[0]))
    with closing(open_store(database)) as store:
        store.create_schema()
        take(store.database, generated.blocks)
        tidemark = Tidemark(declare(*UPSTREAM, karma, name), database, clock=clock)
        tidemark.apply()
        tidemark.tick()
        assert derived(store, name) == answered(generated.answers, name)
        for days in (3, 30):
            at[0] += days * DAY
            tidemark.tick()
            assert sorted(store.query(f"SELECT * FROM {name}"), key=repr) == computed(store, name, at[0])
        assert all(report.clean for report in tidemark.verify(name))


def test_everything_can_be_declared(new_database: NewDatabase) -> None:
    database = new_database()
    with closing(open_store(database)) as store:
        store.create_schema()
    assert {step.derived for step in Tidemark(make_project(), database).plan().steps} == set(BY_NAME)


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
