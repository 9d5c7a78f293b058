"""Gaps for writers of a SQLite file while a backlog drains; the clock counts what SQLite does, and no time."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from tidemark import Project, Tidemark
from tidemark.database.session import Mode
from tidemark.database.sqlite.session import SqliteSession
from tidemark.runtime import statements
from tidemark.runtime.clock import Clock
from tidemark.runtime.statements import Statement

STEPS = 200
STEPS_IN_A_MS = 4_000
PLAYS = "CREATE TABLE plays (id integer PRIMARY KEY, user_id integer NOT NULL, ms integer NOT NULL)"
ADD = (
    "WITH RECURSIVE n (i) AS (SELECT {low} UNION ALL SELECT i + 1 FROM n WHERE i < {high}) "
    "INSERT INTO plays SELECT i, i % 500, i % 1000 FROM n"
)
QUERIES = {
    "added": "SELECT user_id, count(*) AS n, max(ms) AS most FROM plays GROUP BY user_id",
    "recomputed": "SELECT u.id AS user_id, count(p.id) AS n, max(p.ms * 2) AS most "
    "FROM users u JOIN plays p ON p.user_id = u.id GROUP BY u.id",
}


@dataclass
class Machine:
    """A machine whose time is what SQLite does on sessions of ours. Somebody writes whenever there is a gap."""

    path: Path
    ms: float = 0.0
    number: int = 1_000_000
    coming: int = 0
    holds: list[float] = field(default_factory=list)
    since: list[float] = field(default_factory=lambda: [0.0])
    apart: int = 0

    def __post_init__(self) -> None:
        self.user = sqlite3.connect(self.path, isolation_level=None)
        self.clock = Clock(now=lambda: self.ms / 1000, wait=self.wait)

    def wait(self, seconds: float) -> None:
        """The writer comes within a rest."""
        self.ms += seconds * 1000
        self.write()
        self.since.append(0.0)

    def write(self) -> None:
        """The writer writes."""
        self.number += 1
        self.user.execute(f"INSERT INTO plays VALUES ({self.number}, 3, 7)")

    def come(self) -> bool:
        """The writer writes for the first times, between two transactions; asks nobody to stop."""
        if self.coming:
            self.coming -= 1
            self.write()
        return False

    def step(self) -> None:
        """SQLite has done something."""
        self.ms += STEPS / STEPS_IN_A_MS

    @contextlib.contextmanager
    def counted(self, tidemark: Tidemark) -> Iterator[None]:
        """What sessions of ours do meanwhile takes time, and how long they hold the lock is taken down."""
        prepare, transaction = SqliteSession.prepare, SqliteSession.transaction

        def count_from_now(session: SqliteSession, **about: bool) -> None:
            session._connection.set_progress_handler(self.step, STEPS)
            prepare(session, **about)

        @contextlib.contextmanager
        def noted(
            session: SqliteSession, mode: Mode = "write", *, snapshot: bool = False, holding: Sequence[str] = ()
        ) -> Iterator[None]:
            writes = mode in ("write", "chunk")
            if writes and not tidemark._turns._lock._is_owned():  # type: ignore[attr-defined]
                self.apart += 1
            with transaction(session, mode, snapshot=snapshot, holding=holding):
                began = self.ms
                yield
            if writes:
                self.holds.append(self.ms - began)
                self.since[-1] += self.ms - began

        with mock.patch.multiple(SqliteSession, prepare=count_from_now, transaction=noted):
            yield


def drain(path: Path, kind: str, changes: int) -> Machine:
    """Let a backlog drain beside a writer."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as user:
        user.execute("PRAGMA journal_mode = WAL")
        user.execute(PLAYS)
        user.execute("CREATE INDEX plays_user ON plays (user_id, ms)")
        user.execute("CREATE TABLE users (id integer PRIMARY KEY)")
        user.execute(
            "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 499) INSERT INTO users SELECT i FROM n"
        )
        user.execute(ADD.format(low=1, high=1_000))
    machine = Machine(path)
    project = Project("radio")
    project.derive("totals", key="user_id", query=QUERIES[kind], freshness="tick")
    tidemark = Tidemark(project, str(path), clock=machine.clock, stop=machine.come)
    tidemark.apply()
    machine.coming = 5
    machine.user.execute(ADD.format(low=1_001, high=1_000 + changes))
    with machine.counted(tidemark):
        for _ in range(20):
            if tidemark.tick()[0].drained:
                break
    # What was written within the last rests waits for the next tick.
    tidemark.tick()
    shown = machine.user.execute("SELECT user_id, n, most FROM totals ORDER BY 1").fetchall()
    assert shown == machine.user.execute(f"SELECT * FROM ({QUERIES[kind]}) AS q ORDER BY 1").fetchall()
    machine.user.close()
    return machine


@pytest.mark.parametrize("kind", QUERIES)
def test_no_hold_is_long_and_writers_get_in_between_while_a_backlog_drains(sqlite_path: Path, kind: str) -> None:
    machine = drain(sqlite_path, kind, 60_000)
    assert machine.apart == 0, "every write is one of the turns"
    # The clock adds up parts of a millisecond.
    assert max(machine.holds) <= 25.0 + 1e-6
    assert sum(machine.holds) > 60.0 and max(machine.since) <= 60.0, "held for so long between two gaps"


def test_looking_through_the_whole_log_with_the_lock_in_hand_is_seen(
    sqlite_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    consume = statements.find_statement("sqlite", "consume")
    known: Any = statements.load_statements("sqlite", "ledger")
    slow = consume.replace("WHERE id <=", "WHERE (SELECT max(id) - min(id) FROM {log}) >= 0 AND id <=", 1)
    monkeypatch.setitem(known, "consume", Statement("consume", "slow", slow))
    machine = drain(sqlite_path, "added", 60_000)
    assert max(machine.holds) > 25.0 and max(machine.since) > 60.0
