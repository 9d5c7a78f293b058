"""The read model: how every derived table is doing.

Owns: `TableStatus` and reading it. Promises: reads only and asks nothing that grows with the size of a table, but counting
rows on an engine where that is the only way; what the catalog shows now decides whether captures are well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from tidemark.names import Names
from tidemark.runtime.cascade import everything_read, identity, level, upstream_first
from tidemark.runtime.coverage import read_sweep
from tidemark.runtime.findings import count_drift
from tidemark.runtime.gaps import Look, look_at_catalog
from tidemark.runtime.guard import list_costs
from tidemark.runtime.ledger import Installed, Ledger
from tidemark.runtime.pieces import inspect_pieces
from tidemark.runtime.processing import ProcessorStatus, read_processor
from tidemark.runtime.scanning import describe_scans
from tidemark.script import Capture, Script

PENDING_MAX = 100_001
# Whoever looks once a second is content to know that it is more than this.
PENDING_GLANCE_MAX = 10_001


@dataclass(frozen=True)
class TableStatus:
    """One generation of a derived table.

    `pending` counts changes and keys that are not applied yet, up to a limit. `behind_since` is the time of the checkpoint
    when something is pending, else None. `drift` counts rows known to be wrong. `rows` is what readers see, None before the
    cutover, `rows_estimated` when it is an estimate. `captures` is ``ok`` or says what changed about the sources and what of
    the captures is missing, disabled or outdated. `filled` of `to_fill` keys are filled. `next` is the command that brings it
    forward, or empty. `reads` are the derived tables that it reads, `level` is how many of them stand between it and the
    user's tables, `upstream_pending` is what waits for those; `behind_since` and `next` count it in. `way` is how
    its last batch was made true, `reason` why so; both are empty before the first. What its
    supports are missing, what drifted there and what has to be filled counts as its own; `support_rows` are their stored rows.
    `coverage` is the share of the keys that a worker compared with the query in the last 24 hours, None where none does;
    `verified_at` is when the last verification ended in which nothing differed. `scans` say how far
    sources without triggers are scanned. `shown` tells that readers have it, be it true or not; `sources` are the user's tables
    that it reads, `scanned` those of them that have no triggers. `processor` tells how its function is doing, where Python
    computes the rows.
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

    @property
    def well(self) -> bool:
        """Whether it is live, captured, without known drift and with nothing put aside."""
        aside = self.processor.quarantined if self.processor is not None else 0
        return self.state == "live" and self.captures == "ok" and self.drift == 0 and aside == 0

    def as_json(self) -> dict[str, Any]:
        """The status as plain data."""
        data = asdict(self)
        data["class"] = data.pop("klass")
        return {**data, "well": self.well}


def read_status(ledger: Ledger) -> list[TableStatus]:
    """The status of every generation, in one moment."""
    with ledger.session.transaction("read", snapshot=True):
        return read_status_here(ledger)


def read_status_here(ledger: Ledger, *, glance: bool = False) -> list[TableStatus]:
    """The same in the caller's transaction. With `glance` no rows are counted, and of what waits only so many."""
    rows = ledger.derived()
    look = look_at_catalog(ledger, rows)
    own = {identity(row): _read(ledger, row, look, glance) for row in rows}
    found = [(row, _with_upstream(row, rows, own)) for row in upstream_first(rows)]
    shown = [_with_supports(row, status, found) for row, status in found]
    return [status for (row, _), status in zip(found, shown, strict=True) if not _is_inside(row, rows)]


def _is_inside(row: Installed, rows: Sequence[Installed]) -> bool:
    """Whether it is a support whose derived table is there and speaks for it."""
    return any(one.name == row.script.supports for one in rows)


def _with_supports(row: Installed, status: TableStatus, found: Sequence[tuple[Installed, TableStatus]]) -> TableStatus:
    """The status of a generation with the supports that it reads as a part of it."""
    read = {kept.derived for kept in row.script.reads}
    inside = [one for other, one in found if other.script.supports == row.name and other.name in read]
    if not inside:
        return status
    wrong = [one.captures for one in inside if one.captures != "ok"]
    reads = tuple(name for name in status.reads if name not in {one.name for one in inside})
    unwell = [one.next for one in inside if one.next]
    return replace(
        status,
        drift=status.drift + sum(one.drift for one in inside),
        captures=", ".join(([] if status.captures == "ok" else [status.captures]) + wrong) or "ok",
        filled=status.filled + sum(one.filled for one in inside),
        to_fill=status.to_fill + sum(one.to_fill for one in inside),
        failure=status.failure or next((one.failure for one in inside if one.failure), None),
        next=next(iter(unwell), status.next),
        level=status.level if reads else 0,
        reads=reads,
        sources=tuple(sorted({*status.sources, *(source for one in inside for source in one.sources)})),
        support_rows=sum(one.rows or 0 for one in inside),
    )


def _with_upstream(
    row: Installed, rows: Sequence[Installed], own: Mapping[tuple[str, int], TableStatus]
) -> TableStatus:
    """The status of a generation with what it reads taken into account."""
    status, above = own[identity(row)], [own[identity(other)] for other in everything_read(row, rows)]
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


def _read(ledger: Ledger, installed: Installed, look: Look, glance: bool) -> TableStatus:
    script = installed.script
    shown = installed.live_at is not None and installed.state != "retired"
    pieces: list[Script | Capture] = [script, *installed.captures]
    wrong = [f for one in pieces for f in inspect_pieces(one, look.present, public=shown) if f.health != "installed"]
    intact = not any(finding.piece.kind in ("table", "view") for finding in wrong)
    pending, since = (
        _read_pending(ledger, installed, PENDING_GLANCE_MAX if glance else PENDING_MAX) if intact else (0, None)
    )
    rows, estimated = _count_rows(ledger, installed) if shown and intact and not glance else (None, False)
    change = look.change(installed)
    said = [change.says] if change is not None else []
    said += [f"{finding.piece.name} {finding.health}" for finding in wrong]
    captures = ", ".join(said[:3]) or "ok"
    drift = count_drift(ledger, script)
    last = next(iter(list_costs(ledger, script).values()), None)
    sweep = read_sweep(ledger, script)
    return TableStatus(
        name=script.name,
        generation=installed.generation,
        state=installed.state,
        klass=script.klass,
        freshness=script.freshness,
        pending=pending,
        behind_since=since,
        verified_at=installed.verified_at,
        drift=drift,
        rows=rows,
        rows_estimated=estimated,
        captures=captures,
        filled=installed.cursor_at,
        to_fill=installed.cursor_total,
        failure=installed.failure,
        next=_next_command(installed, captures, drift, pending),
        way=last.way if last else "",
        reason=last.reason if last else "",
        coverage=sweep.coverage if sweep else None,
        scans=describe_scans(ledger, script),
        shown=shown,
        sources=_sources(ledger, script),
        scanned=tuple(scan.source for scan in script.tick.scans) if script.tick is not None else (),
        processor=read_processor(ledger, script),
    )


def _sources(ledger: Ledger, script: Script) -> tuple[str, ...]:
    """The user's tables among what a script reads: the rest are stores of derived tables."""
    dialect = ledger.session.dialect
    stores = {Names(dialect, kept.derived, kept.generation).plain("") for kept in script.reads}
    ours = {f"tidemark.{store}" if dialect.has_schemas else store for store in stores}
    return tuple(source for source in script.sources if source not in ours)


def _next_command(installed: Installed, captures: str, drift: int, pending: int) -> str:
    if captures != "ok" or installed.state != "live":
        return "tidemark apply"
    if drift:
        return "tidemark repair"
    return "tidemark tick" if pending else ""


def _read_pending(ledger: Ledger, installed: Installed, most: int) -> tuple[int, str | None]:
    tick, pending = installed.script.tick, 0
    if tick is None:
        return 0, None
    known = ledger.checkpoints(installed.script)
    for log in (log for log in tick.logs if log.source in known):
        bounds = {"snapshot": known[log.source].snapshot, "limit": most}
        pending += int(ledger.value("count_changes", bounds, log=log.log))
    row = ledger.session.one(tick.count_dirty)
    pending += int(row[0]) if row else 0
    marks = ledger.marks(installed.script)
    for scan in tick.scans:
        pending += int((ledger.session.one(scan.count, {"limit": most}) or (0,))[0]) if scan.source in marks else 0
    sealed = [checkpoint.sealed_at for checkpoint in known.values()] + [mark.scanned_at for mark in marks.values()]
    return pending, min(sealed) if pending and sealed else None


def _count_rows(ledger: Ledger, installed: Installed) -> tuple[int, bool]:
    script = installed.script
    ((count, estimated),) = ledger.all("count_rows", {"store": script.store}, public=script.public)
    return int(count), bool(estimated)
