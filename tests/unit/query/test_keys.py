"""Proofs that a key identifies a row: by unique keys, through joins, under predicates and collations."""

import pytest

from tests.unit.query.catalogs import BOTH, block_of
from tidemark.dialect import POSTGRESQL, SQLITE, Dialect
from tidemark.errors import Code, Refusal
from tidemark.query.indexed import has_index
from tidemark.query.keys import find_key
from tidemark.query.nullable import required_columns
from tidemark.query.unique import identifies

EACH = pytest.mark.parametrize("dialect", BOTH, ids=lambda dialect: dialect.name)


def key_of(query: str, *declared: str, dialect: Dialect = SQLITE) -> list[tuple[str, bool]]:
    return [(column.name, column.nullable) for column in find_key(block_of(query, dialect), declared)]


def refused(query: str, *declared: str, dialect: Dialect = SQLITE) -> Code:
    with pytest.raises(Refusal) as caught:
        key_of(query, *declared, dialect=dialect)
    assert caught.value.instead
    return caught.value.code


@EACH
@pytest.mark.parametrize(
    ("query", "declared"),
    [
        ("SELECT id, name FROM users", ["id"]),
        ("SELECT email, name FROM users", ["email"]),
        ("SELECT id, email FROM users", ["email"]),
        ("SELECT id, email FROM users", ["id", "email"]),
        ("SELECT slug FROM posts WHERE slug IS NOT NULL", ["slug"]),
        ("SELECT slug FROM posts WHERE slug > 'a'", ["slug"]),
        ("SELECT slug FROM posts WHERE NOT slug IS NULL", ["slug"]),
        ("SELECT author2, score FROM posts WHERE live = 1", ["author2"]),
        ("SELECT author2, score FROM posts WHERE (live = 1) AND score > 3", ["author2"]),
        ("SELECT p.id, u.name FROM posts p JOIN users u ON u.id = p.author", ["id"]),
        ("SELECT p.id, u.name FROM posts p LEFT JOIN users u ON u.id = p.author", ["id"]),
        ("SELECT u.id, f.bio FROM users u LEFT JOIN profiles f ON f.user_id = u.id", ["id"]),
        ("SELECT f.user_id, u.name FROM users u JOIN profiles f ON f.user_id = u.id", ["user_id"]),
        (
            "SELECT p.id, u.name, f.bio FROM posts p JOIN users u ON u.id = p.author JOIN profiles f ON f.user_id = u.id",
            ["id"],
        ),
        ("SELECT u.id, p.score FROM users u LEFT JOIN posts p ON p.author2 = u.id AND p.live = 1", ["id"]),
        ("SELECT u.id, p.id AS pid FROM users u, posts p", ["id", "pid"]),
        ("SELECT u.id, p.score FROM users u JOIN posts p ON p.id = 7", ["id"]),
        ("SELECT u.id FROM users u LEFT JOIN posts p ON p.author = u.id WHERE p.id IS NULL", ["id"]),
        ("SELECT u.id FROM users u LEFT JOIN posts p ON p.author = u.id WHERE (p.author IS NULL)", ["id"]),
        ("SELECT author, row_number() OVER (PARTITION BY author ORDER BY id) AS n FROM posts", ["author", "n"]),
        (
            "SELECT author FROM (SELECT author, row_number() OVER (PARTITION BY author ORDER BY id) AS n FROM posts) p "
            "WHERE n = 1",
            ["author"],
        ),
        ("SELECT id, NULL AS s, score FROM posts UNION ALL SELECT id, state, score FROM posts", ["id", "s"]),
    ],
)
def test_what_is_proven(dialect: Dialect, query: str, declared: list[str]) -> None:
    assert [name for name, _ in key_of(query, *declared, dialect=dialect)] == declared


@EACH
@pytest.mark.parametrize(
    ("query", "declared"),
    [
        ("SELECT name FROM users", ["name"]),
        ("SELECT slug FROM posts", ["slug"]),
        ("SELECT u.id FROM users u LEFT JOIN posts p ON p.author = u.id WHERE p.slug IS NULL", ["id"]),
        ("SELECT author, rank() OVER (PARTITION BY author ORDER BY id) AS n FROM posts", ["author", "n"]),
        ("SELECT author, row_number() OVER (PARTITION BY author, state ORDER BY id) AS n FROM posts", ["author", "n"]),
        ("SELECT author, 1 + row_number() OVER (PARTITION BY state ORDER BY id) AS n FROM posts", ["author", "n"]),
        ("SELECT u.id FROM users u LEFT JOIN posts p ON p.author = u.id WHERE p.id IS NULL OR u.id = 1", ["id"]),
        ("SELECT u.id FROM users u LEFT JOIN posts p ON p.author = u.id AND p.id IS NULL", ["id"]),
        ("SELECT id, NULL AS s, score FROM posts UNION ALL SELECT id, slug, score FROM posts", ["id", "s"]),
        ("SELECT id, 1 AS s FROM posts UNION ALL SELECT id, 1 FROM posts", ["id", "s"]),
        ("SELECT slug FROM posts WHERE slug IS NULL", ["slug"]),
        ("SELECT author2 FROM posts", ["author2"]),
        ("SELECT author2 FROM posts WHERE live = 2", ["author2"]),
        ("SELECT author2 FROM posts WHERE live = 1 OR score = 1", ["author2"]),
        ("SELECT u.id FROM users u JOIN posts p ON p.author = u.id", ["id"]),
        ("SELECT u.id FROM users u LEFT JOIN posts p ON p.author = u.id", ["id"]),
        ("SELECT u.id FROM users u LEFT JOIN posts p ON p.author2 = u.id", ["id"]),
        ("SELECT u.id FROM users u, posts p", ["id"]),
        ("SELECT p.id FROM posts p LEFT JOIN users u ON u.id > p.author", ["id"]),
        ("SELECT id + 1 AS next FROM users", ["next"]),
        ("SELECT p.author AS a FROM posts p JOIN users u ON u.id = p.author", ["a"]),
        ("SELECT f.user_id FROM users u LEFT JOIN profiles f ON f.user_id = u.id", ["user_id"]),
        ("SELECT a FROM plain", ["a"]),
    ],
)
def test_what_is_not_proven(dialect: Dialect, query: str, declared: list[str]) -> None:
    assert refused(query, *declared, dialect=dialect) is Code.KEY_UNPROVEN


@EACH
def test_keys_are_inferred(dialect: Dialect) -> None:
    assert key_of("SELECT name, id FROM users", dialect=dialect) == [("id", False)]
    assert key_of("SELECT u.email, f.bio FROM users u JOIN profiles f ON f.user_id = u.id", dialect=dialect) == [
        ("email", False)
    ]
    assert refused("SELECT name FROM users", dialect=dialect) is Code.KEY_MISSING
    assert refused("SELECT a, b FROM plain", dialect=dialect) is Code.KEY_MISSING


@EACH
def test_groups_are_keys_and_may_be_null(dialect: Dialect) -> None:
    assert key_of("SELECT author, count(*) AS n FROM posts GROUP BY author", dialect=dialect) == [("author", True)]
    assert key_of("SELECT state, count(*) AS n FROM posts GROUP BY state", dialect=dialect) == [("state", False)]
    assert key_of("SELECT score, count(*) AS n FROM posts WHERE score > 1 GROUP BY score", dialect=dialect) == [
        ("score", False)
    ]
    assert key_of("SELECT coalesce(score, 0) AS s, count(*) AS n FROM posts GROUP BY 1", dialect=dialect) == [
        ("s", False)
    ]
    assert key_of(
        "SELECT author, state, count(*) AS n FROM posts GROUP BY state, author", "author", "state", dialect=dialect
    ) == [
        ("author", True),
        ("state", False),
    ]
    assert key_of("SELECT count(*) AS n FROM posts", dialect=dialect) == []
    for query, declared in (
        ("SELECT author, count(*) AS n FROM posts GROUP BY author", ["n"]),
        ("SELECT author, state, count(*) AS n FROM posts GROUP BY author, state", ["author"]),
        ("SELECT count(*) AS n FROM posts", ["n"]),
        ("SELECT DISTINCT author, state FROM posts", ["author"]),
    ):
        assert refused(query, *declared, dialect=dialect) is Code.KEY_UNPROVEN
    assert refused("SELECT count(*) AS n FROM posts GROUP BY author", dialect=dialect) is Code.KEY_MISSING
    assert (
        refused("SELECT author, count(*) AS n FROM posts GROUP BY author", "nothing", dialect=dialect)
        is Code.KEY_MISSING
    )


@EACH
def test_a_left_joined_column_may_be_null(dialect: Dialect) -> None:
    query = "SELECT f.user_id, count(*) AS n FROM users u LEFT JOIN profiles f ON f.user_id = u.id GROUP BY f.user_id"
    assert key_of(query, dialect=dialect) == [("user_id", True)]


def test_a_nocase_key_proves_only_what_compares_alike() -> None:
    """A unique index of one collation over a column of another lets values in that the column calls equal."""
    assert key_of("SELECT name FROM folded", "name") == [("name", False)]
    assert refused("SELECT name FROM sloppy", "name") is Code.KEY_UNPROVEN
    # Whatever is unique without regard to case is unique with regard to it.
    assert key_of("SELECT other FROM folded", "other") == [("other", False)]


@EACH
def test_conditions_that_exclude_null(dialect: Dialect) -> None:
    block = block_of(
        "SELECT id FROM posts WHERE score IS NOT NULL AND author = 3 AND (slug <> 'x') AND live IS NULL", dialect
    )
    assert required_columns(block) == {("posts", "score"), ("posts", "author"), ("posts", "slug")}
    disjunction = block_of("SELECT id FROM posts WHERE score IS NOT NULL OR author = 3", dialect)
    assert required_columns(disjunction) == set()


def test_an_index_counts_by_its_first_term() -> None:
    posts = block_of("SELECT id FROM posts", POSTGRESQL).occurrences[0].table
    assert has_index(posts, ("slug",)) and not has_index(posts, ("score",)) and not has_index(posts, ("author2",))


def test_any_and_all_prove_nothing() -> None:
    for quantifier in ("ANY", "ALL"):
        block = block_of(f"SELECT id FROM users WHERE id = {quantifier} (SELECT author FROM posts)", POSTGRESQL)
        assert not identifies(block, frozenset())
        assert ("users", "name") not in required_columns(
            block_of(f"SELECT id FROM users WHERE name <> {quantifier} (SELECT slug FROM posts)", POSTGRESQL)
        )
    assert identifies(block_of("SELECT id FROM users WHERE id = 3", POSTGRESQL), frozenset())
