"""Derived columns and rows inside the user's own tables: kept true, and refused where they would feed back."""

import pytest

from tests.findings.place import Place
from tidemark import Refusal
from tidemark.errors import Code

QUERY = "SELECT u.id, (SELECT count(*) FROM f WHERE f.u = u.id) AS n, (SELECT max(f.v) FROM f WHERE f.u = u.id) AS best FROM u"


@pytest.fixture
def own(place: Place) -> Place:
    """A table with columns to fill."""
    place.run(
        "CREATE TABLE u (id INTEGER PRIMARY KEY, name TEXT, n INTEGER, best INTEGER)",
        "CREATE TABLE f (id INTEGER PRIMARY KEY, u INTEGER, v INTEGER)",
        "INSERT INTO u (id, name) VALUES (1, 'a'), (2, 'b')",
        "INSERT INTO f VALUES (1, 1, 5), (2, 1, 7), (3, 9, 1)",
    )
    return place


def same(place: Place) -> bool:
    return place.bag("SELECT id, n, best FROM u") == place.bag(QUERY)


def test_columns_of_the_users_table(own: Place) -> None:
    own.project.derive("stats", query=QUERY, key="id", columns_of="u")
    own.tidemark.apply()
    assert same(own)
    for change in (
        "INSERT INTO f VALUES (4, 2, 9)",
        "DELETE FROM f WHERE id = 2",
        "UPDATE f SET u = 2 WHERE id = 1",
        "UPDATE u SET name = 'z'",
        "INSERT INTO u (id, name) VALUES (9, 'late')",
        "DELETE FROM u WHERE id = 2",
    ):
        own.run(change)
        assert same(own), change
    assert own.tidemark.plan().is_empty
    assert all(report.clean for report in own.tidemark.verify())


def test_a_column_has_one_owner(own: Place) -> None:
    """Two that keep it would undo each other's rows, and both would be said to be live."""
    counted = "SELECT u.id, (SELECT count(*) FROM f WHERE f.u = u.id) AS n FROM u"
    other = "SELECT u.id, (SELECT count(*) FROM f WHERE f.v = u.id) AS n FROM u"
    own.project.derive("one", query=counted, key="id", columns_of="u")
    own.project.derive("two", query=other, key="id", columns_of="u")
    with pytest.raises(Refusal, match="one and two would both keep n of ") as caught:
        own.tidemark.plan()
    assert caught.value.code is Code.COLUMNS_OF


def test_a_trigger_of_the_users_table_that_reaches_a_source_is_refused(own: Place) -> None:
    """What we write there would change what we read."""
    if own.is_sqlite:
        own.run("CREATE TRIGGER loop AFTER UPDATE OF n ON u BEGIN INSERT INTO f (u, v) VALUES (NEW.id, 0); END")
    else:
        own.run(
            "CREATE FUNCTION loop() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "INSERT INTO f VALUES ((SELECT max(id) + 1 FROM f), NEW.id, 0); RETURN NULL; END $$",
            "CREATE TRIGGER loop AFTER UPDATE OF n ON u FOR EACH ROW EXECUTE FUNCTION loop()",
        )
    own.project.derive("stats", query=QUERY, key="id", columns_of="u")
    with pytest.raises(Refusal) as caught:
        own.tidemark.apply()
    assert caught.value.code is Code.COLUMNS_OF
    assert "trigger" in caught.value.reason.lower()


@pytest.mark.parametrize(
    "query",
    [
        "SELECT u.id, (SELECT count(*) FROM f WHERE f.u = u.id AND u.n > 0) AS n FROM u",
        "SELECT u.id, u.n + 1 AS n FROM u",
        "SELECT u.id, (SELECT count(*) FROM f WHERE f.u = u.id) AS n FROM u WHERE u.id > 1",
    ],
)
def test_columns_that_feed_back_or_leave_rows_out_are_refused(own: Place, query: str) -> None:
    own.project.derive("stats", query=query, key="id", columns_of="u")
    own.project.derive("other", query="SELECT id, name FROM u")
    with pytest.raises(Refusal) as caught:
        own.tidemark.plan()
    assert caught.value.instead


JOINED = "SELECT u.id, count(f.id) AS n, max(f.v) AS best FROM u LEFT JOIN f ON f.u = u.id GROUP BY u.id"
COPIED = "SELECT id, name FROM u"
COMINGS = {
    "sqlite": (
        ("REPLACE INTO u (id, name) SELECT id, name FROM u",),
        ("REPLACE INTO u (id, name) VALUES (2, 'c'), (1, 'a')",),
        ("INSERT INTO u (id, name) VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET name = 'x'",),
        ("UPDATE OR REPLACE u SET id = 2 WHERE id = 1",),
    ),
    "postgresql": (
        ("UPDATE u SET id = 3 - id WHERE id IN (1, 2)",),
        ("WITH gone AS (DELETE FROM u WHERE id = 1 RETURNING id) UPDATE u SET id = 9 WHERE id = 2",),
    ),
}
EITHER = (
    ("BEGIN", "DELETE FROM u WHERE id = 1", "INSERT INTO u (id, name) VALUES (1, 'a')", "COMMIT"),
    ("DELETE FROM u", "INSERT INTO u (id, name) VALUES (1, 'a'), (2, 'b')"),
    (
        "BEGIN",
        "UPDATE u SET id = -1 WHERE id = 1",
        "UPDATE u SET id = 1 WHERE id = 2",
        "UPDATE u SET id = 2 WHERE id = -1",
        "COMMIT",
    ),
)


@pytest.mark.parametrize("freshness", ["commit", "tick"])
@pytest.mark.parametrize(
    "query",
    [QUERY, QUERY.replace("max(f.v)", "count(DISTINCT f.v)"), JOINED],
    ids=["added", "distinct", "computed"],
)
def test_a_row_that_comes_shows_what_is_stored_of_its_key(own: Place, freshness: str, query: str) -> None:
    """Where one row goes and another of that key comes, what is stored stays as it is, and the new row has nothing yet."""
    if not own.is_sqlite:
        own.run("ALTER TABLE u DROP CONSTRAINT u_pkey, ADD PRIMARY KEY (id) DEFERRABLE")
    own.project.derive("stats", query=query, key="id", columns_of="u", freshness=freshness)  # type: ignore[arg-type]
    own.derive("copied", COPIED, key="id")
    own.tidemark.apply()
    for change in (*COMINGS["sqlite" if own.is_sqlite else "postgresql"], *EITHER):
        own.run(*change)
        own.tidemark.tick()
        assert own.bag("SELECT id, n, best FROM u") == own.bag(query), change
        assert own.bag("SELECT * FROM copied") == own.bag(COPIED), change
    assert all(report.clean for report in own.tidemark.verify())


@pytest.mark.parametrize("recursive", ["OFF", "ON"])
@pytest.mark.parametrize("key", ["id INTEGER PRIMARY KEY", "id TEXT NOT NULL PRIMARY KEY", "id TEXT PRIMARY KEY"])
def test_what_replace_deletes_is_taken_back_where_columns_are_carried_meanwhile(
    lite: Place, key: str, recursive: str
) -> None:
    """A row is written again within the statement that replaced it, before every trigger has seen that."""
    lite.run(f"CREATE TABLE u ({key}, name TEXT, v INTEGER, n INTEGER, best INTEGER)", "CREATE TABLE f (u, v)")
    lite.run("INSERT INTO u (id, name, v) VALUES ('1', 'a', 1), ('2', 'b', 2)", "INSERT INTO f VALUES ('2', 5)")
    query = "SELECT name, count(*) AS n, sum(v) AS v FROM u GROUP BY name"
    own = "SELECT u.id, (SELECT sum(o.v) FROM u o WHERE o.id = u.id) AS n FROM u"
    lite.derive("before", query, key="name")
    lite.tidemark.apply()
    best = "SELECT u.id, (SELECT max(f.v) FROM f WHERE f.u = u.id) AS best FROM u"
    lite.project.derive("best", query=best, key="id", columns_of="u")
    lite.project.derive("sums", query=own, key="id", columns_of="u")
    lite.derive("after", query, key="name")
    lite.tidemark.apply()
    lite.run(f"PRAGMA recursive_triggers = {recursive}")
    for change in (
        "REPLACE INTO u (id, name, v) SELECT id, name, v FROM u",
        "REPLACE INTO u (id, name, v) VALUES ('2', 'b', 2), ('2', 'b', 2)",
        "INSERT INTO u (id, name, v) VALUES ('2', 'b', 2) ON CONFLICT (id) DO UPDATE SET v = 7",
        "INSERT OR REPLACE INTO u (id, name, v) VALUES ('2', 'b', 7)",
        "UPDATE OR REPLACE u SET id = '1' WHERE id = '2'",
        "INSERT INTO u (id, name, v) VALUES ('4', 'b', 7)",
    ):
        lite.run(change)
        lite.tidemark.tick()
        for name in ("before", "after"):
            assert lite.bag(f"SELECT * FROM {name}") == lite.bag(query), (change, name)
        assert lite.bag("SELECT id, n FROM u") == lite.bag("SELECT id, v AS n FROM u"), change
    assert all(report.clean for report in lite.tidemark.verify())
