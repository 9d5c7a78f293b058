"""What the pages claim is what the engines do: each test runs one sentence of docs/."""

import contextlib
import sqlite3
from collections.abc import Iterator

import psycopg
import pytest
import sqlalchemy
from sqlalchemy.dialects import postgresql, sqlite

from tidemark import Project, Refusal, Tidemark
from tidemark.errors import Code

SCHEMA = """
CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE threads (id INTEGER PRIMARY KEY, title TEXT NOT NULL);
CREATE TABLE posts (
    id INTEGER PRIMARY KEY, thread_id INTEGER NOT NULL, author_id INTEGER, score INTEGER, weight REAL,
    is_deleted BOOLEAN NOT NULL DEFAULT FALSE
);
CREATE INDEX posts_thread_id ON posts (thread_id);
"""
COUNTED = "SELECT t.id, (SELECT count(*) FROM posts p WHERE p.thread_id = t.id) AS posts FROM threads t"
GROUPED = "SELECT thread_id, count(*) AS posts, max(score) AS best FROM posts GROUP BY thread_id"
LINEAR = (
    "SELECT id, score * 2 AS double FROM posts WHERE NOT is_deleted",
    "SELECT thread_id, count(*) AS n, sum(score) AS s, avg(score) AS a, min(score) AS lo, max(score) AS hi,"
    " count(*) FILTER (WHERE is_deleted) AS gone FROM posts GROUP BY thread_id HAVING count(*) > 1",
    "SELECT count(*) AS n FROM posts",
    "SELECT DISTINCT thread_id, author_id FROM posts",
    COUNTED,
    "SELECT t.id, EXISTS (SELECT 1 FROM posts p WHERE p.thread_id = t.id) AS busy FROM threads t",
)
KEYED = (
    "SELECT p.id, u.name FROM posts p JOIN users u ON u.id = p.author_id",
    "SELECT p.id, u.name FROM posts p LEFT JOIN users u ON u.id = p.author_id",
    "SELECT t.id, t.title FROM threads t WHERE EXISTS (SELECT 1 FROM posts p WHERE p.thread_id = t.id)",
    "SELECT t.id, t.title FROM threads t WHERE t.id IN (SELECT p.thread_id FROM posts p WHERE p.score > 1)",
    "SELECT thread_id, count(DISTINCT author_id) AS people FROM posts GROUP BY thread_id",
    "SELECT u.name, count(*) AS n FROM posts p JOIN users u ON u.id = p.author_id GROUP BY u.name",
)


@pytest.fixture
def forum(engine_url: str) -> str:
    """The address of an empty forum, on each engine in turn."""
    if engine_url.startswith("sqlite"):
        with contextlib.closing(sqlite3.connect(engine_url.removeprefix("sqlite:///"))) as connection:
            connection.executescript(SCHEMA)
    else:
        with psycopg.connect(engine_url, autocommit=True) as connection:
            connection.execute(SCHEMA)
    return engine_url


@pytest.fixture
def server(pg_database: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """A forum on PostgreSQL over which `thread_posts` is kept, and a connection that writes it."""
    with psycopg.connect(pg_database, autocommit=True) as connection:
        connection.execute(SCHEMA)
        connection.execute("INSERT INTO posts (id, thread_id, score) VALUES (1, 1, 5), (2, 1, 3), (3, 2, 4)")
        Tidemark(_declare(GROUPED), pg_database).apply()
        yield connection


def _declare(query: str, **options: str) -> Project:
    project = Project("forum")
    project.derive("derived", query=query, **options)  # type: ignore[arg-type]
    return project


@pytest.mark.parametrize("freshness", ["commit", "tick"])
def test_what_declaring_lists_is_kept_at_the_freshness_that_it_says(forum: str, freshness: str) -> None:
    for query in LINEAR if freshness == "commit" else KEYED:
        (step,) = Tidemark(_declare(query), forum).plan().steps
        assert step.script is not None
        assert step.script.freshness == freshness, query


def test_a_default_row_is_not_stored_and_a_hidden_one_waits(sqlite_path: str) -> None:
    with contextlib.closing(sqlite3.connect(sqlite_path, isolation_level=None)) as writer:
        writer.executescript(SCHEMA)
        Tidemark(_declare(COUNTED), str(sqlite_path)).apply()
        writer.execute("INSERT INTO posts (id, thread_id) VALUES (1, 7)")
        assert writer.execute("SELECT * FROM derived").fetchall() == []
        writer.execute("INSERT INTO threads VALUES (7, 'late')")
        assert writer.execute("SELECT * FROM derived").fetchall() == [(7, 1)]
        writer.executescript("DELETE FROM posts; DELETE FROM threads;")
        assert writer.execute("SELECT * FROM tidemark_derived").fetchall() == []


def test_floats_are_compared_with_a_tolerance_and_nothing_else_is(sqlite_path: str) -> None:
    query = "SELECT thread_id, sum(weight) AS weight, count(*) AS n FROM posts GROUP BY thread_id"
    with contextlib.closing(sqlite3.connect(sqlite_path, isolation_level=None)) as writer:
        writer.executescript(SCHEMA)
        writer.execute("INSERT INTO posts (thread_id, weight) VALUES (1, 0.1), (1, 0.2), (1, 0.3)")
        engine = Tidemark(_declare(query), str(sqlite_path))
        engine.apply()
        writer.execute("UPDATE tidemark_derived SET _weight_exact = _weight_exact * (1 + 1e-12)")
        assert engine.verify()[0].clean
        writer.execute("UPDATE tidemark_derived SET _weight_exact = _weight_exact * (1 + 1e-6)")
        assert engine.verify()[0].drift == 1


def test_the_rowid_needs_no_index(sqlite_path: str) -> None:
    with contextlib.closing(sqlite3.connect(sqlite_path)) as writer:
        writer.executescript(SCHEMA)
    found = Tidemark(_declare(COUNTED), str(sqlite_path)).explain("derived")
    assert found.missing_indexes == ()
    assert "no index" not in found.cost


def test_advised_indexes_can_be_created(forum: str) -> None:
    query = "SELECT t.id, (SELECT max(p.id) FROM posts p WHERE p.author_id = t.id) AS last FROM threads t"
    ((statement, _),) = Tidemark(_declare(query), forum).explain("derived").missing_indexes
    if forum.startswith("sqlite"):
        with contextlib.closing(sqlite3.connect(forum.removeprefix("sqlite:///"))) as connection:
            connection.execute(statement)
    else:
        with psycopg.connect(forum, autocommit=True) as connection:
            connection.execute(statement.encode())
    assert Tidemark(_declare(query), forum).explain("derived").missing_indexes == ()


def test_a_count_is_no_constant_of_a_key(sqlite_path: str) -> None:
    with contextlib.closing(sqlite3.connect(sqlite_path)) as writer:
        writer.executescript(SCHEMA)
    with pytest.raises(Refusal) as caught:
        Tidemark(_declare(GROUPED, key="posts", freshness="commit"), str(sqlite_path)).plan()
    assert caught.value.code is Code.KEY_UNPROVEN


def test_an_index_names_columns_of_the_result(sqlite_path: str) -> None:
    with contextlib.closing(sqlite3.connect(sqlite_path)) as writer:
        writer.executescript(SCHEMA)
    with pytest.raises(Refusal) as caught:
        Tidemark(_declare(GROUPED, indexes="author_id"), str(sqlite_path)).plan()
    assert caught.value.code is Code.DECLARATION


Writer = psycopg.Connection[tuple[object, ...]]


def _rows(server: Writer) -> list[tuple[object, ...]]:
    return server.execute("SELECT * FROM derived ORDER BY 1").fetchall()


def test_truncate_takes_everything_back_at_read_committed(server: Writer) -> None:
    with server.transaction():
        server.execute("SET CONSTRAINTS ALL IMMEDIATE")
        server.execute("INSERT INTO posts (id, thread_id, score) VALUES (4, 9, 9)")
        server.execute("TRUNCATE posts")
        server.execute("INSERT INTO posts (id, thread_id, score) VALUES (5, 1, 1)")
    assert _rows(server) == [(1, 1, 1)]


@pytest.mark.parametrize("isolation", ["REPEATABLE READ", "SERIALIZABLE"])
def test_truncate_fails_at_older_snapshots(server: Writer, isolation: str) -> None:
    before = _rows(server)
    with pytest.raises(psycopg.errors.FeatureNotSupported, match="READ COMMITTED"), server.transaction():
        server.execute(f"SET TRANSACTION ISOLATION LEVEL {isolation}".encode())
        server.execute("TRUNCATE posts")
    assert _rows(server) == before


def test_a_prepared_transaction_is_flushed_when_it_is_prepared(server: Writer) -> None:
    server.execute("BEGIN")
    server.execute("INSERT INTO posts (id, thread_id, score) VALUES (4, 1, 9)")
    assert server.execute("SELECT count(*) FROM tidemark._pending_derived").fetchone() == (1,)
    server.execute("PREPARE TRANSACTION 'claim'")
    server.execute("COMMIT PREPARED 'claim'")
    assert _rows(server) == [(1, 3, 9), (2, 1, 4)]
    assert server.execute("SELECT count(*) FROM tidemark._pending_derived").fetchone() == (0,)


def test_a_savepoint_takes_what_is_pending_along(server: Writer) -> None:
    before = _rows(server)
    with server.transaction():
        server.execute("SAVEPOINT here")
        server.execute("DELETE FROM posts")
        server.execute("ROLLBACK TO here")
    assert _rows(server) == before


def test_a_key_is_written_though_its_values_stay(server: Writer) -> None:
    version = "SELECT ctid FROM tidemark.derived WHERE thread_id = 1"
    before = server.execute(version).fetchone()
    server.execute("UPDATE posts SET score = 4 WHERE id = 2")
    assert _rows(server) == [(1, 2, 5), (2, 1, 4)]
    assert server.execute(version).fetchone() != before


def test_an_orm_may_write_the_query(forum: str) -> None:
    posts = sqlalchemy.table("posts", *map(sqlalchemy.column, ("id", "thread_id", "author_id")))
    counted = sqlalchemy.func.count().label("n")
    query = (
        sqlalchemy.select(posts.c.thread_id, counted).where(posts.c.author_id.in_([1, 2])).group_by(posts.c.thread_id)
    )
    dialect = sqlite.dialect() if forum.startswith("sqlite") else postgresql.dialect()
    text = str(query.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
    (step,) = Tidemark(_declare(text), forum).plan().steps
    assert step.script is not None and step.script.columns == ("thread_id", "n")


def test_a_transaction_that_is_rolled_back_sees_what_it_wrote(forum: str) -> None:
    """As an application's tests do: at commit freshness, and as of now."""
    project = Project("forum")
    project.derive("counted", query=GROUPED)
    project.derive("named", query=KEYED[0], key="id", live=True)
    Tidemark(project, forum).apply()
    on_sqlite = forum.startswith("sqlite")
    opened = sqlite3.connect(forum.removeprefix("sqlite:///")) if on_sqlite else psycopg.connect(forum)
    with contextlib.closing(opened) as writer:
        writer.execute("INSERT INTO users (id, name) VALUES (1, 'ann')")
        writer.execute("INSERT INTO posts (id, thread_id, author_id, score) VALUES (1, 7, 1, 5)")
        if not on_sqlite:
            assert writer.execute("SELECT count(*) FROM counted").fetchone() == (0,)
            writer.execute("SET CONSTRAINTS ALL IMMEDIATE")
        assert writer.execute("SELECT posts, best FROM counted").fetchall() == [(1, 5)]
        assert writer.execute("SELECT name FROM named_live").fetchall() == [("ann",)]
        writer.rollback()
        assert writer.execute("SELECT count(*) FROM counted").fetchone() == (0,)


def test_a_role_that_only_looks_needs_no_right_on_your_tables(server: Writer, pg_database: str) -> None:
    role = "watcher_" + pg_database.rsplit("/", 1)[1]
    server.execute(f'CREATE ROLE "{role}" LOGIN'.encode())
    try:
        owner = server.info.user
        for grant in (
            f'GRANT USAGE ON SCHEMA tidemark TO "{role}"',
            f'GRANT SELECT ON ALL TABLES IN SCHEMA tidemark TO "{role}"',
            f'ALTER DEFAULT PRIVILEGES FOR ROLE "{owner}" IN SCHEMA tidemark GRANT SELECT ON TABLES TO "{role}"',
        ):
            server.execute(grant.encode())
        # What comes later is seen, too.
        Tidemark(_declare(GROUPED.replace("max", "min")), pg_database).apply()
        watcher = Tidemark(None, pg_database.replace("postgres@", f"{role}@"))
        assert "fail" not in {one.level for one in watcher.doctor()} and watcher.history()
        with pytest.raises(Refusal, match="permission denied"):
            watcher.verify()
    finally:
        server.execute(f'DROP OWNED BY "{role}"'.encode())
        server.execute(f'DROP ROLE "{role}"'.encode())
