"""What is under way and what was done, as plain data: backfills, runs, and what they quarantined.

Owns: the shapes of a backfill, a run, its samples and an action of somebody, as ``schema.json`` describes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from tidemark.runtime.audit import Action
from tidemark.runtime.backfill.record import BackfillStatus, read_time
from tidemark.runtime.operate.onlooker import Quarantined, RunDetail
from tidemark.runtime.runs import Past
from tidemark.runtime.samples import Sample, find_range, quantile
from tidemark.runtime.values import show
from tidemark.states import UNKNOWN
from tidemark.web.words import ETA_STATES, KINDS, RATES, REASONS, Json, Moment, ago, known

RECENT = 60


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


def of_running(past: Past, now: Moment, recent: Sequence[Sample]) -> Json:
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
    return of_running(detail.past, now, recent) if detail.past.state == "running" and detail.is_held else None


def of_sample(one: Sample) -> Json:
    """A moment of a run: `hold_ms` and `wait_ms` are those of its chunks together."""
    return {**asdict(one), "rate": one.rate, "duty": one.duty}


def of_action(one: Action) -> Json:
    """A line of the audit."""
    return asdict(one)


def of_quarantined(one: Quarantined) -> Json:
    """A key that was quarantined."""
    return {
        "backfill": one.backfill,
        "key": [show(value) for value in one.key],
        "attempt": one.attempt,
        "error": one.error,
        "found_at": one.found_at,
    }


def of_values(columns: Sequence[str], values: Sequence[Any] | None) -> list[Json]:
    """Values with the columns that they are of, as they are shown."""
    named = [*columns, *("" for _ in values or ())]
    return [{"column": column, "value": show(value)} for column, value in zip(named, values or (), strict=False)]
