"""What `explain` says is what the script does and what the engine answers, on each engine."""

import contextlib
import json

import pytest

from tidemark import Project, Tidemark
from tidemark.cli.reports import explain_text
from tidemark.database.open import open_session

SCHEMA = """
CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, country TEXT);
CREATE TABLE posts (id INTEGER PRIMARY KEY, author_id INTEGER, thread_id INTEGER NOT NULL, score INTEGER);
"""


def _project() -> Project:
    project = Project("forum")
    project.derive(
        "names",
        key="id",
        query="SELECT p.id, u.name FROM posts p JOIN users u ON u.id = p.author_id",
    )
    project.derive("best", query="SELECT thread_id, max(score) AS best FROM posts GROUP BY thread_id")
    return project


@pytest.fixture
def forum(engine_url: str) -> Tidemark:
    with contextlib.closing(open_session(engine_url)) as session, session.transaction():
        session.script(SCHEMA)
    return Tidemark(_project(), engine_url)


def test_it_is_told_before_anything_is_installed(forum: Tidemark) -> None:
    found = forum.explain("names")
    assert (found.klass, found.freshness, found.state) == ("keyed", "tick", "")
    assert found.routes == (
        "a change of posts carries id itself",
        "a change of users reaches id through posts, as it is now and as it was",
    )
    assert "posts (id, author_id)" in found.writer and "users (id, name)" in found.writer
    assert any("posts: no index" in said for said in found.restriction)
    assert any("CREATE INDEX" in said for said in found.cheaper) and found.measured == ()
    assert any(said.startswith("why not at commit") for said in found.staleness)


def test_the_engine_itself_says_whether_an_index_is_reached(forum: Tidemark) -> None:
    forum.apply()
    missing = forum.explain("names")
    assert "posts: finding the keys of changes reads all of it" in missing.restriction
    assert "posts: recomputing a batch reaches it by an index" in missing.restriction
    assert "users: recomputing a batch reaches it by an index" in missing.restriction
    forum.apply(create_indexes=True)
    there = forum.explain("names")
    assert "posts: finding the keys of changes reaches it by an index" in there.restriction
    assert there.missing_indexes == () and not any("reads all" in said for said in there.restriction)


def test_what_was_measured_and_what_waits_is_told(forum: Tidemark) -> None:
    forum.apply()
    with contextlib.closing(open_session(forum.database)) as user:
        with user.transaction():
            user.run("INSERT INTO posts VALUES (1, 1, 1, 1)")
            user.run("INSERT INTO users VALUES (1, 'ann', 'x')")
        waiting = forum.explain("names")
        assert any("waiting, the last tick was at" in said for said in waiting.staleness)
        forum.tick()
    done = forum.explain("names")
    assert done.state == "live" and "nothing waits now" in done.staleness
    assert "the last 1 tick applied 1 key, wrote 1 row" in done.measured[0]


def test_commit_freshness_has_its_own_contract(forum: Tidemark) -> None:
    forum.apply()
    found = forum.explain("best")
    assert (found.klass, found.freshness) == ("linear", "commit")
    assert found.staleness == ("none: at every commit the stored rows equal the query",)
    assert found.routes == (
        "a change of posts is added to thread_id, which it carries itself; "
        "best of a key is computed anew when what left may have been it",
    )
    assert "triggers on its sources" in found.writer


@pytest.mark.parametrize("name", ["names", "best"])
def test_it_reads_as_text_and_as_plain_data(forum: Tidemark, name: str) -> None:
    forum.apply()
    found = forum.explain(name)
    data = json.loads(json.dumps(found.as_json()))
    assert data["class"] == found.klass and data["routes"] == list(found.routes)
    text = explain_text(found)
    for said in (
        *found.reasons,
        *found.routes,
        *found.restriction,
        *found.locks,
        *found.cheaper,
        found.cost,
        found.writer,
    ):
        assert said in text


def test_how_many_rows_a_value_reaches_is_looked_at(forum: Tidemark) -> None:
    with contextlib.closing(open_session(forum.database)) as user, user.transaction():
        for number in range(1, 8):
            user.run(f"INSERT INTO posts VALUES ({number}, {1 if number < 6 else number}, 1, 1)")
    assert forum.explain("names").fan_out == ()
    forum.apply()
    found = forum.explain("names")
    assert ("posts", "author_id") in found.indexes
    assert (
        "posts: one author_id reaches 5 rows at p99 and 5 at most or more, of 3 values that were looked at"
        in found.fan_out
    )
    forum.apply(create_indexes=True)
    assert (
        "posts: one author_id reaches 5 rows at p99 and 5 at most, of 3 values that were looked at"
        in forum.explain("names").fan_out
    )
    told = json.loads(json.dumps(found.as_json()))
    assert told["operators"][1] == {
        "what": "join of users",
        "class": "bilinear",
        "code": "inner-join",
        "reason": "a change counts for every row that it joins, so its work grows with those",
    }
    assert told["writer_microseconds"]["row"] > 0 and "p99" in explain_text(found)
