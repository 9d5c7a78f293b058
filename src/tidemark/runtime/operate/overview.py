"""The overview: everything that an operator's surface shows, read in one moment.

Owns: `Overview` and reading it. Promises: reads only; counts no rows of the user's, and of what waits only so many, so that
whoever looks once a second costs next to nothing; what cannot be read raises, and is never an empty list.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from tidemark.runtime.backfill.listing import list_everything_here
from tidemark.runtime.backfill.record import BackfillStatus
from tidemark.runtime.lease import is_gone
from tidemark.runtime.ledger import Ledger
from tidemark.runtime.objects.gaps import Eye
from tidemark.runtime.operate.status import TableStatus, read_status_here
from tidemark.runtime.operate.verdict import Verdict, judge
from tidemark.runtime.outbox import count_events
from tidemark.runtime.runs import Past, list_failed, list_running
from tidemark.runtime.samples import Sample, list_last_samples
from tidemark.runtime.streams.account import Account, StreamStatus


@dataclass(frozen=True)
class Holder:
    """Somebody who does a duty until a time, unless it is given up or renewed before."""

    duty: str
    holder: str
    expires: str


@dataclass(frozen=True)
class Overview:
    """How everything is at the moment `at` of the database's clock. `installed` is False without a ledger, and then the rest is
    empty. `events` counts those of crossings by state; `failed` are runs that failed and were not made good, `running` those that
    somebody is at. `samples` are the newest of each run that goes on, newest first."""

    at: str
    database: str
    engine: str
    installed: bool
    tables: tuple[TableStatus, ...]
    backfills: tuple[BackfillStatus, ...]
    streams: tuple[StreamStatus, ...]
    events: Mapping[str, int]
    failed: tuple[Past, ...]
    running: tuple[Past, ...]
    holders: tuple[Holder, ...]
    samples: Mapping[int, tuple[Sample, ...]]
    verdict: Verdict


def read_overview(ledger: Ledger, patience: Mapping[str, float] | None = None, eye: Eye | None = None) -> Overview:
    """Everything, in one moment; `eye` is that of somebody who looks again and again.

    Raises `Fault` and `Refusal` for what cannot be read.
    """
    session = ledger.session
    with session.transaction("look"):
        at, there = session.now(), ledger.exists()
        tables = tuple(read_status_here(ledger, glance=True, eye=eye)) if there else ()
        backfills = list_everything_here(ledger) if there else ()
        streams = tuple(Account(ledger).statuses()) if there else ()
        events = count_events(ledger)
        failed = tuple(list_failed(ledger)) if there else ()
        begun = list_running(ledger) if there else []
        held = [Holder(*row) for row in ledger.all("list_leases")] if there else []
        holders = tuple(one for one in held if not is_gone(one.holder))
        at_work = {one.holder for one in holders}
        running = tuple(past for past in begun if past.holder in at_work)
        going = {one.run for one in backfills if one.running and one.run is not None} | {past.id for past in running}
        samples = {run: tuple(list_last_samples(ledger, run)) for run in going}
    return Overview(
        at=at,
        database=session.label,
        engine=session.dialect.name,
        installed=there,
        tables=tables,
        backfills=backfills,
        streams=streams,
        events=events,
        failed=failed,
        running=running,
        holders=holders,
        samples=samples,
        verdict=judge(tables, backfills, streams, events, failed, now=at, patience=patience),
    )


def look_again(ledger: Ledger, view: Overview, patience: Mapping[str, float] | None) -> Overview:
    """The same overview at a later moment of a database to which nobody committed: only time has passed."""
    at = ledger.session.now()
    facts = (view.tables, view.backfills, view.streams, view.events, view.failed)
    return replace(view, at=at, verdict=judge(*facts, now=at, patience=patience))
