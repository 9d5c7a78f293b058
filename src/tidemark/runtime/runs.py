"""The history: one row for every time that a duty did something.

Owns: beginning, advancing and ending a run. Promises: a run's numbers move in the transaction that did the work; a run
whose process was killed reads as interrupted as soon as somebody else takes over its duty; a failed run keeps its cause.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

from tidemark.contract.script import Script
from tidemark.database.session import Conflict
from tidemark.errors import Fault, Refusal, TidemarkError, is_interruption
from tidemark.runtime.duty import Duty
from tidemark.runtime.lease import Lost, is_gone
from tidemark.runtime.ledger import Ledger
from tidemark.runtime.progress import Event
from tidemark.runtime.samples import BOUNDS_MS, Hold, Sampler
from tidemark.states import RUN, read_state
from tidemark.telling import tell_problem

HISTORY_ROWS_MAX = 1000
TELL_SECONDS = 1.0
RUN_MAX = 2**62
# Of a run whose process is gone: on a full disk, or behind somebody's lock, it could not even write down why.
UNTOLD = "the process ended without a word, or could not write one down"


@dataclass(frozen=True)
class Past:
    """A row of the history; times are UTC texts, `longest_ms` the longest hold of its transactions."""

    id: int
    kind: str
    derived: str
    generation: int
    state: str
    holder: str
    started: str
    ended: str | None
    rows_done: int
    rows_total: int | None
    rows_written: int
    longest_ms: float
    message: str | None
    cause: str | None


@dataclass
class Run:
    """A run in progress. `advance` records the numbers and belongs into the transaction that did the work."""

    duty: Duty
    id: int
    kind: str
    derived: str
    rows_done: int = 0
    rows_total: int | None = None
    rows_written: int = 0
    longest_ms: float = field(default=0.0)

    def advance(self) -> None:
        """Record how far it has come, in the caller's transaction."""
        parameters = {
            "id": self.id,
            "rows_done": self.rows_done,
            "rows_total": self.rows_total,
            "rows_written": self.rows_written,
            "longest_ms": self.longest_ms,
        }
        self.duty.ledger.run("advance_run", parameters)

    def end(self, state: str = "done", message: str | None = None, cause: str | None = None) -> None:
        """Record the end, in the caller's transaction."""
        self.advance()
        parameters = {"id": self.id, "state": state, "message": message, "cause": cause}
        end_run(self.duty.ledger, parameters)

    def finish(self, message: str | None = None) -> None:
        """Record a good end, in a transaction of its own."""
        self.duty.write(lambda: self.end("done", message))

    def fail(self, problem: BaseException) -> None:
        """Record a bad end, in a transaction of its own, or tell that it cannot be recorded. Not under the lease: it may be the
        reason."""
        state = "interrupted" if is_interruption(problem) else "failed"
        cause = tell_problem(problem)
        with telling_untold(self.duty, self.derived, self.kind):
            self.duty.unfenced.write(lambda: self.end(state, cause=cause))


@contextmanager
def telling_untold(duty: Duty, name: str, phase: str) -> Iterator[None]:
    """Record inside how something ended badly. That it cannot be is told, beside what happened and never in its place."""
    try:
        yield
    except Lost:
        raise
    except (Fault, Refusal) as problem:
        said = problem.cause if isinstance(problem, Fault) else problem.reason
        note = f"how it ended could not be written down, so that it reads as interrupted: {said}"
        duty.listen(Event(name, phase, note=note))


def tell_whose(duty: Duty, name: str, problem: Exception) -> None:
    """Say of a fault about which derived table it is, and that readers have one, where they do."""
    if not isinstance(problem, Fault):
        return
    problem.cause = problem.cause if name in problem.cause else f"{name}: {problem.cause}"
    with suppress(TidemarkError, Conflict):
        if any(row.state == "live" for row in duty.ledger.derived(name)):
            problem.left_behind += "; readers have what they had, which is kept as before"


@dataclass
class Telling:
    """Tells how a run goes, at most once a second: how far it has come, and samples of how. That it cannot be told never stops
    the work."""

    run: Run

    def __post_init__(self) -> None:
        self._told = self.run.duty.clock.now()
        self._sampler = Sampler(self.run.id, self.run.derived, self.run.kind, self._told)

    def tell(self, rows: int, hold: Hold) -> None:
        """Take down a chunk, and write how it goes when the last time is a second ago."""
        duty, sampler = self.run.duty, self._sampler
        sampler.count(rows, hold)
        if duty.clock.now() - self._told < TELL_SECONDS:
            return
        self._told = duty.clock.now()

        def write() -> None:
            self.run.advance()
            sampler.write(duty.ledger, duty.clock.now(), self.run.rows_done)

        try:
            duty.write(write, once=True)
            sampler.wrote()
        except Conflict:
            return


def add_run(duty: Duty, kind: str, script: Script, rows_total: int | None = None) -> Run:
    """Begin a run for a script in the caller's transaction; see `add_named_run`."""
    return add_named_run(duty, kind, script.name, script.generation, rows_total)


def add_named_run(
    duty: Duty, kind: str, name: str, generation: int, rows_total: int | None, message: str | None = None
) -> Run:
    """Begin a run in the caller's transaction; a lease of ours proves that older ones of its kind are dead."""
    parameters: dict[str, Any] = {
        "kind": kind,
        "derived": name,
        "generation": generation,
        "holder": duty.lease.holder if duty.lease else "",
        "rows_total": rows_total,
        "message": message,
    }
    row = duty.session.one(duty.ledger.text("add_run"), parameters)
    if row is None:
        raise Fault("the ledger gave no number to a run", retry_safe=True)
    run = Run(duty, int(row[0]), kind, name, rows_total=rows_total)
    _settle_killed(duty, kind, name, run.id)
    return run


def _settle_killed(duty: Duty, kind: str, name: str, id_: int) -> None:
    """End what a killed process left running of the same duty, and forget old ticks now and then."""
    if duty.lease is not None:
        killed = duty.ledger.run("end_stale_runs", {"derived": name, "kind": kind, "id": id_})
        if killed:
            duty.ledger.book("operators").run("count_killed", {"derived": name, "kind": kind, "runs": killed})
    if kind == "tick":
        _trim(duty, name, id_)


def _trim(duty: Duty, name: str, id_: int) -> None:
    if id_ % 100 == 0:
        duty.ledger.run("trim_runs", {"derived": name, "id": id_})


def add_done_tick(duty: Duty, script: Script, counts: Mapping[str, Any]) -> None:
    """Record a tick that began and ended in the caller's transaction, under a lease that proves that those which did not end are
    dead, and what it has cost. `counts` are ``rows_done``, ``rows_written``, ``longest_ms``, ``message``, ``way``, ``work``,
    ``ms``, ``cost_ms`` and ``keep``.
    """
    about = {"derived": script.name, "generation": script.generation, "holder": duty.lease.holder if duty.lease else ""}
    id_ = int(duty.ledger.do("add_done_tick", {**about, **counts, "bounds": json.dumps(BOUNDS_MS)}))
    _trim(duty, script.name, id_)


def end_run(ledger: Ledger, parameters: Mapping[str, Any]) -> None:
    """Record the end of a run and add it to what runs have come to, in the caller's transaction; once, however often said."""
    if ledger.run("end_run", parameters) == 1:
        _count_ended(ledger, parameters["id"])


def _count_ended(ledger: Ledger, id_: int) -> None:
    ledger.book("operators").run("count_run", {"id": id_})
    ledger.book("operators").run("count_took", {"id": id_, "bounds": json.dumps(BOUNDS_MS)})


def list_runs(ledger: Ledger, derived: str = "", limit: int = 50, before: int = RUN_MAX) -> list[Past]:
    """The history before a run, newest first; of one derived table when `derived` is not empty. What nobody is at any more is
    not running, whatever is on record."""
    about = {"derived": derived, "limit": min(limit, HISTORY_ROWS_MAX), "before": before}
    found = [_past(row) for row in ledger.all("list_runs", about)]
    if not any(past.state == "running" for past in found):
        return found
    at_work = {who for _, who, *_ in ledger.all("list_leases") if not is_gone(who)}
    return [
        replace(past, state="interrupted", cause=UNTOLD)
        if past.state == "running" and past.holder not in at_work
        else past
        for past in found
    ]


def list_failed(ledger: Ledger, limit: int = 100) -> list[Past]:
    """For each duty and each thing the newest run that failed, as long as none after it came to a good end."""
    return [_past(row) for row in ledger.all("list_failed", {"limit": limit})]


def list_running(ledger: Ledger, limit: int = 200) -> list[Past]:
    """Runs that have not ended on record; whether somebody is at them is for the leases to say."""
    return [_past(row) for row in ledger.all("list_running", {"limit": limit})]


def find_run(ledger: Ledger, id_: int) -> Past | None:
    """One run of the history, None when there is none."""
    found = list_runs(ledger, limit=1, before=id_ + 1) if 0 < id_ < RUN_MAX else []
    return next((one for one in found if one.id == id_), None)


def _past(row: tuple[Any, ...]) -> Past:
    return Past(*(*row[:4], read_state(row[4], RUN), *row[5:]))
