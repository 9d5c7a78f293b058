"""Keys that are missing, are none, may be NULL or do not compare alike."""

import pytest

from tests.bad_input.town import Town
from tidemark.errors import Code

COUNT = "(SELECT count(*) FROM t WHERE t.g = {key}) AS n"


@pytest.mark.parametrize(
    ("query", "key", "code"),
    [
        ("SELECT id, v FROM t", "nothing", Code.KEY_MISSING),
        ("SELECT v FROM t", None, Code.KEY_MISSING),
        ("SELECT label, v FROM t", "label", Code.KEY_UNPROVEN),
        ("SELECT code, v FROM t", "code", Code.KEY_UNPROVEN),
        ("SELECT id, v FROM t", "v", Code.KEY_UNPROVEN),
        ("SELECT v + 1 AS w, id FROM t", "w", Code.KEY_UNPROVEN),
        ("SELECT g, count(*) AS n FROM t GROUP BY g", "n", Code.KEY_UNPROVEN),
        ("SELECT g, v, count(*) AS n FROM t GROUP BY g, v", "g", Code.KEY_UNPROVEN),
        ("SELECT g, count(*) AS n FROM t GROUP BY g, v", None, Code.KEY_MISSING),
        ("SELECT count(*) AS n FROM t", "n", Code.KEY_UNPROVEN),
        ("SELECT DISTINCT g, v FROM t", "g", Code.KEY_UNPROVEN),
        ("SELECT t.id, u.name FROM t JOIN u ON t.g = u.id", ["name"], Code.KEY_UNPROVEN),
        ("SELECT u.id, t.v FROM u JOIN t ON t.g = u.id", ["id"], Code.KEY_UNPROVEN),
        ("SELECT u.id, t.v FROM u LEFT JOIN t ON t.g = u.id", ["id"], Code.KEY_UNPROVEN),
        ("SELECT t.id, u.name FROM t, u", ["id"], Code.KEY_UNPROVEN),
    ],
)
def test_a_key_that_is_none(town: Town, query: str, key: str | list[str] | None, code: Code) -> None:
    town.declare(query, key=key)
    town.refused(code)


def test_a_key_named_twice_or_as_a_number_is_refused_where_it_stands(town: Town) -> None:
    for key in (["id", "id"], [], 5, [""]):
        town.declare("SELECT id, v FROM t", key=key)
        town.refused(Code.DECLARATION, "key", "derived.py:3")


def test_a_universe_whose_key_may_be_null(town: Town) -> None:
    town.declare(f"SELECT x.code, {COUNT.format(key='x.id')} FROM t AS x", key="code")
    town.refused(Code.KEY_UNPROVEN)
    town.declare("SELECT x.code, (SELECT count(*) FROM t WHERE t.code = x.code) AS n FROM t AS x", key="code")
    town.refused(Code.KEY_UNPROVEN, "code")


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
    if town.is_sqlite:
        town.refused(Code.KEY_TYPES_DIFFER, "who")
    else:
        town.refused(Code.PARSE)


def test_keys_of_different_collations(lite: Town) -> None:
    lite.run(
        "CREATE TABLE n (name TEXT COLLATE NOCASE NOT NULL PRIMARY KEY)",
        "CREATE TABLE f (id INTEGER PRIMARY KEY, who TEXT)",
    )
    lite.declare("SELECT n.name, (SELECT count(*) FROM f WHERE f.who = n.name) AS k FROM n", key="name")
    lite.refused(Code.KEY_TYPES_DIFFER, "collat")


def test_duplicates_in_a_nocase_key_of_a_binary_column(lite: Town) -> None:
    lite.run("CREATE TABLE n (a TEXT NOT NULL COLLATE NOCASE)", "CREATE UNIQUE INDEX n_a ON n (a COLLATE BINARY)")
    lite.run("INSERT INTO n VALUES ('a'), ('A')")
    lite.declare("SELECT a FROM n", key="a")
    lite.refused(Code.KEY_UNPROVEN)


def test_an_index_over_what_the_result_does_not_have(town: Town) -> None:
    town.declare("SELECT id, v FROM t", indexes=["nothing"])
    town.refused(Code.DECLARATION, "nothing")
