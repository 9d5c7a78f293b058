"""PostgreSQL: queries that are recomputed by key, true at every commit, whoever writes at the same time.

Two transactions each add or take away one half of something; at READ COMMITTED both commit and the rows are true, above it the
second fails with 40001 rather than leave a row that is missing for ever.
"""

from __future__ import annotations

import pytest

from tests.findings.place import Place, attempt
from tests.findings.test_postgres_concurrency import LEVELS, begin, both_commit
from tests.kit.size import FULL
from tidemark.render.postgres import settle as postgres_settle

TABLES = (
    "CREATE TABLE users (id int PRIMARY KEY, name text, region text)",
    "CREATE TABLE posts (id int PRIMARY KEY, author bigint, score int)",
    "CREATE TABLE tags (post int, tag text)",
    "CREATE INDEX ON posts (author)",
    "INSERT INTO users VALUES (1, 'ada', 'n'), (2, 'bob', 's')",
    "INSERT INTO posts VALUES (1, 1, 5), (2, 1, 7), (3, 2, 5)",
)
QUERIES = {
    "inner": ("SELECT p.id, u.name FROM posts p JOIN users u ON u.id = p.author", "id"),
    "left": ("SELECT p.id, u.name FROM posts p LEFT JOIN users u ON u.id = p.author", "id"),
    "exists": ("SELECT u.id FROM users u WHERE EXISTS (SELECT 1 FROM posts p WHERE p.author = u.id)", "id"),
    "anti": ("SELECT u.id FROM users u WHERE NOT EXISTS (SELECT 1 FROM posts p WHERE p.author = u.id)", "id"),
    "kinds": (
        "SELECT u.region, count(DISTINCT p.score) AS kinds FROM users u JOIN posts p ON p.author = u.id GROUP BY u.region",
        None,
    ),
    "pairs": (
        "SELECT u.region, p.score, count(*) AS n FROM users u JOIN posts p ON p.author = u.id GROUP BY u.region, p.score",
        None,
    ),
    "self": (
        "SELECT a.id, b.id AS other FROM posts a JOIN posts b ON b.author = a.author AND b.id > a.id",
        ("id", "other"),
    ),
}
HALVES = {
    "both come": ("INSERT INTO users VALUES (3, 'cyd', 'n')", "INSERT INTO posts VALUES (4, 3, 9), (5, 3, 5)"),
    "both go": ("DELETE FROM users WHERE id = 2", "DELETE FROM posts WHERE id = 3"),
    "one comes as one goes": ("UPDATE posts SET author = 1 WHERE id = 3", "DELETE FROM users WHERE id = 1"),
    "one changes as one comes": (
        "UPDATE users SET name = 'x', region = 's' WHERE id = 1",
        "INSERT INTO posts VALUES (6, 1, 5)",
    ),
}


def forum(pg: Place) -> Place:
    """Every query over the tables, at commit freshness."""
    pg.run(*TABLES)
    for name, (query, key) in QUERIES.items():
        pg.derive(name, query, key=key, freshness="commit")
    pg.tidemark.apply()
    pg.check()
    return pg


def meet(place: Place, level: str) -> None:
    """Each pair of halves, each from the same rows; in both orders with ``TIDEMARK_TEST_FULL=1``."""
    for halves in HALVES.values():
        for one, two in (halves, halves[::-1])[: 2 if FULL else 1]:
            both_commit(place, begin(place, level, one), begin(place, level, two), level)
            place.run("TRUNCATE users, posts", *TABLES[-2:])
            place.check()


@LEVELS
def test_each_writer_brings_one_half(pg: Place, level: str) -> None:
    meet(forum(pg), level)


def test_each_writer_brings_one_half_under_one_lock(pg: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_settle, "IMAGES_MAX", 0)
    meet(forum(pg), "READ COMMITTED")


@LEVELS
def test_an_older_snapshot_fails(pg: Place, level: str) -> None:
    pg.run(*TABLES)
    pg.derive("inner", *QUERIES["inner"], freshness="commit")
    pg.tidemark.apply()
    older = begin(pg, level, "SELECT count(*) FROM users")
    pg.run("INSERT INTO users VALUES (3, 'cyd', 'n')")
    older.execute("INSERT INTO posts VALUES (4, 3, 9)")
    assert attempt(older, "COMMIT") == (None if level == "READ COMMITTED" else "40001")
    pg.verified()


@pytest.mark.parametrize("many", ["older", "newer", "none"])
def test_an_older_snapshot_fails_against_one_lock(pg: Place, many: str) -> None:
    """Who takes everything leaves a trace for an older snapshot, and an older snapshot never takes everything."""
    pg.run(*TABLES)
    pg.derive("inner", *QUERIES["inner"], freshness="commit")
    pg.tidemark.apply()
    older = begin(pg, "REPEATABLE READ", "SELECT count(*) FROM users")
    last = 5000 if many == "newer" else 3
    pg.run(f"INSERT INTO users SELECT n, 'cyd', 'n' FROM generate_series(3, {last}) AS n")
    last = 5000 if many == "older" else 4
    older.execute(f"INSERT INTO posts SELECT n, 3, 9 FROM generate_series(4, {last}) AS n")
    assert attempt(older, "COMMIT") == "40001"
    pg.verified()


@LEVELS
def test_the_second_flush_waits_and_sees_the_first(pg: Place, level: str) -> None:
    forum(pg)
    one = begin(pg, level, "INSERT INTO users VALUES (3, 'cyd', 'n')", "SET CONSTRAINTS ALL IMMEDIATE")
    two = begin(pg, level, "INSERT INTO posts VALUES (4, 3, 9)")
    with pg.in_thread(two, "COMMIT") as waiting:
        one.execute("COMMIT")
    assert waiting.problem in ((None,) if level == "READ COMMITTED" else ("40001",))
    pg.verified()


@LEVELS
def test_one_unit_reached_over_two_values_of_an_edge(pg: Place, level: str) -> None:
    pg.run(*TABLES, "INSERT INTO users VALUES (3, 'cyd', 'n')")
    pg.derive("kinds", *QUERIES["kinds"], freshness="commit")
    pg.tidemark.apply()
    one = begin(pg, level, "INSERT INTO posts VALUES (4, 1, 1)")
    both_commit(pg, one, begin(pg, level, "INSERT INTO posts VALUES (5, 3, 2)"), level)


@LEVELS
def test_a_star_of_two_edges(pg: Place, level: str) -> None:
    pg.run(*TABLES, "INSERT INTO posts VALUES (9, 7, 1)")
    pg.install(
        "star",
        "SELECT p.id, u.name, (SELECT count(DISTINCT t.tag) FROM tags t WHERE t.post = p.id) AS tags "
        "FROM posts p LEFT JOIN users u ON u.id = p.author",
        "id",
        freshness="commit",
    )
    one = begin(pg, level, "INSERT INTO users VALUES (7, 'gil', 'n')")
    both_commit(pg, one, begin(pg, level, "INSERT INTO tags VALUES (9, 'x')"), level)
    one = begin(pg, level, "INSERT INTO posts VALUES (10, 8, 1)")
    both_commit(pg, one, begin(pg, level, "INSERT INTO users VALUES (8, 'hal', 'n')"), level)


@LEVELS
@pytest.mark.parametrize("text", ["steps", "range"])
def test_one_lock_where_no_finer_one_can_be(pg: Place, level: str, text: str) -> None:
    query, key = {
        "steps": (
            "SELECT u.id, p.id AS post, t.tag FROM users u JOIN posts p ON p.author = u.id JOIN tags t ON t.post = p.id",
            ("id", "post", "tag"),
        ),
        "range": ("SELECT u.id, p.id AS post FROM users u JOIN posts p ON p.score < u.id", ("id", "post")),
    }[text]
    pg.run(*TABLES, "ALTER TABLE tags ADD PRIMARY KEY (post, tag)", "INSERT INTO posts VALUES (9, 7, 1)")
    pg.project.derive("path", query=query, key=key, freshness="commit", allow_lock=True)
    pg.queries["path"] = query
    pg.tidemark.apply()
    one = begin(pg, level, "INSERT INTO users VALUES (7, 'gil', 'n')")
    both_commit(pg, one, begin(pg, level, "INSERT INTO tags VALUES (9, 'x')"), level)
    one = begin(pg, level, "DELETE FROM users WHERE id = 7")
    both_commit(pg, one, begin(pg, level, "DELETE FROM posts WHERE id = 9"), level)


def test_rows_that_go_together_find_their_unit_by_their_images(pg: Place) -> None:
    """Deferred they are flushed together; with immediate constraints the first is flushed when the second is gone, unseen."""
    pg.run(
        *TABLES,
        "ALTER TABLE posts ALTER author TYPE int",
        "ALTER TABLE posts ADD FOREIGN KEY (author) REFERENCES users (id) ON DELETE CASCADE ON UPDATE CASCADE",
    )
    pg.derive("pairs", *QUERIES["pairs"], freshness="commit")
    pg.tidemark.apply()
    for mode in ("DEFERRED", "IMMEDIATE"):
        for change in ("DELETE FROM users WHERE id = 2", "UPDATE users SET id = id + 10, region = 'w'"):
            client = begin(pg, "READ COMMITTED", f"SET CONSTRAINTS ALL {mode}", change)
            client.execute("COMMIT")
            pg.check()
        both = "WITH u AS (DELETE FROM users WHERE id > 10), p AS (DELETE FROM posts WHERE author > 10) SELECT 1"
        client = begin(pg, "READ COMMITTED", f"SET CONSTRAINTS ALL {mode}", both)
        client.execute("COMMIT")
        pg.check()
        pg.run("TRUNCATE users, posts", *TABLES[-2:])
    pg.verified()


def test_values_that_meet_by_an_equality_of_their_own(pg: Place) -> None:
    """Values that are equal and do not look it must meet at one place."""
    pg.run(
        "CREATE COLLATION folded (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
        "CREATE TABLE a (id int PRIMARY KEY, word text COLLATE folded, amount numeric(8,2))",
        "CREATE TABLE b (id int PRIMARY KEY, word text COLLATE folded, amount numeric)",
    )
    pg.derive("words", "SELECT a.id, b.id AS other FROM a JOIN b ON b.word = a.word", ("id", "other"), "commit")
    pg.derive("amounts", "SELECT a.id, b.id AS other FROM a JOIN b ON b.amount = a.amount", ("id", "other"), "commit")
    pg.derive("grouped", "SELECT word, count(DISTINCT amount) AS n FROM a GROUP BY word", None, "commit")
    pg.tidemark.apply()
    one = begin(pg, "READ COMMITTED", "INSERT INTO a VALUES (1, 'ada', 1.50), (2, 'ada', 1.25)")
    two = begin(pg, "READ COMMITTED", "INSERT INTO b VALUES (1, 'ADA', 1.5)", "INSERT INTO a VALUES (3, 'ADA', 2)")
    both_commit(pg, one, two, "READ COMMITTED")


def test_many_units_in_one_transaction(pg: Place) -> None:
    forum(pg)
    pg.run(
        "INSERT INTO users SELECT n, 'u' || n, 'r' || n % 7 FROM generate_series(10, 2600) AS n",
        "INSERT INTO posts SELECT n, 10 + n % 1300, n % 5 FROM generate_series(10, 4000) AS n",
        "UPDATE users SET name = name || '!'",
        "DELETE FROM posts WHERE id % 3 = 0",
        "TRUNCATE posts",
    )
    pg.verified()


def test_a_null_in_a_unit(pg: Place) -> None:
    pg.run(*TABLES)
    pg.install("groups", "SELECT author, count(DISTINCT score) AS n FROM posts GROUP BY author", freshness="commit")
    pg.run(
        "INSERT INTO posts VALUES (4, NULL, 1), (5, NULL, 2)",
        "UPDATE posts SET author = NULL WHERE id = 1",
        "UPDATE posts SET author = 2 WHERE id = 4",
        "DELETE FROM posts WHERE author IS NULL",
    )
    pg.verified()


def test_a_table_over_a_recomputed_one_is_true_at_the_same_commit(pg: Place) -> None:
    pg.run(*TABLES)
    pg.derive("authors", *QUERIES["inner"], freshness="commit")
    pg.derive("names", "SELECT name, count(*) AS n, max(id) AS last FROM authors GROUP BY name", freshness="commit")
    pg.derive("distinct_names", "SELECT DISTINCT name FROM authors", key="name", freshness="commit")
    pg.tidemark.apply()
    for statement in (*HALVES["both come"], *HALVES["one changes as one comes"], "TRUNCATE posts"):
        pg.run(statement)
        pg.check()
    pg.verified()


def test_a_repair_waits_for_who_has_flushed(pg: Place) -> None:
    forum(pg)
    pg.run("DELETE FROM tidemark.inner")
    pg.tidemark.verify()
    writer = begin(pg, "READ COMMITTED", "UPDATE users SET name = 'z'")
    pg.tidemark.repair()
    writer.execute("COMMIT")
    pg.verified()
