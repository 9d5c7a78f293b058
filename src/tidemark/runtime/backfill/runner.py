"""Running a backfill of the user's: chunk after chunk, at a pace that lets others live, until every key is accounted for.

Owns: `run_backfill`. Promises: one runner for each backfill, fenced by the term of its lease inside each transaction; a kill
between any two statements is continued at the last chunk that was committed; rows whose own data is to blame are quarantined one
by one and never stop the others; whatever ends a run is recorded as what it was: finished, finished with keys quarantined,
failed, cancelled or interrupted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from tidemark.contract.walk import Walk
from tidemark.errors import Exit
from tidemark.model import Backfill
from tidemark.runtime.backfill.begin import begin
from tidemark.runtime.backfill.ending import record_end, recording_end
from tidemark.runtime.backfill.gate import Ended, Gate
from tidemark.runtime.backfill.meter import Meter
from tidemark.runtime.backfill.record import CANCELLED, BackfillStatus, check_nice, find_backfill, tell_quarantined
from tidemark.runtime.backfill.tally import Tally
from tidemark.runtime.backfill.together import RANGES_EACH, tell_alone, work_together
from tidemark.runtime.backfill.worker import Worker
from tidemark.runtime.duty import Crew, Duty


@dataclass(frozen=True)
class Orders:
    """How a run is wanted: `nice` seconds of rest for each second of holding locks (None = what suits), at most `max_seconds`
    of work (None = to the end). `again` asks for another attempt at what failed or was quarantined, `anew` for every key from the
    first on. `workers` is how many sessions work on ranges of their own, where the engine has that."""

    nice: float | None = None
    max_seconds: float | None = None
    again: bool = False
    anew: bool = False
    workers: int = 1


@dataclass(frozen=True)
class BackfillReport:
    """What a run did: chunks committed, rows written and the longest hold in milliseconds, and where the backfill stands now.
    `already` says that there was nothing to do."""

    status: BackfillStatus
    chunks: int = 0
    rows_written: int = 0
    longest_ms: float = 0.0
    already: bool = False

    @property
    def exit(self) -> Exit:
        """The exit code of the command line."""
        return Exit.QUARANTINED if self.status.state == "quarantined" else Exit.OK


def run_backfill(
    duty: Duty,
    backfill: Backfill,
    walk: Walk,
    orders: Orders,
    connect: Callable[[], Duty] | None = None,
) -> BackfillReport:
    """Do what is left of a backfill. `connect` opens another session, for each worker and when a connection was lost.

    Raises `Fault`: exit 6 while another runner is at it, 75 when it was interrupted, 1 when it failed or was cancelled.
    Raises `Refusal` when it has failed before, or was begun with another definition, and no new attempt is asked for,
    and for a number of seconds to rest that is none.
    """
    check_nice(orders.nice)
    with duty.leased(f"backfill {backfill.name}", 0) as mine:
        mine = replace(mine, crew=Crew(orders.workers, connect))
        workers = mine.hands
        if workers == 1:
            tell_alone(mine, backfill.name, "no other session can be opened", phase="backfill")
        parts = workers * RANGES_EACH if workers > 1 else 1
        again, anew, nice = orders.again, orders.anew, orders.nice
        begun = begin(mine, backfill, walk, again=again, anew=anew, nice=nice, parts=parts)
        if begun is None:
            return BackfillReport(find_backfill(mine.ledger, backfill.name), already=True)
        now = mine.clock.now()
        tally = Tally(backfill.name, begun, Meter(now), duty.listen, now)
        until = None if orders.max_seconds is None else now + orders.max_seconds
        gate = Gate(mine, tally, until, orders.max_seconds)

        def work(duty: Duty) -> None:
            Worker(duty, backfill, walk, replace(gate, duty=duty), connect, beside=workers > 1).work()

        with recording_end(mine, tally):
            work_together(mine, tally, work, workers)
            left = mine.ledger.value("count_quarantine", {"backfill": backfill.name})
            told = tell_quarantined(int(left)) if left else None
            record_end(
                mine, tally, "quarantined" if left else "finished", told, before=partial(_give_in, mine, tally.name)
            )
        status = find_backfill(mine.ledger, backfill.name)
        return BackfillReport(status, tally.chunks, tally.written, tally.longest_ms)


def _give_in(duty: Duty, name: str) -> None:
    """Raises `Ended` where an operator gave it up after the last chunk: whoever was told that it is being cancelled is right."""
    if duty.ledger.all("hold_control", {"name": name})[0][0] == "cancel":
        raise Ended("cancelled", CANCELLED)
