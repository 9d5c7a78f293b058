"""A transaction of a duty: how long it holds, and how it waits for the database."""

import contextlib
import re
from collections.abc import Iterator
from types import SimpleNamespace
from typing import cast

import pytest

from tidemark.database.session import Cancelled, Conflict, Taken, TooLong
from tidemark.dialect import POSTGRESQL, SQLITE, Dialect
from tidemark.errors import Fault
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


@pytest.mark.parametrize(
    ("kind", "begins", "stopped", "instead"),
    [
        (Conflict, "the database stayed locked through", "while the database was locked: ", ""),
        (Taken, "the database stayed locked through", "while the database was locked: ", ""),
        (Cancelled, "a statement was cancelled in each of", "while its statement was cancelled: ", ""),
        (
            TooLong,
            "a statement took longer than it may in each of",
            "its statement took longer than it may: ",
            "_timeout",
        ),
    ],
)
def test_what_was_tried_in_vain_tells_the_true_cause(
    kind: type[Conflict], begins: str, stopped: str, instead: str
) -> None:
    moment, stop = _Moment(), [False]

    @contextlib.contextmanager
    def transaction(*_: object, **__: object) -> Iterator[None]:
        moment.seconds += 0.3
        raise kind("the server's word")
        yield

    ledger_ = cast(Ledger, SimpleNamespace(session=SimpleNamespace(dialect=POSTGRESQL, transaction=transaction)))
    duty = Duty(ledger_, Clock(now=lambda: moment.seconds, wait=lambda seconds: None), stop=lambda: stop[0])
    with pytest.raises(Fault) as fault:
        duty.write(lambda: 1)
    assert re.fullmatch(f"{begins} [0-9]+ attempts: the server's word", fault.value.cause)
    assert instead in fault.value.left_behind
    stop[0] = True
    with pytest.raises(Fault, match=f"it was asked to stop .*{stopped}the server's word"):
        duty.write(lambda: 1)
