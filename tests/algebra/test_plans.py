"""A batch reaches an index in every part of the query, on both engines."""

import contextlib

import pytest

from tests.algebra.world import SCHEMA
from tidemark.database.open import open_session
from tidemark.declare import Project
from tidemark.engine import Tidemark
from tidemark.runtime.ticks.batch import prepare

QUERIES = {
    "two_aggregates": (
        "SELECT u.id, x.n, y.m FROM users u "
        "LEFT JOIN (SELECT author, count(*) AS n FROM posts GROUP BY author) x ON x.author = u.id "
        "LEFT JOIN (SELECT b, count(*) AS m FROM follows GROUP BY b) y ON y.b = u.id",
        ("users", "posts", "follows"),
    ),
    "both_branches": ("SELECT id FROM users UNION SELECT b FROM follows", ("users", "follows")),
    "partition": (
        "SELECT author, id FROM (SELECT author, id, row_number() OVER (PARTITION BY author ORDER BY score, id) AS rn "
        "FROM posts) x WHERE rn = 1",
        ("posts",),
    ),
    "recursion": (
        "WITH RECURSIVE above(id, top) AS (SELECT id, boss FROM users UNION SELECT a.id, u.boss FROM above a "
        "JOIN users u ON u.id = a.top) SELECT id, top FROM above",
        ("users",),
    ),
}
KEYS = {"two_aggregates": "id", "both_branches": "id", "partition": "author", "recursion": ("id", "top")}


@pytest.mark.parametrize("name", QUERIES)
def test_a_batch_reaches_an_index_everywhere(name: str, engine_url: str) -> None:
    query, tables = QUERIES[name]
    project = Project("plans")
    project.derive(name, query=query, key=KEYS[name], freshness="tick")
    with contextlib.closing(open_session(engine_url)) as session:
        with session.transaction():
            for statement in SCHEMA:
                session.run(statement)
        (script,) = Tidemark(project, engine_url).sql()
        assert script.applier.indexed
        # Where a recursion is walked back from a change, rows are looked up by what its steps hand on.
        assert ["boss" in index.names[0] for index in script.missing_indexes] == [True] * (name == "recursion")
        with session.transaction():
            prepare(session, script)
        reading = [
            sql for sql in (*script.applier.gather, *script.applier.recomputing) if '"posts"' in sql or '"users"' in sql
        ]
        assert reading
        for sql in reading:
            for table in tables:
                assert session.uses_index(sql, table), (table, sql)
