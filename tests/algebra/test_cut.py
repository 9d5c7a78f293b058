"""The first rows of a result, in an order that the result need not show."""

from __future__ import annotations

import pytest

from tests.algebra.world import SCHEMA
from tidemark.database.open import open_session
from tidemark.declare import Project
from tidemark.engine import Tidemark
from tidemark.errors import Code, Refusal

NOCASE = {"sqlite": "NOCASE", "postgresql": '"C"'}
QUERIES = (
    "SELECT id, state FROM posts ORDER BY score DESC, id LIMIT 2",
    "SELECT * FROM posts ORDER BY abs(score - 3), id DESC LIMIT 3 OFFSET 1",
    "SELECT id FROM users ORDER BY lower(name) COLLATE {collation} DESC, id LIMIT 2",
    "SELECT author FROM posts GROUP BY author ORDER BY count(*) DESC, author LIMIT 1",
    "SELECT p.id, u.region FROM posts p JOIN users u ON u.id = p.author ORDER BY u.name DESC, p.id LIMIT 2",
    "SELECT id FROM users u ORDER BY (SELECT count(*) FROM posts p WHERE p.author = u.id) DESC, id LIMIT 2",
    "SELECT state FROM posts ORDER BY id LIMIT 1",
)
CASED = 'SELECT id, score AS n, -score AS "N" FROM posts ORDER BY "N", id LIMIT 2'
CHANGES = (
    "INSERT INTO users VALUES (1, 'a', 1, NULL), (2, 'B', 2, 1), (3, 'b', 1, 1)",
    "INSERT INTO posts VALUES (1, 1, 3, 'a'), (2, 2, 5, 'b'), (3, 2, 1, 'a'), (4, 3, 4, NULL)",
    "UPDATE posts SET score = 9 - score WHERE id < 4",
    "UPDATE users SET name = 'A' || name WHERE id > 1",
    "UPDATE posts SET author = 1",
    "DELETE FROM posts WHERE id IN (1, 2)",
)
REFUSED = (
    ("SELECT DISTINCT state FROM posts ORDER BY score LIMIT 2", (Code.UNSUPPORTED, Code.UNKNOWN_COLUMN)),
    ("SELECT id, score AS tidemark_order_1 FROM posts ORDER BY state LIMIT 1", (Code.NAME,)),
)


def test_readers_see_the_first_rows(engine_url: str) -> None:
    engine = "postgresql" if engine_url.startswith("postgres") else "sqlite"
    queries = [query.format(collation=NOCASE[engine]) for query in QUERIES]
    queries += [CASED] if engine == "postgresql" else []
    project = Project("cut")
    for number, query in enumerate(queries):
        project.derive(f"first_{number}", query=query, freshness="tick" if number % 2 else None)
    user = open_session(engine_url)
    try:
        for statement in SCHEMA:
            with user.transaction():
                user.run(statement)
        tidemark = Tidemark(project, engine_url)
        tidemark.apply()
        for statement in CHANGES:
            with user.transaction():
                user.run(statement)
            tidemark.tick()
            for number, query in enumerate(queries):
                assert user.all(f"SELECT * FROM first_{number}") == user.all(query), (query, statement)
        assert tidemark.explain("first_0").columns == ("id", "state")
        assert all(report.clean for report in tidemark.verify())
        for query, codes in REFUSED:
            refused = Project("refused")
            refused.derive("refused", query=query)
            with pytest.raises(Refusal) as met:
                Tidemark(refused, engine_url).plan()
            assert met.value.code in codes, query
    finally:
        user.close()
