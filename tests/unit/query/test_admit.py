"""What may be declared: each rule, with its place and its advice."""

import pytest

from tests.unit.query.catalogs import BOTH, block_of, catalog_of, table
from tidemark.dialect import POSTGRESQL, SQLITE, Dialect
from tidemark.errors import Code, Refusal
from tidemark.model import Catalog
from tidemark.query.admit import RULES, admit
from tidemark.query.lower import lower_query
from tidemark.query.terms import probes

EACH = pytest.mark.parametrize("dialect", BOTH, ids=lambda dialect: dialect.name)


def refused(query: str, dialect: Dialect) -> Refusal:
    with pytest.raises(Refusal) as caught:
        admit(block_of(query, dialect), catalog_of(dialect))
    assert caught.value.reason.endswith(".") and caught.value.instead
    return caught.value


@EACH
@pytest.mark.parametrize(
    "query",
    [
        "SELECT id, upper(name) AS n, CASE WHEN id > 3 THEN 'a' ELSE name || 'x' END AS c FROM users WHERE name LIKE 'a%'",
        "SELECT author, count(*) AS n, avg(score) AS a, count(*) FILTER (WHERE live = 1) AS l FROM posts GROUP BY author",
        "SELECT author % 2 AS odd, sum(score) + 1 AS s FROM posts GROUP BY author % 2 HAVING count(*) > 1",
        "SELECT id, EXISTS (SELECT 1 FROM posts p WHERE p.author = u.id AND p.live = 1) AS has FROM users u",
        "SELECT id FROM users WHERE id IN (SELECT author FROM posts)",
        "SELECT id, coalesce(name, email, '') AS n, nullif(id, 0) AS z, CAST(id AS TEXT) AS t FROM users",
    ],
)
def test_what_is_admitted(dialect: Dialect, query: str) -> None:
    admit(block_of(query, dialect), catalog_of(dialect))


@EACH
@pytest.mark.parametrize(
    ("query", "code", "place"),
    [
        ("SELECT 1 AS one", Code.UNSUPPORTED, None),
        ("SELECT id + 1 FROM users", Code.DECLARATION, "id"),
        ("SELECT id, name AS id FROM users", Code.DECLARATION, None),
        ("SELECT id AS tidemark_n FROM users", Code.NAME, None),
        ("SELECT id, random() AS r FROM users", Code.VOLATILE, "RANDOM"),
        ("SELECT id, CURRENT_TIMESTAMP AS r FROM users", Code.VOLATILE, "CURRENT_TIMESTAMP"),
        ("SELECT author, group_concat(slug) AS r FROM posts GROUP BY author", Code.VOLATILE, None),
        ("SELECT author, array_agg(slug) AS r FROM posts GROUP BY author", Code.VOLATILE, "array_agg"),
        ("SELECT author, score, count(*) AS n FROM posts GROUP BY author", Code.UNSUPPORTED, "score"),
        ("SELECT score, 3 AS c FROM posts GROUP BY c", Code.UNSUPPORTED, "score"),
        ("SELECT author, max(score) + live AS n FROM posts GROUP BY author", Code.UNSUPPORTED, "live"),
        ("SELECT id, (SELECT max(u.id) FROM posts p) AS n FROM users u", Code.SUBQUERY_SHAPE, "id"),
        (
            "SELECT author, (SELECT count(*) FROM users u WHERE u.id = p.score) AS n FROM posts p GROUP BY author",
            Code.UNSUPPORTED,
            "score",
        ),
    ],
)
def test_what_is_refused(dialect: Dialect, query: str, code: Code, place: str | None) -> None:
    found = refused(query, dialect)
    assert found.code is code, found
    if place is not None:
        assert found.place is not None and place.lower() in found.place.text.lower()


@pytest.mark.parametrize(
    "inner",
    [
        "SELECT score FROM posts p WHERE p.author = u.id",
        "SELECT count(*) FROM posts p WHERE p.author = u.id GROUP BY p.live",
    ],
)
def test_sqlite_would_take_any_of_several_rows(inner: str) -> None:
    query = f"SELECT id, ({inner}) AS n FROM users u"
    assert refused(query, SQLITE).code is Code.SUBQUERY_SHAPE
    admit(block_of(query, POSTGRESQL), catalog_of(POSTGRESQL))
    for one in ("SELECT score FROM posts p WHERE p.id = u.id", f"{inner} LIMIT 1"):
        admit(block_of(f"SELECT id, ({one}) AS n FROM users u", SQLITE), catalog_of(SQLITE))


def test_sqlite_knows_its_own_functions_only() -> None:
    assert refused("SELECT id, mine(name) AS x FROM users", SQLITE).code is Code.VOLATILE
    assert refused("SELECT id, date('now') AS x FROM users", SQLITE).code is Code.VOLATILE
    assert refused("SELECT id, datetime() AS x FROM users", SQLITE).code is Code.VOLATILE
    assert refused("SELECT id, date(name, 'localtime') AS x FROM users", SQLITE).code is Code.SESSION_DEPENDENT
    admit(
        block_of("SELECT id, date(name, '+1 day') AS d, strftime('%Y', name) AS y FROM users", SQLITE),
        catalog_of(SQLITE),
    )


def test_postgresql_functions_are_as_volatile_as_the_catalog_says() -> None:
    assert refused("SELECT id, wobbly(id) AS x FROM users", POSTGRESQL).code is Code.VOLATILE
    assert refused("SELECT id, current_setting('a') AS x FROM users", POSTGRESQL).code is Code.SESSION_DEPENDENT
    admit(block_of("SELECT id, steady(id) AS x FROM users", POSTGRESQL), catalog_of(POSTGRESQL))


def test_clock_words_are_literals_only_beside_times() -> None:
    admit(block_of("SELECT id FROM users WHERE name = 'now'", POSTGRESQL), catalog_of(POSTGRESQL))
    assert refused("SELECT id, CAST('today' AS date) AS d FROM users", POSTGRESQL).code is Code.VOLATILE


@pytest.mark.parametrize("kind", ["view", "materialized", "foreign", "temporary", "inherited", "virtual"])
def test_only_tables_are_sources(kind: str) -> None:
    one = table("public", "odd", "id:integer!")
    facts = {**one.__dict__, "kind": kind}
    catalog = Catalog({("public", "odd"): type(one)(**facts)}, ("public",))
    with pytest.raises(Refusal) as caught:
        admit(lower_query("SELECT id FROM odd", catalog, POSTGRESQL), catalog)
    assert caught.value.code is Code.SOURCE_KIND


@pytest.mark.parametrize(
    "query", ["SELECT id FROM odd WHERE twice > 3", "SELECT id, to_jsonb(o)::text AS o FROM odd o"]
)
def test_what_is_computed_when_it_is_read_is_shown_to_no_trigger(query: str) -> None:
    one = table("public", "odd", "id:integer! twice:integer")
    catalog = Catalog({("public", "odd"): one}, ("public",), unstored=frozenset({("odd", "twice")}))
    with pytest.raises(Refusal) as caught:
        admit(lower_query(query, catalog, POSTGRESQL), catalog)
    assert caught.value.code is Code.UNSUPPORTED and "VIRTUAL" in caught.value.reason
    admit(lower_query("SELECT id FROM odd", catalog, POSTGRESQL), catalog)


def test_forced_row_security_needs_a_role_that_bypasses_it() -> None:
    one = table("public", "secret", "id:integer!", forced_row_security=True)
    for bypasses in (True, False):
        catalog = Catalog({("public", "secret"): one}, ("public",), bypasses_row_security=bypasses)
        block = lower_query("SELECT id FROM secret", catalog, POSTGRESQL)
        if bypasses:
            admit(block, catalog)
            continue
        with pytest.raises(Refusal) as caught:
            admit(block, catalog)
        assert caught.value.code is Code.ROW_SECURITY


def test_every_rule_says_why_it_is_there() -> None:
    assert all(rule.__doc__ for rule in RULES)


def test_what_replace_would_delete_is_probed_with_defaults() -> None:
    sources = SQLITE, catalog_of(SQLITE).tables["", "posts"]
    found = probes(sources[1], sources[0])
    assert [[term.stored.text for term in probe.terms] for probe in found] == [
        ['"row"."id"'],
        ['"row"."slug"'],
        ['"row"."author2"'],
    ]
    assert found[2].stored_where is not None and found[2].stored_where.text == '"row"."live" = 1'
