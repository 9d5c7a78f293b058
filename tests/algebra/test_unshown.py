"""Rows that nothing identifies which is shown: what tells them apart is stored and not seen, at either freshness."""

from __future__ import annotations

import random

import pytest

from tests.algebra.world import Place
from tests.kit.size import on_engines_in_turn
from tidemark.declare import Project
from tidemark.errors import Code, Refusal

SEED = 20261130
SIZES = "SELECT count(*) AS n, sum(score) AS s FROM posts GROUP BY author"
QUERIES = {
    "sizes": SIZES,
    "states": "SELECT state FROM posts WHERE score > 1",
    "large": "SELECT state, max(score) AS best FROM posts GROUP BY author, state HAVING count(*) > 1",
    "folded": "SELECT coalesce(state, '-') AS state, count(*) AS n FROM posts GROUP BY state",
    "names": "SELECT u.name, count(p.id) AS n FROM users u LEFT JOIN posts p ON p.author = u.id GROUP BY u.id, u.name",
    "pairs": "SELECT a.name, b.name AS other FROM users a JOIN users b ON b.boss = a.id",
    "either": "SELECT name AS word, region AS n FROM users UNION ALL SELECT state, score FROM posts WHERE score > 1",
    "met": "SELECT a.name, p.score FROM users a FULL JOIN posts p ON p.author = a.id",
    "before": "SELECT score, lag(score) OVER (PARTITION BY author ORDER BY id) AS before FROM posts",
    "within": "SELECT x.score FROM (SELECT author, score FROM posts WHERE score > 1) x",
    "many": "SELECT x.n, u.name FROM (SELECT author, state, count(*) AS n FROM posts GROUP BY author, state) x "
    "JOIN users u ON u.id = x.author WHERE x.n > 1",
    "lettered": 'SELECT x."Many" FROM (SELECT AUTHOR, State AS S, count(*) AS "Many" FROM Posts GROUP BY Author, STATE) AS X',
    "named": "WITH x AS (SELECT author, score FROM posts), y AS (SELECT * FROM x WHERE author > 1) SELECT score FROM y",
    "twice": "WITH x AS (SELECT author, count(*) AS n FROM posts GROUP BY author) SELECT a.n, b.n AS m FROM x a JOIN x b "
    "ON b.n = a.author",
    "starred": "SELECT * FROM (SELECT score, state FROM posts) x",
    "of_both": "SELECT x.word FROM (SELECT name AS word FROM users UNION ALL SELECT state FROM posts WHERE score > 1) x",
    "kinds": "SELECT region AS n FROM users UNION ALL SELECT live FROM follows UNION ALL SELECT max(id) FROM posts "
    "GROUP BY state",
    "kinds_within": "SELECT x.w FROM (SELECT name AS w FROM users GROUP BY name, region UNION ALL SELECT state FROM posts "
    "UNION ALL SELECT NULL FROM follows) x WHERE x.w <> 'b'",
    "seen_by": "SELECT live FROM linked WHERE live > 1",
    "beside": "SELECT d.n, (SELECT count(*) FROM posts p WHERE p.author = u.id AND p.score > d.n) AS posts FROM users u "
    "CROSS JOIN (SELECT 1 AS n UNION ALL SELECT 2) d",
    "first_ones": "WITH x AS (SELECT author, score, id FROM posts) SELECT score FROM x ORDER BY score DESC, id LIMIT 3",
    "runs": "SELECT author, min(id) AS first, count(*) AS n FROM (SELECT id, author, state, row_number() OVER (PARTITION BY "
    "author ORDER BY id) - row_number() OVER (PARTITION BY author, state ORDER BY id) AS run FROM posts) x "
    "GROUP BY author, state, run",
}
POSTGRES = {
    "best": "SELECT DISTINCT ON (author) state, score FROM posts ORDER BY author, score DESC NULLS LAST, id",
    "elements": "SELECT e AS word FROM posts p, unnest(string_to_array(p.state, 'a')) e",
    "newest": "SELECT u.name, x.score FROM users u CROSS JOIN LATERAL (SELECT p.score FROM posts p WHERE p.author = u.id "
    "ORDER BY p.score DESC, p.id LIMIT 2) x",
    "either_group": "SELECT region, boss, count(*) AS n FROM users GROUP BY GROUPING SETS ((region), (boss))",
    "again": "SELECT region, count(DISTINCT name) AS n FROM users GROUP BY region, ROLLUP (region, boss)",
    "sets": "SELECT author, state, count(*) AS n FROM posts GROUP BY GROUPING SETS ((author, state), author)",
    "shown": "SELECT g % 3 AS third, count(p.id) AS n FROM generate_series(1, 5) g LEFT JOIN posts p ON p.author = g GROUP BY g",
}


def _queries(url: str) -> dict[str, str]:
    return {**QUERIES, **POSTGRES} if url.startswith("postgres") else QUERIES


def _project(queries: dict[str, str], **options: object) -> Project:
    project = Project("unshown")
    for name, query in queries.items():
        project.derive(name, query=query, **options)  # type: ignore[arg-type]
    return project


@on_engines_in_turn("freshness", ["tick", "commit"])
def test_rows_that_look_alike_come_and_go(engine_url: str, freshness: str) -> None:
    queries = _queries(engine_url)
    options = {"allow_lock": True} if freshness == "commit" else {}
    place = Place.make(engine_url, _project(queries, freshness=freshness, **options), SEED)
    try:
        rng = random.Random(SEED)
        for _ in range(10):
            done = place.step(rng, rng.choice((1, 2, 4)))
            for name, query in queries.items():
                assert place.bag(f'SELECT * FROM "{name}"') == place.bag(query), (name, done)
        assert all(report.clean for report in place.tidemark.verify())
    finally:
        place.user.close()


def test_nobody_sees_what_tells_rows_apart(engine_url: str) -> None:
    place = Place.make(engine_url, _project({"sizes": SIZES}, freshness="tick", live=True), SEED)
    try:
        found = place.tidemark.explain("sizes")
        assert found.klass == "linear" and found.columns == ("n", "s")
        assert any("stored and not shown" in note and "author" in note for note in found.notes)
        with place.user.transaction():
            place.user.run("INSERT INTO posts VALUES (101, 77, 1, 'a')")
        assert place.bag("SELECT * FROM sizes_live") == place.bag(SIZES)
        place.tidemark.tick()
        place.tidemark.uninstall(keep_data=True)
        assert place.bag("SELECT * FROM sizes") == place.bag(SIZES)
    finally:
        place.user.close()


def test_rows_that_look_alike_are_compared_with_the_query(engine_url: str) -> None:
    place = Place.make(engine_url, _project({"before": QUERIES["before"]}, freshness="tick"), SEED)
    store = "tidemark.before" if engine_url.startswith("postgres") else "tidemark_before"
    try:
        with place.user.transaction():
            place.user.run("INSERT INTO posts VALUES (101, 77, 8, 'a'), (102, 78, 8, 'a'), (103, 79, 8, 'a')")
        (report,) = place.tidemark.verify_as_written("before")
        assert report.clean and not report.why_not
        with place.user.transaction():
            place.user.run(f"DELETE FROM {store} WHERE tidemark_key_1 = 102")
            place.user.run(f"UPDATE {store} SET score = 9 WHERE tidemark_key_1 = 103")
        (report,) = place.tidemark.verify_as_written("before")
        found = [(one.kind, one.stored, one.truth) for one in report.differ]
        assert found == [("missing", None, (8, None)), ("missing", None, (8, None)), ("extra", (9, None), None)]
    finally:
        place.user.close()


def test_events_want_a_key_that_is_seen(engine_url: str) -> None:
    project = Project("unshown")
    sizes = project.derive("sizes", query=SIZES)
    sizes.on_crossing("n", at=[2])(lambda db, event: None)
    with pytest.raises(Refusal) as met:
        Place.make(engine_url, project, SEED)
    assert met.value.code is Code.KEY_MISSING


def test_copies_that_set_operations_count_are_refused_by_name(pg_database: str) -> None:
    with pytest.raises(Refusal, match="EXCEPT ALL keeps rows that look alike") as met:
        Place.make(
            pg_database,
            _project({"rest": "SELECT name FROM users EXCEPT ALL SELECT state FROM posts"}, freshness="commit"),
            SEED,
        )
    assert met.value.code is Code.KEY_MISSING


def test_a_total_among_groupings_that_is_not_added_up_wants_consent(pg_database: str) -> None:
    query = "SELECT region, boss, string_agg(name, ' ' ORDER BY id) AS names FROM users GROUP BY ROLLUP (region, boss)"
    with pytest.raises(Refusal, match="the total as a derived table of its own") as met:
        Place.make(pg_database, _project({"rolled": query}), SEED)
    assert met.value.code is Code.GLOBAL


@pytest.mark.parametrize("query", ["SELECT tag FROM tags", "SELECT state FROM posts UNION ALL SELECT tag FROM tags"])
def test_writers_do_not_number_rows_that_nothing_tells_apart(engine_url: str, query: str) -> None:
    with pytest.raises(Refusal) as met:
        Place.make(engine_url, _project({"alike": query}, freshness="commit"), SEED)
    assert met.value.code is Code.KEY_MISSING
