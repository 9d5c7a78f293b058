"""How far the migrations are: the one place of the application that reads Tidemark's progress.

Owns: `Migration` and reading it. Promises: reads on connections of its own, which never wait for a writer; a state that is
not known is neither running nor done, and is logged; what cannot be read raises, and is never an empty list.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from tidemark import Fault, Refusal, Tidemark
from tidemark.errors import Code
from tidemark.runtime.backfill.record import BackfillStatus

log = logging.getLogger("meshscope")

RUNNING, THROTTLED, PAUSED, INTERRUPTED = "running", "throttled", "paused", "interrupted"
DONE, FAILED, CANCELLED, UNKNOWN = "done", "failed", "cancelled", "unknown"
UNFINISHED = (RUNNING, THROTTLED, PAUSED, INTERRUPTED)

_STATUS = {
    "planned": RUNNING,
    "installing": RUNNING,
    "backfilling": RUNNING,
    "verifying": RUNNING,
    "throttled": THROTTLED,
    "paused": PAUSED,
    "interrupted": INTERRUPTED,
    "cancelled": CANCELLED,
    "failed": FAILED,
    "quarantined": FAILED,
    "finished": DONE,
    "live": DONE,
}


@dataclass(frozen=True)
class Migration:
    """The filling of one derived table. Times are RFC 3339 in UTC; what is not known is None, and never 0 instead."""

    name: str
    status: str
    rows_processed: int
    rows_total: int | None
    rate: float | None = None
    eta_seconds: float | None = None
    error_message: str | None = None
    started_at: str | None = None
    ended_at: str | None = None
    last_update_at: str | None = None
    elapsed_seconds: float | None = None
    throttle_reasons: tuple[str, ...] = ()

    @property
    def unfinished(self) -> bool:
        """Whether it runs, or waits and will go on. Not for what failed, was given up or is unknown."""
        return self.status in UNFINISHED

    def as_json(self) -> dict[str, Any]:
        """The migration as the API shows it; every key is always there."""
        return {
            "name": self.name,
            "status": self.status,
            "rowsProcessed": self.rows_processed,
            "rowsTotal": self.rows_total,
            "rate": self.rate,
            "etaSeconds": self.eta_seconds,
            "errorMessage": self.error_message,
            "startedAt": self.started_at,
            "endedAt": self.ended_at,
            "lastUpdateAt": self.last_update_at,
            "elapsedSec": self.elapsed_seconds,
            "throttleReasons": list(self.throttle_reasons),
        }


class NotInstalled(Exception):
    """The database has no derived columns yet: `python -m examples.meshscope upgrade` adds them."""


class Unreadable(Exception):
    """The progress cannot be read; the message says why."""


def read_migrations(database: str) -> list[Migration]:
    """Every migration that was ever begun, in the order of names. Raises NotInstalled or Unreadable."""
    try:
        found = Tidemark(None, database).backfills()
    except Refusal as problem:
        if problem.code is Code.NOT_INSTALLED:
            raise NotInstalled(str(problem)) from problem
        raise Unreadable(str(problem)) from problem
    except Fault as problem:
        raise Unreadable(str(problem)) from problem
    return [read_migration(one) for one in found]


def read_migration(one: BackfillStatus) -> Migration:
    """A migration as this application tells it."""
    status = _STATUS.get(one.state, UNKNOWN)
    if status == UNKNOWN:
        log.warning("the state of %s is not known: %r", one.name, one.state)
    return Migration(
        name=one.name,
        status=status,
        rows_processed=one.rows_done,
        rows_total=one.rows_total,
        rate=one.rate if status == RUNNING else None,
        eta_seconds=one.eta_seconds,
        # Why an earlier run ended is no error of one that goes on.
        error_message=one.failure if status in (FAILED, UNKNOWN, INTERRUPTED) else None,
        started_at=one.started,
        ended_at=one.ended,
        last_update_at=one.updated,
        elapsed_seconds=one.elapsed_seconds,
        throttle_reasons=one.reasons,
    )
