"""An onlooker: looks at a database again and again, on one connection that only reads.

Owns: `Onlooker`. Promises: the connection is opened when somebody first looks, closed after any error and opened anew at the next
look, also when the file under its name is another one; one look at a time; what cannot be read raises `Fault` or `Refusal`. While
nobody commits an overview costs one question.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any, TypeVar

from tidemark.database.session import Conflict
from tidemark.errors import Code, Fault, Refusal
from tidemark.runtime.audit import Action, list_actions
from tidemark.runtime.backfill.listing import list_everything
from tidemark.runtime.backfill.record import BackfillStatus
from tidemark.runtime.duty import Duty
from tidemark.runtime.lease import is_gone
from tidemark.runtime.ledger import Installed, Ledger
from tidemark.runtime.objects.gaps import Eye
from tidemark.runtime.operate.explain import Explanation, explain_installed
from tidemark.runtime.operate.figures import Figures, read_figures
from tidemark.runtime.operate.overview import Overview, look_again, read_overview
from tidemark.runtime.operate.verdict import patience_of
from tidemark.runtime.outbox import CrossingEvent, count_events, list_events
from tidemark.runtime.runs import RUN_MAX, Past, find_run, list_runs
from tidemark.runtime.samples import Sample, list_samples
from tidemark.runtime.streams.account import Account, Evidence, Gap, StreamStatus
from tidemark.runtime.throttle import Limits
from tidemark.runtime.ticks.processing import list_quarantined_units
from tidemark.runtime.truth.findings import OpenDrift, list_drift
from tidemark.runtime.values import unpack

T = TypeVar("T")

# A reader of a server waits for locks only when somebody changes the schema; a look is not worth more.
LOCK_SECONDS = 1.0
AUDIT_MAX = 100
# What nobody changed is read anew all the same, now and then.
KEEP_SECONDS = 10.0


@dataclass(frozen=True)
class Drifted:
    """A row that is known to be wrong, with the derived table and the names of what it has."""

    derived: str
    generation: int
    key_columns: tuple[str, ...]
    columns: tuple[str, ...]
    drift: OpenDrift


@dataclass(frozen=True)
class Quarantined:
    """A key that a backfill quarantined, or a unit for which a processor's function fails; `backfill` is the name of either."""

    backfill: str
    key: tuple[Any, ...]
    attempt: int
    error: str
    found_at: str


@dataclass(frozen=True)
class RunDetail:
    """One run with what is known about it: where its backfill stands if it is the newest run of one, the statements that it runs
    as (title, text), what is quarantined, how it went, and what operators did about the same thing. `is_held` tells that whoever
    began it is still there."""

    past: Past
    backfill: BackfillStatus | None
    statements: tuple[tuple[str, str], ...]
    quarantine: tuple[Quarantined, ...]
    samples: tuple[Sample, ...]
    audit: tuple[Action, ...]
    is_held: bool = False


@dataclass(frozen=True)
class StreamDetail:
    """A stream with what waits for somebody: blocks that were passed over, and what was quarantined."""

    status: StreamStatus
    gaps: tuple[Gap, ...]
    evidence: tuple[Evidence, ...]


class Onlooker:
    """A view of one database. `declared` are the names of the derived tables that should be there, `cadence` how many seconds lie
    between two ticks of those that are not ticked at once."""

    def __init__(
        self, connect: Callable[[], Duty], declared: Sequence[str] = (), cadence: Mapping[str, float] | None = None
    ) -> None:
        self.declared = tuple(declared)
        self._patience = patience_of(cadence or {})
        self._connect = connect
        self._duty: Duty | None = None
        self._kept: tuple[str, float, Overview] | None = None
        self._eye = Eye()
        self._limits = Limits()
        self._lock = Lock()

    def overview(self) -> Overview:
        """Everything, in one moment."""
        return self._look(self._read_overview)

    def _read_overview(self, ledger: Ledger) -> Overview:
        marker, now = ledger.session.changes_marker(), time.monotonic()
        if self._kept is not None:
            known, read_at, view = self._kept
            # Who holds a duty may die or run out of time without a commit.
            if known == marker and now - read_at < KEEP_SECONDS and not view.holders:
                return look_again(ledger, view, self._patience)
        # The marker was read first: what is committed after it differs from it at the next look.
        view = read_overview(ledger, self._patience, self._eye)
        self._kept = (marker, now, view)
        return view

    def figures(self) -> Figures:
        """Everything that is counted."""
        return self._look(lambda ledger: read_figures(ledger, self._limits))

    def runs(self, name: str, limit: int = 50, before: int = RUN_MAX) -> list[Past]:
        """The history before a run, newest first."""
        return self._look(lambda ledger: list_runs(ledger, name, limit, before) if ledger.exists() else [])

    def run(self, id_: int) -> RunDetail | None:
        """One run, None when there is none."""
        return self._look(lambda ledger: _read_run(ledger, id_))

    def drift(self, name: str = "", limit: int = 200) -> list[Drifted]:
        """Rows that are known to be wrong, and those that are behind a sampled input."""
        return self._look(lambda ledger: _read_drift(ledger, name, limit))

    def quarantine(self, name: str, limit: int = 200) -> list[Quarantined]:
        """Keys that backfills quarantined."""
        return self._look(lambda ledger: _read_quarantine(ledger, name, limit))

    def events(self, state: str = "", limit: int = 200, after: int = 0) -> tuple[dict[str, int], list[CrossingEvent]]:
        """How many events of crossings there are by state, and some of them, oldest first."""
        return self._look(lambda ledger: (count_events(ledger), list_events(ledger, state, limit, after)))

    def actions(self, name: str, limit: int = AUDIT_MAX) -> list[Action]:
        """What operators did, newest first."""
        return self._look(lambda ledger: list_actions(ledger, name, limit) if ledger.exists() else [])

    def streams(self) -> list[StreamDetail]:
        """Every stream with what waits for somebody."""
        return self._look(_read_streams)

    def explain(self, name: str) -> Explanation:
        """How a derived table that is installed is kept true. Raises `Refusal` (``declaration``) when it is not."""
        return self._look(lambda ledger: _explain(ledger, name))

    def close(self) -> None:
        """Close the connection; the next look opens another one."""
        with self._lock:
            self._forget()

    def _look(self, read: Callable[[Ledger], T]) -> T:
        with self._lock:
            try:
                return read(self._open().ledger)
            except Refusal:
                self._forget()
                raise
            except Exception as problem:
                self._forget()
                if isinstance(problem, Fault):
                    raise
                said = "the database is busy" if isinstance(problem, Conflict) else type(problem).__name__
                raise Fault(f"{said}: {problem}") from problem

    def _open(self) -> Duty:
        if self._duty is not None and not self._duty.session.is_current():
            self._forget()
        if self._duty is None:
            self._duty = self._connect()
            self._limits = self._duty.limits
            self._duty.session.set_lock_timeout(LOCK_SECONDS)
        return self._duty

    def _forget(self) -> None:
        duty, self._duty, self._kept, self._eye = self._duty, None, None, Eye()
        if duty is not None:
            duty.session.close()


def _generations(ledger: Ledger, name: str) -> list[Installed]:
    return [row for row in ledger.derived() if name in ("", row.name)]


def _read_run(ledger: Ledger, id_: int) -> RunDetail | None:
    past = find_run(ledger, id_) if ledger.exists() else None
    if past is None:
        return None
    backfill = next((one for one in list_everything(ledger, past.derived) if one.run == past.id), None)
    quarantine = _read_quarantine(ledger, past.derived, 200)
    row = next((row for row in _generations(ledger, past.derived) if row.generation == past.generation), None)
    statements = _statements(row) if row is not None else ()
    samples, audit = list_samples(ledger, past.id), list_actions(ledger, past.derived, AUDIT_MAX)
    held = any(row[1] == past.holder for row in ledger.all("list_leases")) and not is_gone(past.holder)
    return RunDetail(past, backfill, statements, tuple(quarantine), tuple(samples), tuple(audit), held)


def _statements(row: Installed) -> tuple[tuple[str, str], ...]:
    """What a chunk runs, in order, and the query that is the truth."""
    applier = row.script.applier
    named = (("gather", applier.gather), ("lock", applier.lock), ("recompute", applier.recomputing))
    found = [("query", row.script.truth), ("take keys", applier.take_todo)]
    found += [(title, text) for title, texts in named for text in texts]
    found.append(("compare", applier.compare))
    found += [("write", text) for text in applier.write]
    return tuple((title, text) for title, text in found if text)


def _read_drift(ledger: Ledger, name: str, limit: int) -> list[Drifted]:
    found: list[Drifted] = []
    for row in _generations(ledger, name):
        applier = row.script.applier
        about = (row.name, row.generation, applier.key_columns, applier.compared_columns)
        found += [Drifted(*about, one) for one in list_drift(ledger, row.script, max(0, limit - len(found)))]
    return found


def _read_quarantine(ledger: Ledger, name: str, limit: int) -> list[Quarantined]:
    if not ledger.exists():
        return []
    rows = ledger.all("list_all_quarantine", {"backfill": name, "limit": limit})
    found = [Quarantined(row[0], unpack(row[1]), int(row[2]), row[3], row[4]) for row in rows]
    for one in _generations(ledger, name):
        units = list_quarantined_units(ledger, one.script)
        found += [Quarantined(one.name, unit.unit, unit.attempts, unit.error, unit.found) for unit in units]
    return found[:limit]


def _read_streams(ledger: Ledger) -> list[StreamDetail]:
    account = Account(ledger)
    return [
        StreamDetail(one, tuple(account.gaps(one.name)), tuple(account.evidence(one.name)))
        for one in account.statuses()
    ]


def _explain(ledger: Ledger, name: str) -> Explanation:
    rows = [row for row in _generations(ledger, name) if row.state != "retired"] if ledger.exists() else []
    if not rows:
        raise Refusal(Code.DECLARATION, f"there is no derived table {name}", instead="look at `tidemark status`")
    return explain_installed(ledger, rows[-1], rows[-1].script)
