"""Why a statement was given up, as PostgreSQL says it: each reason asks for something else."""

import threading

import pytest

from tests.conformance.conftest import Opener, execute
from tidemark.database.session import Cancelled, Session, Taken, TooLong


def test_postgresql_tells_why_it_cancelled_a_statement(pg_session: Session, pg_database: str, opener: Opener) -> None:
    """A lock that was waited for, a statement that took too long and somebody's wish are three things."""
    other = opener(pg_database, lock_timeout=0.05)
    execute(pg_session, "CREATE TABLE t (id integer)")
    with pg_session.transaction():
        pg_session.script("LOCK TABLE t")
        with pytest.raises(Taken), other.transaction():
            other.all("SELECT * FROM t")
    with pytest.raises(TooLong), other.transaction():
        other.script("SET LOCAL statement_timeout = 20", "SELECT pg_sleep(5)")
    pid = other.one("SELECT pg_backend_pid()")
    assert pid is not None
    sleeping = f"SELECT 1 FROM pg_stat_activity WHERE pid = {pid[0]} AND wait_event = 'PgSleep'"

    def cancel() -> None:
        while pg_session.one(sleeping) is None:
            pass
        pg_session.one(f"SELECT pg_cancel_backend({pid[0]})")

    somebody = threading.Thread(target=cancel)
    with pytest.raises(Cancelled), other.transaction():
        somebody.start()
        other.all("SELECT pg_sleep(60)")
    somebody.join()
