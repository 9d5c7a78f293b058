"""Running a backfill of the user's: chunk after chunk, at a pace that lets others live, until every key is accounted for.

Owns: `run_backfill`. Promises: one runner for each backfill, fenced by the term of its lease inside each transaction; a kill
between any two statements is continued at the last chunk that was committed; rows whose own data is to blame are put aside one
by one and never stop the others; whatever ends a run is recorded as what it was: finished, finished with keys put aside,
failed, cancelled or interrupted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

from tidemark.database.session import Conflict, TooLong
from tidemark.errors import Exit, Fault, Refusal, TidemarkError
from tidemark.model import Backfill
from tidemark.runtime.backfill.begin import begin
from tidemark.runtime.backfill.chunk import ASIDE, Key, Range, Step, do_chunk, do_key, next_key, prepare, put_aside
from tidemark.runtime.backfill.gate import Ended, Gate
from tidemark.runtime.backfill.meter import Meter
from tidemark.runtime.backfill.record import BackfillStatus, find_backfill
from tidemark.runtime.backfill.tally import Tally
from tidemark.runtime.duty import Duty, Held
from tidemark.runtime.lease import Lost, name_holder, take_lease
from tidemark.runtime.pace import Pace, choose_first_pace
from tidemark.runtime.progress import Listener, ignore
from tidemark.walk import Walk

TRIES_MAX = 60
STANDS = "every chunk that was committed stands"


@dataclass(frozen=True)
class Orders:
    """How a run is wanted: `nice` seconds of rest for each second of holding locks (None = what suits), at most `max_seconds`
    of work (None = to the end). `again` asks for another attempt at what failed or was put aside, `anew` for every key from the
    first on."""

    nice: float | None = None
    max_seconds: float | None = None
    again: bool = False
    anew: bool = False


@dataclass(frozen=True)
class BackfillReport:
    """What a run did: chunks committed, rows written and the longest hold in milliseconds, and where the backfill stands now."""

    status: BackfillStatus
    chunks: int = 0
    rows_written: int = 0
    longest_ms: float = 0.0

    @property
    def exit(self) -> Exit:
        """The exit code of the command line."""
        return Exit.QUARANTINED if self.status.state == "quarantined" else Exit.OK


def run_backfill(
    duty: Duty, backfill: Backfill, walk: Walk, orders: Orders, listen: Listener = ignore
) -> BackfillReport:
    """Do what is left of a backfill.

    Raises `Fault`: exit 6 while another runner is at it, 75 when it was interrupted, 1 when it failed or was cancelled.
    Raises `Refusal` when it has failed before, or was begun with another definition, and no new attempt is asked for.
    """
    lease = take_lease(duty.ledger, duty.clock, f"backfill {backfill.name}", name_holder(), 0)
    try:
        mine = Duty(duty.ledger, duty.clock, lease, duty.stop)
        begun = begin(mine, backfill, walk, again=orders.again, anew=orders.anew, nice=orders.nice)
        if begun is None:
            return BackfillReport(find_backfill(mine.ledger, backfill.name))
        now = mine.clock.now()
        tally = Tally(backfill.name, begun, Meter(now), listen, now)
        until = None if orders.max_seconds is None else now + orders.max_seconds
        _see_through(mine, backfill, walk, Gate(mine, tally, until, orders.max_seconds))
        status = find_backfill(mine.ledger, backfill.name)
        return BackfillReport(status, tally.chunks, tally.written, tally.longest_ms)
    finally:
        lease.release()


def _see_through(duty: Duty, backfill: Backfill, walk: Walk, gate: Gate) -> None:
    """Do every range and record the end, whatever it is."""
    tally = gate.tally
    try:
        duty.write(partial(prepare, duty.session, walk))
        _Worker(duty, backfill, walk, gate, choose_first_pace(duty.session.dialect)).work()
    except Ended as ended:
        _end(duty, tally, ended.state, ended.cause)
        exit = Exit.INTERRUPTED if ended.state == "interrupted" else Exit.ERROR
        raise Fault(f"{backfill.name} is {ended.state}: {ended.cause}", left_behind=STANDS, exit=exit) from ended
    except Lost:
        raise
    except KeyboardInterrupt:
        _end(duty, tally, "interrupted", "it was asked twice to stop; the chunk at hand was rolled back")
        raise
    except Exception as problem:
        told = _told(problem)
        if duty.session.is_open():
            _end(duty, tally, "failed", told)
        if isinstance(problem, TidemarkError):
            raise
        raise Fault(f"{backfill.name} failed: {told}", left_behind=STANDS) from problem
    left = duty.ledger.value("count_quarantine", {"backfill": backfill.name})
    aside = f"{left} keys are put aside, each with its error" if left else None
    _end(duty, tally, "quarantined" if left else "finished", aside)


def _end(duty: Duty, tally: Tally, state: str, cause: str | None) -> None:
    """Record the end: the last of what the run has to tell, always."""
    name, run = tally.name, tally.begun.run
    kept = {"finished": "done", "quarantined": "done"}.get(state, "interrupted" if state == "interrupted" else "failed")

    def work() -> None:
        tally.record(duty)
        before = duty.ledger.value("read_state_of_backfill", {"name": name})
        ended = {"name": name, "before": before, "after": state, "failure": cause, **tally.rates}
        if duty.ledger.run("end_backfill", ended) != 1:
            raise Fault(f"the ledger has no backfill {name} any more", retry_safe=False)
        about = {"id": run.id, "state": kept, "message": cause if kept == "done" else None}
        duty.ledger.run("end_run", {**about, "cause": None if kept == "done" else f"{state}: {cause}"})

    duty.write(work)


def _told(problem: BaseException) -> str:
    return str(problem) if isinstance(problem, TidemarkError) else f"{type(problem).__name__}: {problem}"


@dataclass
class _Worker:
    """A session at work on one range after the other. `suspects` is how many of the next keys a failed chunk had, 0 = none."""

    duty: Duty
    backfill: Backfill
    walk: Walk
    gate: Gate
    pace: Pace
    suspects: int = 0
    marker: str = field(default="")

    def work(self) -> None:
        """Do what nobody else does until nothing is left. Raises `Ended` and whatever is not the rows' fault."""
        self.marker = self.duty.session.changes_marker()
        while (key := self.gate.tally.next_aside()) is not None:
            self.gate.check()
            self._try_again(key)
        while (todo := self.gate.tally.next_range()) is not None:
            while not todo.finished:
                self.gate.check()
                self._advance(todo)

    def _advance(self, todo: Range) -> None:
        """Do one chunk and rest, or find out that it has to be a smaller one."""
        size = max(1, self.suspects // 2) if self.suspects else self.pace.size
        held = self._attempt(todo, size)
        if held is None:
            return
        step = held.value
        if self.suspects == 0:
            self.pace.record(step.keys, held.hold_ms)
        self.suspects = max(0, self.suspects - step.keys)
        todo.cursor, todo.finished = step.upto, step.finished
        self._settle(step.keys, step.written, held.hold_ms)
        self.gate.obey(step.wish)

    def _settle(self, keys: int, written: int, hold_ms: float) -> None:
        """Count what is committed, tell it when it is time to, and let others have the database."""
        self.gate.tally.count(keys, written, hold_ms, self.duty.clock.now())
        self.gate.tally.tell(self.duty)
        before, self.marker = self.marker, self.duty.session.changes_marker()
        self.duty.clock.wait(self.pace.rest_seconds(hold_ms, contended=before != self.marker))

    def _attempt(self, todo: Range, size: int) -> Held[Step] | None:
        """A chunk in its transaction; None when the next one is to be smaller, or when a key was put aside."""
        for tried in range(TRIES_MAX):
            try:
                return self.duty.write_once(partial(do_chunk, self.duty.ledger, self.backfill, self.walk, todo, size))
            except TooLong as problem:
                if size > 1:
                    self.pace.size = max(1, size // 2)
                    self.pace.size_min = 1
                    return None
                conflict: Conflict = problem
            except Conflict as problem:
                conflict = problem
            except Exception as problem:  # noqa: BLE001 - whatever a row does to a user's function is about that row
                self._check_blame(problem)
                self._bisect(todo, size, problem)
                return None
            self.gate.check()
            self.duty.wait_for_another_try(tried)
        raise Fault(
            f"{self.backfill.name} met a conflict {TRIES_MAX} times at one chunk: {conflict}", left_behind=STANDS
        )

    def _check_blame(self, problem: Exception) -> None:
        """Raises the problem again when it is not the data of some row that is to blame."""
        fatal = isinstance(problem, Fault) and not problem.retry_safe
        if fatal or isinstance(problem, Lost) or not self.duty.session.is_open():
            raise problem
        if isinstance(problem, Refusal):
            # The texts were well when the run began; if they are not without any row either, the schema has changed.
            self.duty.write(partial(prepare, self.duty.session, self.walk))

    def _bisect(self, todo: Range, size: int, problem: Exception) -> None:
        """Halve what is suspected; the last key that is left is put aside."""
        self.suspects = size if size > 1 else 0
        if size > 1:
            return
        key = self.duty.write(partial(self._put_next_aside, todo, _told(problem))).value
        if key is not None:
            todo.cursor = key
            self._settle(1, 0, 0.0)
            self._check_quarantine(problem)

    def _put_next_aside(self, todo: Range, error: str) -> Key | None:
        key = next_key(self.duty.session, self.walk, todo)
        if key is not None:
            # Else somebody deleted the row meanwhile.
            put_aside(self.duty.ledger, self.backfill, key, todo.place, self.gate.tally.begun.attempt, error)
        return key

    def _try_again(self, key: Key) -> None:
        """Do one key that an earlier attempt put aside."""
        work = partial(do_key, self.duty.ledger, self.backfill, self.walk, key, ASIDE)
        try:
            held = self.duty.write(work)
            self._settle(1, held.value, held.hold_ms)
        except Exception as problem:  # noqa: BLE001 - as in a chunk
            self._check_blame(problem)
            attempt = self.gate.tally.begun.attempt
            again = partial(put_aside, self.duty.ledger, self.backfill, key, ASIDE, attempt, _told(problem))
            self.duty.write(again)
            self._settle(1, 0, 0.0)

    def _check_quarantine(self, problem: Exception) -> None:
        left = int(self.duty.ledger.value("count_quarantine", {"backfill": self.backfill.name}))
        if left > self.backfill.quarantine_max:
            raise Fault(
                f"{left} keys were put aside, more than the {self.backfill.quarantine_max} that may be; the last one: "
                f"{_told(problem)}",
                left_behind=STANDS,
            )
