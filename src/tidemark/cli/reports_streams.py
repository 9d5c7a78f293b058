"""What streams and the events of crossings did, as text for people.

Owns: the wording and the tables. Promises: every text that leaves something to do names the next command.
"""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote

from tidemark.cli.outcome import table
from tidemark.runtime.outbox import CrossingEvent, DeliverReport
from tidemark.runtime.streams.account import StreamStatus
from tidemark.runtime.streams.ingest import IngestReport, RetryReport


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
        "set aside",
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
        return [
            f"{one.name}: {one.gaps} blocks and {one.quarantined} events wait. Next: tidemark stream retry {quote(one.name)}"
        ]
    return []


def ingest_text(done: IngestReport) -> str:
    """What a run of a stream did."""
    counts = done.counts
    told = f"{done.stream}: {done.blocks:,} blocks up to {done.position}, {counts.events:,} events"
    told += f", {counts.redelivered:,} seen before, {counts.skipped:,} skipped, {counts.hook_failures:,} hooks failed"
    gaps = f", {done.gaps:,} blocks passed over" if done.gaps else ""
    return f"{told}{gaps}. Next: tidemark stream status"


def retry_text(done: RetryReport) -> str:
    """What trying again brought."""
    told = f"{done.stream}: {done.taken:,} things taken, {done.failed:,} failed once more"
    return f"{told}; {done.blocks_taken:,} blocks taken, {done.blocks_failed:,} failed once more. Next: tidemark stream status"


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
            dict(one.key),
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
    told = f"{done.delivered:,} events delivered, {done.failed:,} failed, {done.unhandled:,} without a handler here"
    return f"{told}. Next: tidemark outbox list" + (" --state failed" if done.failed else "")
