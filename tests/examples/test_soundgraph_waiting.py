"""What soundgraph writes down and cannot declare yet: refused for the reason that is given, and true over what stands in
for what it waits for."""

from collections.abc import Callable
from contextlib import closing

import pytest

from examples.soundgraph.derived import DECLARED, WAITING
from examples.soundgraph.stores import open_store
from tests.examples.test_soundgraph_edges import LONG_AGO, MANY, add_users
from tidemark import Project, Refusal, Tidemark

NewDatabase = Callable[[], str]
BY_NAME = {declared.name: declared for declared in DECLARED}
UPSTREAM = {
    "track_trending_scores": ("aggregate_user", "aggregate_track", "challenge_profile_completion", "track_karma"),
    "playlist_trending_scores": (
        "aggregate_user",
        "aggregate_playlist",
        "challenge_profile_completion",
        "playlist_karma",
    ),
}


def declare(*names: str) -> Project:
    """A project of these declarations, waiting or not."""
    project = Project("soundgraph")
    for name in names:
        declared = BY_NAME[name]
        project.derive(name, key=declared.key, query=declared.query, **declared.options)
    return project


def test_what_waits_is_known() -> None:
    assert WAITING.keys() == UPSTREAM.keys() | {"underground_trending"}


@pytest.mark.parametrize("name", UPSTREAM)
def test_what_waits_for_the_clock_is_refused_for_it(new_database: NewDatabase, name: str) -> None:
    """Fails when now() can be kept: then the name leaves WAITING and this list."""
    database = new_database()
    with closing(open_store(database)) as store:
        store.create_schema()
    with pytest.raises(Refusal, match="reads the clock|changes by itself|volatile") as caught:
        Tidemark(declare(*UPSTREAM[name], name), database).plan()
    assert caught.value.code.value == "volatile"


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
