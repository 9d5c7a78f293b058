"""The outbox: events of crossings, and telling them to whoever handles them.

Owns: reading and delivering events. Promises: what a handler writes commits with the record that the event was delivered, so
that a kill loses and doubles nothing; a handler outside of the database is told at least once, with a key by which it can know an
event again. An event whose handler fails is tried again, and after a few times waits for somebody to look. Events are told in
the order in which they happened, as far as none of them failed. Without a handler they wait for other programs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from tidemark.database.session import blames_others
from tidemark.model import Crossing
from tidemark.runtime.duty import Duty
from tidemark.runtime.face import Face
from tidemark.runtime.lease import Lost
from tidemark.runtime.ledger import Ledger
from tidemark.runtime.savepoints import name_problem
from tidemark.states import UNKNOWN

ATTEMPTS_MAX = 5
PAGE = 500
DELIVERING = "deliver events"
"""The duty of telling events."""
STATES = ("waiting", "delivered", "failed")
Handlers = Mapping[tuple[str, str, float], Crossing]
"""The crossing that handles the events of (derived table, column, threshold)."""


@dataclass(frozen=True)
class CrossingEvent:
    """A row of a derived table reached a threshold. `key`, `old` and `new` are JSON objects; `old` is None for a row that was not
    there. `position` and `time` are those of the block of the declared stream. `state` is ``waiting``, ``delivered``, ``failed``
    or ``unknown``."""

    id: int
    derived: str
    column: str
    threshold: float
    key: Mapping[str, Any]
    old: Mapping[str, Any] | None
    new: Mapping[str, Any]
    position: int | None
    time: str | None
    happened: str
    state: str
    attempts: int
    error: str | None

    @property
    def idempotency_key(self) -> str:
        """The same whenever this event is told, and no other event has it."""
        return f"{self.derived}/{self.id}"

    def as_json(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


@dataclass
class DeliverReport:
    """Events that were `delivered`, that `failed` once more, and that have no handler here (`unhandled`)."""

    delivered: int = 0
    failed: int = 0
    unhandled: int = 0


def deliver(duty: Duty, handlers: Handlers) -> DeliverReport:
    """Tell every waiting event to its handler, each in a transaction of its own. Raises `Fault` (exit 75) when asked to stop."""
    report, after = DeliverReport(), 0
    while events := list_events(duty.ledger, "waiting", PAGE, after):
        for event in events:
            duty.check_stop("the delivery of events")
            crossing = handlers.get((event.derived, event.column, event.threshold))
            if crossing is None or crossing.handler is None:
                report.unhandled += 1
            else:
                _tell(duty, event, crossing.handler, crossing.external, report)
        after = events[-1].id
    return report


def _tell(
    duty: Duty, event: CrossingEvent, handler: Callable[..., object], external: bool, report: DeliverReport
) -> None:
    def work() -> bool:
        if duty.ledger.value("take_event", {"id": event.id}) is None:
            return False
        if not external:
            face = Face(duty.session)
            handler(face, event)
            face.settle()
        duty.ledger.run("set_delivered", {"id": event.id})
        return True

    try:
        if external:
            handler(event)
        report.delivered += duty.write(work).value
    except Lost:
        raise
    except Exception as problem:
        if blames_others(problem) or not duty.session.is_open():
            raise
        facts = {"id": event.id, "error": name_problem(problem), "attempts_max": ATTEMPTS_MAX}
        duty.write(partial(duty.ledger.run, "set_undelivered", facts))
        report.failed += 1


def list_events(ledger: Ledger, state: str, limit: int = PAGE, after: int = 0) -> list[CrossingEvent]:
    """Events, oldest first, of one state or of all, whose number is greater than `after`; none without a ledger."""
    if not ledger.exists():
        return []
    rows = ledger.all("list_events", {"state": state, "limit": min(limit, 10_000), "after": after})
    return [_read(row) for row in rows]


def count_events(ledger: Ledger) -> dict[str, int]:
    """How many events there are in each state."""
    found = dict.fromkeys(STATES, 0)
    if ledger.exists():
        found |= {state: int(count) for state, count in ledger.all("count_events")}
    return found


def retry_events(duty: Duty) -> int:
    """Let what failed wait again; how many."""
    return duty.write(partial(duty.ledger.run, "retry_events")).value


@contextmanager
def silence(ledger: Ledger, wanted: bool) -> Iterator[None]:
    """Inside a transaction: rows that change give no events, where that is `wanted`."""
    if not wanted:
        yield
        return
    holder = {"holder": "this transaction"}
    ledger.run("fall_silent", holder)
    yield
    ledger.run("speak_again", holder)


def _read(row: tuple[Any, ...]) -> CrossingEvent:
    id_, derived, column, threshold, key, old, new, position, time, happened, state, attempts, error = row
    return CrossingEvent(
        int(id_),
        derived,
        column,
        _number(threshold),
        _object(key),
        None if old is None else _object(old),
        _object(new),
        None if position is None else int(position),
        time,
        happened,
        state if state in STATES else UNKNOWN,
        int(attempts),
        error,
    )


def _number(stored: Any) -> float:
    return int(stored) if float(stored).is_integer() else float(stored)


def _object(text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        # A number that JSON does not have, such as an infinity of SQLite: better the text than nothing.
        return {"": text}
    return found if isinstance(found, dict) else {"": found}
