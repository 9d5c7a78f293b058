"""A clock that is set back or forward: the database's, from which every stored time comes. What is stored then lies ahead of now,
or long ago. Nothing waits until the clock has caught up, nothing that is new is taken for old, and no time told is negative.
"""

from __future__ import annotations

import contextlib
from contextlib import closing

import pytest

from tidemark import Project, Tidemark
from tidemark.database.open import open_session
from tidemark.database.session import Session
from tidemark.errors import Fault
from tidemark.runtime.backfill.record import seconds_between
from tidemark.runtime.backfill.runner import Orders
from tidemark.runtime.clock import Clock
from tidemark.runtime.duty import Duty
from tidemark.runtime.lease import Lost, try_lease
from tidemark.runtime.ledger import Ledger
from tidemark.runtime.runs import end_run
from tidemark.runtime.workers.sweeps import Swept, sweep_on

HOUR, DAY = 3_600, 86_400
STAMP = "____-__-__T__:__:__.___Z"
AWAY = "elsewhere:4711:1:abc"
"""A holder on another machine, of whom nobody here knows whether it is gone."""
SOON = {"sqlite": "datetime('now', '+{} minutes')", "postgres": "(now() AT TIME ZONE 'UTC') + interval '{} minutes'"}
"""Rows that time takes away, a few minutes around now."""


def engine_of(session: Session) -> str:
    return "postgres" if session.dialect.has_schemas else "sqlite"


def shift(session: Session, seconds: int) -> None:
    """Let so many seconds have been taken from the clock since everything was stored: every stored time is later by them."""
    postgres = engine_of(session) == "postgres"
    listed = (
        "SELECT 'tidemark.' || quote_ident(table_name), quote_ident(column_name), data_type FROM information_schema.columns "
        "WHERE table_schema = 'tidemark' AND is_generated = 'NEVER' AND table_name LIKE '\\_%' "
        "AND data_type IN ('text', 'timestamp with time zone')"
        if postgres
        else "SELECT '\"' || m.name || '\"', '\"' || c.name || '\"', c.type "
        "FROM sqlite_master AS m, pragma_table_info(m.name) AS c "
        "WHERE m.type = 'table' AND m.name LIKE 'tidemark\\_\\_%' ESCAPE '\\' AND c.type = 'TEXT'"
    )
    with session.transaction("write"):
        for table, column, kind in session.all(listed):
            if kind == "timestamp with time zone":
                session.run(f"UPDATE {table} SET {column} = {column} + interval '{seconds} seconds'")
            elif postgres:
                moved = f"(CAST({column} AS timestamptz) + interval '{seconds} seconds') AT TIME ZONE 'UTC'"
                told = f'to_char({moved}, \'YYYY-MM-DD"T"HH24":"MI":"SS.MS"Z"\')'
                session.run(f"UPDATE {table} SET {column} = {told} WHERE {column} LIKE '{STAMP}'")
            else:
                told = f"strftime('%Y-%m-%dT%H:%M:%fZ', {column}, '{seconds} seconds')"
                session.run(f"UPDATE {table} SET {column} = {told} WHERE {column} LIKE '{STAMP}'")
        if not postgres:
            session.run(f"UPDATE tidemark__moment SET at = strftime('%Y-%m-%d %H:%M:%f', at, '{seconds} seconds')")


def minutes(session: Session, count: int) -> str:
    return SOON[engine_of(session)].format(count)


def sweeps(duty: Duty) -> list[Swept]:
    found = [sweep_on(duty, row, "worker") for row in duty.ledger.derived()]
    return [one for one in found if one is not None]


@pytest.mark.parametrize("moved", [-HOUR, DAY], ids=["back an hour", "forward a day"])
def test_nothing_waits_for_a_clock_or_is_old_by_it(engine_url: str, moved: int) -> None:
    with contextlib.ExitStack() as stack:
        session = stack.enter_context(closing(open_session(engine_url)))
        with session.transaction("write"):
            session.script("CREATE TABLE t (id integer PRIMARY KEY, g integer, until timestamp)")
            for number, count in enumerate((-120, -30, 30, 120, 2_000)):
                session.run(f"INSERT INTO t VALUES ({number}, {number % 2}, {minutes(session, count)})")
        project = Project("clocks")
        project.derive("counts", query="SELECT g, count(*) AS n FROM t GROUP BY g", freshness="tick", verify="30m")
        due = f"SELECT id, g FROM t WHERE until > {minutes(session, 0)}"
        project.derive("open_ones", query=due, verify="30m")
        project.backfill(
            "bumped", table="t", key="id", sql="UPDATE t SET g = g + 2 WHERE id IN (SELECT id FROM tidemark_batch)"
        )
        keeper = Tidemark(project, engine_url)
        keeper.apply()
        duty = keeper._connect()
        stack.callback(duty.session.close)
        assert all(swept.keys for swept in sweeps(duty)) and not any(swept.keys for swept in sweeps(duty))
        with contextlib.suppress(Fault):
            keeper.backfill("bumped", Orders(max_seconds=0.0))
        ledger, clock = Ledger(session), Clock()
        held = try_lease(ledger, clock, "keep counts", AWAY)
        freed = try_lease(ledger, clock, "keep open_ones", AWAY)
        assert held is not None and freed is not None
        freed.release()
        shift(session, -moved)
        with session.transaction("write"):
            session.run("INSERT INTO t VALUES (90, 1, NULL)")
            session.run(f"UPDATE t SET until = {minutes(session, 5)} WHERE id = 1")
        # What was given back is free, and what nobody can have had for so long is.
        assert try_lease(ledger, clock, "keep open_ones", AWAY[:-1] + "d") is not None
        taken = try_lease(ledger, clock, "keep counts", AWAY[:-1] + "d")
        assert taken is not None
        with pytest.raises(Lost), session.transaction("write"):
            held.check()
        taken.release()
        with session.transaction("write"):
            session.run(f"DELETE FROM {'tidemark._lease' if session.dialect.has_schemas else 'tidemark__lease'}")
        told = keeper.tick()
        assert all(one.drained for one in told)
        assert sorted(session.all("SELECT * FROM open_ones")) == sorted(session.all(due))
        assert sorted(session.all("SELECT * FROM counts")) == sorted(
            session.all("SELECT g, count(*) FROM t GROUP BY g")
        )
        assert all(one.clean for one in keeper.verify())
        # A sweep is due: the last one is long ago, or began when nobody knows.
        assert all(swept.keys and not swept.note for swept in sweeps(duty))
        for status in keeper.status():
            assert status.state == "live" and not status.pending
            assert status.coverage is None or 0.0 <= status.coverage <= 1.0
        assert all(one.elapsed_seconds is None or one.elapsed_seconds >= 0 for one in keeper.backfills())
        assert keeper.backfill("bumped").status.state == "finished"
        (after,) = [one for one in keeper.backfills() if one.name == "bumped"]
        assert after.elapsed_seconds is not None and 0 <= after.elapsed_seconds < 600
        started, ended = ("2026-03-01T12:00:00.000Z", "2026-03-01T11:00:05.000Z")
        assert seconds_between(started, ended) == 0.0
        assert told_tally(session) >= 0.0


def told_tally(session: Session) -> float:
    """Seconds that runs have taken, as they are told, where one ended before it began."""
    ledger, table = Ledger(session), "tidemark._run" if session.dialect.has_schemas else "tidemark__run"
    with session.transaction("write"):
        session.run(f"UPDATE {table} SET state = 'running', ended = NULL, started = '2999-01-01T00:00:00.000Z'")
        (row,) = session.all(f"SELECT max(id) FROM {table}")
        end_run(ledger, {"id": row[0], "state": "done", "message": None, "cause": None})
    totals = "tidemark._total" if session.dialect.has_schemas else "tidemark__total"
    return float(session.all(f"SELECT coalesce(min(seconds), 0) FROM {totals}")[0][0])
