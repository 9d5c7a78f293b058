"""Sampled inputs: read when a row is computed, dirtying none, on both engines."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.findings.place import Place
from tidemark import Project, Refusal, Tidemark
from tidemark.errors import Code
from tidemark.runtime.progress import Event

SCHEMA = (
    "CREATE TABLE users (id int NOT NULL PRIMARY KEY, name text, verified int)",
    "CREATE TABLE posts (id int NOT NULL PRIMARY KEY, author int, likes int)",
    "CREATE INDEX posts_author ON posts (author)",
    "INSERT INTO users VALUES (1, 'a', 0), (2, 'b', 1)",
    "INSERT INTO posts VALUES (10, 1, 5), (11, 2, 6)",
)
JOINED = "SELECT p.id, p.likes, u.name, u.verified AS v FROM posts p JOIN users u ON u.id = p.author"
FILTERED = "SELECT p.id, p.likes FROM posts p JOIN users u ON u.id = p.author WHERE u.verified = 1"
DISTINCT = "SELECT author, count(DISTINCT likes) AS n FROM posts GROUP BY author"
COUNTED = "SELECT u.id, u.name, (SELECT count(*) FROM posts p WHERE p.author = u.id) AS n FROM users u"


def keeper(place: Place, query: str, sampled: Sequence[str]) -> Tidemark:
    project = Project("sampled")
    project.derive("s", query=query, key="id", sampled=sampled)
    return Tidemark(project, place.url)


def drained(place: Place, tidemark: Tidemark) -> list[tuple[object, ...]]:
    tidemark.tick()
    return place.rows("SELECT * FROM s ORDER BY id")


def test_sampled_column_is_read_with_its_row(place: Place) -> None:
    place.run(*SCHEMA)
    tidemark = keeper(place, JOINED, ["users.verified"])
    tidemark.apply()
    place.run("UPDATE users SET verified = 7")
    assert [report.changes_sealed for report in tidemark.tick()] == [0]
    assert drained(place, tidemark) == [(10, 5, "a", 0), (11, 6, "b", 1)]
    place.run("UPDATE posts SET likes = 9 WHERE id = 10")
    assert drained(place, tidemark) == [(10, 9, "a", 7), (11, 6, "b", 1)]
    (report,) = tidemark.verify()
    assert (report.clean, report.stale, report.drift) == (True, 1, 0)
    assert any("behind sampled inputs" in note for note in report.notes)
    assert [table.drift for table in tidemark.status()] == [0]
    place.run("UPDATE users SET name = 'c' WHERE id = 2")
    assert drained(place, tidemark)[1] == (11, 6, "c", 7)
    place.run("UPDATE users SET verified = 3")
    tidemark.repair()
    assert drained(place, tidemark) == [(10, 9, "a", 3), (11, 6, "c", 3)]
    assert tidemark.verify()[0].stale == 0


def test_drift_beside_a_stale_column_is_drift(place: Place) -> None:
    place.run(*SCHEMA)
    tidemark = keeper(place, JOINED, ["users.verified"])
    tidemark.apply()
    store = "tidemark_s" if place.is_sqlite else "tidemark.s"
    place.run("UPDATE users SET verified = 7", f"UPDATE {store} SET likes = 99 WHERE id = 10")
    (report,) = tidemark.verify()
    assert [(one.kind, one.key) for one in report.findings] == [("different", (10,))]
    assert (report.drift, report.stale) == (1, 1)
    tidemark.repair()
    assert drained(place, tidemark) == [(10, 5, "a", 7), (11, 6, "b", 7)]


def test_sampled_condition_makes_rows_stale(place: Place) -> None:
    place.run(*SCHEMA)
    tidemark = keeper(place, FILTERED, ["users.verified"])
    tidemark.apply()
    place.run("UPDATE users SET verified = 1 - verified")
    assert drained(place, tidemark) == [(11, 6)]
    (report,) = tidemark.verify()
    assert (report.drift, report.stale) == (0, 2)
    tidemark.repair()
    assert drained(place, tidemark) == [(10, 5)]


def test_sampled_source_has_no_capture(place: Place) -> None:
    place.run(*SCHEMA)
    tidemark = keeper(place, COUNTED, ["posts"])
    tidemark.apply()
    place.run("INSERT INTO posts VALUES (12, 1, 1)")
    assert drained(place, tidemark) == [(1, "a", 1), (2, "b", 1)]
    triggers = "SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'posts'"
    if not place.is_sqlite:
        triggers = "SELECT count(*) FROM pg_trigger WHERE tgrelid = 'posts'::regclass"
    assert place.rows(triggers) == [(0,)]
    assert tidemark.verify()[0].stale == 1
    place.run("UPDATE users SET name = 'z' WHERE id = 1")
    assert drained(place, tidemark)[0] == (1, "z", 2)


NAMED = "SELECT u.id, count(*) AS n FROM users u JOIN posts p ON p.likes = u.verified GROUP BY u.id"


@pytest.mark.parametrize(
    ("query", "sampled", "message"),
    [
        (JOINED, ["users.nothing"], "neither a source"),
        (JOINED, ["nothing"], "neither a source"),
        (JOINED, ["users", "posts"], "Every source"),
        (JOINED, ["users.id"], "decides which rows"),
        (NAMED, ["users"], "through users"),
    ],
)
def test_what_cannot_be_sampled_is_refused(place: Place, query: str, sampled: list[str], message: str) -> None:
    place.run(*SCHEMA)
    with pytest.raises(Refusal, match=message) as caught:
        keeper(place, query, sampled).plan()
    assert caught.value.code is Code.DECLARATION


def test_sampled_moment_is_read_once_for_a_row(place: Place) -> None:
    place.run(*SCHEMA, "CREATE TABLE clock (now int)", "INSERT INTO clock VALUES (100)")
    query = "SELECT p.id, p.likes, (SELECT max(c.now) FROM clock c) AS at FROM posts p"
    tidemark = keeper(place, query, ["clock"])
    tidemark.apply()
    place.run("UPDATE clock SET now = 200", "INSERT INTO posts VALUES (12, 1, 1)")
    assert drained(place, tidemark) == [(10, 5, 100), (11, 6, 100), (12, 1, 200)]
    (report,) = tidemark.verify()
    assert (report.drift, report.stale) == (0, 2)


def test_sampled_column_that_another_one_watches_is_still_sampled(place: Place) -> None:
    place.run(*SCHEMA)
    project = Project("sampled")
    project.derive("s", query=JOINED, key="id", sampled=["users.verified"])
    project.derive("w", query=FILTERED, key="id")
    tidemark = Tidemark(project, place.url)
    tidemark.apply()
    place.run("UPDATE users SET verified = 1 - verified")
    assert drained(place, tidemark) == [(10, 5, "a", 0), (11, 6, "b", 1)]
    assert place.rows("SELECT * FROM w") == [(10, 5)]
    place.run("UPDATE users SET name = 'A', verified = 9 WHERE id = 1", "UPDATE users SET verified = 9 WHERE id = 2")
    assert drained(place, tidemark) == [(10, 5, "A", 9), (11, 6, "b", 1)]


@pytest.mark.parametrize("sampled", ["counted", "counted.n"])
def test_derived_table_is_sampled_under_its_public_name(place: Place, sampled: str) -> None:
    place.run(*SCHEMA)
    project = Project("sampled")
    project.derive("counted", query=DISTINCT, key="author")
    query = "SELECT u.id, u.name, (SELECT max(c.n) FROM counted c WHERE c.author = u.id) AS n FROM users u"
    project.derive("s", query=query, key="id", sampled=[sampled])
    tidemark = Tidemark(project, place.url)
    tidemark.apply()
    place.run("UPDATE posts SET author = 1")
    tidemark.tick()
    # Under a name of its own a column is sampled, but a row of it that comes or goes is seen.
    gone = 1 if sampled == "counted" else None
    assert drained(place, tidemark) == [(1, "a", 1), (2, "b", gone)]
    place.run("UPDATE users SET name = 'z'")
    assert drained(place, tidemark) == [(1, "z", 2), (2, "z", None)]
    assert all(report.clean for report in tidemark.verify())


THERE_AND_BACK = {
    "two updates": ("UPDATE users SET name = 'c' WHERE id = 1", "UPDATE users SET name = 'b' WHERE id = 1", "c"),
    "deleted and inserted": ("DELETE FROM users WHERE id = 1", "INSERT INTO users VALUES (1, 'b', 0)", None),
}


@pytest.mark.parametrize("way", THERE_AND_BACK)
def test_what_changed_back_after_its_row_was_computed_makes_it_anew(place: Place, way: str) -> None:
    there, back, meanwhile = THERE_AND_BACK[way]
    place.run(*SCHEMA)
    changes = [there]

    def between(event: Event) -> None:
        if event.total and changes:
            place.run(changes.pop())

    project = Project("sampled")
    project.derive("s", query=JOINED, key="id", sampled=["users.verified"])
    Tidemark(project, place.url).apply()
    tidemark = Tidemark(project, place.url, listen=between)
    place.run("UPDATE users SET name = 'b' WHERE id = 1")
    # The change is sealed, and its row computed after another one.
    tidemark.tick(max_batches=2)
    assert place.rows("SELECT name FROM s WHERE id = 10") == ([(meanwhile,)] if meanwhile else [])
    place.run(back)
    assert drained(place, tidemark) == [(10, 5, "b", 0), (11, 6, "b", 1)]


def test_an_update_of_what_others_read_computes_nothing(place: Place) -> None:
    place.run(*SCHEMA)
    project = Project("sampled")
    project.derive("named", query="SELECT id, name FROM users", key="id", freshness="tick")
    project.derive("trusted", query="SELECT DISTINCT verified FROM users", freshness="tick", key="verified")
    tidemark = Tidemark(project, place.url)
    tidemark.apply()
    place.run("UPDATE users SET name = name || '.'")
    assert {one.derived: one.keys_applied for one in tidemark.tick()} == {"named": 2, "trusted": 0}
    place.run("UPDATE users SET verified = 1 - verified", "UPDATE users SET verified = 5, name = 'e' WHERE id = 2")
    tidemark.tick()
    assert place.rows("SELECT * FROM named ORDER BY id") == [(1, "a."), (2, "e")]
    assert place.rows("SELECT * FROM trusted ORDER BY verified") == [(1,), (5,)]
