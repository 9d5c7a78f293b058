"""Memory beside a stream that settles: it is computed in moments in which nothing waits for what it reads.

Owns: which streams settle in a database, and `write_steadily`. Promises: where a stream settles, no row with memory is computed
over a block while a derived table that it reads has not got that far, whoever computes it: a worker, a filling, a repair. What is
read is applied first, and the snapshot in which rows are computed shows whether it still is; elsewhere nothing is asked. The
stream's own settling keeps this order by itself and passes at once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol, TypeVar

from tidemark.contract.script import Script
from tidemark.database.session import Mode
from tidemark.errors import Fault
from tidemark.runtime.cascade import everything_read, identity, is_served
from tidemark.runtime.duty import CONFLICTS_MAX, Duty, Held
from tidemark.runtime.ledger import Installed, Ledger
from tidemark.runtime.ticks.seals import TickReport, has_work

T = TypeVar("T")
SETTLES = {"key": "settles"}


class Unsteady(Exception):
    """Something waits for what is read; the transaction is given up."""


class Ticking(Protocol):
    """What applies what waits for a script, as `tick.tick` does."""

    def __call__(self, duty: Duty, script: Script, /) -> TickReport:
        """Seal and apply until everything that was committed before is applied."""
        ...


def list_settling(ledger: Ledger) -> tuple[str, ...]:
    """The streams that settle at their blocks, as each said when it was last run."""
    return tuple(json.loads(ledger.value("read_meta", SETTLES) or "[]"))


def note_settling(ledger: Ledger, stream: str, *, settles: bool) -> None:
    """Write down whether a stream settles, in the caller's transaction."""
    before = list_settling(ledger)
    after = tuple(sorted({*before, stream} if settles else {*before} - {stream}))
    if after != before:
        ledger.run("set_meta", {**SETTLES, "value": json.dumps(after)})


def read_first(duty: Duty, script: Script) -> tuple[Installed, ...]:
    """What has to be applied before rows of a script are computed, each after what it reads itself: what a table with memory
    reads and ticks keep, where a stream settles."""
    if script.applier.carry is None or not script.reads or not list_settling(duty.ledger):
        return ()
    rows = duty.ledger.derived()
    mine = [row for row in rows if identity(row) == (script.name, script.generation)]
    found = [one for row in mine for one in everything_read(row, rows)]
    return tuple(one for one in reversed(found) if one.script.tick is not None and is_served(one, rows))


def require_steady(duty: Duty, reads: Sequence[Installed]) -> None:
    """Raises `Unsteady` when the caller's snapshot shows something that waits."""
    if any(has_work(duty, row.script) for row in reads):
        raise Unsteady


def write_steadily(
    duty: Duty,
    script: Script,
    work: Callable[[], T],
    tick: Ticking,
    *,
    snapshot: bool | None = None,
    mode: Mode = "write",
    ahead: Callable[[], None] | None = None,
) -> Held[T]:
    """Compute rows of a script in a write transaction, in a moment in which nothing waits for what memory reads.

    Where nothing has to be waited for, `snapshot` says whether one moment is wanted; None = what the script's applier says. What
    may be read `ahead` of the lock is, then.

    Raises `Fault` when what is read does not come to rest.
    """
    reads = read_first(duty, script)
    if not reads:
        one_moment = script.applier.of_one_moment if snapshot is None else snapshot
        return duty.write(work, snapshot=one_moment, mode=mode, ahead=ahead)
    steadily = partial(_steadily, duty, reads, work)
    return _at_rest(duty, script, reads, partial(duty.write, steadily, snapshot=True, mode=mode), tick)


def read_steadily(duty: Duty, script: Script, work: Callable[[], T], tick: Ticking) -> Held[T]:
    """Compute rows of a script in a transaction that only reads, in such a moment. Raises `Fault` as `write_steadily` does."""
    reads = read_first(duty, script)
    if not reads:
        return duty.read(work)
    return _at_rest(duty, script, reads, partial(duty.read, partial(_steadily, duty, reads, work)), tick)


def _steadily(duty: Duty, reads: Sequence[Installed], work: Callable[[], T]) -> T:
    require_steady(duty, reads)
    return work()


def _at_rest(
    duty: Duty, script: Script, reads: Sequence[Installed], do: Callable[[], Held[T]], tick: Ticking
) -> Held[T]:
    """Apply what waits for what is read until nothing does, and then do it."""
    for tried in range(CONFLICTS_MAX):
        try:
            return do()
        except Unsteady:
            duty.check_stop(f"the tick of {script.name}")
        if not all([apply_waiting(duty, row, tick) for row in reads]):  # noqa: C419
            duty.wait_for_another_try(tried)
    raise Fault(
        f"{script.name} remembers, a stream settles here, and what it reads does not come to rest: "
        f"{', '.join(row.name for row in reads)}",
        left_behind="its changes wait",
    )


def apply_waiting(duty: Duty, row: Installed, tick: Ticking) -> bool:
    """Apply what waits for another table, under its lease; False when somebody else is at it."""
    if not has_work(duty, row.script):
        return True
    with duty.leased_if_free(f"keep {row.name}") as mine:
        if mine is None:
            return False
        while not tick(mine.in_passing, row.script).drained:
            mine.check_stop(f"the tick of {row.name}")
    return True
