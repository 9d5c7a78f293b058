"""Keys that are missing, are none, may be NULL or do not compare alike."""

import pytest

from tests.bad_input.town import Town
from tidemark.errors import Code

COUNT = "(SELECT count(*) FROM t WHERE t.g = {key}) AS n"


# A query, and a key that nothing proves; then whether the rows of the town have it twice.
UNPROVEN = (
    ("SELECT label, v FROM t", ["label"], True),
    ("SELECT code, v FROM t", ["code"], True),
    ("SELECT id, v FROM t", ["v"], False),
    ("SELECT v + 1 AS w, id FROM t", ["w"], False),
    ("SELECT g, count(*) AS n FROM t GROUP BY g", ["n"], False),
    ("SELECT g, v, count(*) AS n FROM t GROUP BY g, v", ["g"], True),
    ("SELECT DISTINCT g, v FROM t", ["g"], True),
    ("SELECT t.id, u.name FROM t JOIN u ON t.g = u.id", ["name"], True),
    ("SELECT u.id, t.v FROM u JOIN t ON t.g = u.id", ["id"], True),
    ("SELECT u.id, t.v FROM u LEFT JOIN t ON t.g = u.id", ["id"], True),
    ("SELECT t.id, u.name FROM t, u", ["id"], True),
    (f"SELECT x.code, {COUNT.format(key='x.id')} FROM t AS x", ["code"], True),
    ("SELECT x.code, (SELECT count(*) FROM t WHERE t.code = x.code) AS n FROM t AS x", ["code"], True),
)


@pytest.mark.parametrize(
    ("query", "key"),
    [
        ("SELECT id, v FROM t", "nothing"),
        ("SELECT v FROM t", "id"),
        ("SELECT g, count(*) AS n FROM t GROUP BY g, v", "v"),
    ],
)
def test_a_key_that_is_missing(town: Town, query: str, key: str | None) -> None:
    town.declare(query, key=key)
    town.refused(Code.KEY_MISSING)


@pytest.mark.parametrize(("query", "key", "twice"), UNPROVEN)
def test_a_key_that_nothing_proves(town: Town, query: str, key: list[str], twice: bool) -> None:
    """Refused at commit. A tick looks at every batch: the data of today decides, and no row is stored under a key held twice."""
    town.declare(query, key=key, freshness="commit")
    town.refused(Code.KEY_UNPROVEN, *key)
    town.declare(query, key=key)
    if twice:
        town.failed(f"more than one row for the key {key[0]} = ")
        assert town.stored() == []
    else:
        town.fine("apply", "--yes")
        town.fine("verify")


def test_a_result_of_one_row_has_no_key(town: Town) -> None:
    town.declare("SELECT count(*) AS n FROM t", key="n", freshness="commit")
    town.refused(Code.KEY_UNPROVEN)
    town.declare("SELECT count(*) AS n FROM t", key="n")
    town.refused(Code.GLOBAL, "allow_global")


def test_a_key_named_twice_or_as_a_number_is_refused_where_it_stands(town: Town) -> None:
    for key in (["id", "id"], [], 5, [""]):
        town.declare("SELECT id, v FROM t", key=key)
        town.refused(Code.DECLARATION, "key", "derived.py:3")


def test_a_nullable_key_with_a_condition_is_fine(town: Town) -> None:
    town.declare(
        "SELECT x.code, (SELECT count(*) FROM u WHERE u.name = x.code) AS n FROM t AS x WHERE x.code IS NOT NULL",
        key="code",
    )
    town.fine("apply", "--yes")
    town.fine("verify")


def test_null_groups_are_no_null_keys(town: Town) -> None:
    town.declare("SELECT g, count(*) AS n FROM t GROUP BY g")
    town.fine("apply", "--yes")
    assert sorted(town.rows("SELECT * FROM derived_one"), key=str) == [(1, 2), (None, 1)]


def test_keys_of_different_types(town: Town) -> None:
    town.run("CREATE TABLE f (id INTEGER PRIMARY KEY, who TEXT)")
    town.declare("SELECT u.id, (SELECT count(*) FROM f WHERE f.who = u.id) AS n FROM u", key="id")
    if not town.is_sqlite:
        town.refused(Code.PARSE)
        return
    town.fine("apply", "--yes")
    town.run("INSERT INTO f VALUES (1, '1'), (2, '01'), (3, '1.0'), (4, 'x')")
    town.fine("tick")
    town.fine("verify")
    assert (1, 3) in town.rows("SELECT * FROM derived_one")


def test_keys_of_different_collations(lite: Town) -> None:
    lite.run(
        "CREATE TABLE n (name TEXT COLLATE NOCASE NOT NULL PRIMARY KEY)",
        "CREATE TABLE f (id INTEGER PRIMARY KEY, who TEXT)",
    )
    lite.declare("SELECT n.name, (SELECT count(*) FROM f WHERE f.who = n.name) AS k FROM n", key="name")
    lite.fine("apply", "--yes")
    lite.run("INSERT INTO n VALUES ('Bob'), ('ann')", "INSERT INTO f VALUES (1, 'bob'), (2, 'Bob'), (3, 'BOB')")
    lite.fine("tick")
    lite.fine("verify")
    assert sorted(lite.rows("SELECT * FROM derived_one")) == [("Bob", 1), ("ann", 0)]


def test_duplicates_in_a_nocase_key_of_a_binary_column(lite: Town) -> None:
    lite.run("CREATE TABLE n (a TEXT NOT NULL COLLATE NOCASE)", "CREATE UNIQUE INDEX n_a ON n (a COLLATE BINARY)")
    lite.run("INSERT INTO n VALUES ('a'), ('A')")
    lite.declare("SELECT a FROM n", key="a", freshness="commit")
    lite.refused(Code.KEY_UNPROVEN)
    lite.declare("SELECT a FROM n", key="a")
    lite.failed("more than one row for the key a = ")
    assert lite.stored() == []


def test_an_index_over_what_the_result_does_not_have(town: Town) -> None:
    town.declare("SELECT id, v FROM t", indexes=["nothing"])
    town.refused(Code.DECLARATION, "nothing")
