"""Which queries are linear, why others are not, and what a linear program keeps."""

from functools import partial

import pytest

from tests.unit.query.catalogs import BOTH, block_of, describe
from tidemark.dialect import POSTGRESQL, SQLITE, Dialect
from tidemark.maintenance.key_types import common_type
from tidemark.maintenance.linear import linear_program
from tidemark.maintenance.program import LinearProgram
from tidemark.maintenance.result import Result
from tidemark.maintenance.shapes import NotLinear
from tidemark.model import OutputColumn
from tidemark.query.keys import find_key

EACH = pytest.mark.parametrize("dialect", BOTH, ids=lambda dialect: dialect.name)


def program(query: str, dialect: Dialect, *key: str) -> LinearProgram:
    block = block_of(query, dialect)
    return linear_program(
        Result("d", block, find_key(block, key), describe(dialect, query)), partial(describe, dialect)
    )


def kinds(made: LinearProgram) -> list[str]:
    return [part.kind for part in made.parts]


@EACH
@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("SELECT u.name, count(*) AS n FROM users u JOIN posts p ON p.author = u.id GROUP BY u.name", "joins"),
        ("SELECT DISTINCT author, count(*) AS n FROM posts GROUP BY author", "DISTINCT"),
        ("SELECT author, count(DISTINCT slug) AS n FROM posts GROUP BY author", "multiplicity"),
        ("SELECT id FROM users WHERE id IN (SELECT author FROM posts)", "IN"),
        ("SELECT id FROM users u WHERE EXISTS (SELECT 1 FROM posts p WHERE p.author = u.id)", "which rows exist"),
        ("SELECT id, (SELECT count(*) FROM posts p WHERE p.author > u.id) AS n FROM users u", "not an equality"),
        ("SELECT id, (SELECT count(*) FROM posts p WHERE p.author = u.id + 1) AS n FROM users u", "not an equality"),
        (
            "SELECT id, (SELECT count(*) FROM posts p JOIN profiles f ON f.user_id = p.id WHERE p.author = u.id) AS n "
            "FROM users u",
            "more than one source",
        ),
        ("SELECT id, (SELECT sum(p.score * u.id) FROM posts p WHERE p.author = u.id) AS n FROM users u", "outer row"),
        (
            "SELECT author, count(*) AS n, EXISTS (SELECT 1 FROM users u WHERE u.id = author) AS e FROM posts GROUP BY author",
            "beside",
        ),
    ],
)
def test_what_is_not_linear_says_why(dialect: Dialect, query: str, reason: str) -> None:
    with pytest.raises(NotLinear) as caught:
        program(query, dialect)
    assert reason in caught.value.reason


@EACH
def test_groups_keep_a_count_and_a_part_for_each_need(dialect: Dialect) -> None:
    made = program(
        "SELECT author, count(*) AS n, count(score) AS c, max(score) AS top FROM posts GROUP BY author", dialect
    )
    assert kinds(made) == ["additive", "additive", "highest"]
    assert [part.name for part in made.key] == ["author"] and made.key[0].nullable
    assert [one.name for one in made.visible] == ["author", "n", "c", "top"]
    assert made.presence and not made.single
    # COUNT(*) is the count of the group's rows itself.
    assert made.visible[1].sql.strip("()") == f"s.{made.presence}"


@EACH
def test_equal_parts_are_kept_once(dialect: Dialect) -> None:
    made = program(
        "SELECT author, sum(score) AS a, avg(score) AS b, sum(score) + count(*) AS c FROM posts GROUP BY author",
        dialect,
    )
    assert len({part.name.lower() for part in made.parts}) == len(made.parts)
    values = [(part.kind, part.value.at("r")) for part in made.parts if part.needed is None]
    assert len(values) == len(set(values))


@EACH
def test_no_group_by_is_one_row(dialect: Dialect) -> None:
    made = program("SELECT count(*) AS n, max(score) AS top FROM posts WHERE live = 1", dialect)
    assert made.single and made.presence == "" and made.key[0].hidden
    assert made.feeds[0].guard is not None and made.feeds[0].guard.at("NEW") == '(NEW."live" = 1)'


@EACH
def test_figures_are_one_row_with_a_feed_for_each_source(dialect: Dialect) -> None:
    made = program(
        "SELECT (SELECT count(*) FROM users) AS users, (SELECT max(score) FROM posts WHERE author = 1) AS best, "
        "NOT EXISTS (SELECT 1 FROM posts) AS silent, 7 AS seven",
        dialect,
    )
    assert made.single and [part.hidden for part in made.key] == [True]
    assert [feed.table.name for feed in made.feeds] == ["users", "posts"]
    assert [one.name for one in made.visible] == ["users", "best", "silent", "seven"]


@EACH
def test_a_universe_has_a_feed_for_itself_and_one_for_each_way_to_its_key(dialect: Dialect) -> None:
    made = program(
        "SELECT u.id, u.name, (SELECT count(*) FROM posts p WHERE p.author = u.id) AS n, "
        "(SELECT max(p.score) FROM posts p WHERE p.author = u.id AND p.live = 1) AS top, "
        "(SELECT count(*) FROM posts p WHERE p.author2 = u.id) AS second, "
        "EXISTS (SELECT 1 FROM profiles f WHERE f.user_id = u.id) AS has FROM users u",
        dialect,
        "id",
    )
    assert [(feed.table.name, feed.is_universe) for feed in made.feeds] == [
        ("users", True),
        ("posts", False),
        ("posts", False),
        ("profiles", False),
    ]
    assert [feed.key[0].at("NEW") for feed in made.feeds] == [
        '(NEW."id")',
        '(NEW."author")',
        '(NEW."author2")',
        '(NEW."user_id")',
    ]
    # A child may point nowhere: such a row belongs to no key. The other ways cannot be NULL.
    assert [feed.guard is not None and "IS NOT NULL" in feed.guard.at("r") for feed in made.feeds] == [
        False,
        True,
        False,
        False,
    ]
    assert "copied" in kinds(made)


@EACH
def test_a_predicate_reads_what_it_needs(dialect: Dialect) -> None:
    made = program("SELECT state, sum(score) AS s FROM posts WHERE live = 1 AND author > 3 GROUP BY state", dialect)
    assert made.feeds[0].reads == ("author", "state", "score", "live")


@EACH
def test_filters_become_conditions_of_parts(dialect: Dialect) -> None:
    made = program("SELECT state, count(*) FILTER (WHERE live = 1) AS n FROM posts GROUP BY state", dialect)
    (_, filtered) = made.parts
    assert filtered.value.at("NEW") == 'CASE WHEN (NEW."live" = 1) THEN 1 ELSE 0 END'


@EACH
def test_having_filters_what_is_shown(dialect: Dialect) -> None:
    made = program(
        "SELECT state, count(*) AS n FROM posts GROUP BY state HAVING count(*) > 2 AND state <> 'x'", dialect
    )
    assert made.having is not None and made.presence in made.having and 's."state"' in made.having


@EACH
def test_hidden_names_avoid_the_users(dialect: Dialect) -> None:
    made = program('SELECT author AS _rows, count(*) AS _n, sum(score) AS "_N_sum" FROM posts GROUP BY author', dialect)
    names = [name.lower() for name in [*(key.name for key in made.key), *(part.name for part in made.parts)]]
    assert len(names) == len(set(names)) and not {"_n", "_n_sum"} & {part.name.lower() for part in made.parts}


def test_floats_are_computed_anew_and_integers_added() -> None:
    exact = program("SELECT author, sum(score) AS s FROM posts GROUP BY author", POSTGRESQL)
    assert set(kinds(exact)) == {"additive"}
    dynamic = program("SELECT author, sum(score) AS s FROM posts GROUP BY author", SQLITE)
    # Any column of SQLite may hold anything, so that values which are no integers are counted apart.
    assert kinds(dynamic).count("recomputed") == 1
    assert next(part for part in dynamic.parts if part.kind == "recomputed").needed is not None


def test_a_nullable_key_of_a_universe_is_not_added_up() -> None:
    query = "SELECT p.author, (SELECT count(*) FROM users u WHERE u.id = p.author) AS n FROM posts p"
    block = block_of(query)
    key = find_key(block_of("SELECT author, count(*) AS n FROM posts p GROUP BY author"), ())
    with pytest.raises(NotLinear, match="author of its key can be NULL"):
        linear_program(Result("d", block, key, describe(SQLITE, query)), partial(describe, SQLITE))


def test_values_of_another_type_than_the_key_are_not_added_up() -> None:
    query = "SELECT u.id, (SELECT count(*) FROM posts p WHERE p.state = u.id) AS n FROM users u"
    for dialect in BOTH:
        with pytest.raises(NotLinear, match="compared with the key id"):
            program(query, dialect, "id")


@pytest.mark.parametrize(
    ("one", "other", "dialect", "common"),
    [
        (("INTEGER", None), ("INTEGER", None), SQLITE, True),
        (("INTEGER", None), ("REAL", None), SQLITE, True),
        (("INTEGER", None), ("TEXT", None), SQLITE, False),
        (("TEXT", "NOCASE"), ("TEXT", None), SQLITE, False),
        (("TEXT", "NOCASE"), ("TEXT", "NOCASE"), SQLITE, True),
        (("bigint", None), ("integer", None), POSTGRESQL, True),
        (("smallint", None), ("bigint", None), POSTGRESQL, True),
        (("text", None), ("character varying(20)", None), POSTGRESQL, True),
        (("text", None), ("text", None), POSTGRESQL, True),
        (("text", None), ("integer", None), POSTGRESQL, False),
        (("timestamp with time zone", None), ("date", None), POSTGRESQL, False),
        (("timestamp(3) with time zone", None), ("timestamp(3) without time zone", None), POSTGRESQL, False),
        (("bit(3)", None), ("bit(4)", None), POSTGRESQL, False),
    ],
)
def test_types_in_which_equality_is_the_same(
    one: tuple[str, str | None], other: tuple[str, str | None], dialect: Dialect, common: bool
) -> None:
    left, right = (OutputColumn("k", type_, collation) for type_, collation in (one, other))
    assert (common_type(left, right, dialect) is not None) is common


def test_a_store_keeps_the_precision_of_both_sides() -> None:
    narrow, wide = OutputColumn("k", "numeric(8,2)"), OutputColumn("k", "numeric(10,4)")
    assert common_type(narrow, narrow, POSTGRESQL) == "numeric(8,2)"
    assert common_type(narrow, wide, POSTGRESQL) == "numeric"
    short = OutputColumn("k", "timestamp(0) without time zone")
    assert (
        common_type(short, OutputColumn("k", "timestamp without time zone"), POSTGRESQL)
        == "timestamp without time zone"
    )
