"""Who is alone on PostgreSQL locks the table for a chunk, and not each of its rows; whoever comes ends that."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest

from tidemark import Project, Tidemark
from tidemark.database.postgres.session import PostgresSession
from tidemark.runtime.backfill import worker
from tidemark.runtime.backfill.gate import Gate
from tidemark.runtime.backfill.runner import Orders

PLAYS = "(SELECT count(*) FROM plays p WHERE p.song = songs.id)"
SEEN = f"UPDATE songs SET seen = {PLAYS} WHERE id IN (SELECT id FROM tidemark_batch)"
WRONG = f"SELECT count(*) FROM songs WHERE seen IS DISTINCT FROM {PLAYS}"


def connect(url: str) -> psycopg.Connection[Any]:
    return psycopg.connect(url, autocommit=True)


@pytest.fixture
def here(pg_database: str) -> Tidemark:
    with closing(connect(pg_database)) as user:
        user.execute("CREATE TABLE songs (id int PRIMARY KEY, seen int)")
        user.execute("CREATE TABLE plays (song int)")
        user.execute("INSERT INTO songs SELECT generate_series(1, 400)")
        user.execute("INSERT INTO plays SELECT n % 300 FROM generate_series(1, 600) AS n")
        user.execute("CREATE INDEX ON plays (song)")
        user.execute("ANALYZE")
    project = Project("alone")
    project.backfill("seen", table="songs", key="id", sql=SEEN)
    return Tidemark(project, pg_database)


@pytest.fixture
def chunks(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bool]]:
    """For each chunk that was tried, whether it was to be alone."""
    found: list[bool] = []
    real = worker.do_chunk

    def do(*given: Any, alone: bool, **named: Any) -> Any:
        found.append(alone)
        return real(*given, alone=alone, **named)

    monkeypatch.setattr(worker, "do_chunk", do)
    yield found


def meanwhile(monkeypatch: pytest.MonkeyPatch, writes: Callable[[int], None]) -> None:
    """Have `writes` done before each chunk, with its number."""
    check, count = Gate.check, [0]

    def look(self: Gate) -> None:
        check(self)
        count[0] += 1
        writes(count[0])

    monkeypatch.setattr(Gate, "check", look)


def test_who_is_alone_locks_the_table_and_no_row(here: Tidemark, chunks: list[bool], pg_database: str) -> None:
    assert here.backfill("seen").status.state == "finished"
    assert chunks and all(chunks)
    with closing(connect(pg_database)) as user:
        assert user.execute(WRONG).fetchone() == (0,)


def test_who_is_connected_is_not_held_up_by_a_table(here: Tidemark, chunks: list[bool], pg_database: str) -> None:
    with closing(connect(pg_database)):
        assert here.backfill("seen").status.state == "finished"
    assert chunks and not any(chunks)


def test_several_workers_are_not_alone(here: Tidemark, chunks: list[bool]) -> None:
    assert here.backfill("seen", Orders(workers=2)).status.state == "finished"
    assert chunks and not any(chunks)


def commit_when_waited_for(writer: psycopg.Connection[Any], url: str) -> None:
    """Commit, beside the caller, as soon as somebody waits for what the writer holds."""

    def commit() -> None:
        with closing(connect(url)) as look:
            while look.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone() == (0,):
                pass
        writer.execute("COMMIT")

    threading.Thread(target=commit, daemon=True).start()


@pytest.mark.parametrize("locks", [True, False], ids=["as it is", "nothing is locked"])
def test_a_writer_that_comes_meanwhile_loses_nothing(
    here: Tidemark, chunks: list[bool], pg_database: str, monkeypatch: pytest.MonkeyPatch, locks: bool
) -> None:
    """It keeps the column itself, and is at it when its row is due: the table cannot be had, so rows are locked, and the chunk
    computes after it. A chunk that locks nothing computes before it, and writes after it."""
    monkeypatch.setattr(PostgresSession, "others_connected", lambda self: False)
    run = PostgresSession.run
    with closing(connect(pg_database)) as writer:

        def unlocked(self: PostgresSession, sql: str, *more: Any) -> int:
            return 0 if sql.startswith("LOCK TABLE") else run(self, sql, *more)

        def write(number: int) -> None:
            if number == 2:
                writer.execute("BEGIN")
                writer.execute("INSERT INTO plays VALUES (150), (150)")
                writer.execute("UPDATE songs SET seen = coalesce(seen, 0) + 2 WHERE id = 150")
                commit_when_waited_for(writer, pg_database)

        if not locks:
            monkeypatch.setattr(PostgresSession, "run", unlocked)
        meanwhile(monkeypatch, write)
        assert here.backfill("seen").status.state == "finished"
        wrong = writer.execute(WRONG).fetchone()
    assert (wrong == (0,)) is locks
    assert not locks or (True in chunks and False in chunks)
