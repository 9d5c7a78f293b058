"""The worker: does whatever duty is due, until it is asked to stop.

Owns: the loop. Promises: any number of workers may run, each duty has one holder at a time; a worker that finds nothing to
do looks again within a tenth of a second and writes nothing meanwhile; a tick that is due while its former run goes on is
skipped, not queued; asked to stop, it ends after the transactions at hand and says whether work was left. A problem with one
derived table never stops the others: it is told, and tried again later and later. A database that goes away is waited for.
Looks at the catalog now and then: a table whose captures or sources are not as they should be is taken out of service.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from tidemark.database.session import Conflict, blames_others
from tidemark.errors import Fault, Refusal, TidemarkError, is_interruption
from tidemark.names import owner_of
from tidemark.runtime.backfill.withdraw import holds_on
from tidemark.runtime.duty import CONFLICT_SECONDS_MAX, Duty
from tidemark.runtime.lease import name_holder
from tidemark.runtime.ledger import Installed
from tidemark.runtime.objects.captures import CaptureOf, trim_logs
from tidemark.runtime.objects.gaps import Look
from tidemark.runtime.objects.relief import is_burden
from tidemark.runtime.timing import SLOW_SECONDS, Timing, Timings
from tidemark.runtime.workers.beside import Beside
from tidemark.runtime.workers.catalog import CatalogWatch
from tidemark.runtime.workers.lanes import Connect, Ended, Lanes
from tidemark.runtime.workers.upkeep import Terms, Upkeep, keep_verifying, kind_of, look_after
from tidemark.runtime.workers.wake import Watch
from tidemark.telling import tell_count

log = logging.getLogger("tidemark.worker")

VERIFY = "verify "
IDLE_SECONDS = 0.05
BUSY_SECONDS = 0.02
TELL_SECONDS = 30.0
HELD_SECONDS = 0.25
HELD_SECONDS_MAX = 5.0
"""How long what another worker has is waited for where everything is to be done: a tick of it may end in a moment."""
LOCKED_SECONDS_MAX = 2.0
LOCKED_RETRY_SECONDS_MAX = 5.0
"""How long one table keeps all others waiting for a lock on what it reads, where one session does everything and the engine locks
tables and rows, and how much later at most it tries again."""
RETRY_SECONDS_MIN = 1.0
RETRY_SECONDS_MAX = 60.0
RECONNECT_SECONDS_MAX = 5.0
TOLD_MAX = 20


@dataclass
class WorkerReport:
    """What a worker did: ticks with work in them, changes sealed, rows written, tables brought to life, problems met.

    `gaps` counts tables that were taken out of service because a capture was missing, `slow` ticks above the threshold,
    `reconnects` times that the database went away and came back, `delivered` events, `blocks` of streams. `failing` names what
    failed when it was last done, `held` what was due in the end and is another worker's, who is at it.
    `interrupted` tells that work was at hand when it was asked to stop. `timings` are by duty.
    """

    ticks: int = 0
    changes: int = 0
    rows_written: int = 0
    brought_live: int = 0
    problems: int = 0
    gaps: int = 0
    slow: int = 0
    reconnects: int = 0
    delivered: int = 0
    blocks: int = 0
    failing: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    interrupted: bool = False
    timings: dict[str, Timing] = field(default_factory=dict)

    def count(self) -> dict[str, int]:
        """Every number of it by its name."""
        return {name: value for name, value in vars(self).items() if type(value) is int}

    def __str__(self) -> str:
        told = [
            f"{tell_count(self.ticks, 'tick')} ({self.slow} slow)",
            tell_count(self.changes, "change"),
            f"{tell_count(self.rows_written, 'row')} written",
            f"{tell_count(self.brought_live, 'table')} brought to life",
            tell_count(self.problems, "problem"),
            tell_count(self.gaps, "gap"),
            tell_count(self.reconnects, "reconnect"),
            *([f"{tell_count(self.delivered, 'event')} delivered"] if self.delivered else []),
            *([tell_count(self.blocks, "block")] if self.blocks else []),
        ]
        return ", ".join(told)


def run_worker(
    duty: Duty,
    *,
    cadence: Mapping[str, float] | None = None,
    until_idle: bool = False,
    connect: Connect | None = None,
    lanes: int = 0,
    slow_ms: float = SLOW_SECONDS * 1000,
    besides: Sequence[Beside] = (),
    capture_of: CaptureOf | None = None,
) -> WorkerReport:
    """Work until `duty.stop` says so, or, with `until_idle`, until nothing is left to do.

    `cadence` gives the seconds between two ticks by derived table; without an entry ticks follow the changes at once.
    `connect` opens another session, for each of the `lanes` in which duties run beside each other and when a connection was
    lost; without it duties run one after the other on the session of `duty`, and a lost connection ends the worker. A tick
    that takes more than `slow_ms` is told and kept in the history. `besides` are done too, each in one more lane;
    `capture_of` makes what is left of a capture when the last generation is gone that read a column.

    Raises `Refusal` (``not-installed``) when there is no ledger.
    """
    duty.ledger.require()
    spaced = {} if until_idle else cadence or {}
    terms = Terms(name_holder(), slow_ms, capture_of)
    worker = _Worker(duty, connect, lanes + len(besides) if lanes else 0, terms, spaced, besides)
    try:
        while not duty.stop():
            busy = worker.turn(force=until_idle)
            if until_idle and not busy and not worker.waits_for_others():
                break
            worker.tell(within=TELL_SECONDS)
            duty.clock.wait(BUSY_SECONDS if worker.lanes.busy else 0.0 if busy else IDLE_SECONDS)
    finally:
        worker.end()
    return worker.report


class _Worker:
    """A worker at work; everything but the lanes' duties happens in the thread that calls it."""

    def __init__(
        self,
        duty: Duty,
        connect: Connect | None,
        lanes: int,
        terms: Terms,
        cadence: Mapping[str, float],
        besides: Sequence[Beside],
    ) -> None:
        self._alone = (not lanes or connect is None) and not duty.session.dialect.writers_wait_in_line
        self._first = self._duty = self._patient(duty)
        self._connect = connect
        self._terms = terms
        self._cadence = cadence
        self._besides = besides
        self._clock = duty.clock
        self.lanes: Lanes[Upkeep] = Lanes(lanes, connect, lambda: self._duty, duty.clock)
        self.report = WorkerReport()
        self._timings = Timings(terms.slow_ms)
        self._watch = Watch()
        self._catalog = CatalogWatch(duty.clock)
        self._not_before: dict[str, float] = {}
        self._failures: dict[str, int] = {}
        self._noted: dict[str, str] = {}
        self._kinds: dict[str, str] = {}
        self._held: dict[str, float] = {}
        self._locked: dict[str, float] = {}
        self._again, self._crowded = True, False
        self._away = 0
        self._back_at = 0.0
        self._told = duty.clock.now() - TELL_SECONDS

    def turn(self, *, force: bool) -> bool:
        """Look once and start what is due; give whether anything was done or is being done."""
        worked = self._take_ended()
        try:
            if not self._is_connected():
                return worked or self.lanes.busy
            self._watch.read(self._duty, force=force or self._again, crowded=self._crowded and not force)
            self._again = self._again and self._crowded and not force
            self._away, self._crowded = 0, False
            look = self._look_at_catalog()
            for row in self._watch.rows:
                if self._duty.stop():
                    break
                self._start_if_due(row, look)
                if not force:
                    self._verify_if_due(row)
            for one in self._besides:
                self._start_beside(one)
        except (TidemarkError, Conflict) as problem:
            lost = not self._duty.session.is_open()
            ends = isinstance(problem, Fault) and not problem.retry_safe
            # A file may be missing for as long as somebody restores it.
            ends = ends or (isinstance(problem, Refusal) and not lost)
            if ends or (isinstance(problem, TidemarkError) and lost and self._connect is None):
                raise
            self._pause(problem, lost)
        worked = self._take_ended() or worked
        return worked or self.lanes.busy

    def waits_for_others(self) -> bool:
        """Whether what is left may come to an end in a moment: another worker has it, or somebody a lock on what it reads."""
        now = self._clock.now()
        held = any(now - since < HELD_SECONDS_MAX for since in self._held.values())
        return held or any(now - since < CONFLICT_SECONDS_MAX for since in self._locked.values())

    def tell(self, *, within: float) -> None:
        """Log one block with everything that was done, when the last one is `within` seconds old."""
        now = self._clock.now()
        if now - self._told < within:
            return
        self._told = now
        names = {row.name for row in self._watch.rows}
        lines = [
            f"{tell_count(len(names), 'derived table')}, {len(self._watch.waiting)} with changes waiting; {self.report}"
        ]
        lines += [f"  {duty}: {timing}" for duty, timing in list(self._timings)[:TOLD_MAX]]
        lines += [
            f"  {name}: {tell_count(count, 'failure')} in a row"
            for name, count in sorted(self._failures.items())[:TOLD_MAX]
        ]
        log.info("%s", "\n".join(lines), extra={"counts": self.report.count()})

    def end(self) -> None:
        """Wait for the duties at hand and say whether work is left."""
        self.lanes.close()
        self._take_ended()
        if self._first.stop():
            self.report.interrupted = self.report.interrupted or self._is_behind()
        self.report.failing = tuple(sorted(self._failures))
        self.report.held = tuple(sorted({owner_of(name) for name in self._held}))
        self.report.timings = dict(self._timings)
        if self._duty is not self._first:
            self._duty.session.close()

    def _look_at_catalog(self) -> Look | None:
        """What the catalog shows, when it is time to compare it."""
        look = self._catalog.look(self._duty, self._watch.rows)
        if look is not None:
            self._trim()
        return look

    def _trim(self) -> None:
        """Empty what logs hold for nobody, or no longer. A problem with that is told and never stops anything."""
        try:
            trim_logs(self._duty)
        except (TidemarkError, Conflict) as problem:
            log.warning("the logs that nobody reads: %s", problem)

    def _start_if_due(self, row: Installed, look: Look | None) -> None:
        if self.lanes.runs(row.name) or self._clock.now() < self._not_before.get(row.name, 0.0):
            return
        gap = look.gap(row) if look is not None and row.state == "live" else ""
        if look is not None and holds_on(row, look.present):
            gap = "its triggers are left"
        if look is not None and is_burden(row, look):
            gap = "its captures cannot run"
        kind = kind_of(row, gap, self._watch.rows)
        if kind == "none" or (kind == "tick" and row.name not in self._watch.waiting):
            self._held.pop(row.name, None)
            return
        long = kind == "fill"
        if not self.lanes.has_room(long=long):
            self._crowded = self._crowded or kind == "tick"
            return
        self._watch.take(row.name)
        self._kinds[row.name] = kind
        self.lanes.start(row.name, partial(look_after, row=row, gap=gap, terms=self._terms), long=long)

    def _verify_if_due(self, row: Installed) -> None:
        """Go on with the verification for ever, beside everything else that is done for the table."""
        name = f"{VERIFY}{row.name}"
        is_due = row.state == "live" and row.script.verify_seconds > 0 and self.lanes.beside
        if not is_due or self.lanes.runs(name) or self._clock.now() < self._not_before.get(name, 0.0):
            return
        if self.lanes.has_room(long=True):
            self._kinds[name] = "verify"
            self.lanes.start(name, partial(keep_verifying, row=row, terms=self._terms), long=True)

    def _start_beside(self, one: Beside) -> None:
        """Do what is no upkeep of a derived table, if it is time. It leaves a lane to ticks as any long duty does."""
        if self.lanes.runs(one.name) or self._clock.now() < self._not_before.get(one.name, 0.0) or self._duty.stop():
            return
        if self.lanes.has_room(long=True):
            self.lanes.start(one.name, lambda duty: one.work(duty, self._terms), long=True)

    def _take_ended(self) -> bool:
        """Take down the duties that ended; give whether one of them did something."""
        worked = False
        for ended in self.lanes.collect():
            if ended.problem is not None:
                self._take_problem(ended.name, ended.problem, ended.lost)
                # What it committed before it failed may be work for others.
                worked = True
            elif ended.value is not None:
                worked = self._take_done(ended, ended.value) or worked
        self._again = self._again or worked
        return worked

    def _take_done(self, ended: Ended[Upkeep], done: Upkeep) -> bool:
        name, report, now = ended.name, self.report, self._clock.now()
        if done.kind == "held" or not done.drained:
            self._watch.leave(name)
        if done.kind == "held":
            self._not_before[name] = now + HELD_SECONDS
            self._held.setdefault(name, now)
            return False
        for left in (self._failures, self._held, self._locked):
            left.pop(name, None)
        if done.kind == "none":
            self._noted.pop(name, None)
            self._not_before[name] = now + max(IDLE_SECONDS, done.wait_seconds)
            return False
        if done.kind in ("deliver", "stream"):
            self._timings.record(name, ended.ms)
            self._not_before[name] = now + done.wait_seconds
            report.delivered += done.changes if done.kind == "deliver" else 0
            report.blocks += done.changes if done.kind == "stream" else 0
            return True
        slow = self._timings.record(f"{done.kind} {name.removeprefix(VERIFY)}", ended.ms)
        if done.kind == "tick":
            report.ticks += 1
            if slow:
                report.slow += 1
                about = {"definition": name, "duty": "tick", "ms": ended.ms}
                log.warning("%s: the tick took %.2f s", name, ended.ms / 1000, extra=about)
            if done.drained and owner_of(name) in self._cadence:
                self._not_before[name] = now + self._cadence[owner_of(name)]
        if done.wait_seconds:
            self._not_before[name] = now + done.wait_seconds
        self._tell_note(name, done)
        report.changes += done.changes
        report.rows_written += done.rows_written
        report.brought_live += done.kind == "fill"
        report.gaps += done.kind == "gap"
        return True

    def _tell_note(self, name: str, done: Upkeep) -> None:
        """Log what is to be said of a duty. What was said last and was not acted upon is not said again."""
        if done.note and (done.rows_written or done.note != self._noted.get(name)):
            log.warning("%s", done.note, extra={"definition": name.removeprefix(VERIFY), "duty": done.kind})
        self._noted[name] = done.note

    def _take_problem(self, name: str, problem: TidemarkError | Conflict, lost: bool) -> None:
        if is_interruption(problem):
            self.report.interrupted = True
            return
        if lost and self._connect is not None:
            # The database is what is away: when it is back the duty is as good as any.
            self._not_before[name] = self._clock.now() + IDLE_SECONDS
            log.info("%s: %s", name, problem, extra={"definition": name.removeprefix(VERIFY)})
            return
        failures = self._failures[name] = self._failures.get(name, 0) + 1
        delay = min(RETRY_SECONDS_MAX, RETRY_SECONDS_MIN * 2 ** min(failures - 1, 10))
        if self._alone and blames_others(problem):
            # It gave way to the others, and has waited for nobody's lock for long.
            self._locked.setdefault(name, self._clock.now())
            delay = min(delay, LOCKED_RETRY_SECONDS_MAX)
        self._not_before[name] = self._clock.now() + delay
        self.report.problems += 1
        about = {"definition": name.removeprefix(VERIFY), "retry_seconds": delay}
        if self._kinds.get(name) == "fill" and isinstance(problem, Fault) and not problem.retry_safe:
            log.warning("%s: %s; it waits for `tidemark apply`", name, problem, extra=about)
            return
        log.warning("%s: %s; trying again in %.0f s", name, problem, delay, extra=about)

    def _is_connected(self) -> bool:
        """Whether there is a session to look with; opens another one when it is time to."""
        if self._clock.now() < self._back_at:
            return False
        if self._duty.session.is_current() or self._connect is None:
            return True
        if self._duty.session.is_open():
            # What is written from here on into a file that nobody finds any more is lost, and the other one needs a worker.
            log.warning("another database is where this one was, or none: it is opened anew")
            self._duty.session.close()
        duty = self._patient(self._connect())
        if self._duty is not self._first:
            self._duty.session.close()
        self._duty = duty
        self._watch.forget()
        # What failed for want of a database is worth another look at once.
        self._not_before.clear()
        self._away, self.report.reconnects = 0, self.report.reconnects + 1
        log.info("the database is back")
        return True

    def _patient(self, duty: Duty) -> Duty:
        """The duty with as much patience as others can do with that wait for the same session."""
        if not self._alone:
            return duty
        duty.session.set_lock_timeout(LOCKED_SECONDS_MAX / 2)
        duty.session.set_write_lock_timeout(LOCKED_SECONDS_MAX / 4)
        return replace(duty, patience_seconds=LOCKED_SECONDS_MAX)

    def _pause(self, problem: Exception, lost: bool) -> None:
        """The database does not answer: wait, longer each time."""
        if self._away == 0:
            log.warning("%s: %s", "the database is away" if lost else "the database does not answer", problem)
        delay = min(RECONNECT_SECONDS_MAX, IDLE_SECONDS * 2 ** min(self._away, 10))
        self._away += 1
        self._back_at = self._clock.now() + delay

    def _is_behind(self) -> bool:
        """Whether something is left to do; yes when the database does not say."""
        try:
            self._watch.read(self._duty, force=True)
        except (TidemarkError, Conflict):
            return True
        unfinished = any(row.state in ("backfilling", "verifying") for row in self._watch.rows)
        return unfinished or bool(self._watch.waiting)
