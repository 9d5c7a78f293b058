"""Soundgraph's trending tables: they read the clock, and stay true as time passes."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Any

from examples.soundgraph.api import make_app
from examples.soundgraph.derived import query_text
from examples.soundgraph.portable import POSTGRES, SQLITE
from examples.soundgraph.stores import Store, open_store
from examples.soundgraph.world import spelled
from tests.examples import challenges_page
from tests.examples.conftest import Generated
from tests.examples.soundgraph_play import TIMED, declare, play_week, weekly
from tests.examples.soundgraph_rows import WEEKLY_IDS, answered, derived
from tests.examples.test_soundgraph_edges import LONG_AGO, MANY, add_users
from tests.kit.asgi import ask
from tests.kit.size import on_one_engine
from tidemark import Tidemark

NewDatabase = Callable[[], str]
DAY = 86_400


def computed(store: Store, name: str, at: int) -> object:
    """What the declared query gives at another time, over the same upstream tables."""
    now = SQLITE.now if store.engine == "sqlite" else POSTGRES.now
    moment = f"'{spelled(at)}'" if store.engine == "sqlite" else f"timestamp '{spelled(at)}'"
    store.execute(f"CREATE VIEW asked AS {query_text(name, store.engine).replace(now, moment)}")
    found = sorted(store.query("SELECT * FROM asked"), key=repr)
    store.execute("DROP VIEW asked")
    return found


def charts_told(store: Store) -> list[list[object]]:
    """Who was told of which place in the week's lists, and of an early mark."""
    rows = store.query("SELECT type, user_id, actor_id, item_id FROM notification WHERE family = 'charts'")
    return sorted([str(kind), int(user), int(actor), int(item)] for kind, user, actor, item in rows)


def charts_expected(answers: Mapping[str, Any]) -> list[list[object]]:
    """The same, by what was announced and who is paid for having been early."""
    kinds = {"tracks": "trending", "underground": "trending_underground", "playlists": "trending_playlist"}
    found = [[kinds[of], user, rank, item] for _, of, rank, user, item in answers["trending_results"]]
    early = [row for row in answers["weekly_challenges"] if row[0] == "t"]
    return sorted([*found, *(["tastemaker", row[2], row[2], int(row[1].rpartition(":")[2], 16)] for row in early)])


@on_one_engine(1)
def test_trending_moves_with_the_time_and_the_week_is_announced_once(
    new_database: NewDatabase, generated: Generated
) -> None:
    database, answers = new_database(), generated.answers
    play_week(database, generated)
    at = [answers["trending_at"]]
    tidemark = weekly(database, at)
    with closing(open_store(database)) as store:
        for name in TIMED:
            assert derived(store, name) == answered(answers, name), name
        page = asyncio.run(ask(make_app(database), "/tracks/trending?limit=3")).json
        best = max((row[4], row[0]) for row in answers["track_trending_scores"] if row[1:3] == ["pnagD", "week"])
        assert (page["items"][0]["track_id"], len(page["items"])) == (best[1], 3)
        rewards = store.query("SELECT challenge_id, specifier, user_id, amount FROM user_challenges WHERE is_complete")
        assert sorted(map(list, rewards)) == answers["weekly_challenges"]
        assert charts_told(store) == charts_expected(answers)
        told = {one: rows for one, rows in challenges_page.told(store.engine).items() if one in WEEKLY_IDS}
        assert challenges_page.count(store) == told
        for days in (3, 30):
            at[0] += days * DAY
            tidemark.tick()
            for name in TIMED[:2]:
                assert sorted(store.query(f"SELECT * FROM {name}"), key=repr) == computed(store, name, at[0])
        results = store.query("SELECT week, type, rank, user_id, id FROM trending_results")
        assert sorted(map(list, results)) == answers["trending_results"]
        assert all(report.clean for report in tidemark.verify())


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
