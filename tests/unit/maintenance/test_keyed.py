"""Ways from a changed row to the keys that it can touch."""

import pytest

from tests.unit.query.catalogs import BOTH, block_of, describe
from tidemark.dialect import Dialect
from tidemark.errors import Code, Refusal
from tidemark.maintenance import keyed
from tidemark.maintenance.keyed import keyed_program
from tidemark.maintenance.program import KeyedProgram
from tidemark.maintenance.result import Result
from tidemark.maintenance.routes import routes_of
from tidemark.query.keys import find_key

EACH = pytest.mark.parametrize("dialect", BOTH, ids=lambda dialect: dialect.name)


def program(query: str, dialect: Dialect, *key: str) -> KeyedProgram:
    block = block_of(query, dialect)
    return keyed_program(Result("d", block, find_key(block, key), describe(dialect, query)), "it joins")


def ways(made: KeyedProgram) -> list[tuple[str, list[str], list[str]]]:
    """Changed scan, the scans that it is joined with, the columns of the unit that are NULL."""
    return [
        (
            way.changed.alias,
            [scan.alias for scan in way.joined],
            [part.name for part, value in zip(made.unit, way.values, strict=False) if not value.columns],
        )
        for way in made.routes
    ]


@EACH
def test_a_row_that_holds_the_key_needs_no_join(dialect: Dialect) -> None:
    made = program(
        "SELECT p.author, count(*) AS n FROM posts p JOIN users u ON u.id = p.author GROUP BY p.author", dialect
    )
    # Nor does one that is joined by it: the condition makes the two equal.
    assert ways(made) == [("p", [], []), ("u", [], [])]


@EACH
def test_a_key_of_another_type_is_looked_up(dialect: Dialect) -> None:
    made = program(
        "SELECT u.name, count(*) AS n FROM users u JOIN posts p ON p.score = u.name GROUP BY u.name"
        if dialect.name == "sqlite"
        else "SELECT u.name, count(*) AS n FROM users u JOIN posts p ON p.slug = lower(u.name) GROUP BY u.name",
        dialect,
    )
    assert ways(made) == [("u", [], []), ("p", ["u"], [])]


@EACH
def test_a_way_goes_through_what_lies_between(dialect: Dialect) -> None:
    made = program(
        "SELECT u.name, count(*) AS n FROM users u JOIN posts p ON p.author = u.id JOIN profiles f ON f.user_id = p.id "
        "WHERE p.live = 1 GROUP BY u.name",
        dialect,
    )
    assert ways(made) == [("u", [], []), ("p", ["u"], []), ("f", ["p", "u"], [])]
    last = made.routes[-1]
    # Conditions that join are used, filters are not: a row that the filter drops may have been counted before.
    assert sorted(scalar.text for scalar in last.on) == ['"f"."user_id" = "p"."id"', '"p"."author" = "u"."id"']


@EACH
def test_a_way_goes_by_equalities_where_it_can(dialect: Dialect) -> None:
    """An inequality between the ends would be shorter, and let every changed user meet every profile."""
    ends = "SELECT u.name, f.bio, count(*) AS n FROM users u"
    other, groups = "f.user_id <> u.id", "GROUP BY u.name, f.bio"
    between = "JOIN posts p ON p.author = u.id JOIN profiles f ON f.user_id = p.id"
    made = program(f"{ends} {between} WHERE {other} {groups}", dialect)
    assert [joined for changed, joined, _ in ways(made) if changed == "u"] == [["f", "p"]]
    lonely = program(f"{ends} JOIN profiles f ON {other} {groups}", dialect)
    assert [joined for changed, joined, _ in ways(lonely) if changed == "u"] == [["f"]]


@EACH
def test_an_outer_join_also_reaches_the_group_of_null(dialect: Dialect) -> None:
    made = program(
        "SELECT f.bio, count(*) AS n FROM users u LEFT JOIN profiles f ON f.user_id = u.id GROUP BY f.bio", dialect
    )
    assert ways(made) == [("u", [], ["bio"]), ("u", ["f"], []), ("f", [], []), ("f", [], ["bio"])]


@EACH
def test_a_group_of_null_is_reached_through_the_match_that_goes(dialect: Dialect) -> None:
    made = program(
        "SELECT u.name, f.bio, count(*) AS n FROM users u LEFT JOIN profiles f ON f.user_id = u.id GROUP BY u.name, f.bio",
        dialect,
    )
    assert ways(made) == [("u", [], ["bio"]), ("u", ["f"], []), ("f", ["u"], []), ("f", ["u"], ["bio"])]
    assert [scalar.text for scalar in made.routes[-1].on] == ['"f"."user_id" = "u"."id"']


@EACH
def test_subqueries_reach_the_key_by_their_correlation(dialect: Dialect) -> None:
    made = program(
        "SELECT u.id, u.name FROM users u WHERE EXISTS (SELECT 1 FROM posts p WHERE p.author = u.id)", dialect, "id"
    )
    assert ways(made) == [("u", [], []), ("p", [], [])]
    inside = program(
        "SELECT u.id, u.name FROM users u WHERE u.id IN (SELECT author FROM posts WHERE live = 1)", dialect, "id"
    )
    assert [way[0] for way in ways(inside)] == ["u", "posts"]


@EACH
def test_a_self_join_has_a_way_from_each_side(dialect: Dialect) -> None:
    made = program(
        "SELECT a.author, count(*) AS n FROM posts a JOIN posts b ON b.score = a.score GROUP BY a.author", dialect
    )
    assert ways(made) == [("a", [], []), ("b", ["a"], [])]
    assert made.reads == {"posts": ("author", "score")}


@EACH
@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("SELECT count(*) AS n FROM users u JOIN posts p ON p.author = u.id", Code.GLOBAL),
        ("SELECT id FROM users WHERE id IN (SELECT author FROM posts) OR id = 3", Code.GLOBAL),
        ("SELECT id, (SELECT max(score) FROM posts) AS best FROM users", Code.GLOBAL),
        (
            "SELECT n, count(*) AS m FROM (SELECT author, count(*) AS n FROM posts GROUP BY author) x GROUP BY n",
            Code.GLOBAL,
        ),
    ],
)
def test_keys_that_cannot_be_bounded(dialect: Dialect, query: str, code: Code) -> None:
    with pytest.raises(Refusal) as caught:
        program(query, dialect)
    assert caught.value.code is code and caught.value.instead


@EACH
def test_many_columns_out_of_reach_are_told_quickly(dialect: Dialect, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[tuple[int, ...]] = []
    monkeypatch.setattr(keyed, "routes_of", lambda query, unit: (tried.append(unit), routes_of(query, unit))[1])
    columns = [f"p.author + {number} AS c{number}" for number in range(16)]
    with pytest.raises(Refusal) as caught:
        program(f"SELECT DISTINCT {', '.join(columns)} FROM posts p WHERE p.id < (SELECT max(id) FROM users)", dialect)
    assert caught.value.code is Code.GLOBAL and len(tried) <= 20, "once as a whole, and each by itself"


@EACH
def test_a_row_of_a_cross_join_meets_every_other(dialect: Dialect) -> None:
    made = program("SELECT u.name, p.slug, count(*) AS n FROM users u, posts p GROUP BY u.name, p.slug", dialect)
    assert ways(made) == [("u", ["p"], []), ("p", ["u"], [])]


@EACH
def test_both_subqueries_of_a_join_are_restricted(dialect: Dialect) -> None:
    made = program(
        "SELECT u.id, x.n, y.m FROM users u LEFT JOIN (SELECT author, count(*) AS n FROM posts GROUP BY author) x "
        "ON x.author = u.id LEFT JOIN (SELECT user_id, count(*) AS m FROM profiles GROUP BY user_id) y ON y.user_id = u.id",
        dialect,
        "id",
    )
    found = [(place.source[0].name, place.source[1], place.sideways) for place in made.placements if place.source]
    assert found == [("posts", "author", True), ("profiles", "user_id", True), ("users", "id", False)]
    assert made.is_bounded


@EACH
def test_every_branch_is_restricted(dialect: Dialect) -> None:
    made = program("SELECT id FROM users UNION SELECT author FROM posts", dialect)
    assert [(place.source[0].name, place.source[1]) for place in made.placements if place.source] == [
        ("users", "id"),
        ("posts", "author"),
    ]


@EACH
def test_windows_and_limits_are_no_ways(dialect: Dialect) -> None:
    query = "SELECT x.id, x.author FROM (SELECT id, author FROM posts ORDER BY score LIMIT 3) x"
    with pytest.raises(Refusal) as caught:
        program(query, dialect, "id")
    assert caught.value.code is Code.GLOBAL
    block = block_of(query, dialect)
    result = Result("d", block, find_key(block, ("id",)), describe(dialect, query))
    made = keyed_program(result, "it reads a subquery", allow_global=True)
    assert made.unit == () and all(way.everywhere for way in made.routes)
