"""A database that goes away under a worker and comes back."""

import contextlib
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from tests.kit.postgres import Server, running_server
from tests.protocols.forum import Forum, open_forum
from tidemark import Project, Tidemark
from tidemark.runtime.workers.worker import WorkerReport

PATIENCE_SECONDS = 60.0


class _Worker:
    """A worker in a thread of its own, with lanes and sessions of its own."""

    def __init__(self, url: str) -> None:
        self._asked = threading.Event()
        self.report: WorkerReport | None = None
        self._engine = Tidemark(None, url, stop=self._asked.is_set)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        self.report = self._engine.run()

    def end(self) -> WorkerReport:
        """Ask it to stop; give what it did."""
        self._asked.set()
        self._thread.join(PATIENCE_SECONDS)
        assert self.report is not None, "it ended with an error or not at all"
        return self.report


@pytest.fixture(scope="module")
def own_server() -> Iterator[Server]:
    """A server that may be mistreated."""
    with running_server() as server:
        yield server


def _until(holds: Callable[[], object]) -> None:
    began, pause = time.monotonic(), threading.Event()
    while not holds():
        assert time.monotonic() - began < PATIENCE_SECONDS, "it never came to pass"
        pause.wait(0.05)


def _is_true(url: str) -> bool:
    """Whether everything is true, as seen by a connection that is new each time."""
    try:
        with psycopg.connect(url) as connection:
            return _compare(connection)
    except psycopg.OperationalError:
        return False


def _compare(connection: psycopg.Connection[tuple[object, ...]]) -> bool:
    query = "SELECT thread_id, count(*), sum(score) FROM posts GROUP BY thread_id"
    stored = "SELECT thread_id, posts, score FROM thread_scores"
    row = connection.execute(
        f"SELECT count(*) FROM (({query}) EXCEPT ({stored}) UNION ALL (({stored}) EXCEPT ({query}))) AS d"
    )
    return row.fetchone() == (0,)


def _write(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE posts SET score = score + 1")


def _prepare(server: Server, stack: contextlib.ExitStack) -> tuple[str, Forum]:
    dsn = stack.enter_context(server.fresh_database())
    with open_forum(dsn) as forum:
        return dsn, forum


def test_a_worker_whose_connections_are_ended_opens_others(own_server: Server) -> None:
    with contextlib.ExitStack() as stack:
        dsn, _ = _prepare(own_server, stack)
        worker = _Worker(dsn)
        try:
            for _ in range(3):
                _write(dsn)
                _until(lambda: _is_true(dsn))
                own_server.run(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tidemark'"
                )
                _write(dsn)
                _until(lambda: _is_true(dsn))
        finally:
            report = worker.end()
        assert report.reconnects >= 3 and not report.failing


def test_a_worker_outlives_a_crash_of_the_server(own_server: Server) -> None:
    with contextlib.ExitStack() as stack:
        dsn, _ = _prepare(own_server, stack)
        worker = _Worker(dsn)
        try:
            _write(dsn)
            _until(lambda: _is_true(dsn))
            with psycopg.connect(dsn) as connection:
                row = connection.execute("SELECT pg_backend_pid()").fetchone()
                assert row is not None
                # A server process that is killed takes all others with it; the server recovers and starts anew.
                os.kill(row[0], signal.SIGKILL)
                with contextlib.suppress(psycopg.OperationalError):
                    connection.execute("SELECT 1")
            _until(lambda: _answers(dsn))
            _write(dsn)
            _until(lambda: _is_true(dsn))
        finally:
            report = worker.end()
        assert report.reconnects >= 1 and not report.failing


def _answers(url: str) -> bool:
    try:
        with psycopg.connect(url) as connection:
            connection.execute("SELECT 1")
            return True
    except psycopg.OperationalError:
        return False


def test_a_worker_goes_on_with_the_file_that_an_older_copy_was_put_in_place_of(
    sqlite_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever restores a copy while a worker runs has it keep the copy true, and not a file that nobody finds any more."""
    project = Project("songs")
    project.derive("plays", query="SELECT song, count(*) AS n FROM heard GROUP BY song", freshness="tick")

    def write() -> None:
        with contextlib.closing(sqlite3.connect(sqlite_path)) as connection, connection:
            connection.execute("INSERT INTO heard (song) VALUES (7)")

    def stored() -> list[tuple[int]]:
        with contextlib.closing(sqlite3.connect(sqlite_path)) as connection:
            return connection.execute("SELECT n FROM plays WHERE song = 7").fetchall()

    with contextlib.closing(sqlite3.connect(sqlite_path)) as connection, connection:
        connection.execute("CREATE TABLE heard (id INTEGER PRIMARY KEY, song INTEGER)")
    url = str(sqlite_path)
    Tidemark(project, url).apply()
    copy = f"{sqlite_path}.copy"
    with contextlib.closing(sqlite3.connect(sqlite_path)) as source, contextlib.closing(sqlite3.connect(copy)) as made:
        source.backup(made)
    worker = _Worker(url)
    try:
        write()
        write()
        _until(lambda: stored() == [(2,)])
        for file in (sqlite_path, f"{sqlite_path}-wal", f"{sqlite_path}-shm"):
            os.rename(file, f"{file}.away")
        # For a moment there is none at all.
        _until(lambda: "the database is away: [database-url] There is no file" in caplog.text)
        os.rename(copy, sqlite_path)
        write()
        _until(lambda: stored() == [(1,)])
    finally:
        report = worker.end()
    assert report.reconnects == 1 and not report.failing
