"""A long seal: what is left of it once a first slice was not all.

Owns: reading the rest of a seal in large slices. Promises: changes are read in transactions that only read, so that nobody waits
for them; the units that they reach are gathered in a temporary table, each written to the dirty set once, in short
transactions, and the last of these finishes the seal. A kill before that leaves units dirty that are computed anew for nothing,
and the seal where it was: it is read again. Where a change cannot be read none of those after it is, and everything is dirty;
where rows begin with a change, each that can be read is followed beside that.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tidemark.contract.script import Script
from tidemark.contract.tick import SourceLog, Tick
from tidemark.contract.ways import following
from tidemark.database.session import blames_data
from tidemark.errors import Fault, TidemarkError
from tidemark.runtime.duty import Duty, Held
from tidemark.runtime.ledger import Checkpoint
from tidemark.runtime.pace import READ_MS, Pace
from tidemark.runtime.ticks.apart import (
    ROWS,
    Follow,
    begins_with_changes,
    follow_apart,
    follow_together,
    require_readable,
)
from tidemark.runtime.ticks.seals import Sliced, about, fill_slice, find_moved, read_checkpoints
from tidemark.runtime.ticks.unread import tell_unread


@dataclass
class Backlog:
    """How far a seal is read: `place` and `file` by log; `total` units when all is read, `done` of them written. `everything` is
    dirty where a marker was met, or where `unread` says that a change could not be read."""

    pace: Pace
    seal: tuple[tuple[str, str, str], ...] = ()
    place: dict[str, int] = field(default_factory=dict)
    file: dict[str, str] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    changes: int = 0
    everything: bool = False
    unread: str = ""
    total: int | None = None
    done: int = 0
    finished: bool = False


def read_more(duty: Duty, script: Script, tick: Tick, backlog: Backlog) -> float:
    """Read the next slice, or list the units when there is none; give how long it took, in milliseconds."""
    waiting = next((log for log in tick.logs if log.source not in backlog.ended), None)
    if waiting is None:
        return _list_units(duty, script, tick, backlog)
    if not backlog.place:
        duty.read(lambda: duty.session.run(tick.clear_reached), snapshot=False)
    try:
        return _read_slice(duty, script, tick, waiting, backlog)
    except TidemarkError as problem:
        if not blames_data(problem):
            raise
        backlog.everything, backlog.unread = True, tell_unread(script, problem)
        if begins_with_changes(script):
            return _read_slice(duty, script, tick, waiting, backlog, apart=True)
        backlog.ended.update(log.source for log in tick.logs)
        return 0.0


def _read_slice(
    duty: Duty, script: Script, tick: Tick, log: SourceLog, backlog: Backlog, *, apart: bool = False
) -> float:
    limit = min(ROWS, backlog.pace.size) if apart else backlog.pace.size
    follow: Follow = follow_apart if apart else follow_together

    def take(checkpoint: Checkpoint, position: int) -> Sliced:
        where = {"position": position, "limit": limit}
        bounds = {**where, "previous": checkpoint.snapshot, "target": checkpoint.target}
        found = fill_slice(duty.session, duty.ledger, log, bounds)
        known_file = backlog.file.get(log.source, checkpoint.file)
        if known_file not in ("", found.file):
            # The log was rewritten since the last slice, and its rows moved. Reading a change twice is harmless, so: again.
            return Sliced(0, 0, 0, 0, False, found.file)
        if found.changes:
            follow(duty.session, log.slice, following(log.affected, find_moved(duty, tick)))
        return found

    def work() -> Sliced:
        began = duty.clock.now()
        if apart:
            require_readable(duty, script)
        known = read_checkpoints(duty, script)
        checkpoint, asked_ms = known[log.source], duty.clock.ms_since(began)
        backlog.seal = tuple((one.source, one.snapshot, one.target or "") for one in known.values())
        found = take(checkpoint, backlog.place.get(log.source, checkpoint.position))
        # What asking took is to serve more than one slice.
        while apart and not found.ended and duty.clock.ms_since(began) < asked_ms + max(asked_ms, READ_MS):
            before, found = found, take(checkpoint, found.position)
            counts = before.read + found.read, before.markers + found.markers, before.changes + found.changes
            found = Sliced(*counts, found.position, found.ended, found.file)
        return found

    held = duty.read(work)
    found = held.value
    backlog.place[log.source], backlog.file[log.source] = found.position, found.file
    backlog.changes += found.changes
    backlog.everything = backlog.everything or found.markers > 0
    if not apart:
        backlog.pace.record(limit if not found.ended else found.read, held.hold_ms)
    if found.ended:
        backlog.ended.add(log.source)
    return held.hold_ms


def _list_units(duty: Duty, script: Script, tick: Tick, backlog: Backlog) -> float:
    def work() -> int:
        for statement in tick.list_reached:
            duty.session.run(statement)
        row = duty.session.one(script.applier.count_todo)
        return int(row[0]) if row else 0

    held = duty.read(work)
    backlog.total = held.value
    return held.hold_ms


def write_some(duty: Duty, script: Script, tick: Tick, backlog: Backlog, limit: int) -> Held[int]:
    """Put the next units into the dirty set, and finish the seal with the last; give how many.

    Raises `Fault` when the seal is over or another one.
    """
    low, total = backlog.done, backlog.total or 0
    high = min(total, low + limit)

    def work() -> int:
        known = read_checkpoints(duty, script)
        if tuple((one.source, one.snapshot, one.target or "") for one in known.values()) != backlog.seal:
            raise Fault(f"another worker went on with the tick of {script.name}", left_behind="their work stands")
        duty.session.run(tick.mark_listed, {"low": low, "high": high})
        if high >= total:
            for statement in tick.everything if backlog.everything else ():
                duty.session.run(statement)
            duty.ledger.run("finish_seal", about(script))
        return high - low

    held = duty.write(work)
    backlog.done, backlog.finished = high, high >= total
    return held
