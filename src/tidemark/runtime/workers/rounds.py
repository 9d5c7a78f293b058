"""A round: one tick of each derived table for which something waits, those first that others read.

Owns: what is done once for all of them. Promises: whoever finds nothing to do needs no lease and asks nothing of its own; one
that cannot be kept stops no other, and its problem is raised after all of them; logs let go of what everybody has sealed at the
end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from tidemark.database.session import Conflict
from tidemark.errors import Code, Fault, Refusal, TidemarkError, is_interruption
from tidemark.runtime.duty import Duty
from tidemark.runtime.ledger import Installed
from tidemark.runtime.objects.captures import empty
from tidemark.runtime.ticks.seals import TickReport, has_work, pace_for_logs, trim_some
from tidemark.runtime.workers.wake import find_waiting


def tick_all(
    duty: Duty, rows: Sequence[Installed], tick_one: Callable[[Duty, Installed], TickReport]
) -> tuple[TickReport, ...]:
    """Tick generations, upstream first; `tick_one` does it under the lease. Raises the first problem when all are done."""
    duty.spent = {}
    with duty.ledger.while_there(*rows):
        waiting = find_waiting(duty, [row.script for row in rows])
    done, problems, written = [], list[TidemarkError](), False
    for row in rows:
        try:
            # What was written for one may wait for those after it.
            with duty.ledger.while_there(row):
                idle = row.name not in waiting and not (written and has_work(duty, row.script))
                written = written or not idle
                done.append(TickReport(row.name) if idle else tick_one(duty, row))
        except TidemarkError as problem:
            if is_interruption(problem) or not duty.session.is_open():
                raise
            problems.append(problem)
    _let_go(duty)
    if problems:
        # What could be done is done; one that cannot be kept stops no other.
        raise problems[0]
    return tuple(done)


def _let_go(duty: Duty) -> None:
    """Let go of what everybody has sealed. Nobody has to: what is left here is there for the next round."""
    pace, logs = pace_for_logs(duty), list((duty.spent or {}).values())
    try:
        while logs and not duty.stop():
            limit = pace.size
            held = duty.write(partial(trim_some, duty, logs, limit))
            pace.record(held.value, held.hold_ms)
            if held.value < limit:
                break
            logs = [log for log in logs if not empty(duty, log.source, log.log)]
    except (Conflict, Fault):
        if not duty.session.is_open():
            raise
    except Refusal as refusal:
        # A log goes with its last reader.
        if refusal.code is not Code.UNKNOWN_TABLE:
            raise
