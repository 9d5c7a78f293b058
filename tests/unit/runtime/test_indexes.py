"""Indexes on the user's tables: named by the plan, made on request alone, mended after an interruption, never ours to drop."""

import contextlib
import json
import sqlite3
from typing import Any

import psycopg
import pytest

from tidemark import Project, Tidemark
from tidemark.cli import main
from tidemark.database.open import open_session
from tidemark.database.session import Session
from tidemark.runtime import duty as duties
from tidemark.runtime.clock import Clock
from tidemark.runtime.lease import Lease, try_lease
from tidemark.runtime.ledger import Ledger
from tidemark.runtime.progress import Event

SCHEMA = """
CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE posts (id INTEGER PRIMARY KEY, author_id INTEGER, thread_id INTEGER, score INTEGER);
"""
QUERY = "SELECT p.id, u.name FROM posts p JOIN users u ON u.id = p.author_id"


def _project() -> Project:
    project = Project("forum")
    project.derive("post_names", key="id", query=QUERY)
    project.derive("best", query="SELECT thread_id, max(score) AS best FROM posts GROUP BY thread_id")
    return project


@contextlib.contextmanager
def _open(url: str) -> "contextlib.AbstractContextManager[Session]":  # type: ignore[misc]
    with contextlib.closing(open_session(url)) as session:
        yield session


@pytest.fixture
def forum(engine_url: str) -> str:
    with _open(engine_url) as session, session.transaction():
        session.script(SCHEMA)
    return engine_url


def _indexes(url: str) -> set[str]:
    with _open(url) as session:
        tables = session.catalog().tables.values()
        return {index.name for table in tables for index in table.indexes if index.name.endswith("_idx")}


def test_the_plan_names_them_with_their_statements_and_makes_none(forum: str) -> None:
    engine = Tidemark(_project(), forum)
    plan = engine.plan()
    made = {index.table: index.text for index in plan.indexes}
    assert {index.names for index in plan.indexes} == {("posts_author_id_idx",), ("posts_thread_id_idx",)}
    assert all(text.startswith("CREATE INDEX") for text in made.values())
    online = " CONCURRENTLY " in made["posts"]
    assert online != forum.startswith("sqlite")
    engine.apply()
    assert _indexes(forum) == set()
    assert [entry["reason"] for entry in engine.plan().as_json()["indexes"]]


def test_they_are_made_on_request_and_stay_at_the_end(forum: str) -> None:
    engine = Tidemark(_project(), forum)
    done = engine.apply(create_indexes=True)
    assert set(done.indexes) == _indexes(forum) == {"posts_author_id_idx", "posts_thread_id_idx"}
    assert set(done.live) == {"post_names", "best"}
    plan = engine.plan()
    assert plan.is_empty and plan.indexes == () and not plan.orphans
    assert "no index" not in engine.explain("best").cost
    gone = engine.uninstall()
    assert len(gone.indexes) == 2 and _indexes(forum) == set(done.indexes)
    with _open(forum) as session, session.transaction():
        for name in gone.indexes:
            session.script(f"DROP INDEX {name}")
    assert _indexes(forum) == set()


def test_they_are_made_for_what_is_installed_already(forum: str) -> None:
    engine = Tidemark(_project(), forum)
    engine.apply()
    made = engine.apply(create_indexes=True)
    assert made.indexes and made.live == (), "nothing is built anew because of an index"
    assert engine.plan().is_empty and engine.plan().indexes == () and _indexes(forum)
    assert engine.apply(create_indexes=True).indexes == ()
    assert all(report.clean for report in engine.verify())


def test_advice_is_not_written_over_a_definition_that_changed_meanwhile(
    forum: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever held the duty gave the definition a column between the plan and the lease of the one who planned."""
    engine = Tidemark(_project(), forum)
    engine.apply()
    with _open(forum) as session, session.transaction():
        session.script("CREATE INDEX by_author ON posts (author_id)")
    wider = Project("forum")
    wider.derive("post_names", key="id", query=QUERY.replace("u.name", "u.name, p.score"))
    wider.derive("best", query="SELECT thread_id, max(score) AS best FROM posts GROUP BY thread_id")
    taken = duties.try_lease

    def overtaken(ledger: Ledger, clock: Clock, duty: str, *rest: Any, **named: Any) -> Lease | None:
        if duty == "keep post_names":
            monkeypatch.undo()
            with ledger.session.transaction():
                ledger.session.run(f"DELETE FROM {'tidemark__' if forum.startswith('sqlite') else 'tidemark._'}lease")
            Tidemark(wider, forum).apply()
        return taken(ledger, clock, duty, *rest, **named)

    monkeypatch.setattr(duties, "try_lease", overtaken)
    engine.apply()
    assert Tidemark(wider, forum).plan().is_empty


def test_advice_waits_for_nobody(forum: str) -> None:
    engine = Tidemark(_project(), forum)
    engine.apply()
    with _open(forum) as session:
        with session.transaction():
            session.script("CREATE INDEX by_author ON posts (author_id)")
        held = try_lease(Ledger(session), Clock(), "keep post_names", "a worker with much to do")
        assert held is not None
        engine.apply()
        assert [script.name for script in engine.plan().refresh] == ["post_names"]
        held.release()
    engine.apply()
    assert engine.plan().refresh == ()


def test_writers_go_on_while_they_are_made_and_a_broken_one_is_made_again(pg_database: str) -> None:
    with psycopg.connect(pg_database, autocommit=True) as user:
        user.execute(SCHEMA)
        user.execute("INSERT INTO posts SELECT n, n % 7, n % 5, n FROM generate_series(1, 500) AS n")
        # What an interrupted attempt leaves: this one cannot succeed, for the values are not unique.
        with pytest.raises(psycopg.errors.UniqueViolation):
            user.execute("CREATE UNIQUE INDEX CONCURRENTLY posts_author_id_idx ON posts (author_id)")
        doctor = [found.says for found in Tidemark(_project(), pg_database).doctor() if found.about == "broken_index"]
        assert doctor and "posts_author_id_idx" in doctor[0]
        told: list[str] = []
        with psycopg.connect(pg_database, autocommit=True) as writer:
            writer.execute("BEGIN")
            writer.execute("UPDATE users SET name = 'x'")

            def listen(event: Event) -> None:
                # The first index was made beside the open transaction; captures, which come later, would wait for its end.
                told.append(event.note)
                user.execute("INSERT INTO posts VALUES (%s, 1, 1, 1)", (1000 + len(told),))
                if len(told) == 2:
                    writer.execute("COMMIT")

            done = Tidemark(_project(), pg_database, listen=listen).apply(create_indexes=True)
        assert told[0].startswith("making an index") and told[1].startswith("making an index")
        assert "posts_author_id_idx" in done.indexes
        broken = user.execute("SELECT count(*) FROM pg_index WHERE NOT indisvalid").fetchone()
        assert broken == (0,)
        assert not [found for found in Tidemark(_project(), pg_database).doctor() if found.about == "broken_index"]


def test_partitions_get_one_each(pg_database: str) -> None:
    with psycopg.connect(pg_database, autocommit=True) as user:
        user.execute(
            "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT);"
            "CREATE TABLE posts (id INTEGER PRIMARY KEY, author_id INTEGER, thread_id INTEGER, score INTEGER)"
            " PARTITION BY RANGE (id);"
            "CREATE TABLE posts_a PARTITION OF posts FOR VALUES FROM (0) TO (100);"
            "CREATE TABLE posts_b PARTITION OF posts FOR VALUES FROM (100) TO (200);"
        )
        engine = Tidemark(_project(), pg_database)
        assert engine.apply(create_indexes=True).indexes
        assert engine.plan().indexes == ()
        count = user.execute(
            "SELECT count(*) FROM pg_index JOIN pg_class AS c ON c.oid = indexrelid "
            "WHERE indisvalid AND relname LIKE '%author_id_idx'"
        ).fetchone()
        assert count == (3,)


def test_the_command_line_tells_and_makes(
    sqlite_path: str, tmp_path: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with contextlib.closing(sqlite3.connect(sqlite_path)) as connection:
        connection.executescript(SCHEMA)
    monkeypatch.chdir(str(tmp_path))
    with open("derived.py", "w", encoding="utf-8") as file:
        file.write(
            f"from tidemark import Project\nproject = Project('forum')\nproject.derive('n', key='id', query={QUERY!r})\n"
        )
    where = ["--database", str(sqlite_path)]
    assert main(["plan", *where]) == 0
    told = capsys.readouterr().out
    assert "index that would help: CREATE INDEX" in told and "apply --create-indexes" in told
    assert main(["apply", "--yes", "--create-indexes", "--json", *where]) == 0
    assert json.loads(capsys.readouterr().out)["indexes"] == ["posts_author_id_idx"]
    assert main(["uninstall", "--yes", *where]) == 0
    assert 'DROP INDEX "posts_author_id_idx"' in capsys.readouterr().out


def test_what_is_grouped_by_an_expression_has_an_index_over_that_named_until_it_is_there(forum: str) -> None:
    """An index over a column that stands in it, the primary key too, finds no rows of a key."""
    terms = [
        "id / 5",
        "lower(title)",
        "substr(title, 1, 2)",
        "coalesce(author_id, 0)",
        "CAST(id / 7 AS text)",
        "title || '!'",
    ]
    if not forum.startswith("sqlite"):
        # The server takes it for dependent on settings, and makes no index of it.
        terms.append("concat(title, 1)")
    project = Project("forum")
    for place, term in enumerate(terms):
        project.derive(f"by_{place}", query=f"SELECT {term} AS k, max(score) AS m FROM posts GROUP BY {term}")
    with _open(forum) as session, session.transaction():
        session.script("ALTER TABLE posts ADD COLUMN title varchar(20)", "CREATE INDEX plain ON posts (title)")
        session.script("CREATE INDEX mine ON posts (lower(title), score)")
    engine = Tidemark(project, forum)

    def unmet() -> list[str]:
        return [term for place, term in enumerate(terms) if "no index" in engine.explain(f"by_{place}").cost]

    engine.apply()
    assert unmet() == [term for term in terms if term != "lower(title)"]
    assert len(engine.apply(create_indexes=True).indexes) == 5 and unmet() == terms[6:]
    plan = engine.plan()
    assert plan.is_empty and not [index for index in plan.indexes if index.statements]


def test_affected_keys_that_are_found_by_an_expression_have_an_index_over_that(forum: str) -> None:
    """Where a unit is recomputed, and where a change of one table finds those that it joins by what is computed."""
    project = Project("forum")
    project.derive(
        "voices", query="SELECT lower(title) AS k, count(DISTINCT author_id) AS n FROM posts GROUP BY lower(title)"
    )
    project.derive("named", query="SELECT p.id, u.id AS author FROM posts p JOIN users u ON upper(u.name) = p.title")
    with _open(forum) as session, session.transaction():
        # An index over the column finds nothing of what is computed of it.
        session.script("ALTER TABLE posts ADD COLUMN title TEXT", "CREATE INDEX plain ON users (name)")
        session.script("INSERT INTO users VALUES (1, 'ann')", "INSERT INTO posts VALUES (1, 1, 1, 1, 'ANN')")
    engine = Tidemark(project, forum)
    engine.apply()
    assert not engine.sql("voices")[0].applier.indexed
    named = {
        index.table: [i.text for i in engine.plan().indexes if i.table == index.table]
        for index in engine.plan().indexes
    }
    users, posts = named["users"], named["posts"]
    assert any("UPPER" in text for text in users) and any("LOWER" in text for text in posts)
    assert any(text.endswith('("title")') for text in posts)
    assert len(engine.apply(create_indexes=True).indexes) == 3 and engine.plan().indexes == ()
    assert engine.plan().is_empty and engine.sql("voices")[0].applier.indexed
    with _open(forum) as session, session.transaction():
        session.script("INSERT INTO posts VALUES (2, 2, 1, 1, 'ann')", "UPDATE posts SET title = NULL WHERE id = 1")
        session.script("UPDATE users SET name = 'bob'", "INSERT INTO posts VALUES (3, 1, 1, 1, 'BOB')")
    engine.tick()
    assert all(report.clean for report in engine.verify())
