"""How a run of a backfill ends: recorded as what it was, whatever it was.

Owns: `recording_end`. Promises: a run that was stopped, gave up or failed is told apart on record; the last word is always
written, in one transaction with the end of the run in the history, unless the lease or the database is gone, and then the record
reads as interrupted by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from shlex import quote

from tidemark.errors import Exit, Fault, TidemarkError, is_interruption
from tidemark.runtime.backfill.gate import Ended
from tidemark.runtime.backfill.tally import Tally
from tidemark.runtime.duty import Duty
from tidemark.runtime.lease import Lost
from tidemark.runtime.runs import end_run, telling_untold
from tidemark.telling import tell_problem

STANDS = "every chunk that was committed stands"
UNSEEN = "nobody has seen anything of it"
RUN_STATES = {"finished": "done", "quarantined": "done", "verifying": "done", "paused": "interrupted"}


@contextmanager
def recording_end(duty: Duty, tally: Tally, also: Callable[[str], object] = lambda state: None) -> Iterator[None]:
    """Record the end when what is done inside does not come to a good one; `also` is done with the state in the same transaction.

    Raises `Fault` for it: exit 75 when it can go on, 1 when it failed or was cancelled.
    """
    name = tally.name
    try:
        yield
    except Ended as ended:
        with telling_untold(duty, name, tally.phase):
            record_end(duty, tally, ended.state, ended.cause, also)
        resumable = ended.state in ("interrupted", "paused")
        exit = Exit.INTERRUPTED if resumable else Exit.ERROR
        given_up = tally.phase == "fill" and ended.state == "cancelled"
        left = f"{UNSEEN if given_up else STANDS}; next: {_next_command(tally, ended.state)}"
        raise Fault(f"{name} is {ended.state}: {ended.cause}", left_behind=left, exit=exit) from ended
    except Lost:
        raise
    except KeyboardInterrupt:
        with telling_untold(duty, name, tally.phase):
            record_end(duty, tally, "interrupted", "it was asked twice to stop; the chunk at hand was rolled back")
        raise
    except Exception as problem:
        told, is_open = tell_problem(problem), duty.session.is_open()
        # Without a session nothing can be written down, and what has no last word reads as interrupted.
        state = "interrupted" if is_interruption(problem) or not is_open else "failed"
        if is_open:
            with telling_untold(duty, name, tally.phase):
                record_end(duty, tally, state, told)
        if isinstance(problem, Fault) and "; next: " not in problem.left_behind:
            problem.left_behind += f"; next: {_next_command(tally, state)}"
        if isinstance(problem, TidemarkError):
            raise
        raise Fault(f"{name} failed: {told}", left_behind=STANDS) from problem


def _next_command(tally: Tally, state: str) -> str:
    if state == "paused":
        return f"tidemark backfill resume {quote(tally.name)}"
    if tally.phase == "fill":
        return "tidemark apply"
    return f"tidemark backfill {'run' if state == 'interrupted' else 'retry'} {quote(tally.name)}"


def record_end(
    duty: Duty,
    tally: Tally,
    state: str,
    cause: str | None,
    also: Callable[[str], object] = lambda state: None,
    *,
    before: Callable[[], object] = lambda: None,
) -> None:
    """Record the end of a run: the last of what it has to tell. `before` is done first in the same transaction, and may raise."""

    def work() -> None:
        before()
        _end(duty, tally, state, cause)
        also(state)

    duty.write(work)


def _end(duty: Duty, tally: Tally, state: str, cause: str | None) -> None:
    name, run = tally.name, tally.begun.run
    kept = RUN_STATES.get(state, "interrupted" if state == "interrupted" else "failed")
    tally.record(duty)
    before = duty.ledger.value("read_state_of_backfill", {"name": name})
    if before != state:
        ended = {"name": name, "before": before, "after": state, **tally.rates}
        ended["failure"] = None if state == "finished" else cause
        if duty.ledger.run("end_backfill", ended) != 1:
            raise Fault(f"the ledger has no backfill {name} any more", retry_safe=False)
    about = {"id": run.id, "state": kept, "message": cause if kept == "done" else None}
    # Beside a state of runs only another one has to be said.
    told = cause if kept == state else f"{state}: {cause}"
    end_run(duty.ledger, {**about, "cause": None if kept == "done" else told})
