"""What a worker does beside derived tables, when it is asked to: telling events to their handlers, and taking a stream's blocks.

Owns: `Beside`, `delivering` and `taking`. Promises: each is a duty as any other, with one holder at a time; whatever the user's
code does there is a problem of that duty alone; none of it ever takes the lane in which ticks are done.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from tidemark.database.session import Conflict
from tidemark.errors import Fault, TidemarkError
from tidemark.runtime.duty import Duty
from tidemark.runtime.outbox import DELIVERING, Handlers, deliver
from tidemark.runtime.savepoints import name_problem
from tidemark.runtime.streams.ingest import Ingest
from tidemark.runtime.workers.upkeep import Terms, Upkeep
from tidemark.streams import Stream

LOOK_SECONDS = 0.5
AGAIN_SECONDS = 5.0


@dataclass(frozen=True)
class Beside:
    """A duty that is no upkeep of a derived table; `work` does what there is to do for now."""

    name: str
    work: Callable[[Duty, Terms], Upkeep]


def delivering(handlers: Handlers) -> Beside:
    """Telling the events that wait."""
    return Beside(DELIVERING, partial(_deliver, handlers))


def taking(stream: Stream, settle: Callable[[Duty], object]) -> Beside:
    """Taking the blocks that a stream's source has."""
    return Beside(f"stream {stream.name}", partial(_take, stream, settle))


def _deliver(handlers: Handlers, duty: Duty, terms: Terms) -> Upkeep:
    with duty.leased_if_free(DELIVERING, terms.holder) as mine:
        if mine is None:
            return Upkeep("held")
        report = deliver(mine, handlers)
    if not report.delivered and not report.failed:
        return Upkeep("none", wait_seconds=LOOK_SECONDS)
    # What failed is tried again, and not at once: it has only so many attempts.
    return Upkeep("deliver", changes=report.delivered, wait_seconds=AGAIN_SECONDS if report.failed else 0.0)


def _take(stream: Stream, settle: Callable[[Duty], object], duty: Duty, terms: Terms) -> Upkeep:
    name = f"stream {stream.name}"
    with duty.leased_if_free(name, terms.holder) as mine:
        if mine is None:
            return Upkeep("held")
        try:
            report = Ingest(mine, stream, partial(settle, duty)).run()
        except (TidemarkError, Conflict):
            raise
        except Exception as problem:
            # The user's source may raise anything.
            raise Fault(f"{name}: {name_problem(problem)}", left_behind="every block before it is taken") from problem
    if not report.blocks and not report.gaps:
        return Upkeep("none", wait_seconds=LOOK_SECONDS)
    return Upkeep("stream", changes=report.blocks)
