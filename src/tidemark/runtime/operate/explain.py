"""What a derived table costs and why, read from its script and, where it is installed, from the database.

Owns: `Explanation`; its figures are in `explain_costs`, the database's answers in `explain_measured`. Promises: says what the
script does and nothing that it does not; whether an index is reached is the engine's own answer about the very statements
that run; what was measured comes from the history. Changes nothing.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from tidemark.contract.costs import Operator
from tidemark.contract.script import Script
from tidemark.dialect import Dialect
from tidemark.model import Kept
from tidemark.names import is_stage
from tidemark.runtime.ledger import Installed, Ledger
from tidemark.runtime.operate import explain_costs, explain_measured
from tidemark.runtime.operate.status import read_status
from tidemark.telling import tell_count


@dataclass(frozen=True)
class Explanation:
    """How one derived table is kept true: its contract.

    `cost` is what applying a change takes, `writer` what a writer pays. `captures` are the names of triggers with their
    tables, and of the logs that it reads with their columns; `routes` say how a change of each source reaches keys; `unit` are
    the columns that are recomputed together. `restriction` are sentences about the index by which each source is reached, the
    engine's own answer where it is installed. `staleness` says how old what readers see can be, and why. `exactness` are the
    caveats: columns with memory, sampled ones, those compared with a tolerance. `locks` are sentences about who waits for
    whom, `missing_indexes` pairs of a statement and its reason, `cheaper` what would make it cheaper. `measured` comes from the
    history and is empty before the first tick. `state` is empty when it is not installed. `reads` are the derived tables that
    it reads, each with its freshness; `supports` are sentences about what is stored beside its rows. `operators`
    are those of the query, each with the class that it has by itself, a code and
    a reason. `formula` is the work of applying in words; `writer_microseconds` what a writing statement and each of its rows add,
    as measured, None where it was not. `indexes` are (source, columns) by which rows are looked up, and must be reached by an
    index; `fan_out` says how many rows one value of them reaches, from a bounded sample, where it is installed.
    """

    name: str
    engine: str
    klass: str
    freshness: str
    state: str
    reasons: tuple[str, ...]
    cost: str
    writer: str
    key: tuple[str, ...]
    unit: tuple[str, ...]
    columns: tuple[str, ...]
    sources: tuple[str, ...]
    captures: tuple[str, ...]
    routes: tuple[str, ...]
    restriction: tuple[str, ...]
    staleness: tuple[str, ...]
    exactness: tuple[str, ...]
    locks: tuple[str, ...]
    missing_indexes: tuple[tuple[str, str], ...]
    cheaper: tuple[str, ...]
    measured: tuple[str, ...]
    tolerant: tuple[str, ...]
    notes: tuple[str, ...]
    store: str
    public: str
    query: str
    reads: tuple[str, ...] = ()
    supports: tuple[str, ...] = ()
    operators: tuple[Operator, ...] = ()
    formula: str = ""
    writer_microseconds: explain_costs.WriterMicroseconds | None = None
    indexes: tuple[tuple[str, str], ...] = ()
    fan_out: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The explanation as plain data."""
        data = asdict(self)
        data["class"] = data.pop("klass")
        for operator in data["operators"]:
            operator["class"] = operator.pop("klass")
        data["indexes"] = [{"source": source, "columns": columns} for source, columns in self.indexes]
        data["missing_indexes"] = [{"statement": text, "reason": reason} for text, reason in self.missing_indexes]
        return data


def explain_script(script: Script, dialect: Dialect) -> Explanation:
    """The explanation of a script that is not installed."""
    return Explanation(
        name=script.name,
        engine=script.engine,
        klass=script.klass,
        freshness=script.freshness,
        state="",
        reasons=script.reasons,
        cost=explain_costs.cost(script),
        writer=explain_costs.writer(script),
        key=script.key,
        unit=script.applier.units,
        columns=script.columns,
        sources=script.sources,
        captures=_captures(script),
        routes=script.routes,
        restriction=_restriction(script),
        staleness=_staleness(script),
        exactness=_exactness(script, dialect),
        locks=_locks(script, dialect),
        missing_indexes=tuple((index.text, index.reason) for index in script.missing_indexes),
        cheaper=explain_costs.cheaper(script),
        measured=(),
        tolerant=script.applier.tolerant,
        notes=script.notes,
        store=script.store,
        public=script.public,
        query=script.truth,
        reads=tuple(
            f"{kept.derived} ({kept.freshness})" for kept in script.reads if not _is_support(script, kept.derived)
        ),
        supports=tuple(
            f"{kept.derived}: {_support_text(kept)}" for kept in script.reads if _is_support(script, kept.derived)
        ),
        operators=script.operators,
        formula=explain_costs.formula(script),
        writer_microseconds=explain_costs.writer_microseconds(script),
        indexes=tuple((fan.source, ", ".join(fan.columns)) for fan in script.fans),
    )


def _support_text(kept: Kept) -> str:
    what = "row that is taken together" if is_stage(kept.derived) else "different value of a key"
    when = "in the writer's own transaction" if kept.freshness == "commit" else "by ticks"
    return f"a stored row for each {what}, written {when}"


def _is_support(script: Script, name: str) -> bool:
    return name in script.supported_by


def explain_installed(ledger: Ledger, installed: Installed, script: Script) -> Explanation:
    """The explanation of a script that is installed: `script` is the same, compiled now."""
    found = explain_script(script, ledger.session.dialect)
    there = installed.live_at is not None and installed.state in ("live", "backfilling", "verifying")
    restriction = explain_measured.ask_for_indexes(ledger, installed.script) if there else found.restriction
    every = read_status(ledger)
    now = [status for status in every if (status.name, status.generation) == _identity(installed)]
    fresh = {status.name: status.freshness for status in every}
    since = [
        f"{tell_count(status.pending, 'change')} waiting, the last tick was at {status.behind_since}"
        for status in now
        if status.behind_since
    ]
    none = ["nothing waits now"] if script.tick is not None and not since and installed.state == "live" else []
    since += [said for status in now for said in status.scans]
    beside = [f"{status.support_rows} rows in all, beside {status.rows} of its own" for status in now if found.supports]
    fanned = explain_measured.count_fans(ledger, installed.script) if there else ()
    return replace(
        found,
        state=installed.state,
        # What its stages read is read by it.
        reads=tuple(f"{name} ({fresh[name]})" for status in now for name in status.reads if name in fresh),
        supports=(*found.supports, *beside),
        restriction=restriction,
        staleness=(*found.staleness, *since, *none),
        measured=explain_measured.measured(ledger, script),
        fan_out=explain_measured.fan_out(fanned),
        cheaper=(*explain_measured.find_wider(ledger, installed.script, fanned), *found.cheaper),
    )


def _identity(installed: Installed) -> tuple[str, int]:
    return installed.name, installed.generation


def _captures(script: Script) -> tuple[str, ...]:
    found = [f"{piece.name} on {piece.on}" for piece in script.pieces if piece.capture and piece.kind == "trigger"]
    # The triggers belong to the source's capture, which others may read too.
    logs = script.logs
    scans = [f"a scan of {s.source} by {s.watermark}, marks={s.marks}" for s in script.scans]
    return (*found, *(f"{log.name} of {log.source} ({', '.join(log.columns)})" for log in logs), *scans)


def _restriction(script: Script) -> tuple[str, ...]:
    wanting = {index.table: index.reason for index in script.missing_indexes}
    if not script.applier.indexed and not wanting:
        return ("a batch of keys cannot be pushed down to an index: recomputing one reads its sources whole",)
    return tuple(
        f"{source}: no index; {wanting[source]}" if source in wanting else f"{source}: reached by an index"
        for source in script.sources
    )


def _staleness(script: Script) -> tuple[str, ...]:
    if script.tick is None and script.freshness == "tick":
        above = ", ".join(kept.derived for kept in script.reads if kept.freshness == "tick")
        return (f"as of the last tick of {above}: its rows are written in the same transactions",)
    if script.tick is None:
        return ("none: at every commit the stored rows equal the query",)
    return (
        "a tick: rows are those of a moment between the last checkpoint and now; a worker begins a tick within a tenth of a "
        "second of a commit, unless every= spaces them",
        f"rows as of now: {script.why_not_live or 'Tidemark.live() reads them, what waits applied to what is stored'}",
        *(f"why not at commit: {reason}" for reason in script.reasons[:1]),
        *(
            f"{scan.source} is scanned by {scan.watermark}: a row is seen when nobody who began before it may still write a "
            "lower position; what no scan sees is found by verification"
            for scan in script.scans
        ),
    )


def _exactness(script: Script, dialect: Dialect) -> tuple[str, ...]:
    applier, found = script.applier, []
    if applier.carry is not None:
        kept = ", ".join(column.name for column in applier.carry.columns)
        rows = "rows whose group vanished stay" if applier.carry.rows else ""
        memory = f"{kept} remember what they were: verification compares them one-sided" if kept else ""
        found.append("; ".join(part for part in (memory, rows) if part))
    if applier.sampled:
        found.append(f"{', '.join(applier.sampled)} may be behind a sampled input, and are not compared with it")
    if applier.samples_rows:
        found.append("whether a row exists may depend on a sampled input")
    if tolerant := [name for name in applier.tolerant if name in script.columns]:
        found.append(
            f"the order of addition may show in the last digits, so a tolerance applies: {', '.join(tolerant)}"
        )
    if script.due is not None:
        found.append("it reads the clock: rows are true for the moment that the last tick recorded")
    if dialect.has_row_security:
        found.append("row security of its sources is not applied: every row counts for what is stored")
    found += [f"eventually verified: no scan sees {said}" for scan in script.scans for said in scan.unseen]
    if applier.duplicate:
        found.append("nothing proves that no two rows share a key: each batch looks for such rows")
    return tuple(found)


def _locks(script: Script, dialect: Dialect) -> tuple[str, ...]:
    if dialect.writers_wait_in_line:
        found = ["Writers wait in line as ever; filling and ticks hold the write lock 4 to 10 ms at a time, with gaps."]
    else:
        found = [
            "Installing asks each source for SHARE ROW EXCLUSIVE for at most 100 ms at a time, and gives way.",
            "Filling and ticks lock stored rows about 100 ms at a time, in key order; sources are only read.",
        ]
    if script.tick is None:
        found.append("A writer updates the stored rows of its keys within its own transaction.")
    elif script.logs:
        found.append("A writer only appends to a log; it never waits for stored rows.")
    found += [
        f"Writers of {scan.source} notice nothing: scans wait for them, and nobody for a scan." for scan in script.scans
    ]
    return tuple(found)
