"""What the server answers, as plain data: the shapes that ``schema.json`` describes.

Owns: turning what the runtime knows into JSON. Promises: lists are always there and never null; a word of a closed list that we
do not know becomes ``unknown``; times are RFC 3339 in UTC, and beside them the seconds that they are ago; a number that nobody
knows is null and never 0. Judges nothing: levels and sentences are those of the verdict.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from tidemark.runtime.audit import Action
from tidemark.runtime.backfill.record import BackfillStatus, read_time
from tidemark.runtime.operate.figures import Figures
from tidemark.runtime.operate.onlooker import Drifted, Quarantined, RunDetail, StreamDetail
from tidemark.runtime.operate.overview import Overview
from tidemark.runtime.operate.status import PENDING_GLANCE_MAX, TableStatus
from tidemark.runtime.operate.verdict import Finding, Verdict, seconds_since, worst
from tidemark.runtime.outbox import CrossingEvent
from tidemark.runtime.runs import Past
from tidemark.runtime.samples import Sample, find_range, quantile
from tidemark.runtime.streams.account import StreamStatus
from tidemark.runtime.values import pack, show
from tidemark.states import UNKNOWN

SCHEMA = 1
FRESHNESS = frozenset({"commit", "tick"})
CLASSES = frozenset({"linear", "bilinear", "keyed", "global"})
RATES = frozenset({"estimating", "steady", "stalled"})
KINDS = frozenset({"apply", "backfill", "fill", "gap", "repair", "restore", "slow", "tick", "verify"})
REASONS = frozenset({"wal_pinned", "disk_low", "locks_waiting", "replica_behind", "unseen"})
RECENT = 60
ETA_STATES = {"estimating": "measuring", "steady": "ready", "stalled": "stalled"}

Json = dict[str, Any]
Moment = datetime.datetime | None


def known(word: str, words: frozenset[str]) -> str:
    """The word, ``unknown`` when it is none of those."""
    return word if word in words else UNKNOWN


def ago(text: str | None, now: Moment) -> float | None:
    """How many seconds ago a stored time was, to the millisecond."""
    seconds = seconds_since(text, now)
    return None if seconds is None else round(seconds, 3)


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
    return None if past is None else _of_running(past, now, view.samples.get(past.id, ()))


def of_backfill(one: BackfillStatus, now: Moment, recent: Sequence[Sample]) -> Json:
    """Where a backfill or a filling stands; by `recent` samples, the newest first, the time that is left is bounded."""
    seconds, last = one.eta_seconds, recent[0] if recent else None
    low, high = (find_range(recent, one.remaining) if seconds is not None else None) or (None, None)
    eta = ETA_STATES.get(one.rate_state, UNKNOWN) if one.running else UNKNOWN
    return {
        **_run_words("backfill" if one.kind == "data" else "fill", one.run, one.name, one.state),
        "running": one.running,
        "attempt": one.attempt,
        "done": one.rows_done,
        "total": one.rows_total,
        "total_is_estimate": one.total_is_estimate,
        "written": one.rows_written,
        "quarantined": one.quarantined,
        "ratio": one.progress,
        "rate": one.rate,
        "rate_state": known(one.rate_state, RATES),
        "eta": {"state": eta, "seconds": seconds, "low": low, "high": high},
        "throttle": {
            "throttled": one.state == "throttled",
            "reasons": [of_reason(reason) for reason in one.reasons],
        },
        "chunk": {
            "size": last.size if last else None,
            "target_ms": last.target_ms if last else None,
            "longest_ms": last.longest_ms if last else None,
            "duty": last.duty if last else None,
        },
        "wish": one.wish,
        "nice": one.nice,
        "failure": one.failure,
        "holder": one.holder,
        "started": one.started,
        "ended": one.ended,
        "updated": one.updated,
        "updated_seconds": ago(one.updated, now),
        "elapsed_seconds": one.elapsed_seconds,
    }


def _of_running(past: Past, now: Moment, recent: Sequence[Sample]) -> Json:
    """A run of the history at which somebody is, with `recent` samples of it, the newest first; what it does not tell is null."""
    elapsed = ago(past.started, now)
    ratio = None if not past.rows_total else min(0.99, past.rows_done / past.rows_total)
    rates = [one.rate for one in recent if one.rate]
    rate = quantile(rates, 0.5) or (past.rows_done / elapsed if elapsed and past.rows_done else None)
    left = None if past.rows_total is None else max(0, past.rows_total - past.rows_done)
    low, high = find_range(recent, left) or (None, None)
    seconds = left / rate if rates and rate and left is not None else None
    last = recent[0] if recent else None
    return {
        **_run_words(past.kind, past.id, past.derived, past.state),
        "running": True,
        "attempt": 1,
        "done": past.rows_done,
        "total": past.rows_total,
        "total_is_estimate": False,
        "written": past.rows_written,
        "quarantined": 0,
        "ratio": ratio,
        "rate": rate,
        "rate_state": UNKNOWN,
        "eta": {"state": UNKNOWN if low is None else "ready", "seconds": seconds, "low": low, "high": high},
        "throttle": {"throttled": False, "reasons": []},
        "chunk": {
            "size": last.size if last else None,
            "target_ms": last.target_ms if last else None,
            "longest_ms": past.longest_ms,
            "duty": last.duty if last else None,
        },
        "wish": "",
        "nice": None,
        "failure": past.cause,
        "holder": past.holder,
        "started": past.started,
        "ended": past.ended,
        "updated": None,
        "updated_seconds": None,
        "elapsed_seconds": elapsed,
    }


def _run_words(kind: str, id_: int | None, name: str, state: str) -> Json:
    return {"id": id_, "kind": known(kind, KINDS), "name": name, "state": state}


def of_reason(text: str) -> Json:
    """Why something holds back: a word of a closed list, and a sentence."""
    word, _, says = text.partition(": ")
    return {"reason": known(word, REASONS), "says": says if word in REASONS else text}


def of_past(past: Past, now: Moment) -> Json:
    """A row of the history."""
    return {
        **_run_words(past.kind, past.id, past.derived, past.state),
        "generation": past.generation,
        "holder": past.holder,
        "started": past.started,
        "started_seconds": ago(past.started, now),
        "ended": past.ended,
        "seconds": ago(past.started, read_time(past.ended) if past.ended else now),
        "done": past.rows_done,
        "total": past.rows_total,
        "written": past.rows_written,
        "longest_ms": past.longest_ms,
        "message": past.message,
        "cause": past.cause,
    }


def of_run(at: str, detail: RunDetail) -> Json:
    """A run with everything that is known about it."""
    now = read_time(at)
    return {
        "at": at,
        "run": of_past(detail.past, now),
        "active": _of_detail(detail, now),
        "samples": [of_sample(one) for one in detail.samples],
        "statements": [{"title": title, "sql": text} for title, text in detail.statements],
        "quarantine": [of_quarantined(one) for one in detail.quarantine],
        "audit": [of_action(one) for one in detail.audit],
    }


def _of_detail(detail: RunDetail, now: Moment) -> Json | None:
    recent = detail.samples[::-1][:RECENT]
    if detail.backfill is not None:
        return of_backfill(detail.backfill, now, recent)
    return _of_running(detail.past, now, recent) if detail.past.state == "running" and detail.is_held else None


def of_sample(one: Sample) -> Json:
    """A moment of a run: `hold_ms` and `wait_ms` are those of its chunks together."""
    return {**asdict(one), "rate": one.rate, "duty": one.duty}


def of_action(one: Action) -> Json:
    """A line of the audit."""
    return asdict(one)


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


def of_quarantined(one: Quarantined) -> Json:
    """A key that was quarantined."""
    return {
        "backfill": one.backfill,
        "key": [show(value) for value in one.key],
        "attempt": one.attempt,
        "error": one.error,
        "found_at": one.found_at,
    }


def of_drift(one: Drifted) -> Json:
    """A row that is known to be wrong; values as people write them."""
    drift = one.drift
    return {
        "name": one.derived,
        "generation": one.generation,
        "kind": drift.kind if drift.kind in ("missing", "extra", "different", "stale") else UNKNOWN,
        "id": pack(drift.key),
        "key": _values(one.key_columns, drift.key),
        "stored": _values(one.columns, drift.stored),
        "true": _values(one.columns, drift.truth),
        "found_at": drift.found_at,
    }


def _values(columns: Sequence[str], values: Sequence[Any] | None) -> list[Json]:
    named = [*columns, *("" for _ in values or ())]
    return [{"column": column, "value": show(value)} for column, value in zip(named, values or (), strict=False)]


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
