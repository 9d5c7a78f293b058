"""Every field of a planner is a fact: what an engine's plan says of a statement."""

from tests.conformance.conftest import execute
from tidemark.database.session import Session
from tidemark.dialect import POSTGRESQL
from tidemark.render.phrases import phrases_of

JOINS_EXISTS = (3, 51, 0)
"""The version of SQLite from which on EXISTS may be joined."""


def test_two_items_may_be_joined_as_wholes(session: Session) -> None:
    _tables(session)
    found = _plan(session, "SELECT t.b FROM t JOIN u ON u.b = t.b", "nestloop", "mergejoin")
    assert ("Hash Join" in found) is session.dialect.planner.joins_by_hash


def test_exists_may_be_joined_from_either_side(session: Session) -> None:
    _tables(session)
    found = _plan(session, "SELECT t.b FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.a = t.a)", "hashjoin", "mergejoin")
    late = session.dialect is not POSTGRESQL and session.catalog().version >= JOINS_EXISTS
    assert ("CORRELATED" not in found) is (session.dialect.planner.joins_exists or late)


def test_an_index_serves_a_comparison_to_which_nulls_are_equal(session: Session) -> None:
    facts = session.dialect
    _tables(session)
    for sign, finds in (("=", True), (facts.null_safe_equal, facts.planner.finds_nulls)):
        found = _plan(session, f"SELECT b FROM t WHERE a {sign} 1", "seqscan")
        assert ("Index Cond" in found or "SEARCH" in found) is finds


def test_an_index_that_holds_everything_serves_for_rows_that_a_vacuum_has_seen(session: Session) -> None:
    _tables(session)
    found = _plan(session, "SELECT a FROM t WHERE a = 1", "seqscan", "bitmapscan", run=True)
    assert ("Heap Fetches: 1" in found) is session.dialect.planner.needs_vacuum
    assert ("COVERING INDEX" in found) is not session.dialect.planner.needs_vacuum


def test_a_sign_sets_an_index_aside(session: Session) -> None:
    _tables(session)
    for sign in {"", session.dialect.planner.aside}:
        found = _plan(session, f"SELECT DISTINCT {sign}(a) FROM t", "seqscan", "bitmapscan", "hashagg")
        assert ("Index" in found or "INDEX" in found) is not sign


def _tables(session: Session) -> None:
    execute(session, *(f"CREATE TABLE {name} (a integer, b integer)" for name in "tu"))
    execute(session, "CREATE INDEX t_a ON t (a)", "INSERT INTO t VALUES (1, 2), (3, 4)", "INSERT INTO u VALUES (1, 2)")


def _plan(session: Session, query: str, *without: str, run: bool = False) -> str:
    """The plan of a query; on PostgreSQL `without` some ways, and of a query that is `run`."""
    with session.transaction("read"):
        if session.dialect is POSTGRESQL:
            for way in without:
                session.all(f"SELECT set_config('enable_{way}', 'off', true)")
            return "\n".join(str(row[0]) for row in session.all(f"EXPLAIN {'(ANALYZE)' if run else ''} {query}"))
        return "\n".join(str(row[3]) for row in session.all(f"EXPLAIN QUERY PLAN {query}"))


def test_few_rows_are_looked_up_without_a_filter_that_an_index_over_expressions_fills(session: Session) -> None:
    """With as many rows as it takes an unknown table to have, SQLite 3.40 finds nothing; 3.53 does."""
    phrases = phrases_of(session.dialect)
    numbers = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400)"
    execute(
        session,
        "CREATE TABLE t (id integer PRIMARY KEY, a integer, b integer)",
        f"INSERT INTO t {numbers} SELECT i, i, i % 2 FROM n",
        "CREATE INDEX t_of ON t ((a + 1))",
        "ANALYZE",
        "CREATE TEMP TABLE k (n integer PRIMARY KEY, a integer)",
        "INSERT INTO k VALUES (1, 2), (2, 4)",
    )
    found = f"SELECT b.n FROM {phrases.few('k')} AS b CROSS JOIN t AS r WHERE (r.a + 1) = b.a AND r.b > 0 ORDER BY b.n"
    assert session.all(found) == [(1,), (2,)]
    some = f"(SELECT * FROM k WHERE {phrases.seldom('k.n > 0')})"
    assert session.all(found.replace(phrases.few("k"), some)) == [(1,), (2,)]
