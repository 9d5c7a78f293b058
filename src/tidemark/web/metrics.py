"""Metrics for Prometheus and OpenMetrics, rendered from the ledger when they are asked for.

Owns: the names of the metrics and their texts. Promises: base units, low cardinality: never a key, a run or SQL in a label; a
number that nobody knows is left out and never 0; the same from any number of processes, because no process counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from tidemark.runtime.backfill.record import read_time
from tidemark.runtime.operate.figures import Figures, Holds
from tidemark.runtime.operate.overview import Overview
from tidemark.runtime.operate.verdict import LEVELS, Finding, seconds_since
from tidemark.runtime.samples import BOUNDS_MS
from tidemark.runtime.throttle import share_of
from tidemark.states import BACKFILL, DERIVED, STREAM, UNKNOWN

PLAIN = "text/plain; version=0.0.4; charset=utf-8"
OPEN = "application/openmetrics-text; version=1.0.0; charset=utf-8"
REASONS = ("wal_pinned", "disk_low", "locks_waiting", "replica_behind", "unseen")
STRAINS = {
    "wal_bytes": "sqlite_wal_bytes",
    "free_bytes": "disk_free_bytes",
    "waiting_locks": "waiting_locks",
    "replica_seconds": "pg_replay_lag_seconds",
    "replica_bytes": "pg_replay_lag_bytes",
}

Kind = Literal["gauge", "counter", "histogram", "summary", "info"]
Sample = tuple[str, dict[str, str], float]


@dataclass(frozen=True)
class Family:
    """One metric: its name without the prefix and without what its kind adds, and its samples as (suffix, labels, value)."""

    name: str
    kind: Kind
    help: str
    samples: tuple[Sample, ...]


def is_open(accept: str) -> bool:
    """Whether a scraper asks for OpenMetrics."""
    return "application/openmetrics-text" in accept


def render(families: Iterable[Family], *, openly: bool) -> str:
    """The text; with `openly` that of OpenMetrics, else the older one of Prometheus."""
    lines = []
    for one in families:
        kind: str = one.kind
        name = f"tidemark_{one.name}"
        typed = name
        if not openly:
            kind = "gauge" if one.kind == "info" else one.kind
            typed = name + {"info": "_info", "counter": "_total"}.get(one.kind, "")
        lines += [f"# HELP {typed} {_escape(one.help)}", f"# TYPE {typed} {kind}"]
        lines += [f"{name}{suffix}{_labels(labels)} {_number(value)}" for suffix, labels, value in one.samples]
    return "\n".join([*lines, *(["# EOF"] if openly else [])]) + "\n"


def _labels(labels: dict[str, str]) -> str:
    said = ",".join(f'{name}="{_escape(value, quotes=True)}"' for name, value in labels.items())
    return f"{{{said}}}" if said else ""


def _escape(text: str, *, quotes: bool = False) -> str:
    # What is no UTF-8 in the database is none in an answer either.
    told = text.encode(errors="replace").decode().replace("\\", "\\\\").replace("\n", "\\n").replace("\r", " ")
    return told.replace('"', '\\"') if quotes else told


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(float(value))


def list_families(view: Overview, figures: Figures, unready: tuple[Finding, ...], version: str) -> list[Family]:
    """Every metric, in one order; each is there even when it has nothing to say."""
    return [
        *_of_all(view, figures, unready, version),
        *_of_tables(view, unready),
        *_of_work(view),
        *_of_rows(view, figures),
        *_of_runs(figures),
        *_of_chunks(figures),
        *_of_streams(view),
        *_of_strain(figures),
    ]


def _of_all(view: Overview, figures: Figures, unready: tuple[Finding, ...], version: str) -> Iterator[Family]:
    about = {"version": version, "backend": view.engine, "backend_version": figures.version}
    yield Family("build", "info", "The versions of Tidemark and of the database.", (("_info", about, 1),))
    levels: list[Sample] = [("", {"level": str(level)}, float(view.verdict.level == level)) for level in LEVELS]
    yield Family("verdict", "gauge", "The verdict over everything.", tuple(levels))
    yield Family("ready", "gauge", "Whether what an application needs is there.", (("", {}, float(not unready)),))
    findings = [("", {"level": level}, _count(view, level)) for level in ("warn", "fail")]
    yield Family("findings", "gauge", "What is not as it should be.", tuple(findings))


def _count(view: Overview, level: str) -> float:
    return float(sum(one.level == level for one in view.verdict.findings))


def _of_tables(view: Overview, unready: tuple[Finding, ...]) -> Iterator[Family]:
    now = read_time(view.at)
    newest = {one.name: one for one in view.tables}.values()
    ill = {one.name for one in unready}
    named = [({"definition": one.name}, one) for one in newest]
    states = [
        ("", {**label, "state": state}, float(one.state == state))
        for label, one in named
        for state in (*DERIVED, UNKNOWN)
    ]
    yield Family("definition_state", "gauge", "The state of the newest generation.", tuple(states))
    about = tuple(("_info", {**label, "class": one.klass, "freshness": one.freshness}, 1.0) for label, one in named)
    yield Family("definition", "info", "The class and the freshness.", about)
    gauges = (
        ("definition_ready", "Whether it is ready by its policy.", lambda one: float(one.name not in ill)),
        ("catalog_ok", "Whether captures and sources are as they should be.", lambda one: float(one.captures == "ok")),
        ("dirty_keys", "Changes and keys that wait, up to a limit.", lambda one: float(one.pending)),
        (
            "oldest_dirty_age_seconds",
            "How long ago the last tick was, longer than which nothing has been waiting; 0 when nothing waits.",
            lambda one: 0.0 if one.behind_since is None else seconds_since(one.behind_since, now),
        ),
        ("drift_rows", "Rows that are known to be wrong.", lambda one: float(one.drift)),
        ("verify_coverage_ratio", "Share of the keys compared in 24 hours.", lambda one: one.coverage),
        (
            "verify_last_clean_timestamp_seconds",
            "When the last clean verification ended.",
            lambda one: _unix(one.verified_at),
        ),
    )
    for name, says, read in gauges:
        values = [(label, read(one)) for label, one in named]
        yield Family(name, "gauge", says, tuple(("", label, value) for label, value in values if value is not None))


def _unix(text: str | None) -> float | None:
    then = read_time(text)
    return None if then is None else then.timestamp()


def _of_work(view: Overview) -> Iterator[Family]:
    going = [({"definition": one.name}, one) for one in view.backfills]
    states = [
        ("", {**label, "state": state}, float(one.state == state))
        for label, one in going
        if one.kind == "data"
        for state in (*BACKFILL, UNKNOWN)
    ]
    yield Family("backfill_state", "gauge", "The state of each backfill.", tuple(states))
    samples = {one.name: view.samples[one.run][0] for one in view.backfills if one.run and view.samples.get(one.run)}
    gauges = (
        ("backfill_rows_remaining", "Keys that are left.", lambda one: one.remaining if one.running else None),
        ("backfill_progress_ratio", "The share that is accounted for.", lambda one: one.progress),
        ("backfill_eta_seconds", "Seconds that are left at the present rate.", lambda one: one.eta_seconds),
        ("chunk_rows", "Rows that the next chunk is to have.", lambda one: _of(samples, one.name, "size")),
        ("lock_duty_ratio", "Share of the time in which locks are held.", lambda one: _of(samples, one.name, "duty")),
    )
    for name, says, read in gauges:
        values = [(label, read(one)) for label, one in going]
        yield Family(name, "gauge", says, tuple(("", label, float(v)) for label, v in values if v is not None))
    held = [({**label, "reason": reason}, one) for label, one in going if one.running for reason in REASONS]
    says = "Whether something is held back, and why."
    yield Family("throttled", "gauge", says, tuple(("", label, _is_held(one.reasons, label)) for label, one in held))


def _word(reason: str) -> str:
    return reason if reason in REASONS else UNKNOWN


def _is_held(reasons: tuple[str, ...], label: dict[str, str]) -> float:
    return float(any(reason.partition(":")[0] == label["reason"] for reason in reasons))


def _of(samples: Mapping[str, object], name: str, field: str) -> float | None:
    found = getattr(samples.get(name), field, None)
    return None if found is None else float(found)


def _of_rows(view: Overview, figures: Figures) -> Iterator[Family]:
    going: dict[tuple[str, str], tuple[int, int]] = {}
    for past in view.running:
        done, written = going.get((past.derived, past.kind), (0, 0))
        going[past.derived, past.kind] = (done + past.rows_done, written + past.rows_written)
    for total in figures.totals:
        done, written = going.get((total.name, total.kind), (0, 0))
        going[total.name, total.kind] = (done + total.rows_done, written + total.rows_written)
    labels = [({"definition": name, "kind": kind}, numbers) for (name, kind), numbers in sorted(going.items())]
    scanned = tuple(("_total", label, float(done)) for label, (done, _) in labels)
    yield Family("rows_scanned", "counter", "Keys and changes that were looked at.", scanned)
    changed = tuple(("_total", label, float(written)) for label, (_, written) in labels)
    yield Family("rows_changed", "counter", "Rows that were written.", changed)
    left = {one.name: one.quarantined for one in view.backfills if one.kind == "data"}
    left |= {one.name: one.processor.quarantined for one in view.tables if one.processor is not None}
    quarantine = tuple(("", {"definition": name}, float(count)) for name, count in left.items())
    yield Family(
        "rows_quarantined", "gauge", "Keys that a backfill quarantined, and units that a processor did.", quarantine
    )


def _of_runs(figures: Figures) -> Iterator[Family]:
    runs = tuple(
        ("_total", {"definition": one.name, "kind": one.kind, "result": one.state}, float(one.runs))
        for one in figures.totals
    )
    yield Family("runs", "counter", "Runs that ended, by how.", runs)
    ticked = ((suffix, label, value) for suffix, label, value in runs if label["kind"] == "tick")
    results = tuple(
        (suffix, {"definition": label["definition"], "result": label["result"]}, value)
        for suffix, label, value in ticked
    )
    yield Family("ticks", "counter", "Ticks that had work and ended, by how.", results)
    ticks = [one for one in figures.totals if one.kind == "tick" and one.state == "done"]
    took = [one for holds in figures.holds if holds.what == "took" for one in _buckets(holds, {})]
    yield Family("tick_duration_seconds", "histogram", "How long ticks took that did their work.", tuple(took))
    last = [({"definition": one.name}, _unix(one.ended)) for one in ticks]
    yield Family(
        "tick_last_success_timestamp_seconds",
        "gauge",
        "When the last tick with work in it ended.",
        tuple(("", label, value) for label, value in last if value is not None),
    )
    found = tuple(("_total", {"definition": name}, float(count)) for name, count in figures.found.items())
    yield Family("drift_found", "counter", "Rows that were ever found wrong.", found)
    mended = tuple(("_total", {"definition": name}, float(count)) for name, count in figures.repaired.items())
    yield Family("drift_repaired", "counter", "Rows that were wrong and were made true.", mended)


def _of_chunks(figures: Figures) -> Iterator[Family]:
    chunks = [holds for holds in figures.holds if holds.what == "hold"]
    yield Family(
        "chunks",
        "counter",
        "Chunks that were committed.",
        tuple(("_total", {"definition": one.name, "kind": one.kind}, float(one.count)) for one in chunks),
    )
    for what, says in (("hold", "How long chunks held their locks."), ("wait", "How long chunks waited for locks.")):
        samples = [
            one for holds in figures.holds if holds.what == what for one in _buckets(holds, {"kind": holds.kind})
        ]
        yield Family(f"chunk_{what}_seconds", "histogram", says, tuple(samples))


def _buckets(holds: Holds, more: dict[str, str]) -> Iterator[Sample]:
    label, seen = {"definition": holds.name, **more}, 0
    for place, chunks in enumerate(holds.chunks):
        seen += chunks
        bound = f"{BOUNDS_MS[place] / 1000:g}" if place < len(BOUNDS_MS) else "+Inf"
        yield "_bucket", {**label, "le": bound}, float(seen)
    yield "_sum", label, holds.ms / 1000
    yield "_count", label, float(holds.count)


def _of_streams(view: Overview) -> Iterator[Family]:
    streams = [({"stream": one.name}, one) for one in view.streams]
    states = [
        ("", {**label, "state": state}, float(one.state == state))
        for label, one in streams
        for state in (*STREAM, UNKNOWN)
    ]
    yield Family("stream_state", "gauge", "The state of each stream.", tuple(states))
    at = tuple(("", label, float(one.position)) for label, one in streams if one.position is not None)
    yield Family("stream_position", "gauge", "The last block that was taken.", at)
    waits = [("", {**label, "what": "blocks"}, float(one.gaps)) for label, one in streams]
    waits += [("", {**label, "what": "events"}, float(one.quarantined)) for label, one in streams]
    yield Family("stream_waiting", "gauge", "What waits for somebody.", tuple(waits))
    events = tuple(("", {"state": state}, float(count)) for state, count in view.events.items())
    yield Family("outbox_events", "gauge", "Events of crossings.", events)


def _of_strain(figures: Figures) -> Iterator[Family]:
    held = tuple(
        ("_total", {"definition": one.name, "kind": one.kind, "reason": _word(one.reason)}, one.seconds)
        for one in figures.held
    )
    yield Family("throttled_seconds", "counter", "For how long work was held back, by each reason.", held)
    shares = [(one.name, share_of(one, figures.limits)) for one in figures.strains]
    used = tuple(("", {"strain": name}, share) for name, share in shares if share is not None)
    says = "How much of its limit each strain takes up; above 1 backfills are held back."
    yield Family("throttle_utilisation_ratio", "gauge", says, used)
    known = {one.name: one.value for one in figures.strains}
    for strain, name in STRAINS.items():
        value = known.get(strain)
        yield Family(name, "gauge", "What the database is under.", () if value is None else (("", {}, float(value)),))
