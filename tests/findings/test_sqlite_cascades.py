"""SQLite: foreign keys that delete, clear or rename rows row by row, at both freshnesses."""

import pytest

from tests.findings.place import Place
from tidemark.model import Freshness

ACTIONS = (
    "ON DELETE CASCADE",
    "ON DELETE SET NULL",
    "ON DELETE SET DEFAULT",
    "ON DELETE CASCADE ON UPDATE CASCADE",
    "ON DELETE SET NULL ON UPDATE SET NULL",
    "ON DELETE CASCADE ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED",
)
QUERIES = {
    "groups": "SELECT p.thread, count(*) AS n, max(p.score) AS best FROM posts p GROUP BY p.thread",
    "joined": "SELECT p.id AS pid, t.title, p.score FROM posts p JOIN threads t ON t.id = p.thread",
    "outer": "SELECT p.id AS pid, t.title, p.score FROM posts p LEFT JOIN threads t ON t.id = p.thread",
    "by_title": "SELECT t.title, count(*) AS n FROM posts p JOIN threads t ON t.id = p.thread GROUP BY t.title",
    "by_both": "SELECT t.title, p.score, count(*) AS n FROM posts p JOIN threads t ON t.id = p.thread GROUP BY t.title, p.score",
    "universe": "SELECT t.id, t.title, (SELECT count(*) FROM posts p WHERE p.thread = t.id) AS n, "
    "EXISTS (SELECT 1 FROM posts p WHERE p.thread = t.id AND p.score > 5) AS good FROM threads t",
}
CHANGES = (
    "UPDATE threads SET title = 'c' WHERE id = 2",
    "DELETE FROM threads WHERE id = 1",
    "DELETE FROM threads",
)
RENUMBERS = (
    "UPDATE threads SET id = 20 WHERE id = 2",
    "UPDATE threads SET id = id + 100, title = title || '!'",
)


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("freshness", ["commit", "tick"])
def test_cascades_move_both_sides(lite: Place, action: str, freshness: Freshness) -> None:
    lite.run(
        "CREATE TABLE threads (id INTEGER PRIMARY KEY, title TEXT)",
        f"CREATE TABLE posts (id INTEGER PRIMARY KEY, thread INTEGER REFERENCES threads(id) {action}, score INTEGER)",
        "INSERT INTO threads VALUES (1, 'a'), (2, 'b'), (3, 'a')",
        "INSERT INTO posts VALUES (1, 1, 5), (2, 1, 7), (3, 2, 9), (4, NULL, 1), (5, 3, 2)",
    )
    for name, query in QUERIES.items():
        lite.derive(name, query, key={"universe": "id"}.get(name), freshness=freshness)
    lite.tidemark.apply()
    lite.check()
    for change in (*(RENUMBERS if "ON UPDATE" in action else ()), *CHANGES):
        lite.run(change)
        if freshness == "tick":
            lite.drained()
        lite.check()
    lite.verified()


def test_a_cascade_over_two_steps(lite: Place) -> None:
    lite.run(
        "CREATE TABLE a (id INTEGER PRIMARY KEY)",
        "CREATE TABLE b (id INTEGER PRIMARY KEY, a INTEGER REFERENCES a(id) ON DELETE CASCADE)",
        "CREATE TABLE c (id INTEGER PRIMARY KEY, b INTEGER REFERENCES b(id) ON DELETE SET NULL, w INTEGER)",
        "INSERT INTO a VALUES (1), (2)",
        "INSERT INTO b VALUES (1, 1), (2, 1), (3, 2)",
        "INSERT INTO c VALUES (1, 1, 5), (2, 2, 6), (3, 3, 7), (4, NULL, 8)",
    )
    lite.derive("per_b", "SELECT b, sum(w) AS w FROM c GROUP BY b")
    lite.derive("per_a", "SELECT b.a, count(*) AS n FROM b JOIN c ON c.b = b.id GROUP BY b.a", freshness="tick")
    lite.tidemark.apply()
    lite.run("DELETE FROM a WHERE id = 1")
    lite.drained()
    lite.verified()


ITSELF = {
    "copies": "SELECT id, code, parent, v FROM t",
    "groups": "SELECT parent, count(*) AS n, sum(v) AS s, min(v) AS lo, max(v) AS hi FROM t GROUP BY parent",
    "values_": "SELECT v, min(parent) AS lo, max(code) AS hi FROM t GROUP BY v",
    "children": "SELECT t.id, t.code, (SELECT count(*) FROM t c WHERE c.parent = t.code) AS n FROM t",
    "by_code": "SELECT id, code, sum(v) OVER (PARTITION BY code ORDER BY id) AS s FROM t",
    "by_parent": "SELECT id, parent, sum(v) OVER (PARTITION BY parent ORDER BY code) AS s FROM t",
}
ITSELF_CHANGES = (
    "UPDATE t SET code = 'A', v = 9 WHERE id = 1",
    "UPDATE t SET code = code || 'x', v = v + 1",
    "UPDATE t SET id = id + 10, code = code || 'y'",
    "UPDATE OR IGNORE t SET code = 'q', v = 100",
    "UPDATE t SET code = 'z', parent = 'z', v = -5 WHERE id = 13",
    "REPLACE INTO t VALUES (30, 'z', 'z', 1)",
    "DELETE FROM t WHERE id > 12",
)


@pytest.mark.parametrize("way", ["CASCADE", "SET NULL", "SET DEFAULT", "a trigger behind it"])
@pytest.mark.parametrize("freshness", ["commit", "tick"])
def test_an_update_that_comes_back_to_its_row(lite: Place, way: str, freshness: Freshness) -> None:
    """A row that refers to itself is written twice, and the second time is told first."""
    itself = f"REFERENCES t (code) ON UPDATE {way} ON DELETE {way}" if way.isupper() else ""
    lite.run(
        f"CREATE TABLE t (id INTEGER PRIMARY KEY, code TEXT UNIQUE, parent TEXT {itself}, v INTEGER)",
        "INSERT INTO t VALUES (1, 'a', 'a', 1), (2, 'b', 'a', 2), (3, 'c', 'c', 3), (4, 'd', 'c', 4)",
    )
    if not itself:
        lite.run(
            "CREATE TABLE other (code TEXT REFERENCES t (code) ON UPDATE CASCADE ON DELETE CASCADE)",
            "CREATE TRIGGER back AFTER UPDATE ON other BEGIN UPDATE t SET parent = 'k', v = v + 50 WHERE code = NEW.code; END",
            "INSERT INTO other VALUES ('a'), ('a'), ('c')",
        )
    for name, query in ITSELF.items():
        lite.derive(name, query, freshness=freshness)
    lite.tidemark.apply()
    lite.check()
    for change in ITSELF_CHANGES:
        lite.run(change)
        lite.drained()
    lite.verified()


def test_an_upsert_may_insert_what_sqlite_does_not_judge(lite: Place) -> None:
    """A trigger that only the action of the foreign key would start makes SQLite judge the row, and the statement fails."""
    lite.run("CREATE TABLE t (id INTEGER PRIMARY KEY, a UNIQUE, p INTEGER REFERENCES t (id) ON UPDATE SET NULL)")
    lite.derive("by_parent", "SELECT p, count(*) AS n FROM t GROUP BY p", key=("p",))
    lite.tidemark.apply()
    lite.run("PRAGMA foreign_keys = ON", "INSERT INTO t VALUES (4, 2, 1) ON CONFLICT (a) DO UPDATE SET id = -1")
    lite.check()
