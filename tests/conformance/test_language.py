"""Fields of a language and of a dialect are facts: what an engine answers to a query that one of the two does not understand."""

from contextlib import nullcontext

import pytest

from tests.conformance.conftest import execute
from tidemark.database.session import Session
from tidemark.dialect import POSTGRESQL, SQLITE
from tidemark.errors import TidemarkError
from tidemark.render.listed import listed

ANSWERS = {
    "rows_are_values": ("SELECT count(t) FROM (SELECT 1 AS a) AS t", (1,), True),
    "columns_are_renamed": ("SELECT b FROM (SELECT 1 AS a) AS t (b)", (1,), True),
    "calls_name_columns": ("SELECT lower FROM (SELECT lower('A')) AS t", ("a",), True),
    "takes_bare_columns": ("SELECT a, max(b) FROM (SELECT 1 AS a, 4 AS b UNION ALL SELECT 3, 2) AS t", (1, 4), True),
    "recursion_is_said": (
        "WITH n AS (SELECT 1 AS a UNION ALL SELECT a + 1 FROM n WHERE a < 3) SELECT max(a) FROM n",
        (3,),
        False,
    ),
    "refuses_several_rows": ("SELECT (SELECT a FROM (SELECT 1 AS a UNION ALL SELECT 1) AS t)", (1,), False),
}
"""By fact a query, and what it answers where the fact holds, or where it does not; elsewhere it is an error."""
OWNED = {
    "has_arrays": ("SELECT (ARRAY[1, 2])[2]", (2,), True),
    "greatest_skips_nulls": ("SELECT coalesce({greatest}(1, NULL), 0), coalesce({least}(NULL, 1), 0)", (1, 1), True),
    "sums_overflow": (
        f"SELECT sum(a) / 2 = {2**62} FROM (SELECT {2**62} AS a UNION ALL SELECT {2**62}) AS t",
        (1,),
        False,
    ),
}
"""The same for facts of the dialect itself, which has words of its own."""
STATEMENTS = {
    "has_truncate": "TRUNCATE t",
    "has_row_security": "ALTER TABLE t ENABLE ROW LEVEL SECURITY",
    "deletes_joined": "DELETE FROM t USING (SELECT 1 AS a) AS u WHERE u.a = t.a",
    "knows_equal_nulls": "CREATE UNIQUE INDEX i ON t (a) NULLS NOT DISTINCT",
}
"""By fact a statement that there is where the fact holds."""
KNOWS_ORDER = (3, 44, 0)
"""The version of SQLite from which on an aggregate may be told an order."""


@pytest.mark.parametrize("fact", ANSWERS)
def test_a_query_is_understood_where_the_fact_says_so(session: Session, fact: str) -> None:
    query, answer, where_it_holds = ANSWERS[fact]
    assert (_answer(session, query) == answer) is (getattr(session.dialect.language, fact) is where_it_holds)


@pytest.mark.parametrize("fact", OWNED)
def test_a_query_is_answered_where_the_fact_says_so(session: Session, fact: str) -> None:
    query, answer, where_it_holds = OWNED[fact]
    facts = session.dialect
    found = _answer(session, query.format(greatest=facts.greatest, least=facts.least))
    assert (found == answer) is (getattr(facts, fact) is where_it_holds)


@pytest.mark.parametrize("fact", STATEMENTS)
def test_a_statement_is_there_where_the_fact_says_so(session: Session, fact: str) -> None:
    execute(session, "CREATE TABLE t (a integer)")
    with nullcontext() if getattr(session.dialect, fact) else pytest.raises(TidemarkError):
        execute(session, STATEMENTS[fact])


def test_a_table_may_be_kept_in_its_own_key(session: Session) -> None:
    words = session.dialect.kept_in_key
    execute(session, f"CREATE TABLE t (a integer PRIMARY KEY){words}")
    table = session.catalog().find("t")
    assert table is not None and table.without_rowid is bool(words)


def test_a_column_may_be_dropped_without_writing_a_row(session: Session) -> None:
    size = "SELECT pg_total_relation_size('t')" if session.dialect is POSTGRESQL else "PRAGMA freelist_count"
    long = " || ".join(["hex(randomblob(9000))"] * 3) if session.dialect is SQLITE else "repeat(md5('a'), 2000)"
    execute(session, "CREATE TABLE t (a integer, b text)", f"INSERT INTO t VALUES (1, {long})")
    before = session.one(size)
    execute(session, "ALTER TABLE t DROP COLUMN b")
    assert (session.one(size) == before) is session.dialect.drops_unwritten


def test_a_column_goes_though_a_function_of_a_trigger_reads_it(session: Session) -> None:
    execute(session, "CREATE TABLE t (a integer, b integer)")
    if session.dialect is POSTGRESQL:
        body = "BEGIN PERFORM NEW.b; RETURN NULL; END"
        made = f"CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS '{body}'"
        execute(session, made, "CREATE TRIGGER r AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()")
    else:
        execute(session, "CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT NEW.b; END")
    with nullcontext() if session.dialect.forgets_readers else pytest.raises(TidemarkError):
        execute(session, "ALTER TABLE t DROP COLUMN b")
    with pytest.raises(TidemarkError) if session.dialect.forgets_readers else nullcontext():
        execute(session, "INSERT INTO t (a) VALUES (1)")


def test_aggregates_know_an_order_on_every_version(session: Session) -> None:
    always, late = session.dialect.language.orders_aggregates, session.catalog().version >= KNOWS_ORDER
    assert _answer(session, "SELECT count(a ORDER BY a) FROM (SELECT 1 AS a) AS t") == (
        (1,) if always or late else None
    )


def test_a_collation_is_blind_for_blanks(session: Session) -> None:
    found = _answer(session, "SELECT 'a' = 'a  ' COLLATE \"RTRIM\", 'a' = ' a' COLLATE \"RTRIM\"")
    assert found == ((1, 0) if session.dialect.language.blind_collation == "RTRIM" else None)


def test_a_literal_has_the_type_of_what_it_is_compared_with_where_types_are_fixed(session: Session) -> None:
    found = session.one("SELECT 1 = '1', CAST('today' AS date) = current_date")
    assert found is not None and {bool(value) for value in found} == {session.dialect.types_are_fixed}


@pytest.mark.parametrize("name", ["new", "old", "tidemark_x"])
def test_the_row_of_a_trigger_hides_what_is_called_like_it(session: Session, name: str) -> None:
    language = session.dialect.language
    seen = f"INSERT INTO seen SELECT (SELECT {name}.a) FROM (SELECT 9 AS a) AS {name}"
    fires = "CREATE TRIGGER fires AFTER UPDATE ON t FOR EACH ROW"
    body = f"BEGIN {seen}; END"
    if session.dialect is POSTGRESQL:
        routine = f"$$\n#variable_conflict use_column\nBEGIN {seen}; RETURN NULL; END\n$$"
        execute(session, f"CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS {routine}")
        body = "EXECUTE FUNCTION tell()"
    execute(session, "CREATE TABLE t (a integer)", "CREATE TABLE seen (a integer)", "INSERT INTO t VALUES (1)")
    execute(session, f"{fires} {body}", "UPDATE t SET a = a")
    assert session.one("SELECT a FROM seen") == ((1,) if name in language.names_of_trigger_rows else (9,))


def test_what_an_operator_means_may_be_up_to_the_connection(session: Session, other: Session) -> None:
    own = session.dialect.language.connections_differ
    if own:
        execute(session, "PRAGMA case_sensitive_like = 1")
    asked = "SELECT 'A' LIKE 'a'"
    assert (session.one(asked) != other.one(asked)) is own


def test_what_is_sealed_has_the_rows_that_have_no_match(session: Session) -> None:
    execute(session, "CREATE TABLE a (x integer)", "CREATE TABLE b (id integer PRIMARY KEY, y integer)")
    execute(session, "CREATE TABLE e (n integer)", "INSERT INTO e VALUES (1)", "CREATE TABLE z (k integer)")
    execute(session, "INSERT INTO z VALUES (NULL)")
    rows = "SELECT a.x, e.n FROM a JOIN b ON a.x = b.id FULL JOIN e ON b.y = e.n"
    equal, seal = session.dialect.null_safe_equal, session.dialect.language.seal_of_outer_joins
    assert session.one(f"SELECT q.n FROM (SELECT * FROM ({rows}) AS r {seal}) AS q JOIN z ON q.x {equal} z.k") == (1,)


def test_what_is_looked_up_beside_an_outer_join_is_found_once(session: Session) -> None:
    execute(session, "CREATE TABLE e (n integer UNIQUE, t text)", "CREATE UNIQUE INDEX both_of ON e (n, t)")
    execute(
        session, "CREATE TABLE a (x integer)", "INSERT INTO e VALUES (1, 'a')", "CREATE TABLE z (n integer, t text)"
    )
    execute(session, "INSERT INTO z VALUES (1, 'a'), (1, 'b')")
    found = listed(
        ["e.n", "e.t"], ["z.n", "z.t"], "z", None, 0 if session.dialect.language.seal_of_outer_joins else None
    )
    assert session.one(f"SELECT count(*) FROM a FULL JOIN e ON a.x = e.n WHERE {found}") == (1,)


def _answer(session: Session, query: str) -> tuple[object, ...] | None:
    """The one row, or None where it is an error."""
    try:
        return session.one(query)
    except TidemarkError:
        return None


def test_what_a_branch_gives_stays_what_it_is_behind_a_sign(session: Session) -> None:
    sign = session.dialect.language.sign_of_values
    assert bool(sign) is not session.dialect.types_are_fixed
    execute(session, "CREATE TABLE t (a text, b text)", "INSERT INTO t VALUES ('1', '2')")
    number = "length(b)" if sign else "b"
    rows = f"SELECT {sign}v AS v FROM (SELECT a AS v FROM t UNION ALL SELECT {number} FROM t) AS q"
    twice = f"WITH w AS ({rows}) SELECT v FROM w UNION ALL SELECT v FROM w"
    assert sorted(map(repr, session.all(twice))) == sorted(map(repr, session.all(f"{rows} UNION ALL {rows}")))
    if sign:
        # Without the sign SQLite 3.40 makes a text of the number; 3.53 makes none.
        assert session.all(twice.replace(f"{sign}v", "v")) in ([("1",), ("1",)] * 2, [("1",), (1,)] * 2)
