"""How a generation fails that is raised: recorded with its cause, and in nobody's way.

Owns: `recording_failure`. Promises: what trying again may mend leaves the state as it is; anything else is recorded in it, and
what nobody has seen then gives up its triggers.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial

from tidemark.database.session import Conflict, Unacceptable
from tidemark.errors import Fault, TidemarkError, is_interruption
from tidemark.runtime.backfill.withdraw import withdraw
from tidemark.runtime.duty import Duty
from tidemark.runtime.lease import Lost
from tidemark.runtime.ledger import Installed

GIVES_WAY = "nobody who writes is held up by it; change the data or the definition, then tidemark apply"


@contextmanager
def recording_failure(duty: Duty, installed: Installed) -> Iterator[None]:
    """A problem that trying again may mend leaves the state as it is; any other one is recorded as a failure, with which a
    generation that nobody has seen gives up its triggers."""
    try:
        yield
    except TidemarkError as problem:
        if not _passes(installed, problem):
            if isinstance(problem, Fault):
                problem.retry_safe = False
            if isinstance(problem, Unacceptable):
                problem.left_behind = GIVES_WAY
            _record_failure(duty, installed, problem)
        # What cannot be taken off now, a worker takes off later.
        with suppress(TidemarkError, Conflict):
            withdraw(duty, installed)
        raise


def _passes(installed: Installed, problem: TidemarkError) -> bool:
    """Whether a problem may be gone when the same is tried again. Of data that the query cannot compute that is known to somebody
    who can change it, and until then writers of such data would fail for the sake of rows that nobody sees."""
    if isinstance(problem, Unacceptable) and installed.live_at is None:
        return False
    return isinstance(problem, Lost) or is_interruption(problem) or (isinstance(problem, Fault) and problem.retry_safe)


def _record_failure(duty: Duty, installed: Installed, problem: TidemarkError) -> None:
    """Write down why a generation failed, in whatever state it is by now."""
    unfinished = ("planned", "installing", "backfilling", "verifying")
    for row in duty.ledger.derived(installed.name):
        if row.generation == installed.generation and row.state in unfinished:
            duty.write(partial(duty.ledger.move, row, "failed", str(problem)))
