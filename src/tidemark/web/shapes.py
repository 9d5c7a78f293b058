"""What the server answers, as plain data: the shapes that ``schema.json`` describes.

Owns: turning what the runtime knows into JSON. Promises: lists are always there and never null; times are RFC 3339 in UTC, and
beside them the seconds that they are ago; a number that nobody knows is null and never 0. Judges nothing: levels and sentences
are those of the verdict.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from tidemark.runtime.backfill.record import BackfillStatus, read_time
from tidemark.runtime.operate.figures import Figures
from tidemark.runtime.operate.onlooker import Drifted, StreamDetail
from tidemark.runtime.operate.overview import Overview
from tidemark.runtime.operate.status import PENDING_GLANCE_MAX, TableStatus
from tidemark.runtime.operate.verdict import Finding, Verdict, worst
from tidemark.runtime.outbox import CrossingEvent
from tidemark.runtime.streams.account import StreamStatus
from tidemark.runtime.values import pack
from tidemark.states import UNKNOWN
from tidemark.web.shapes_runs import of_backfill, of_running, of_sample, of_values
from tidemark.web.words import CLASSES, FRESHNESS, KINDS, REASONS, Json, Moment, ago, known

SCHEMA = 1


def of_finding(one: Finding) -> Json:
    """Something that is not as it should be."""
    return {"kind": one.kind, "name": one.name, "level": one.level, "says": one.says, "next": one.next}


def of_verdict(verdict: Verdict, unready: Sequence[Finding]) -> Json:
    """The verdict, and whether the application is ready."""
    return {
        "level": verdict.level,
        "sentence": verdict.sentence,
        "ready": not unready,
        "findings": [of_finding(one) for one in verdict.findings],
    }


def of_overview(view: Overview, unready: Sequence[Finding], actions: bool) -> Json:
    """Everything at a glance."""
    now = read_time(view.at)
    fills = {one.name: one for one in view.backfills if one.kind == "fill"}
    newest = {table.name: table.generation for table in view.tables}
    return {
        "schema": SCHEMA,
        "at": view.at,
        "database": view.database,
        "engine": view.engine,
        "installed": view.installed,
        "verdict": of_verdict(view.verdict, unready),
        "sources": _sources(view.tables),
        "edges": _edges(view.tables),
        "tables": [
            of_table(one, view, fills.get(one.name) if newest[one.name] == one.generation else None, now)
            for one in view.tables
        ],
        "backfills": [
            of_backfill(one, now, view.samples.get(one.run or 0, ())) for one in view.backfills if one.kind == "data"
        ],
        "streams": [of_stream(one, now) for one in view.streams],
        "outbox": of_counts(view),
        "holders": [{"duty": one.duty, "holder": one.holder, "expires": one.expires} for one in view.holders],
        "actions": {"allowed": actions},
    }


def of_counts(view: Overview) -> Json:
    """How many events of crossings there are."""
    return {state: view.events.get(state, 0) for state in ("waiting", "delivered", "failed")}


def _sources(tables: Sequence[TableStatus]) -> list[Json]:
    found: dict[str, Json] = {}
    for table in tables:
        for source in table.sources:
            one = found.setdefault(source, {"name": source, "capture": "triggers", "tables": []})
            one["tables"] += [table.name] if table.name not in one["tables"] else []
            if source in table.scanned:
                one["capture"] = "scan"
    return [found[name] for name in sorted(found)]


def _edges(tables: Sequence[TableStatus]) -> list[Json]:
    found = {("source", source, table.name) for table in tables for source in table.sources}
    found |= {("table", read, table.name) for table in tables for read in table.reads}
    return [{"kind": kind, "from": start, "to": end} for kind, start, end in sorted(found)]


def of_table(one: TableStatus, view: Overview, fill: BackfillStatus | None, now: Moment) -> Json:
    """One generation of a derived table."""
    findings = view.verdict.about("table", one.name)
    return {
        "name": one.name,
        "generation": one.generation,
        "state": one.state,
        "shown": one.shown,
        "class": known(one.klass, CLASSES),
        "freshness": known(one.freshness, FRESHNESS),
        "level": worst(finding.level for finding in findings),
        "findings": [of_finding(finding) for finding in findings],
        "next": one.next,
        "depth": one.level,
        "reads": list(one.reads),
        "sources": list(one.sources),
        "rows": one.rows,
        "rows_estimated": one.rows_estimated,
        "rows_at": one.rows_at,
        "lag": {
            "changes": one.pending,
            "changes_are_more": one.pending >= PENDING_GLANCE_MAX,
            "upstream_changes": one.upstream_pending,
            "since": one.behind_since,
            "seconds": 0.0 if one.behind_since is None and one.pending == 0 else ago(one.behind_since, now),
        },
        "drift": one.drift,
        "verification": {"at": one.verified_at, "seconds": ago(one.verified_at, now), "coverage": one.coverage},
        "captures": {"ok": one.captures == "ok", "says": one.captures},
        "scans": list(one.scans),
        "way": one.way,
        "reason": one.reason,
        "failure": one.failure,
        "processor": None if one.processor is None else one.processor.as_json(),
        "shadow": None if one.shadow is None else asdict(one.shadow),
        "run": _active(one, view, fill, now),
    }


def _active(one: TableStatus, view: Overview, fill: BackfillStatus | None, now: Moment) -> Json | None:
    """What is going on with a generation: its filling until it is over, else whatever duty is at work."""
    if fill is not None and fill.state != "live":
        return of_backfill(fill, now, view.samples.get(fill.run or 0, ()))
    about = (one.name, one.generation)
    past = next((past for past in view.running if (past.derived, past.generation) == about), None)
    return None if past is None else of_running(past, now, view.samples.get(past.id, ()))


def of_figures(view: Overview, figures: Figures) -> Json:
    """What was counted and measured; times in milliseconds. A quantile is the bound of the histogram that it is not above."""
    return {
        "at": view.at,
        "engine_version": figures.version,
        "strains": [{"name": one.name, "value": one.value, "says": one.says} for one in figures.strains],
        "holds": [
            {
                "name": one.name,
                "kind": known(one.kind, KINDS),
                "what": one.what,
                "chunks": one.count,
                "ms": one.ms,
                **{f"p{share}_ms": one.quantile_ms(share / 100) for share in (50, 90, 99)},
            }
            for one in figures.holds
        ],
        "held": [
            {**asdict(one), "kind": known(one.kind, KINDS), "reason": known(one.reason, REASONS)}
            for one in figures.held
        ],
        "controllers": [
            {"name": one.name, "nice": one.nice, **of_sample(view.samples[one.run][0])}
            for one in view.backfills
            if one.run is not None and view.samples.get(one.run)
        ],
        "duties": [
            {
                **asdict(one),
                "kind": known(one.kind, KINDS),
                "mean_ms": 1000 * one.seconds / one.runs if one.runs else None,
            }
            for one in figures.totals
        ],
    }


def of_drift(one: Drifted) -> Json:
    """A row that is known to be wrong; values as people write them."""
    drift = one.drift
    return {
        "name": one.derived,
        "generation": one.generation,
        "kind": drift.kind if drift.kind in ("missing", "extra", "different", "stale") else UNKNOWN,
        "id": pack(drift.key),
        "key": of_values(one.key_columns, drift.key),
        "stored": of_values(one.columns, drift.stored),
        "true": of_values(one.columns, drift.truth),
        "found_at": drift.found_at,
    }


def of_stream(one: StreamStatus, now: Moment) -> Json:
    """How a stream is doing by its own account."""
    return {**one.as_json(), "updated_seconds": ago(one.updated, now)}


def of_stream_detail(detail: StreamDetail, now: Moment) -> Json:
    """A stream with what waits for somebody."""
    gaps = [
        {"position": gap.position, "cause": gap.cause, "found": gap.found, "attempts": gap.attempts}
        for gap in detail.gaps
    ]
    quarantine = [
        {
            "id": one.id,
            "identity": list(one.identity),
            "level": one.level,
            "kind": one.kind,
            "reason": one.reason,
            "evidence": one.evidence,
            "found": one.found,
            "attempts": one.attempts,
        }
        for one in detail.evidence
    ]
    return {**of_stream(detail.status, now), "gap_list": gaps, "quarantine": quarantine}


def of_event(event: CrossingEvent) -> Json:
    """An event of a crossing."""
    return {
        "id": event.id,
        "name": event.derived,
        "column": event.column,
        "threshold": event.threshold,
        "key": dict(event.key),
        "position": event.position,
        "time": event.time,
        "happened": event.happened,
        "state": event.state,
        "attempts": event.attempts,
        "error": event.error,
    }
