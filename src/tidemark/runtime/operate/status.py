"""The read model: how every derived table is doing.

Owns: `TableStatus` and reading it. Promises: reads only and asks nothing that grows with the size of a table, but counting
rows on an engine where that is the only way; what the catalog shows now decides whether captures are well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from tidemark.contract.script import Script
from tidemark.names import Names
from tidemark.runtime.backfill.listing import list_everything_here
from tidemark.runtime.backfill.record import BackfillStatus, next_of
from tidemark.runtime.backfill.withdraw import is_given_up
from tidemark.runtime.cascade import everything_read, identity, level, upstream_first
from tidemark.runtime.changes.adoption import Shadow, read_shadows
from tidemark.runtime.changes.restored import is_elsewhere
from tidemark.runtime.ledger import Installed, Ledger
from tidemark.runtime.objects.gaps import Eye, Look
from tidemark.runtime.standing import Standing, count_waiting, read_standings
from tidemark.runtime.ticks.processing import ProcessorStatus, read_processor
from tidemark.runtime.ticks.scanning import describe_scans
from tidemark.states import UNKNOWN

GIVEN_UP = "given up, since it failed before anybody saw it"
PENDING_MAX = 100_001
# Whoever looks once a second is content to know that it is more than this.
PENDING_GLANCE_MAX = 10_001
FILLED = ("verifying", "live", "retired")
FILLING = ("backfilling", "verifying", "paused")


@dataclass(frozen=True)
class TableStatus:
    """One generation of a derived table.

    `pending` counts changes and keys that are not applied yet, up to a limit. `behind_since` is the time of the checkpoint
    when something is pending, else None. `drift` counts rows known to be wrong. `rows` is what readers see, None before the
    cutover, `rows_estimated` when it is an estimate: one of the database's, or at a glance what the last clean verification
    counted, at the time `rows_at`. `captures` is ``ok`` or says what changed about the sources and what of
    the captures is missing, disabled or outdated. `filled` of `to_fill` keys are filled. `next` is the command that brings it
    forward, or empty. `reads` are the derived tables that it reads, `level` is how many of them stand between it and the
    user's tables, `upstream_pending` is what waits for those; `behind_since` and `next` count it in. `way` is how
    its last batch was made true, `reason` why so; both are empty before the first. What its
    supports are missing, what drifted there and what has to be filled counts as its own; `support_rows` are their stored rows.
    `coverage` is the share of the keys that a worker compared with the query in the last 24 hours, None where none does;
    `verified_at` is when the last verification ended in which nothing differed. `scans` say how far
    sources without triggers are scanned. `shown` tells that readers have it, be it true or not; `sources` are the user's tables
    that it reads, `scanned` those of them that have no triggers. `processor` tells how its function is doing, where Python
    computes the rows. `shadow` tells that others still write the table of the user's whose columns are to be adopted, since
    when, and how that was beside these rows when it was compared last. `restored` tells that the database came out of a dump and
    that no worker has looked at it since.
    """

    name: str
    generation: int
    state: str
    klass: str
    freshness: str
    pending: int
    behind_since: str | None
    verified_at: str | None
    drift: int
    rows: int | None
    rows_estimated: bool
    captures: str
    filled: int
    to_fill: int
    failure: str | None
    next: str
    level: int = 0
    reads: tuple[str, ...] = ()
    upstream_pending: int = 0
    way: str = ""
    reason: str = ""
    support_rows: int = 0
    coverage: float | None = None
    scans: tuple[str, ...] = ()
    shown: bool = False
    sources: tuple[str, ...] = ()
    scanned: tuple[str, ...] = ()
    processor: ProcessorStatus | None = None
    rows_at: str | None = None
    shadow: Shadow | None = None
    restored: bool = False

    @property
    def well(self) -> bool:
        """Whether it is live, captured, without known drift and with nothing quarantined."""
        quarantine = self.processor.quarantined if self.processor is not None else 0
        return self.state == "live" and self.captures == "ok" and self.drift == 0 and quarantine == 0

    def as_json(self) -> dict[str, Any]:
        """The status as plain data."""
        data = asdict(self)
        data["class"] = data.pop("klass")
        return {**data, "well": self.well}


def read_status(ledger: Ledger) -> list[TableStatus]:
    """The status of every generation, in one moment."""
    with ledger.session.transaction("read", snapshot=True):
        return read_status_here(ledger)


def read_status_here(ledger: Ledger, *, glance: bool = False, eye: Eye | None = None) -> list[TableStatus]:
    """The same in the caller's transaction. With `glance` no rows are counted, and of what waits only so many. `eye` is that of
    somebody who looks again and again."""
    rows = ledger.derived()
    look, standings = (eye or Eye()).look(ledger, rows), read_standings(ledger)
    intact = [row for row in rows if _is_intact(row, look)]
    waiting = count_waiting(ledger, intact, standings, PENDING_GLANCE_MAX if glance else PENDING_MAX)
    own, fills = {}, _fills(ledger, rows)
    for row in rows:
        about = identity(row)
        status = _read(ledger, row, look, standings.get(about, Standing()), waiting.get(about, 0), fills.get(about))
        own[about] = status if glance or not status.shown or row not in intact else _count_rows(ledger, row, status)
    found = [(row, _with_upstream(row, rows, own)) for row in upstream_first(rows)]
    inside: dict[str, list[tuple[Installed, TableStatus]]] = {}
    for row, status in found:
        if row.script.supports:
            inside.setdefault(row.script.supports, []).append((row, status))
    shown = [_with_supports(row, status, inside.get(row.name, ()), rows) for row, status in found]
    shadows = read_shadows(ledger) if rows else {}
    shown = [replace(one, shadow=shadows.get(one.name) if one.shown else None) for one in shown]
    if rows and is_elsewhere(ledger):
        shown = [replace(one, restored=True, verified_at=None) for one in shown]
    return [status for (row, _), status in zip(found, shown, strict=True) if not _is_inside(row, rows)]


def _fills(ledger: Ledger, rows: Sequence[Installed]) -> dict[tuple[str, int], BackfillStatus]:
    """How the fillings stand that are not over."""
    if not any(row.state in FILLING for row in rows):
        return {}
    found = [one for one in list_everything_here(ledger) if one.kind == "fill"]
    return {(one.name, int(one.fingerprint)): one for one in found}


def _is_inside(row: Installed, rows: Sequence[Installed]) -> bool:
    """Whether it is a support whose derived table is there and speaks for it."""
    return bool(row.script.supports) and any(one.name == row.script.supports for one in rows)


def _with_supports(
    row: Installed,
    status: TableStatus,
    supports: Sequence[tuple[Installed, TableStatus]],
    rows: Sequence[Installed],
) -> TableStatus:
    """The status of a generation with those of its supports that it reads as a part of it, stages of stages among them."""
    if not supports:
        return status
    read = {other.name for other in everything_read(row, rows)}
    inside = [one for other, one in supports if other.name in read]
    if not inside:
        return status
    wrong = [one.captures for one in inside if one.captures != "ok"]
    above = dict.fromkeys(name for one in (status, *inside) for name in one.reads)
    reads = tuple(name for name in above if name not in {one.name for one in inside})
    unwell = [one.next for one in inside if one.next]
    out = next((one.state for one in inside if one.shown and one.state != "live"), status.state)
    return replace(
        status,
        # What is added up from rows that nobody vouches for is no better than they are.
        state=out if status.state == "live" else status.state,
        pending=status.pending + sum(one.pending for one in inside),
        upstream_pending=status.upstream_pending - sum(one.pending for one in inside),
        drift=status.drift + sum(one.drift for one in inside),
        captures=", ".join(([] if status.captures == "ok" else [status.captures]) + wrong) or "ok",
        filled=status.filled + sum(one.filled for one in inside),
        to_fill=status.to_fill + sum(one.to_fill for one in inside),
        failure=status.failure or next((one.failure for one in inside if one.failure), None),
        next=next(iter(unwell), status.next),
        reads=reads,
        sources=tuple(sorted({*status.sources, *(source for one in inside for source in one.sources)})),
        support_rows=sum(one.rows or 0 for one in inside),
    )


def _with_upstream(
    row: Installed, rows: Sequence[Installed], own: Mapping[tuple[str, int], TableStatus]
) -> TableStatus:
    """The status of a generation with what it reads taken into account."""
    status = own[identity(row)]
    if not row.script.reads:
        return status
    above = [own[identity(other)] for other in everything_read(row, rows)]
    pending = sum(one.pending for one in above)
    since = [one.behind_since for one in (status, *above) if one.behind_since is not None]
    return replace(
        status,
        level=level(row, rows),
        reads=tuple(kept.derived for kept in row.script.reads),
        upstream_pending=pending,
        behind_since=min(since, default=None),
        next=status.next or ("tidemark tick" if pending else ""),
    )


def _read(
    ledger: Ledger, installed: Installed, look: Look, standing: Standing, pending: int, fill: BackfillStatus | None
) -> TableStatus:
    script, shown = installed.script, _is_shown(installed)
    wrong = look.wrong(installed, public=shown)
    counted = installed.rows_counted if shown else None
    change = look.change(installed)
    said = [change.says] if change is not None else []
    said += [f"{finding.piece.name} {finding.health}" for finding in wrong]
    captures = GIVEN_UP if is_given_up(installed) else ", ".join(said[:3]) or "ok"
    return TableStatus(
        name=script.name,
        generation=installed.generation,
        state=installed.state,
        klass=script.klass,
        freshness=script.freshness,
        pending=pending,
        behind_since=_waits_since(standing) if pending else None,
        verified_at=installed.verified_at,
        drift=standing.wrong,
        rows=counted,
        rows_estimated=counted is not None,
        rows_at=installed.counted_at if counted is not None else None,
        captures=captures,
        # Where all was copied at once no key says how far that came.
        filled=installed.cursor_total if installed.state in FILLED else installed.cursor_at,
        to_fill=installed.cursor_total,
        failure=installed.failure,
        next=_next_command(installed, captures, standing.wrong, pending, fill),
        way=standing.way,
        reason=standing.reason,
        coverage=standing.sweep.coverage if standing.sweep else None,
        scans=describe_scans(standing.marks, script),
        shown=shown,
        sources=_sources(ledger, script),
        scanned=tuple(scan.source for scan in script.scans),
        processor=read_processor(ledger, script),
    )


def _sources(ledger: Ledger, script: Script) -> tuple[str, ...]:
    """The user's tables among what a script reads: the rest are stores of derived tables."""
    dialect = ledger.session.dialect
    stores = {Names(dialect, kept.derived, kept.generation).plain("") for kept in script.reads}
    ours = {f"tidemark.{store}" if dialect.has_schemas else store for store in stores}
    return tuple(source for source in script.sources if source not in ours)


def _next_command(installed: Installed, captures: str, drift: int, pending: int, fill: BackfillStatus | None) -> str:
    if installed.state in FILLING and captures == "ok" and fill is not None:
        return next_of(fill)
    if installed.state == UNKNOWN:
        # Only the version that wrote it can do anything about it.
        return ""
    if captures != "ok" or installed.state != "live":
        return "tidemark apply"
    if drift:
        return "tidemark repair"
    return "tidemark tick" if pending else ""


def _is_intact(installed: Installed, look: Look) -> bool:
    """Whether what holds and shows its rows is there and may be read, so that it can be asked."""
    change = look.change(installed)
    if is_given_up(installed) or (change is not None and (change.barred or change.anew)):
        return False
    wrong = look.wrong(installed, public=_is_shown(installed))
    return not any(finding.piece.kind in ("table", "view") for finding in wrong)


def _is_shown(installed: Installed) -> bool:
    return installed.live_at is not None and installed.state != "retired"


def _waits_since(standing: Standing) -> str | None:
    sealed = [one.sealed_at for one in standing.checkpoints.values()]
    return min([*sealed, *(one.scanned_at for one in standing.marks.values())], default=None)


def _count_rows(ledger: Ledger, installed: Installed, status: TableStatus) -> TableStatus:
    """The status with the rows counted now, where that is what the engine has to do."""
    script = installed.script
    ((count, estimated),) = ledger.all("count_rows", {"store": script.store}, public=script.public)
    return replace(status, rows=int(count), rows_estimated=bool(estimated), rows_at=None)
