"""What streams and the events of crossings did, as text for people.

Owns: the wording and the tables. Promises: every text that leaves something to do names the next command.
"""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote

from tidemark.cli.outcome import table
from tidemark.runtime.operate.onlooker import StreamDetail
from tidemark.runtime.outbox import CrossingEvent, DeliverReport
from tidemark.runtime.streams.account import StreamStatus
from tidemark.runtime.streams.ingest import IngestReport, RetryReport
from tidemark.runtime.values import show
from tidemark.telling import tell_count

SHOWN_MAX = 20


def streams_text(found: Sequence[StreamStatus]) -> str:
    """How streams are doing, each with what to do next."""
    if not found:
        return "No stream was ever run here. Next: tidemark stream run NAME"
    head = (
        "stream",
        "state",
        "at",
        "time",
        "blocks",
        "events",
        "again",
        "skipped",
        "hooks failed",
        "gaps",
        "quarantined",
    )
    rows = [
        (
            one.name,
            one.state,
            "-" if one.position is None else one.position,
            one.time or "-",
            *(one.blocks, one.events, one.redelivered, one.skipped, one.hook_failures, one.gaps, one.quarantined),
        )
        for one in found
    ]
    return "\n".join([table(head, rows), *(line for one in found for line in _stream_hints(one))])


def _stream_hints(one: StreamStatus) -> list[str]:
    if one.state == "halted":
        if one.failed_at is None:
            return [f"{one.name} halted: {one.cause}. Next: tidemark stream run {quote(one.name)}"]
        return [f"{one.name} halted at {one.failed_at}: {one.cause}. Next: tidemark stream skip {quote(one.name)}"]
    if one.gaps or one.quarantined:
        waiting = f"{tell_count(one.gaps, 'block')} and {tell_count(one.quarantined, 'event')} wait"
        return [f"{one.name}: {waiting}. Next: tidemark stream retry {quote(one.name)}"]
    return []


def stream_text(found: StreamDetail) -> str:
    """How one stream is doing, with what was passed over and quarantined, and why."""
    gaps = [f"  block {one.position} was passed over: {one.cause}" for one in found.gaps[:SHOWN_MAX]]
    quarantine = [
        f"  {one.level} of block {one.position}, {one.kind}: {one.reason}" for one in found.evidence[:SHOWN_MAX]
    ]
    more = max(0, len(found.gaps) - SHOWN_MAX) + max(0, len(found.evidence) - SHOWN_MAX)
    left = [f"  and {more:,} more: --json has all of them"] if more else []
    return "\n".join([streams_text([found.status]), *gaps, *quarantine, *left])


def ingest_text(done: IngestReport) -> str:
    """What a run of a stream did."""
    counts = done.counts
    told = (
        f"{done.stream}: {tell_count(done.blocks, 'block')} up to {done.position}, {tell_count(counts.events, 'event')}"
    )
    told += f", {counts.redelivered:,} seen before, {counts.skipped:,} skipped, {counts.hook_failures:,} hooks failed"
    gaps = f", {tell_count(done.gaps, 'block')} passed over" if done.gaps else ""
    return f"{told}{gaps}. Next: tidemark stream status"


def retry_text(done: RetryReport) -> str:
    """What trying again brought."""
    told = f"{done.stream}: {done.taken:,} things taken, {done.failed:,} failed once more"
    blocks = f"{tell_count(done.blocks_taken, 'block')} taken, {done.blocks_failed:,} failed once more"
    return f"{told}; {blocks}. Next: tidemark stream status {quote(done.stream)}"


def events_text(found: Sequence[CrossingEvent]) -> str:
    """Events of crossings, oldest first."""
    if not found:
        return "There are no such events. Next: tidemark status"
    head = ("event", "derived", "column", "reached", "key", "at", "state", "tried", "error")
    rows = [
        (
            one.id,
            one.derived,
            one.column,
            one.threshold,
            ", ".join(f"{name}={show(value)}" for name, value in one.key.items()),
            one.happened,
            one.state,
            one.attempts,
            one.error or "",
        )
        for one in found
    ]
    return f"{table(head, rows)}\nNext: tidemark outbox deliver"


def deliver_text(done: DeliverReport) -> str:
    """What a delivery did."""
    told = f"{tell_count(done.delivered, 'event')} delivered, {done.failed:,} failed, {done.unhandled:,} without a handler here"
    return f"{told}. Next: tidemark outbox list" + (" --state failed" if done.failed else "")
