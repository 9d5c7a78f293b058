"""Cutting SQL text: statements and parameters, without ever cutting inside a string, a name or a comment."""

import pytest

from tidemark.database.postgres.parameters import parameter_names, to_driver, to_numbered
from tidemark.database.sqlite.text import first_word, statements, verb

NAMES = frozenset({"a", "b", "ü"})


@pytest.mark.parametrize(
    ("sql", "driver"),
    [
        ("SELECT :a, :b", "SELECT %(a)s, %(b)s"),
        ("SELECT :a::text", "SELECT %(a)s::text"),
        ("SELECT x::a", "SELECT x::a"),
        ("SELECT ':a', \":a\", E'\\':a'", "SELECT ':a', \":a\", E'\\':a'"),
        ("SELECT 'it''s :a'", "SELECT 'it''s :a'"),
        ("SELECT $$ :a $$, $x$ :a $$ :b $x$, :a", "SELECT $$ :a $$, $x$ :a $$ :b $x$, %(a)s"),
        ("SELECT a$b$:a", "SELECT a$b$%(a)s"),
        ("SELECT :a -- :b\n, :b", "SELECT %(a)s -- :b\n, %(b)s"),
        ("SELECT /* :a /* :b */ :a */ :b", "SELECT /* :a /* :b */ :a */ %(b)s"),
        ("SELECT x[1:n], x[1:2]", "SELECT x[1:n], x[1:2]"),
        ("SELECT :c, :a1", "SELECT :c, :a1"),
        ("SELECT :ü", "SELECT %(ü)s"),
        ("SELECT 5 % 2, '%s', \"%\" -- %", "SELECT 5 %% 2, '%%s', \"%%\" -- %%"),
        ("f(x := :a)", "f(x := %(a)s)"),
        ("SELECT ':a", "SELECT ':a"),
        ("SELECT /* :a", "SELECT /* :a"),
        ("SELECT name'x' || :a", "SELECT name'x' || %(a)s"),
    ],
)
def test_parameters_of_the_driver(sql: str, driver: str) -> None:
    assert to_driver(sql, NAMES) == driver


def test_numbered_parameters() -> None:
    assert to_numbered("SELECT :k, ':x', :low, :k::int") == ("SELECT $1, ':x', $2, $1::int", 2)
    assert list(parameter_names("SELECT :b, :a, :b")) == ["b", "a"]


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("", []),
        (" ; ;; -- x\n", []),
        ("SELECT 1", ["SELECT 1"]),
        ("SELECT ';'; SELECT \";\" -- ;\n; SELECT [;]", ["SELECT ';';", 'SELECT ";" -- ;\n;', "SELECT [;]"]),
        (
            "CREATE TRIGGER t AFTER INSERT ON x BEGIN SELECT CASE WHEN 1 THEN 2 END; SELECT 'END;'; END; SELECT 1;",
            [
                "CREATE TRIGGER t AFTER INSERT ON x BEGIN SELECT CASE WHEN 1 THEN 2 END; SELECT 'END;'; END;",
                "SELECT 1;",
            ],
        ),
        ("/* ; */ SELECT 1; /* ; */", ["/* ; */ SELECT 1;"]),
    ],
)
def test_statements_of_a_script(script: str, expected: list[str]) -> None:
    assert [statement.strip() for statement in statements(script)] == expected


@pytest.mark.parametrize(
    ("sql", "word", "does"),
    [
        ("  -- x\n select 1", "SELECT", "SELECT"),
        ("with a as (delete_me), b(x) as (select 1) insert into t select 1", "WITH", "INSERT"),
        ("WITH a AS (SELECT 1) SELECT 'INSERT'", "WITH", "SELECT"),
        ("(SELECT 1)", "", ""),
        ("", "", ""),
    ],
)
def test_what_a_statement_does(sql: str, word: str, does: str) -> None:
    assert (first_word(sql), verb(sql)) == (word, does)
