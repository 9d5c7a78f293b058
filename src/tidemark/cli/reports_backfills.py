"""What a command says about backfills and fillings: where they stand, what they did, and what they quarantined.

Owns: the texts of ``tidemark backfill``, and a quarantined key as plain data.
"""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote
from typing import Any

from tidemark.cli.outcome import table
from tidemark.runtime.backfill.record import AT_WORK, BackfillStatus, next_of, tell_quarantined
from tidemark.runtime.backfill.runner import BackfillReport
from tidemark.runtime.operate.onlooker import Quarantined
from tidemark.runtime.values import plain, show
from tidemark.telling import tell_count

SHOWN_MAX = 20


def backfills_text(
    found: Sequence[BackfillStatus], quarantine: Sequence[Quarantined] = (), name: str = "", unbegun: Sequence[str] = ()
) -> str:
    """Where backfills stand, each with what to do next, and those that are declared and were never begun; of the one that was
    asked for by `name` also every key in `quarantine`."""
    waiting = [f"{one} is declared and was never begun. Next: tidemark backfill run {quote(one)}" for one in unbegun]
    if not found and waiting:
        return "\n".join([*_quarantine_lines(quarantine, "tidemark repair"), *waiting])
    if not found:
        none = f"Nothing is left to fill for {name} here, and no backfill of that name" if name else "No backfill"
        begin = "tidemark backfill list" if name else "tidemark backfill run NAME"
        return "\n".join(
            [*_quarantine_lines(quarantine, "tidemark repair"), f"{none} was ever begun here. Next: {begin}"]
        )
    head = ("backfill", "state", "done", "of", "written", "quarantined", "rate", "left", "next")
    rows = [
        (
            one.name,
            _state(one),
            f"{one.rows_done:,}",
            "?" if one.rows_total is None else f"{one.rows_total:,}",
            f"{one.rows_written:,}",
            one.quarantined,
            "-" if one.rate is None else f"{one.rate:,.0f}/s",
            _left(one),
            next_of(one),
        )
        for one in found
    ]
    said = [f"{one.name}: {one.failure}" for one in found if one.failure]
    said += [
        f"{one.name}: rests {one.nice:g} s for each second of holding locks (--nice)" for one in found if _rests(one)
    ]
    said += [f"{one.name} holds back: {reason}" for one in found for reason in one.reasons]
    if name:
        said += _quarantine_lines(quarantine, f"tidemark backfill retry {quote(name)}")
    else:
        said += [
            f"{one.name}, key by key: tidemark backfill list {quote(one.name)}" for one in found if one.quarantined
        ]
    return "\n".join([table(head, rows), *said, *waiting])


def quarantined_data(one: Quarantined) -> dict[str, Any]:
    """A key that is quarantined, as plain data."""
    key = [plain(value) for value in one.key]
    return {"backfill": one.backfill, "key": key, "attempt": one.attempt, "error": one.error, "found_at": one.found_at}


def _quarantine_lines(quarantine: Sequence[Quarantined], again: str) -> list[str]:
    """Keys that are quarantined, each with its error, and what tries them `again`."""
    lines = [
        f"  quarantined: {', '.join(map(show, one.key))} (attempt {one.attempt}, {one.found_at[:19]}Z): {one.error}"
        for one in quarantine[:SHOWN_MAX]
    ]
    if len(quarantine) > SHOWN_MAX:
        lines.append("  and more of them: --json lists up to 200")
    return [*lines, f"When the cause is mended: {again}"] if lines else []


def _state(one: BackfillStatus) -> str:
    """The state, and what becomes of it within a chunk."""
    if one.counting:
        return f"{one.state} (counting its keys)"
    if not one.running or (one.wish == "pause" and one.state == "paused"):
        return one.state
    wish = "go on" if one.state == "paused" and not one.wish else one.wish
    return f"{one.state} (to {wish})" if wish else one.state


def _rests(one: BackfillStatus) -> bool:
    return bool(one.nice) and one.state in ("planned", "paused", "interrupted", *AT_WORK)


def _left(one: BackfillStatus) -> str:
    if one.eta_seconds is not None:
        return f"{'about ' if one.rate_state == 'estimating' else ''}{one.eta_seconds:,.0f} s"
    return one.rate_state if one.running else "-"


def backfill_text(done: BackfillReport, quarantine: Sequence[Quarantined]) -> str:
    """What a run of a backfill did, and what it left in `quarantine`."""
    left = _quarantine_lines(quarantine, f"tidemark backfill retry {quote(done.status.name)}")
    if done.already:
        return "\n".join([f"{done.status.name} is {done.status.state} already.", *left])
    told = (
        f"{done.status.name}: {tell_count(done.status.rows_done, 'key')} done, {tell_count(done.rows_written, 'row')} written in "
        f"{tell_count(done.chunks, 'chunk')}, "
        f"longest hold {done.longest_ms:.1f} ms."
    )
    if done.status.quarantined:
        return "\n".join([f"{told} {tell_quarantined(done.status.quarantined)}.", *left])
    return told
