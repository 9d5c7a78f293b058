"""Functions and aggregates of the user's on PostgreSQL: kept where they are declared immutable; elsewhere a refusal says that."""

import pytest

from tests.findings.place import Place
from tidemark.errors import Code, Refusal

ROUTINES = (
    "CREATE FUNCTION slug(t text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT lower(replace(t, ' ', '-')) $$",
    "CREATE FUNCTION plus(n integer) RETURNS integer LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN n + 1; END $$",
    "CREATE FUNCTION careless(n integer) RETURNS integer LANGUAGE plpgsql AS $$ BEGIN RETURN n + 1; END $$",
    "CREATE FUNCTION letters(t text) RETURNS SETOF text LANGUAGE sql IMMUTABLE AS $$ SELECT regexp_split_to_table(t, '') $$",
    "CREATE FUNCTION marks(n integer, OUT place integer, OUT word text) RETURNS SETOF record LANGUAGE sql IMMUTABLE AS "
    "$$ SELECT x, repeat('m', x) FROM generate_series(1, n) AS x $$",
    "CREATE FUNCTION others(n integer) RETURNS SETOF integer LANGUAGE sql STABLE AS $$ SELECT id FROM t WHERE v = n $$",
    "CREATE FUNCTION either(a text, b text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT coalesce(a, b) $$",
    "CREATE FUNCTION late(a integer, b integer) RETURNS integer LANGUAGE sql STABLE AS $$ SELECT coalesce(a, b) $$",
    "CREATE AGGREGATE first_of(text) (SFUNC = either, STYPE = text)",
    "CREATE AGGREGATE product(integer) (SFUNC = int4mul, STYPE = integer, INITCOND = '1')",
    "CREATE AGGREGATE biggest(integer) (SFUNC = int4larger, STYPE = integer, COMBINEFUNC = int4larger, PARALLEL = SAFE)",
    "CREATE AGGREGATE lately(integer) (SFUNC = late, STYPE = integer)",
)
KEPT = {
    "slugs": "SELECT slug(body) AS s, count(*) AS n FROM t GROUP BY slug(body)",
    "firsts": "SELECT k, first_of(body ORDER BY id DESC) AS f, product(v ORDER BY id) FILTER (WHERE v > 1) AS p "
    "FROM t GROUP BY k",
    "biggests": "SELECT k, biggest(v) AS b, count(*) AS n FROM t GROUP BY k HAVING biggest(v) IS NOT NULL",
    "running": "SELECT id, k, product(v) OVER (PARTITION BY k ORDER BY id) AS p FROM t",
    "of_rows": "SELECT t.id, (SELECT biggest(o.v) FROM t o WHERE o.k = t.k) AS b FROM t",
    "spelled": "SELECT letters AS letter, count(*) AS n FROM t, letters(t.body) GROUP BY letters",
    "marked": "SELECT x.w, count(*) AS n, max(t.v) AS m FROM t CROSS JOIN LATERAL marks(t.v) AS x(p, w) GROUP BY x.w",
    "numbered": "SELECT id, letters(body) AS x FROM t",
    "listed": "SELECT DISTINCT id, letters(body) AS x FROM t",
    "supposed": "SELECT k, rank(2) WITHIN GROUP (ORDER BY v) AS r FROM t GROUP BY k",
}
REFUSED = {
    "plus": ("SELECT id, plus(v) AS x FROM t", Code.SESSION_DEPENDENT, "ALTER FUNCTION plus IMMUTABLE"),
    "careless": ("SELECT id, careless(v) AS x FROM t", Code.VOLATILE, "ALTER FUNCTION careless IMMUTABLE"),
    "others": ("SELECT t.id, x FROM t, others(t.v) AS x", Code.VOLATILE, "ALTER FUNCTION others IMMUTABLE"),
    "product": ("SELECT k, product(v) AS x FROM t GROUP BY k", Code.VOLATILE, "product(… ORDER BY …)"),
    "lately": ("SELECT k, lately(v ORDER BY id) AS x FROM t GROUP BY k", Code.VOLATILE, "ALTER FUNCTION … IMMUTABLE"),
}
CHANGES = (
    "INSERT INTO t VALUES (10, 1, 'b A', 3), (11, NULL, NULL, 2), (12, 2, 'ab', NULL)",
    "UPDATE t SET v = 2, body = 'a b' WHERE id IN (1, 11)",
    "UPDATE t SET k = 2 WHERE k = 1",
    "DELETE FROM t WHERE v = 2",
    "DELETE FROM t",
)


@pytest.fixture
def told(pg: Place) -> Place:
    pg.run(
        "CREATE TABLE t (id integer PRIMARY KEY, k integer, body text, v integer)",
        "INSERT INTO t VALUES (1, 1, 'a b', 1), (2, 1, 'A-b', 2), (3, 2, '', 3)",
        *ROUTINES,
    )
    return pg


def test_what_is_declared_immutable_is_kept(told: Place) -> None:
    for name, query in KEPT.items():
        told.derive(name, query)
    told.tidemark.apply()
    for change in CHANGES:
        told.run(change)
        told.drained()
    told.verified()


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_says_what_to_write(told: Place, name: str) -> None:
    query, code, instead = REFUSED[name]
    told.derive("refused", query)
    with pytest.raises(Refusal) as caught:
        told.tidemark.plan()
    assert caught.value.code is code
    assert instead in caught.value.instead
