"""What is said again and again on PostgreSQL: prepared, with the values of each time, and for a while."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from unittest import mock

import pytest

from tests.conformance.conftest import Opener
from tidemark.database.postgres import kept as postgres_kept
from tidemark.database.postgres.session import PostgresSession
from tidemark.database.session import Conflict, Parameters
from tidemark.errors import TidemarkError

INSERT = "INSERT INTO kept (a, b) VALUES (:a, :b)"
FIND = "SELECT a, b FROM kept WHERE a >= :a ORDER BY a"


@pytest.fixture
def session(opener: Opener, pg_database: str) -> PostgresSession:
    found = opener(pg_database)
    assert isinstance(found, PostgresSession)
    with found.transaction():
        found.script("CREATE TEMP TABLE kept (a bigint PRIMARY KEY, b text)")
    return found


def prepared(session: PostgresSession) -> list[str]:
    return [name for (name,) in session.all("SELECT name FROM pg_prepared_statements ORDER BY name")]


def put(session: PostgresSession, *rows: tuple[int, str | None]) -> None:
    with session.transaction():
        session.repeat(True)
        for a, b in rows:
            assert session.run(INSERT, {"a": a, "b": b}) == 1


def keep_first_values() -> AbstractContextManager[object]:
    """What is kept is said with the values of its first time."""
    original, first = postgres_kept.Kept.say, dict[str, str]()

    def say(kept: postgres_kept.Kept, text: str, parameters: Parameters | None) -> str | None:
        said = original(kept, text, parameters)
        return None if said is None else first.setdefault(said.partition("(")[0], said)

    return mock.patch.object(postgres_kept.Kept, "say", say)


def test_a_mistake_in_the_values_is_found(session: PostgresSession) -> None:
    with keep_first_values(), pytest.raises((AssertionError, TidemarkError)):
        test_the_second_time_it_is_prepared_and_every_time_it_has_its_own_values(session)


def test_the_second_time_it_is_prepared_and_every_time_it_has_its_own_values(session: PostgresSession) -> None:
    put(session, (1, "it's :a"))
    assert prepared(session) == []
    put(session, (2, "%s"))
    put(session, (2**40, "back\\slash"), (3, None), (4, "$1"))
    # A value of another type is another statement.
    assert len(prepared(session)) == 1
    with session.transaction():
        session.repeat(True)
        for low in (1, 3, 4):
            texts = ["DELETE FROM kept WHERE a = :low", "DELETE FROM kept WHERE a > :high"]
            assert session.run_all(texts, {"low": low, "high": 2**41}) == [1, 0], "each counts for itself"
        for low, found in ((0, [(2, "%s"), (2**40, "back\\slash")]), (3, [(2**40, "back\\slash")]), (2**41, [])):
            assert session.all(FIND, {"a": low}) == found
            assert session.one(FIND, {"a": low}) == (found[0] if found else None)


def test_nothing_is_kept_of_what_is_said_once(session: PostgresSession) -> None:
    for _ in range(3):
        with session.transaction():
            session.run("DELETE FROM kept WHERE a = :a", {"a": 1})
            session.repeat(True)
            session.run("ANALYZE kept")
            session.run("DO 'BEGIN END'")
            session.repeat(False)
            session.run("DELETE FROM kept WHERE a = :a", {"a": 2})
        session.all("SELECT count(*) FROM kept")
    assert prepared(session) == []
    for _ in range(2):
        session.alone("DELETE FROM kept WHERE a = :a", {"a": 3})
    assert len(prepared(session)) == 1, "what is said alone is said again and again"


def test_a_plan_does_not_grow_old(session: PostgresSession, monkeypatch: pytest.MonkeyPatch) -> None:
    for a in range(4):
        put(session, (a, ""))
    before = prepared(session)
    monkeypatch.setattr(postgres_kept, "RENEW_SECONDS", 0.0)
    put(session, (7, "later"))
    after = prepared(session)
    assert len(before) == len(after) == 1 and before != after
    assert session.all("SELECT b FROM kept WHERE a = 7") == [("later",)]


def test_no_more_is_kept_than_there_is_room_for(session: PostgresSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_kept, "STATEMENTS_MAX", 2)

    def say(*texts: str) -> list[str]:
        for text in texts:
            with session.transaction():
                session.repeat(True)
                assert [session.all(text) for _ in range(3)] == [[(1,)]] * 3
        return prepared(session)

    before = say("SELECT 1", "SELECT 2 / 2", "SELECT 3 / 3")
    assert len(before) == 2
    monkeypatch.setattr(postgres_kept, "RENEW_SECONDS", 0.0)
    after = say("SELECT 4 / 4")
    assert len(after) == 2 and before[0] not in after, "the oldest makes room"


def lose(session: PostgresSession) -> None:
    session._connection.execute("DEALLOCATE ALL")


def take_the_name(session: PostgresSession) -> None:
    session._connection.execute(f"PREPARE {session._kept._stem}_{session._kept._made + 1} AS SELECT 1")
    session._kept.forget()


@pytest.mark.parametrize("happens", [lose, take_the_name])
def test_what_the_server_does_not_know_is_said_another_time(
    session: PostgresSession, happens: Callable[[PostgresSession], None]
) -> None:
    for a in range(2):
        put(session, (a, ""))
    for round_ in range(postgres_kept.ERRORS_MAX):
        happens(session)
        with pytest.raises(Exception) as caught:
            put(session, (10 + round_, ""))
        assert isinstance(caught.value, Conflict) or happens is take_the_name
        put(session, (10 + round_, ""))
    happens(session)
    put(session, (90, ""), (91, ""))
    assert session.all("SELECT count(*) FROM kept") == [(2 + postgres_kept.ERRORS_MAX + 2,)]


def test_what_is_asked_about_the_catalog_is_kept_at_once_and_asked_anew_where_it_is_lost(
    session: PostgresSession,
) -> None:
    question = "SELECT relname FROM pg_catalog.pg_class WHERE relname = :name"
    for round_ in range(postgres_kept.ERRORS_MAX + 1):
        for name in ("pg_class", "nothing", "pg_class"):
            assert session.facts(question, {"name": name}) == [(name,)] * (name == "pg_class")
            assert len(prepared(session)) == (round_ < postgres_kept.ERRORS_MAX)
        with session.transaction():
            assert session.installed([]) == {}
            assert session.facts(question, {"name": "kept"}) == [("kept",)]
            assert session.one("SHOW plan_cache_mode") == ("auto",), "the setting is that of the question"
        lose(session)


def test_nobody_says_what_another_session_prepared(opener: Opener, pg_database: str) -> None:
    """A pooler may give a transaction the connection of another session of ours, which prepared something else there."""
    one, other = opener(pg_database), opener(pg_database)
    assert isinstance(one, PostgresSession) and isinstance(other, PostgresSession)
    for session, value in ((one, 1), (other, 2)):
        for _ in range(2):
            with session.transaction():
                session.repeat(True)
                assert session.all(f"SELECT {value} + :a", {"a": 0}) == [(value,)]
        for _ in range(4):
            with session.transaction("look"):
                assert session.all(f"SELECT {value} * 10") == [(10 * value,)]
    one._connection, other._connection = other._connection, one._connection
    with pytest.raises(Conflict), one.transaction():
        one.repeat(True)
        assert one.all("SELECT 1 + :a", {"a": 0}) == [(1,)]
    with one.transaction():
        one.repeat(True)
        assert one.all("SELECT 1 + :a", {"a": 0}) == [(1,)]
    with other.transaction("look"):
        assert other.all("SELECT 2 * 10") == [(20,)]
