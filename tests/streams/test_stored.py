"""Blocks that stand in a table: taken in order, each once, and none because somebody was slow to commit it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable

import pytest

from tests.streams.ground import Blocks, Ledger, block, open_ledger, plays, take_play
from tidemark import Fault, Project, Tidemark, table
from tidemark.database.open import open_session
from tidemark.database.session import Session
from tidemark.runtime.clock import Clock
from tidemark.runtime.streams import stored

INCOMING = 'CREATE TABLE incoming ("block" bigint PRIMARY KEY, "timestamp" text, txs {json})'


def _engine(url: str, wait: Callable[[float], None] = lambda seconds: None) -> Tidemark:
    project = Project("stored")
    stream = project.stream("ledger", source=table("incoming"))
    stream.on("plays", each="plays")(take_play)
    return Tidemark(project, url, clock=Clock(wait=wait))


def _create(ledger: Ledger) -> None:
    with ledger.session.transaction():
        ledger.session.script(INCOMING.format(json="jsonb" if ledger.session.dialect.has_schemas else "text"))


def _insert(session: Session, blocks: Blocks) -> None:
    for one in blocks:
        values = {"at": one["block"], "time": str(one["timestamp"]), "txs": json.dumps(one["txs"])}
        session.run('INSERT INTO incoming ("block", "timestamp", txs) VALUES (:at, :time, :txs)', values)


def test_rows_are_blocks_in_the_order_of_their_positions(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "PAGE_ROWS", 2)
    _create(ledger)
    engine = _engine(ledger.url)
    assert engine.stream("ledger").run().blocks == 0
    with ledger.session.transaction():
        _insert(ledger.session, [block(at, plays(at, "x"), plays(10 + at)) for at in (7, 1, 4, 2, 9)])
    report = engine.stream("ledger").run(3)
    assert (report.blocks, report.position, ledger.tracks()) == (3, 4, [1, 2, 4, 11, 12, 14])
    assert engine.stream("ledger").run().blocks == 2
    assert ledger.rows("SELECT at FROM plays WHERE track = 9") == [("1009",)]
    assert engine.stream("ledger").run().blocks == 0
    assert ledger.tracks() == [1, 2, 4, 7, 9, 11, 12, 14, 17, 19]
    assert [(one.position, one.reason) for one in engine.stream("ledger").open_ends()[1]] == [
        (at, "track_id_not_integer") for at in (1, 2, 4, 7, 9)
    ]


def test_what_is_no_list_of_transactions_ends_the_run_and_what_came_before_stands(ledger: Ledger) -> None:
    _create(ledger)
    with ledger.session.transaction():
        _insert(ledger.session, [block(1, plays(1))])
        bad = '"none"' if ledger.session.dialect.has_schemas else "{"
        ledger.session.run('INSERT INTO incoming ("block", txs) VALUES (2, :txs)', {"txs": bad})
    with pytest.raises(Fault, match="no list|not JSON"):
        _engine(ledger.url).stream("ledger").run()
    assert ledger.tracks() == [1]


def test_a_position_that_is_committed_late_is_waited_for(pg_database: str) -> None:
    with open_ledger(pg_database) as ledger, contextlib.ExitStack() as stack:
        _create(ledger)
        slow = stack.enter_context(contextlib.closing(open_session(pg_database)))
        late = contextlib.ExitStack()
        late.enter_context(slow.transaction())
        _insert(slow, [block(2, plays(2))])
        with ledger.session.transaction():
            _insert(ledger.session, [block(1, plays(1)), block(3, plays(3))])
        # As long as it is not certain what stands below, nothing is taken, and nothing has failed.
        assert _engine(pg_database).stream("ledger").run().blocks == 0
        looks: list[Callable[[], None]] = [late.close, lambda: None]
        report = _engine(pg_database, lambda seconds: looks.pop()() if looks else None).stream("ledger").run()
        assert (report.blocks, ledger.tracks()) == (3, [1, 2, 3])


def test_without_waiting_it_would_be_lost(pg_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant of the test above."""
    monkeypatch.setattr(stored, "find_lockers", lambda duty, table: [])
    with open_ledger(pg_database) as ledger, contextlib.closing(open_session(pg_database)) as slow:
        _create(ledger)
        with slow.transaction():
            _insert(slow, [block(2, plays(2))])
            with ledger.session.transaction():
                _insert(ledger.session, [block(1, plays(1)), block(3, plays(3))])
            assert _engine(pg_database).stream("ledger").run().blocks == 2
        assert _engine(pg_database).stream("ledger").run().blocks == 0
        assert ledger.tracks() == [1, 3]
