"""Parsing, resolving and lowering: what a query means, and where it means nothing."""

import pytest

from tests.unit.query.catalogs import BOTH, block_of
from tidemark.dialect import POSTGRESQL, SQLITE, Dialect
from tidemark.errors import Code, Refusal
from tidemark.query.parse import parse_query, render

EACH = pytest.mark.parametrize("dialect", BOTH, ids=lambda dialect: dialect.name)


def refusal(query: str, dialect: Dialect = SQLITE) -> Refusal:
    with pytest.raises(Refusal) as caught:
        block_of(query, dialect)
    return caught.value


def test_outputs_that_only_their_places_tell_apart_are_refused() -> None:
    rolled = "SELECT score AS a, score AS b, count(*) AS n FROM posts GROUP BY GROUPING SETS ((1), (b))"
    assert refusal(rolled, POSTGRESQL).code is Code.UNSUPPORTED
    constant = "SELECT author, 2 AS c, count(*) AS n FROM posts GROUP BY ROLLUP (1, c)"
    assert refusal(constant, POSTGRESQL).code is Code.UNSUPPORTED
    assert refusal("SELECT DISTINCT ON (c) id, 3 AS c FROM posts ORDER BY c, id", POSTGRESQL).code is Code.UNSUPPORTED


@EACH
def test_the_engine_evaluates_the_users_own_words(dialect: Dialect) -> None:
    for words in (
        "substr(name, 1, 2)",
        "coalesce(name, 'x')",
        "ifnull(name, '')",
        "iif(id > 1, 2, 3)",
        "length(name) % 2",
    ):
        tree = parse_query(f"SELECT {words} AS x FROM users", dialect)
        assert render(tree.expressions[0].unalias(), dialect).lower() == words.lower()


@EACH
def test_columns_get_their_occurrence(dialect: Dialect) -> None:
    block = block_of(
        "SELECT u.id, (SELECT count(*) FROM posts u2 WHERE author = u.id AND live = 1) AS n FROM users AS u", dialect
    )
    (nested,) = block.nested
    assert [scalar.text for scalar in nested.query.where] == ['"u2"."author" = "u"."id"', '"u2"."live" = 1']
    assert nested.form == "scalar" and block.outputs[0].scalar.column == ("u", "id")


@EACH
def test_an_alias_that_comes_again_gets_another_name(dialect: Dialect) -> None:
    block = block_of("SELECT id, EXISTS (SELECT 1 FROM posts WHERE posts.author = users.id) AS a, "
                     "EXISTS (SELECT 1 FROM posts WHERE posts.author2 = users.id) AS b FROM users", dialect)  # fmt: skip
    assert [occurrence.alias for occurrence in block.all_occurrences] == ["users", "posts", "posts_2"]


@EACH
def test_stars_positions_and_aliases(dialect: Dialect) -> None:
    assert [o.name for o in block_of("SELECT * FROM profiles", dialect).outputs] == ["user_id", "bio"]
    assert [o.name for o in block_of("SELECT p.*, p.id AS again FROM posts p", dialect).outputs][-2:] == [
        "author2",
        "again",
    ]
    grouped = block_of("SELECT score % 2 AS odd, count(*) AS n FROM posts GROUP BY 1 HAVING n > 1", dialect)
    assert grouped.groups is not None and grouped.groups[0].text == '"posts"."score" % 2'
    assert grouped.having is not None and "COUNT(*)" in grouped.having.text
    by_name = block_of("SELECT score % 2 AS odd, count(*) AS n FROM posts GROUP BY odd", dialect)
    assert by_name.groups is not None and by_name.groups[0].text.strip("()") == '"posts"."score" % 2'


def test_names_fold_as_the_engine_folds_them() -> None:
    assert block_of('SELECT ID, "EMAIL" FROM "USERS"', SQLITE).outputs[1].scalar.column == ("users", "email")
    assert block_of("SELECT ID FROM Users", POSTGRESQL).outputs[0].scalar.column == ("users", "id")
    assert block_of('SELECT "Id" FROM "Mixed"', POSTGRESQL).outputs[0].name == "Id"
    assert refusal("SELECT id FROM Mixed", POSTGRESQL).code is Code.UNKNOWN_TABLE
    assert refusal('SELECT id FROM "Mixed"', POSTGRESQL).code is Code.UNKNOWN_COLUMN
    assert block_of("SELECT level FROM app.users", POSTGRESQL).occurrences[0].table.schema == "app"


@EACH
@pytest.mark.parametrize(
    ("query", "code", "line", "text"),
    [
        ("SELECT id\nFROM nowhere", Code.UNKNOWN_TABLE, 2, "nowhere"),
        ("SELECT id,\n  nothing\nFROM users", Code.UNKNOWN_COLUMN, 2, "nothing"),
        ("SELECT users.id\nFROM users JOIN posts\n ON posts.author = id", Code.UNKNOWN_COLUMN, 3, "id"),
        ("SELECT id FROM users\nUNION ALL\nSELECT id, slug FROM posts", Code.PARSE, 1, "UNION"),
        ("SELECT id FROM users\nUNION ALL\nSELECT nothing FROM posts", Code.UNKNOWN_COLUMN, 3, "nothing"),
        ("SELECT x.id FROM users u,\n(SELECT u.id) x", Code.UNKNOWN_COLUMN, 2, "id"),
        ("SELECT id FROM users u JOIN users u ON true", Code.UNSUPPORTED, 1, "users"),
        ("SELECT id FROM users WHERE id IN (SELECT\n nothing FROM posts)", Code.UNKNOWN_COLUMN, 2, "nothing"),
    ],
)
def test_refusals_name_the_place(dialect: Dialect, query: str, code: Code, line: int, text: str) -> None:
    found = refusal(query, dialect)
    assert found.code is code and found.place is not None
    assert text in found.place.text and found.place.line == line, found.place


@EACH
@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("SELEC id FROM users", Code.PARSE),
        ("SELECT 1; SELECT 2", Code.NOT_A_QUERY),
        ("UPDATE users SET id = 1", Code.NOT_A_QUERY),
        ("SELECT id FROM users FOR UPDATE", Code.UNSUPPORTED),
        ("SELECT DISTINCT id FROM users GROUP BY ROLLUP (name)", Code.UNSUPPORTED),
        ("SELECT id + 1 AS n, count(*) AS c FROM (SELECT * FROM users) u GROUP BY ROLLUP (n)", Code.UNSUPPORTED),
        ("SELECT 1 AS one FROM users GROUP BY ROLLUP (id)", Code.UNSUPPORTED),
        ("SELECT x.id FROM my_rows(1, 3) x", Code.UNSUPPORTED),
        ("WITH RECURSIVE r AS (SELECT id FROM r) SELECT id FROM r", Code.NOT_A_QUERY),
        ("WITH RECURSIVE r AS (SELECT id FROM users UNION SELECT id FROM r LIMIT 3) SELECT id FROM r", Code.VOLATILE),
        ("SELECT id FROM users GROUP BY 7", Code.PARSE),
    ],
)
def test_what_has_no_place_in_the_algebra(dialect: Dialect, query: str, code: Code) -> None:
    assert refusal(query, dialect).code is code


@EACH
def test_aggregates_are_found_once_with_their_conditions(dialect: Dialect) -> None:
    block = block_of(
        "SELECT author, count(*) AS n, count(*) + 1 AS m, sum(score) FILTER (WHERE live = 1) AS s, count(DISTINCT slug) AS d, "
        "max(score) AS top FROM posts GROUP BY author HAVING count(*) > 2",
        dialect,
    )
    calls = {
        (call.function, call.distinct, call.condition is not None, call.argument is None) for call in block.aggregates
    }
    assert calls == {
        ("count", False, False, True),
        ("sum", False, True, False),
        ("count", True, False, False),
        ("max", False, False, False),
    }
    assert len(block.aggregates) == 4


def test_scalar_min_and_max_of_sqlite_are_no_aggregates() -> None:
    assert not block_of("SELECT id, max(score, 3) AS m FROM posts").is_aggregated
    assert block_of("SELECT max(score) AS m FROM posts").is_aggregated
