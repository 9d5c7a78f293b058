"""What gets past triggers, or between them: settings of a connection, triggers that end others, names that read alike."""

from __future__ import annotations

import pytest

from tests.findings.place import Place
from tidemark.errors import Code, Refusal

COUNTED = "SELECT g, count(*) AS n FROM t GROUP BY g"


def _captures(place: Place) -> str:
    (status,) = place.tidemark.status()
    return status.captures


def test_like_is_left_to_ticks(lite: Place) -> None:
    lite.run("CREATE TABLE t (id INTEGER PRIMARY KEY, g INTEGER, name TEXT)")
    query = "SELECT g, count(*) AS n FROM t WHERE name LIKE 'a%' GROUP BY g"
    lite.install("counted", query, "g")
    lite.run("PRAGMA case_sensitive_like = ON", "INSERT INTO t VALUES (1, 1, 'Abc'), (2, 1, 'abc')")
    lite.run("PRAGMA case_sensitive_like = OFF")
    lite.drained()
    lite.verified()
    lite.project.derive("again", query=query, key="g", freshness="commit")
    with pytest.raises(Refusal) as refused:
        lite.tidemark.plan()
    assert refused.value.code is Code.FRESHNESS and "GLOB" in str(refused.value)


def test_a_trigger_that_lets_none_come_after_it_is_a_gap(lite: Place) -> None:
    lite.run("CREATE TABLE t (id INTEGER PRIMARY KEY, g INTEGER)")
    lite.install("counted", COUNTED, "g", freshness="commit")
    lite.run("CREATE TRIGGER ends AFTER INSERT ON t WHEN NEW.g = 1 BEGIN SELECT RAISE ( ignore ); END")
    lite.run("INSERT INTO t VALUES (1, 1)")
    assert "outdated" in _captures(lite)
    lite.tidemark.apply()
    lite.run("INSERT INTO t VALUES (2, 1)")
    assert _captures(lite) == "ok"
    lite.verified()


def test_texts_with_a_nul_are_told_apart(lite: Place) -> None:
    """A group is computed as of the checkpoint while its rows change: what came since is taken away from what stands there."""
    lite.run("CREATE TABLE t (id INTEGER PRIMARY KEY, g INTEGER, name TEXT)")
    lite.install(
        "extremes", "SELECT g, max(name) AS m, min(name) AS l, count(*) AS n FROM t GROUP BY g", freshness="tick"
    )
    insert = "INSERT INTO t VALUES ({}, 1, 'x' || char(0) || '{}')"
    lite.run(*(insert.format(number, letter) for number, letter in enumerate("abc")))
    lite.drained()
    lite.run("DELETE FROM t WHERE id = 2")
    for number in range(1, 8):
        lite.tidemark.tick(max_batches=1)
        lite.run(insert.format(10 + number, number), f"DELETE FROM t WHERE id = {number}")
    lite.drained()
    lite.verified()


def test_two_tables_that_read_alike_are_refused(pg: Place) -> None:
    pg.run("CREATE SCHEMA a", "CREATE TABLE a.t (id integer PRIMARY KEY, g integer)")
    pg.install("counted", "SELECT g, count(*) AS n FROM a.t GROUP BY g", "g")
    pg.run('CREATE TABLE "a.t" (id integer PRIMARY KEY, g integer)')
    with pytest.raises(Refusal) as refused:
        pg.tidemark.plan()
    assert refused.value.code is Code.SOURCE_KIND and "a dot in its name" in str(refused.value)


def test_a_trigger_that_may_lose_stored_rows_is_named(place: Place) -> None:
    place.run("CREATE TABLE t (id integer PRIMARY KEY, g integer)")
    place.install("counted", COUNTED, "g", freshness="commit")
    if place.is_sqlite:
        place.run("CREATE TRIGGER loses BEFORE INSERT ON tidemark_counted BEGIN SELECT RAISE(IGNORE); END")
    else:
        place.run("CREATE FUNCTION loses() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'")
        on = "BEFORE INSERT ON tidemark.counted FOR EACH ROW EXECUTE FUNCTION loses()"
        place.run(f"CREATE TRIGGER loses {on}")
    assert "loses" in _captures(place)
    place.run(f"DROP TRIGGER loses{'' if place.is_sqlite else ' ON tidemark.counted'}")
    assert _captures(place) == "ok"
    if not place.is_sqlite:
        place.run("CREATE RULE eats AS ON INSERT TO tidemark.counted DO INSTEAD NOTHING")
        assert "eats" in _captures(place)


@pytest.mark.parametrize("where", ["columns_of", "rows_of"])
def test_a_trigger_that_comes_and_may_lose_what_is_kept_in_a_table_of_the_users_is_a_gap(
    place: Place, where: str
) -> None:
    """One that touches nothing of ours, as most do, is none."""
    place.run("CREATE TABLE plays (id integer PRIMARY KEY, g integer)")
    place.run("CREATE TABLE groups (g integer NOT NULL, kind text NOT NULL, n integer, at text, PRIMARY KEY (g, kind))")
    place.run("INSERT INTO groups (g, kind) VALUES (1, 'x')")
    query = "SELECT g, kind, (SELECT count(*) FROM plays WHERE plays.g = groups.g) AS n FROM groups"
    if where == "rows_of":
        query = "SELECT g, 'counted' AS kind, count(*) AS n FROM plays WHERE g IS NOT NULL GROUP BY g"
    place.project.derive("counted", query=query, key=["g", "kind"], **{where: "groups"})
    place.tidemark.apply()
    touch, lose = "NEW.at := 'now'; RETURN NEW;", "IF OLD.at = 'x' THEN RETURN NULL; END IF; RETURN NEW;"
    if place.is_sqlite:
        touch, lose = "SELECT 1;", "SELECT RAISE(IGNORE) WHERE OLD.at = 'x';"
    for name, body, told in (("touches", touch, ""), ("loses", lose, "loses, which may")):
        if place.is_sqlite:
            place.run(f"CREATE TRIGGER {name} UPDATE OF n ON groups BEGIN {body} END")
        else:
            place.run(f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN {body} END$$")
            place.run(f"CREATE TRIGGER {name} BEFORE UPDATE ON groups FOR EACH ROW EXECUTE FUNCTION {name}()")
        assert told in _captures(place) if told else _captures(place) == "ok"
    place.tidemark.apply()
    assert _captures(place) == "ok", "what is there when it is filled and verified is known"
    if not place.is_sqlite:
        place.run("CREATE RULE eats AS ON UPDATE TO groups WHERE OLD.at = 'x' DO INSTEAD NOTHING")
        assert "eats" in _captures(place)


def test_who_trusts_no_schema_may_choose_what_like_tells_apart(lite: Place) -> None:
    lite.run("CREATE TABLE t (x INTEGER UNIQUE, g INTEGER)", "INSERT INTO t VALUES (1, 1), (2, 1)")
    lite.install("counted", COUNTED, "g", freshness="commit")
    lite.run("PRAGMA case_sensitive_like = ON", "PRAGMA trusted_schema = OFF")
    lite.run("UPDATE OR REPLACE t SET x = 2, g = 2 WHERE x = 1", "DELETE FROM t WHERE x = 2")
    lite.verified()


def test_no_name_is_left_for_the_number_of_a_row(lite: Place) -> None:
    lite.run("CREATE TABLE t (ROWID TEXT, _rowid_ INTEGER, Oid INTEGER, g INTEGER)")
    lite.project.derive("counted", query=COUNTED, key="g")
    with pytest.raises(Refusal) as refused:
        lite.tidemark.plan()
    assert refused.value.code is Code.SOURCE_KIND and "oid" in str(refused.value)
