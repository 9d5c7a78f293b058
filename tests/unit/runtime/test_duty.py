"""A transaction of a duty: how long it holds, and how it waits for the database."""

import contextlib
from collections.abc import Iterator
from types import SimpleNamespace
from typing import cast

import pytest

from tidemark.database.session import Conflict
from tidemark.dialect import POSTGRESQL, SQLITE, Dialect
from tidemark.runtime.clock import Clock
from tidemark.runtime.duty import Duty
from tidemark.runtime.ledger import Ledger


class _Moment:
    seconds = 0.0


@pytest.mark.parametrize(("dialect", "hold_ms"), [(SQLITE, 15), (POSTGRESQL, 510)])
def test_what_a_chunk_holds_is_its_commit_too_where_that_has_locks_in_hand(dialect: Dialect, hold_ms: int) -> None:
    """SQLite takes its checkpoint when the lock is given back; on PostgreSQL triggers wait for the commit."""
    moment = _Moment()

    @contextlib.contextmanager
    def transaction(*_: object, **__: object) -> Iterator[None]:
        yield
        moment.seconds += 0.5

    def work() -> None:
        moment.seconds += 0.01

    ledger_ = cast(Ledger, SimpleNamespace(session=SimpleNamespace(dialect=dialect, transaction=transaction)))
    duty = Duty(ledger_, Clock(now=lambda: moment.seconds))
    assert duty.write(work, mode="chunk", once=True).hold_ms == pytest.approx(hold_ms)
    assert duty.write(work, once=True).hold_ms == pytest.approx(510)


def test_who_waits_for_the_database_says_so_once_and_only_when_it_takes_long() -> None:
    moment, told, failures = _Moment(), list[str](), list[str]()

    @contextlib.contextmanager
    def transaction(*_: object, **__: object) -> Iterator[None]:
        if failures:
            moment.seconds += 1.0
            raise Conflict(failures.pop())
        yield

    ledger_ = cast(Ledger, SimpleNamespace(session=SimpleNamespace(dialect=SQLITE, transaction=transaction)))
    clock = Clock(now=lambda: moment.seconds, wait=lambda seconds: None)
    duty = Duty(ledger_, clock, listen=lambda event: told.append(event.note))
    failures[:] = ["a.db is busy"]
    assert duty.write(lambda: 1).value == 1 and told == []
    failures[:] = ["a.db is busy"] * 5
    assert duty.write(lambda: 2).value == 2 and told == ["waiting, and trying again: a.db is busy"]
