"""What the engine's sessions leave serves the next ones, as if it were new."""

from __future__ import annotations

import psycopg
import pytest

from tests.kit.connections import Connections
from tests.kit.postgres import Server
from tidemark.database.open import open_session
from tidemark.database.postgres.session import PostgresSession
from tidemark.database.session import Session
from tidemark.errors import Fault


def process_of(session: Session) -> int:
    assert isinstance(session, PostgresSession)
    return session._connection.info.backend_pid


def test_the_next_session_has_the_process_and_nothing_else_of_the_one_before(pg_database: str) -> None:
    first = open_session(pg_database)
    process = process_of(first)
    with first.transaction():
        first.script("CREATE TEMP TABLE passing (id int)", "SET application_name = 'other'", "LISTEN news")
        first.all("SELECT pg_advisory_lock(7)")
        first.script("PREPARE known AS SELECT 1")
    first.close()
    first.close()
    assert not first.is_open()
    with pytest.raises(Fault):
        first.all("SELECT 1")
    with psycopg.connect(pg_database) as user:
        assert user.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").fetchall() == [(0,)]
    second, third = open_session(pg_database), open_session(pg_database)
    assert process_of(second) == process != process_of(third)
    assert second.all("SELECT to_regclass('passing'), current_setting('application_name')") == [(None, "tidemark")]
    assert second.all(
        "SELECT (SELECT count(*) FROM pg_listening_channels()), count(*) FROM pg_prepared_statements"
    ) == [(0, 0)]
    second.close()
    third.close()


def test_what_ends_is_not_lent(pg_database: str, postgres: Server, connections: Connections) -> None:
    session = open_session(pg_database)
    process = process_of(session)
    # A transaction that is not at its end ends with its connection.
    session._connection.execute("BEGIN")  # type: ignore[attr-defined]
    session.close()
    session = open_session(pg_database)
    assert process_of(session) != process
    process = process_of(session)
    session.close()
    postgres._ask(f"SELECT pg_terminate_backend({process}, 10000)")
    session = open_session(pg_database)
    assert process_of(session) != process
    process = process_of(session)
    with connections.none():
        session.close()
        session = open_session(pg_database)
        assert process_of(session) != process
        session.close()
