"""Every field of a dialect is a fact: here it is asked of the engine."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from tests.conformance.conftest import HOSTILE, Opener, execute
from tidemark.database.session import Conflict, Session
from tidemark.dialect import POSTGRESQL, SQLITE, Dialect, Language, Planner, unquote
from tidemark.errors import Refusal, TidemarkError
from tidemark.names import shorten


def test_the_session_carries_its_dialect(engine_url: str, session: Session) -> None:
    assert session.dialect is (SQLITE if engine_url.startswith("sqlite") else POSTGRESQL)
    assert session.dialect.title in ("SQLite", "PostgreSQL")


def test_a_quoted_name_is_that_name(session: Session) -> None:
    for name in HOSTILE:
        quoted = session.dialect.quote(name)
        assert unquote(quoted) == name and unquote(session.dialect.quote("a", name)) == f"a.{name}"
        execute(session, f"CREATE TABLE {quoted} ({quoted} integer PRIMARY KEY)")
        with session.transaction():
            assert session.run(f"INSERT INTO {quoted} ({quoted}) VALUES (:value)", {"value": 7}) == 1
        assert session.all(f"SELECT {quoted} FROM {quoted} WHERE {quoted} = :value", {"value": 7}) == [(7,)]
        table = session.catalog().find(name)
        assert table is not None
        assert [column.name for column in table.columns] == [name]


def test_a_text_literal_is_that_text(session: Session) -> None:
    for text in (*HOSTILE, "", "'", "''", '"', "new\nline", "tab\t", "%%", "\\'"):
        literal = session.dialect.literal(text)
        assert session.one(f"SELECT {literal}") == (text,)
        assert session.one(f"SELECT {literal}, :p", {"p": text}) == (text, text)


def test_a_name_without_a_schema_is_the_name_alone(session: Session) -> None:
    quote = session.dialect.quote
    assert quote("", "t") == quote("t") != quote("")
    with session.transaction():
        session.script(f"CREATE TABLE {quote('t')} (a integer)")
    assert session.all(f"SELECT a FROM {quote('', 't')}") == []


def test_values_have_the_type_of_their_column_where_types_are_fixed(session: Session) -> None:
    facts = session.dialect
    execute(session, f"CREATE TABLE t (a {facts.big_integer})")
    with session.transaction():
        session.run("INSERT INTO t VALUES (:big)", {"big": 2**62})
    assert session.one("SELECT a FROM t") == (2**62,)
    seven = facts.typed("'7'", facts.big_integer)
    assert session.one(f"SELECT {seven}") == ((7,) if facts.types_are_fixed else ("7",))
    assert facts.typed("'7'", "") == "'7'"
    if facts.types_are_fixed:
        with pytest.raises(TidemarkError):
            execute(session, "INSERT INTO t VALUES ('seven')")
    else:
        execute(session, "INSERT INTO t VALUES ('seven')")


@pytest.mark.parametrize(
    ("left", "right", "same"), [("1", "1", True), ("1", "2", False), ("NULL", "1", False), ("NULL", "NULL", True)]
)
def test_null_safe_operators(session: Session, left: str, right: str, same: bool) -> None:
    facts = session.dialect
    equal = f"CAST({left} AS integer) {facts.null_safe_equal} CAST({right} AS integer)"
    differs = f"CAST({left} AS integer) {facts.null_safe_differs} CAST({right} AS integer)"
    row = session.one(f"SELECT {equal}, {differs}")
    assert row is not None
    assert (bool(row[0]), bool(row[1])) == (same, not same)


def test_rows_are_numbered_as_they_are_inserted_and_have_a_place(session: Session) -> None:
    facts = session.dialect
    execute(session, f"CREATE TABLE t (n {facts.ordinal}, a integer)", "INSERT INTO t (a) VALUES (9), (8)")
    assert session.all("SELECT n, a FROM t ORDER BY n") == [(1, 9), (2, 8)]
    first = f"(SELECT {facts.row_place} FROM t WHERE a = 9)"
    assert session.all(f"SELECT a FROM t WHERE {facts.row_place} = {first}") == [(9,)]


def test_items_are_joined_in_their_order(session: Session) -> None:
    facts = session.dialect
    assert facts.planner.keeps_order is (facts.in_order == "CROSS JOIN")
    execute(session, "CREATE TABLE t (a integer)", "CREATE TABLE u (a integer PRIMARY KEY)")
    execute(session, "INSERT INTO t VALUES (1), (3)", "INSERT INTO u VALUES (1), (2)")
    joined = f"SELECT t.a FROM u {facts.in_order} t ON t.a = u.a"
    assert session.all(joined) == [(1,)]
    if facts is SQLITE:
        # By itself SQLite would begin with the table that has no index.
        steps = [str(row[3]) for row in session.all(f"EXPLAIN QUERY PLAN {joined}")]
        assert steps[0].startswith("SCAN u")


def test_the_greatest_and_the_least_of_two_values(session: Session) -> None:
    facts = session.dialect
    assert session.one(f"SELECT {facts.greatest}(1, 2), {facts.least}(1, 2)") == (2, 1)


def test_a_view_takes_the_place_of_another_one_whose_columns_it_has_too(session: Session) -> None:
    words = session.dialect.view_replacement
    with session.transaction():
        session.script("CREATE VIEW shown AS SELECT 1 AS a")
        if words:
            session.script(f"CREATE {words}VIEW shown AS SELECT 2 AS a, 3 AS b")
    assert session.one("SELECT * FROM shown") == ((2, 3) if words else (1,))


def test_an_index_is_made_while_writers_go_on(session: Session) -> None:
    making = f"CREATE INDEX {session.dialect.online_index}i ON t (a)"
    execute(session, "CREATE TABLE t (a integer)")
    if session.dialect.online_index:
        # It waits for writers, and so it cannot be one of them.
        with pytest.raises(TidemarkError, match="transaction block"):
            execute(session, making)
        session.all(making)
    else:
        execute(session, making)
    table = session.catalog().find("t")
    assert table is not None and [index.name for index in table.indexes] == ["i"]


def test_a_server_may_judge_values(session: Session) -> None:
    judged = session.first_mutable("SELECT 1 AS c0", ("c0", "random()"))
    assert (judged == 1) is session.dialect.judges_values


def test_rows_are_numbered_and_numbers_that_last_are_not_given_again(session: Session) -> None:
    given = {}
    for kind in ("identity", "lasting"):
        execute(session, f"CREATE TABLE {kind} (n {getattr(session.dialect, kind)}, v integer)")
        for value in (1, 2):
            execute(session, f"INSERT INTO {kind} (v) VALUES ({value})")
        execute(session, f"DELETE FROM {kind} WHERE v = 2")
        execute(session, f"INSERT INTO {kind} (v) VALUES (3)")
        given[kind] = [row[0] for row in session.all(f"SELECT n FROM {kind} ORDER BY v")]
    assert given["lasting"] == [1, 3] and given["identity"] in ([1, 2], [1, 3])


def test_room_for_updates_follows_a_table(session: Session) -> None:
    execute(session, f"CREATE TABLE t (a integer){session.dialect.room_for_updates}")
    execute(session, "INSERT INTO t VALUES (1)")
    execute(session, "UPDATE t SET a = 2")
    assert session.one("SELECT a FROM t") == (2,)


def test_what_using_names_comes_first_in_a_star(session: Session) -> None:
    execute(session, "CREATE TABLE l (a integer, b integer)")
    execute(session, "CREATE TABLE r (b integer, c integer)")
    execute(session, "INSERT INTO l VALUES (1, 2)")
    execute(session, "INSERT INTO r VALUES (2, 3)")
    found = session.one("SELECT * FROM l JOIN r USING (b)")
    assert found == ((2, 1, 3) if session.dialect.merged_come_first else (1, 2, 3))
    # Under a name of its own, and beside what comes before, it comes first on both.
    assert session.one("SELECT * FROM (l JOIN r USING (b)) AS x") == (2, 1, 3)
    assert session.one("SELECT * FROM (SELECT 4 AS d) AS y CROSS JOIN (l JOIN r USING (b))") == (4, 2, 1, 3)


def test_the_condition_of_a_join_may_name_what_comes_after(session: Session) -> None:
    execute(session, "CREATE TABLE l (a integer)")
    query = "SELECT x.a FROM l AS x JOIN l AS y ON z.a = x.a JOIN l AS z ON y.a = z.a"
    if session.dialect.joins_look_ahead:
        assert session.one(query) is None
    else:
        with pytest.raises(Refusal):
            session.one(query)


def test_every_fact_is_asked_of_the_engines() -> None:
    asked = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    facts = {field.name for kind in (Dialect, Language, Planner) for field in fields(kind)}
    assert not [fact for fact in sorted(facts) if not re.search(rf"\b{fact}\b", asked)]


def test_names_have_a_case_or_none(session: Session) -> None:
    facts = session.dialect
    execute(session, "CREATE TABLE t (a integer)")
    if facts.names_have_case:
        execute(session, 'ALTER TABLE t ADD COLUMN "A" integer')
    else:
        with pytest.raises(TidemarkError):
            execute(session, 'ALTER TABLE t ADD COLUMN "A" integer')
    assert (facts.fold("A") == facts.fold("a")) is not facts.names_have_case
    execute(session, f"ALTER TABLE t ADD COLUMN {facts.quote('É')} integer")
    execute(session, f"ALTER TABLE t ADD COLUMN {facts.quote('é')} integer")
    assert facts.fold("É") != facts.fold("é")


def test_names_up_to_the_limit_are_kept_whole(session: Session) -> None:
    facts = session.dialect
    for name in ("n" * facts.name_bytes_max, "ü" * (facts.name_bytes_max // 2)):
        execute(session, f"CREATE TABLE {facts.quote(name)} (a integer)")
        assert session.catalog().find(name) is not None
        assert shorten(name, facts.name_bytes_max) == name


def test_postgresql_cuts_a_longer_name(pg_session: Session) -> None:
    name = "n" * (POSTGRESQL.name_bytes_max + 1)
    execute(pg_session, f"CREATE TABLE {POSTGRESQL.quote(name)} (a integer)")
    assert pg_session.catalog().find(name) is None
    assert len(shorten(name, POSTGRESQL.name_bytes_max)) == POSTGRESQL.name_bytes_max


def test_schemas(session: Session) -> None:
    if session.dialect.has_schemas:
        execute(session, "CREATE SCHEMA tidemark", "CREATE TABLE tidemark.x (a integer)")
    else:
        with pytest.raises(Refusal):
            execute(session, "CREATE SCHEMA tidemark")


def test_writers_wait_in_line(session: Session, other: Session) -> None:
    execute(session, "CREATE TABLE t (a integer)", "CREATE TABLE u (a integer)")
    with session.transaction():
        session.run("INSERT INTO t VALUES (1)")
        if session.dialect.writers_wait_in_line:
            with pytest.raises(Conflict), other.transaction():
                other.run("INSERT INTO u VALUES (1)")
        else:
            with other.transaction():
                other.run("INSERT INTO u VALUES (1)")


def test_our_names_are_not_the_users(session: Session) -> None:
    facts = session.dialect
    if facts.has_schemas:
        execute(session, f"CREATE SCHEMA {facts.ours_prefix.rstrip('.')}")
    execute(session, f"CREATE TABLE {facts.ours_prefix}x (a integer)")
    assert not session.catalog().tables
    assert list(session.installed()) == [f"{facts.ours_prefix}x"]


def test_the_temporary_prefix_names_this_sessions_tables(session: Session, other: Session) -> None:
    name = session.dialect.temporary_prefix + session.dialect.quote("mine")
    for one, value in ((session, 1), (other, 2)):
        with one.transaction("read"):
            one.script(f"CREATE TEMP TABLE mine (a integer); INSERT INTO {name} VALUES ({value})")
    assert (session.one(f"SELECT a FROM {name}"), other.one(f"SELECT a FROM {name}")) == ((1,), (2,))


def test_what_was_dropped_while_the_server_reads_about_it_is_a_conflict(pg_database: str, opener: Opener) -> None:
    session = opener(pg_database)
    with pytest.raises(Conflict, match="cache lookup failed"), session.transaction():
        session.all("SELECT pg_catalog.amvalidate(1)")
