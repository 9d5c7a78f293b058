"""Replicas that fall behind, on a real server: what follows it tells how far it is, and the test says what it tells."""

import struct
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg
from psycopg import pq

from tidemark.database.open import open_session
from tidemark.database.postgres.session import PostgresSession
from tidemark.runtime.throttle import Limits, reasons_of

LIMITS = Limits(replica_bytes=100_000)
UNHEARD = 0


class Replica:
    """Somebody who follows the server's log over the protocol of replication, and tells positions."""

    def __init__(self, watch: psycopg.Connection, dsn: str) -> None:
        self._watch = watch
        self._follows = psycopg.connect(f"{dsn}?replication=database&application_name=replica", autocommit=True)
        start = b"START_REPLICATION PHYSICAL %X/%X" % divmod(self.now(), 2**32)
        assert self._follows.pgconn.exec_(start).status == pq.ExecStatus.COPY_BOTH
        self._pid = self._follows.pgconn.backend_pid

    def now(self) -> int:
        """Where the log is."""
        row = self._watch.execute("SELECT CAST(pg_current_wal_lsn() - '0/0'::pg_lsn AS bigint)").fetchone()
        assert row is not None
        return int(row[0])

    def tell(self, written: int, replayed: int) -> None:
        """Say how far it is, and wait until the server knows."""
        self._follows.pgconn.put_copy_data(struct.pack("!cQQQQb", b"r", written, written, replayed, 0, 0))
        self._follows.pgconn.flush()
        known = "SELECT CAST(write_lsn - '0/0'::pg_lsn AS bigint) FROM pg_stat_replication WHERE pid = %s"
        self._await(known, (written,))

    def _await(self, sql: str, row: tuple[int, ...] | None) -> None:
        end = time.monotonic() + 20
        while self._watch.execute(sql, (self._pid,)).fetchone() != row:
            assert time.monotonic() < end, sql

    def close(self) -> None:
        """Follow no more."""
        self._follows.close()
        self._await("SELECT 1 FROM pg_stat_replication WHERE pid = %s", None)


@contextmanager
def follow(dsn: str) -> Iterator[tuple[psycopg.Connection, Replica]]:
    with psycopg.connect(dsn, autocommit=True) as watch, closing(Replica(watch, dsn)) as replica:
        yield watch, replica


def reasons(session: PostgresSession) -> list[str]:
    return [reason.partition(":")[0] for reason in reasons_of(session.strain(), LIMITS)]


def test_a_replica_that_falls_behind_is_a_reason_until_it_has_caught_up(pg_database: str) -> None:
    with follow(pg_database) as (watch, replica), closing(open_session(pg_database)) as session:
        replica.tell(replica.now(), replica.now())
        assert reasons(session) == []
        begun = replica.now()
        watch.execute("CREATE TABLE load AS SELECT repeat('x', 300) AS text FROM generate_series(1, 1000)")
        replica.tell(replica.now(), begun + 1)
        assert reasons(session) == ["replica_behind"]
        replica.tell(replica.now(), replica.now())
        assert reasons(session) == []


def test_who_only_receives_the_log_is_seen_and_counts_by_what_it_has_written(pg_database: str) -> None:
    """`pg_receivewal` replays nothing, and is no replica that hides."""
    with follow(pg_database) as (watch, receiver), closing(open_session(pg_database)) as session:
        receiver.tell(receiver.now(), UNHEARD)
        assert reasons(session) == []
        begun = receiver.now()
        watch.execute("CREATE TABLE load AS SELECT repeat('x', 300) AS text FROM generate_series(1, 1000)")
        receiver.tell(begun + 1, UNHEARD)
        assert reasons(session) == ["replica_behind"]


def test_a_replica_that_the_role_may_not_look_at_is_a_reason(pg_database: str) -> None:
    with follow(pg_database) as (watch, replica):
        replica.tell(replica.now(), replica.now())
        watch.execute("DROP ROLE IF EXISTS blinkered; CREATE ROLE blinkered LOGIN")
        try:
            with closing(open_session(pg_database.replace("postgres@", "blinkered@"))) as session:
                assert reasons(session) == ["unseen"]
                watch.execute("GRANT pg_read_all_stats TO blinkered")
                assert reasons(session) == []
        finally:
            watch.execute("DROP ROLE blinkered")
