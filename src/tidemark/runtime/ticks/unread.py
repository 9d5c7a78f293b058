"""Data that no expression of a query can read, and what a tick says about it.

Owns: the sentences, and the record of a tick that ends badly. Promises: what stands in the sources now keeps a table behind, with
a fault that names the table and gives the engine's own sentence; it is on record although the tick's transaction is gone. What
stood there only for a while does not: everything is computed anew in the place of what changed, and the history says why.
Where rows begin with a change, that is everything that is stored, beside each change that can be read.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from tidemark.contract.script import Script
from tidemark.database.session import Conflict, Unacceptable, blames_data
from tidemark.errors import Fault, Refusal, TidemarkError, is_interruption
from tidemark.runtime.duty import Duty
from tidemark.runtime.lease import Lost
from tidemark.runtime.runs import Run, add_run, telling_untold
from tidemark.runtime.ticks.apart import begins_with_changes


def tell_unread(script: Script, problem: TidemarkError) -> str:
    """Why everything was computed anew, as a sentence."""
    anew = "everything that is stored" if begins_with_changes(script) else "everything"
    return f"{anew} was computed anew, because what had changed could not be read: {_said(problem)}"


def _said(problem: BaseException) -> str:
    return problem.reason if isinstance(problem, Refusal) else problem.cause if isinstance(problem, Fault) else ""


@contextlib.contextmanager
def recording_tick(duty: Duty, script: Script, begun: Callable[[], Run | None]) -> Iterator[None]:
    """Record the bad end of a tick, of which `begun` gives the run, if one was committed. What was rolled back has a line too.

    Raises what ended it; where data is to blame, an `Unacceptable` that names the table.
    """
    try:
        yield
    except Exception as problem:
        told: Exception = problem.about(script.name) if isinstance(problem, Refusal) else problem
        told = _standing(script, problem) if blames_data(problem) else told
        run = begun()
        if run is not None:
            run.fail(told)
        elif isinstance(told, TidemarkError) and not _is_passing(told) and duty.session.is_open():
            _record(duty, script, told)
        if told is problem:
            raise
        raise told from problem


def _standing(script: Script, problem: BaseException) -> Unacceptable:
    return Unacceptable(
        f"{script.name} cannot be made true with what stands in its sources: {_said(problem)}",
        left_behind="its changes wait; correct the value and the next tick makes it true",
    )


def _is_passing(problem: TidemarkError) -> bool:
    """Whether somebody else goes on with the work."""
    return isinstance(problem, Lost) or is_interruption(problem)


def _record(duty: Duty, script: Script, problem: TidemarkError) -> None:
    """Add a failed run. Not under the lease: it may be the reason."""
    unfenced = duty.unfenced
    with contextlib.suppress(Conflict), telling_untold(duty, script.name, "tick"):
        unfenced.write(lambda: add_run(unfenced, "tick", script).end("failed", cause=str(problem)), once=True)
