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
