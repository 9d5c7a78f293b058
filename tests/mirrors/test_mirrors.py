"""`columns_of` and `rows_of`: derived columns and rows inside the user's own tables, on both engines."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tidemark import Fault, Project, Refusal, Tidemark
from tidemark.database.open import open_session
from tidemark.errors import Code
from tidemark.render.postgres import mirror as postgres_mirror
from tidemark.runtime.objects import install
from tidemark.runtime.progress import Event
from tidemark.runtime.ticks.batch import prepare

SCHEMA = """
CREATE TABLE tr (id int NOT NULL PRIMARY KEY, hash text, n int, last_seen int DEFAULT 0);
CREATE TABLE obs (id int NOT NULL PRIMARY KEY, tid int, ts int);
CREATE TABLE uc (challenge_id text, specifier int, steps int, PRIMARY KEY (challenge_id, specifier));
CREATE INDEX obs_tid ON obs (tid);
INSERT INTO tr VALUES (1, 'a', 0, 0), (2, 'b', 7, 7);
INSERT INTO obs VALUES (1, 1, 5), (2, 3, 9);
INSERT INTO uc VALUES ('p', 77, 1), ('q', 77, 1)
"""
SEEN = """
SELECT t.id, (SELECT count(*) FROM obs o WHERE o.tid = t.id) AS n,
       coalesce((SELECT max(o.ts) FROM obs o WHERE o.tid = t.id), 0) AS last_seen FROM tr t
"""
COUNTED = "SELECT 'p' AS challenge_id, tid AS specifier, count(*) AS steps FROM obs WHERE tid IS NOT NULL GROUP BY tid"
DISTINCT = "SELECT 'k' AS challenge_id, tid AS specifier, count(DISTINCT ts) AS steps FROM obs WHERE tid IS NOT NULL GROUP BY tid"

Run = Callable[[str], list[tuple[Any, ...]]]


class World:
    """A database of either engine with the tables above, and the three declarations over them."""

    def __init__(self, url: str, run: Run) -> None:
        self.run = run
        for statement in SCHEMA.split(";"):
            run(statement)
        project = Project("mirrors")
        project.derive("seen", query=SEEN, key="id", columns_of="tr")
        project.derive("counted", query=COUNTED, key=("challenge_id", "specifier"), rows_of="uc")
        project.derive("distinct", query=DISTINCT, key=("challenge_id", "specifier"), rows_of="uc")
        self.keeper = Tidemark(project, url)

    def assert_true(self) -> None:
        """The user's tables say what the queries say, and foreign rows are untouched."""
        self.keeper.tick()
        assert self.run("SELECT id, n, last_seen FROM tr ORDER BY 1") == self.run(f"{SEEN} ORDER BY 1")
        ours = self.run("SELECT * FROM uc WHERE challenge_id IN ('p', 'k') ORDER BY 1, 2")
        assert ours == self.run(f"{DISTINCT} UNION ALL {COUNTED} ORDER BY 1, 2")
        assert self.run("SELECT * FROM uc WHERE challenge_id = 'q'") == [("q", 77, 1)]


@pytest.fixture
def world(engine_url: str) -> Any:
    if engine_url.startswith("sqlite"):
        with closing(sqlite3.connect(engine_url.removeprefix("sqlite:///"), isolation_level=None)) as lite:
            yield World(engine_url, lambda sql: [tuple(row) for row in lite.execute(sql).fetchall()])
    else:
        with psycopg.connect(engine_url, autocommit=True) as post:
            yield World(engine_url, _rows_of(post))


def _rows_of(post: psycopg.Connection[Any]) -> Run:
    def run(sql: str) -> list[tuple[Any, ...]]:
        cursor = post.execute(sql)  # type: ignore[arg-type]
        return cursor.fetchall() if cursor.description else []

    return run


def test_random_changes_keep_columns_and_rows_true(world: World) -> None:
    world.keeper.apply()
    world.assert_true()
    chance = random.Random(3)
    for _ in range(25):
        row, key = chance.randint(1, 5), chance.randint(1, 6)
        statement = chance.choice(
            [
                f"INSERT INTO obs VALUES ({key}, {row}, {chance.randint(1, 9)})",
                f"DELETE FROM obs WHERE id = {key}",
                f"INSERT INTO tr (id, hash) VALUES ({row}, 'x')",
                f"DELETE FROM tr WHERE id = {row}",
                f"UPDATE obs SET tid = {row} WHERE id = {key}",
                f"UPDATE tr SET hash = 'z' WHERE id = {row}",
            ]
        )
        try:
            world.run(statement)
        except (sqlite3.IntegrityError, psycopg.errors.UniqueViolation):
            continue
        world.assert_true()


def test_tampering_is_named_and_repaired(world: World) -> None:
    world.keeper.apply()
    world.run("UPDATE tr SET n = 99 WHERE id = 1")
    world.run("DELETE FROM uc WHERE challenge_id = 'p' AND specifier = 1")
    world.run("INSERT INTO uc VALUES ('p', 999, 1)")
    world.run("UPDATE uc SET steps = 50 WHERE challenge_id = 'p' AND specifier = 3")
    found = {report.derived: report.findings for report in world.keeper.verify()}
    assert [(one.kind, one.key) for one in found["seen"]] == [("different", (1,))]
    assert {(one.kind, one.key) for one in found["counted"]} == {
        ("missing", (1,)),
        ("extra", (999,)),
        ("different", (3,)),
    }
    assert found["distinct"] == ()
    world.keeper.repair()
    world.assert_true()
    assert all(report.clean for report in world.keeper.verify())
    assert world.keeper.plan().is_empty


@pytest.mark.parametrize(
    ("options", "query", "code"),
    [
        ({"columns_of": "nowhere", "key": "id"}, SEEN, Code.COLUMNS_OF),
        ({"columns_of": "obs", "key": "id"}, SEEN, Code.COLUMNS_OF),
        ({"columns_of": "tr", "key": "id"}, SEEN + " WHERE t.hash = 'a'", Code.COLUMNS_OF),
        ({"columns_of": "tr", "key": "id"}, "SELECT t.id, t.n + 1 AS n FROM tr t", Code.COLUMNS_OF),
        (
            {"rows_of": "uc", "key": "specifier"},
            "SELECT tid AS specifier, count(*) AS steps FROM obs GROUP BY tid",
            Code.ROWS_OF,
        ),
    ],
)
def test_what_could_not_be_kept_is_refused(world: World, options: dict[str, Any], query: str, code: Code) -> None:
    project = Project("refused")
    project.derive("refused", query=query, **options)
    with pytest.raises(Refusal) as caught:
        Tidemark(project, world.keeper.database).plan()
    assert caught.value.code is code


@pytest.mark.parametrize("recursive", [0, 1])
def test_replace_of_mirrored_rows_keeps_columns_true(sqlite_path: Path, recursive: int) -> None:
    """REPLACE deletes rows of the mirror itself, unseen by triggers unless they are recursive, and brings foreign values."""
    with closing(sqlite3.connect(sqlite_path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA recursive_triggers = {recursive}")
        for statement in SCHEMA.split(";"):
            connection.execute(statement)
        connection.execute("CREATE UNIQUE INDEX tr_hash ON tr (hash)")
        project = Project("replaced")
        project.derive("seen", query=SEEN, key="id", columns_of="tr")
        Tidemark(project, str(sqlite_path)).apply()
        chance = random.Random(recursive)
        for _ in range(300):
            one, other = chance.randint(1, 5), chance.randint(1, 6)
            name = chance.choice(["'a'", "'b'", "NULL"])
            statement = chance.choice(
                [
                    f"INSERT OR REPLACE INTO tr VALUES ({one}, {name}, 99, 99)",
                    f"INSERT OR IGNORE INTO tr (id, hash) VALUES ({one}, {name})",
                    f"UPDATE OR REPLACE tr SET id = {one}, hash = {name} WHERE id = {other}",
                    f"INSERT INTO tr (id, hash) VALUES ({one}, {name}) ON CONFLICT DO UPDATE SET hash = 'z', id = {other}",
                    f"INSERT OR REPLACE INTO obs VALUES ({other}, {one}, {chance.randint(1, 9)})",
                    f"DELETE FROM tr WHERE id = {one}",
                ]
            )
            with suppress(sqlite3.IntegrityError):
                connection.execute(statement)
            stored = connection.execute("SELECT id, n, last_seen FROM tr ORDER BY 1").fetchall()
            assert stored == connection.execute(f"{SEEN} ORDER BY 1").fetchall(), statement


HEXED = """
SELECT 'h' AS challenge_id, printf('%x', tid) AS specifier, count(DISTINCT ts) AS steps
  FROM obs WHERE tid IS NOT NULL GROUP BY tid
"""


def test_rows_under_a_computed_key_are_looked_up(sqlite_path: Path) -> None:
    """Nobody knows that a computed key is never NULL, but the user's table has no room for one."""
    with closing(sqlite3.connect(sqlite_path, isolation_level=None)) as connection:
        keyed = SCHEMA.replace(
            "challenge_id text, specifier int,", "challenge_id text NOT NULL, specifier text NOT NULL,"
        )
        for statement in keyed.split(";"):
            connection.execute(statement)
        project = Project("hexed")
        project.derive("hexed", query=HEXED, key=("challenge_id", "specifier"), rows_of="uc", freshness="tick")
        keeper = Tidemark(project, str(sqlite_path))
        keeper.apply()
        for statement in (
            "INSERT INTO obs VALUES (5, 17, 1)",
            "UPDATE obs SET tid = NULL WHERE id = 2",
            "DELETE FROM obs",
        ):
            connection.execute(statement)
            keeper.tick()
            ours = connection.execute("SELECT * FROM uc WHERE challenge_id = 'h' ORDER BY 2").fetchall()
            assert ours == connection.execute(f"{HEXED} ORDER BY 2").fetchall(), statement
    (script,) = keeper.sql("hexed")
    (gone,) = [one for one in script.applier.write if one.startswith('DELETE FROM "uc"')]
    with closing(open_session(str(sqlite_path))) as session, session.transaction():
        prepare(session, script)
        assert not [row for row in session.all(f"EXPLAIN QUERY PLAN {gone}") if str(row[3]).startswith("SCAN uc")]


BUSY = 1200


def busy(world: World) -> None:
    """Writers go on between any two steps of the filling: of rows before, in and behind the chunk at hand."""
    numbers = f"WITH RECURSIVE x(i) AS (SELECT 3 UNION ALL SELECT i + 1 FROM x WHERE i < {BUSY})"
    world.run(f"INSERT INTO tr (id, hash) {numbers} SELECT i, 'x' FROM x")
    world.run(f"INSERT INTO obs {numbers} SELECT i, i / 2, i FROM x")
    heard: list[str] = []

    def write(event: Event) -> None:
        number = len(heard)
        heard.append(event.phase)
        world.run(f"INSERT INTO obs VALUES ({BUSY + 10 + number}, {number % 7 * BUSY // 9 + 1}, {BUSY * 2 + number})")
        world.run(f"DELETE FROM obs WHERE id = {BUSY - 3 - number * 5}")
        world.run(f"UPDATE obs SET tid = {BUSY // 2 + number} WHERE id = {BUSY // 3 + number}")
        world.run(f"INSERT INTO tr (id, hash) VALUES ({BUSY + 5 + number}, 'new')")

    project = world.keeper.project
    assert project is not None
    Tidemark(project, world.keeper.database, listen=write).apply()
    assert len(heard) > 10
    world.assert_true()
    assert all(report.clean for report in world.keeper.verify())


def test_writers_that_never_rest_while_columns_and_rows_are_filled(world: World) -> None:
    busy(world)


def test_nothing_is_carried_before_the_cutover_is_found(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mistake: what is written between filling and cutover does not reach the user's table."""
    monkeypatch.setattr(install, "mirror_pieces", lambda script: [])
    with pytest.raises((AssertionError, Fault)):
        busy(world)


BATCHES = (
    "INSERT INTO obs VALUES (3, 1, 4), (4, 2, 5), (5, 2, 6), (6, 5, 7), (7, 6, 8)",
    "UPDATE obs SET tid = 3 - tid WHERE tid IN (1, 2)",
    "UPDATE obs SET tid = tid + 1",
    "INSERT INTO tr (id, hash) VALUES (5, 'e'), (7, 'g')",
    "UPDATE tr SET id = id + 4 WHERE id = 5",
    "DELETE FROM obs WHERE id IN (3, 6)",
    "DELETE FROM tr WHERE id = 7",
    "UPDATE obs SET tid = NULL WHERE id = 4",
    "DELETE FROM obs",
    "INSERT INTO obs VALUES (8, 1, 4), (9, 1, 4)",
)


def in_batches(world: World) -> None:
    """Sums that ticks add up reach the user's tables by triggers alone, for every kind of statement."""
    project = Project("mirrors")
    project.derive("seen", query=SEEN, key="id", columns_of="tr", freshness="tick")
    project.derive("counted", query=COUNTED, key=("challenge_id", "specifier"), rows_of="uc", freshness="tick")
    keeper = Tidemark(project, world.keeper.database)
    keeper.apply()
    world.run("DELETE FROM obs")
    for batch in (*((one,) for one in BATCHES), ("DELETE FROM obs", "DELETE FROM tr WHERE id > 2"), BATCHES):
        for statement in batch:
            world.run(statement)
        keeper.tick()
        assert world.run("SELECT id, n, last_seen FROM tr ORDER BY 1") == world.run(f"{SEEN} ORDER BY 1"), batch
        ours = world.run("SELECT * FROM uc WHERE challenge_id = 'p' ORDER BY 1, 2")
        assert ours == world.run(f"{COUNTED} ORDER BY 1, 2"), batch
    (script,) = keeper.sql("counted")
    world.run(f"DELETE FROM {script.store}")
    assert world.run("SELECT * FROM uc") == [("q", 77, 1)]


def test_what_ticks_write_by_the_batch_reaches_the_users_tables(world: World) -> None:
    in_batches(world)


@pytest.mark.parametrize("event", ["insert", "update", "delete"])
def test_a_batch_that_is_not_carried_is_found(pg_database: str, monkeypatch: pytest.MonkeyPatch, event: str) -> None:
    """The mistake: a kind of statement does not reach the user's table."""
    bodies = postgres_mirror._batch_bodies
    monkeypatch.setattr(postgres_mirror, "_batch_bodies", lambda *about: {**bodies(*about), event: ""})
    with psycopg.connect(pg_database, autocommit=True) as post, pytest.raises(AssertionError):
        in_batches(World(pg_database, _rows_of(post)))
