"""What both kinds of tick share: the report, whether there is work, and the beginning and the end of a seal.

Owns: `TickReport`, the moves of checkpoints, and a seal's slices. Promises: all logs of a derived table are sealed up to one
moment; a log lets go only of what everybody has sealed; a change that no expression of the query can read ends a seal in which
everything is dirty, and never stands in the way of those after it. Where rows begin with a change, those beside it are followed.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Container, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from tidemark.contract.script import Script
from tidemark.contract.tick import SourceLog, Tick
from tidemark.contract.ways import following
from tidemark.database.session import Session
from tidemark.errors import Fault
from tidemark.runtime.duty import Duty
from tidemark.runtime.ledger import Checkpoint, Ledger
from tidemark.runtime.objects.captures import begin_reading, empty, trim
from tidemark.runtime.pace import Pace, choose_pace
from tidemark.runtime.ticks.apart import (
    ROWS,
    Follow,
    begins_with_changes,
    follow_apart,
    follow_together,
    require_readable,
)
from tidemark.runtime.ticks.guard import count_changes
from tidemark.runtime.ticks.moments import let_time_pass, look
from tidemark.runtime.ticks.scanning import begin_scans, finish_scans, is_scanning, scan_some

CONSUME_ROWS = 5_000
CONSUMED_MAX = 200_000


@dataclass(frozen=True)
class TickReport:
    """What a tick did. `drained` tells that everything committed before it began is applied; `longest_ms` is the longest
    hold of its transactions. `unsettled` says, in a sentence, which positions of scanned sources it had to leave, and why."""

    derived: str
    changes_sealed: int = 0
    keys_applied: int = 0
    rows_written: int = 0
    transactions: int = 0
    longest_ms: float = 0.0
    drained: bool = True
    unsettled: str = ""


def about(script: Script) -> dict[str, object]:
    """The parameters that name a generation."""
    return {"derived": script.name, "generation": script.generation}


def hold_sources(duty: Duty, script: Script) -> Duty:
    """The duty, in whose moments nobody empties a source of the script that has a log."""
    quote = duty.session.dialect.quote
    tables = [log.table for log in script.logs]
    return replace(duty, holding=tuple(quote(one.schema, one.name) for one in tables))


def has_work(duty: Duty, script: Script) -> bool:
    """Whether a tick would find anything; asks cheaply and writes nothing."""
    if script.tick is None:
        return False
    row = duty.session.one(f"SELECT CASE WHEN {script.tick.waiting} THEN 1 ELSE 0 END", look(duty, script))
    return bool(row and row[0])


def read_checkpoints(duty: Duty, script: Script) -> dict[str, Checkpoint]:
    """The checkpoint of each log. Raises `Fault` when one has none."""
    known = duty.ledger.checkpoints(script)
    absent = [log.source for log in script.logs if log.source not in known]
    if absent:
        raise Fault(
            f"{script.name} has no checkpoint for {absent[0]}",
            left_behind="nothing was consumed; run `tidemark apply`",
            retry_safe=False,
        )
    return known


def set_targets(duty: Duty, script: Script, known: Mapping[str, Checkpoint]) -> None:
    """Record the moment that a seal which begins now goes up to."""
    if script.logs:
        moments = json.dumps(find_targets(duty, script, known))
        duty.ledger.run("set_targets", {**about(script), "moments": moments})


def pace_for_logs(duty: Duty) -> Pace:
    """The pace at which logs let go of what is sealed, from its first transaction on."""
    pace = choose_pace(duty.session.dialect, duty.hold_ms)
    pace.size, pace.size_max = CONSUME_ROWS, max(pace.size_max, CONSUMED_MAX)
    return pace


def begin_seal(duty: Duty, script: Script, tick: Tick, known: Mapping[str, Checkpoint]) -> None:
    """Record the snapshot that the seal goes up to; after a restore, make everything dirty instead of guessing."""
    if is_ahead(duty, script, known):
        for statement in tick.everything:
            duty.session.run(statement)
        begin_reading(duty.ledger, script)
        known = read_checkpoints(duty, script)
    let_time_pass(duty, script)
    begin_scans(duty, script)
    set_targets(duty, script, known)


@dataclass(frozen=True)
class Sliced:
    """What a slice was: how many changes of the log were `read`, and `markers` among them; how many of them, markers included,
    concern the derived table; at which position the next slice begins, in which file; and whether this was the last."""

    read: int
    markers: int
    changes: int
    position: int
    ended: bool
    file: str


def fill_slice(session: Session, ledger: Ledger, log: SourceLog, bounds: Mapping[str, object]) -> Sliced:
    """Fill the slice with a part of the log, in the caller's transaction."""
    ((read, markers, position, ended, file),) = ledger.all("measure_part", {**bounds, "name": log.log}, log=log.log)
    session.run(log.clear_slice)
    changes = session.run(log.fill_slice, bounds) if read else 0
    return Sliced(int(read), int(markers), changes, int(position), bool(ended), str(file))


def slice_log(
    duty: Duty,
    script: Script,
    tick: Tick,
    log: SourceLog,
    checkpoint: Checkpoint,
    limit: int,
    moved: Collection[str],
    follow: Follow,
) -> Sliced:
    """Take the next changes of one log into the slice and their affected keys into what is reached, as `follow` does that;
    `moved` of `find_moved`."""
    if log.source not in moved:
        return Sliced(0, 0, 0, checkpoint.position, True, checkpoint.file)
    session, ledger = duty.session, duty.ledger
    part = {"position": checkpoint.position, "limit": limit}
    bounds = {**part, "previous": checkpoint.snapshot, "target": checkpoint.target}
    found = fill_slice(session, ledger, log, bounds)
    place = {**about(script), "source": log.source, "file": found.file}
    if checkpoint.file not in ("", found.file):
        # The log was rewritten since the last slice, and its rows moved. Sealing a change twice is harmless, so: again.
        ledger.run("set_position", {**place, "position": 0})
        return Sliced(0, 0, 0, 0, False, found.file)
    if found.changes:
        follow(session, log.slice, following(log.affected, moved))
        session.run_all(tick.everything if found.markers else ())
    ledger.run("set_position", {**place, "position": found.position})
    return found


def find_moved(duty: Duty, tick: Tick) -> list[str]:
    """The sources whose logs have rows in the transaction at hand, which sees one moment: all of which changes wait are there."""
    if len(tick.logs) < 2:
        return [log.source for log in tick.logs]
    asked = ", ".join(f"CASE WHEN EXISTS (SELECT 1 FROM {log.log}) THEN 1 ELSE 0 END" for log in tick.logs)
    (row,) = duty.session.all(f"SELECT {asked}")
    return [log.source for log, found in zip(tick.logs, row, strict=True) if found]


@dataclass(frozen=True)
class Sealed:
    """What was sealed: how many `changes`, whether the seal is `finished`, whether it is a `fresh` one that began in this tick,
    and how many changes the logs let go of, which is the limit where more may wait for that."""

    changes: int
    finished: bool
    fresh: bool
    consumed: int = 0


def seal_slice(duty: Duty, script: Script, tick: Tick, limit: int, *, before: int, fresh: bool, anew: bool) -> Sealed:
    """Seal about so many changes, in the caller's transaction; a seal is begun where none is under way. `before` is how many the
    tick has sealed. With `anew` no change is read: everything becomes dirty, as after any change, and the seal is over; where
    rows begin with a change, those of a smaller slice are followed one by one beside that."""
    known = read_checkpoints(duty, script)
    logs = any(known[log.source].target is not None for log in tick.logs)
    if not logs and not is_scanning(duty.ledger.marks(script)):
        begin_seal(duty, script, tick, known)
        known, fresh = duty.ledger.checkpoints(script), True
    follow: Follow = follow_together
    if anew and not begins_with_changes(script):
        return _seal_everything(duty, script, tick, fresh)
    if anew:
        follow, limit = follow_apart, min(limit, ROWS)
        require_readable(duty, script)
        duty.session.run_all(tick.everything)
    left, changes, moved = limit, 0, find_moved(duty, tick)
    duty.session.run(tick.clear_reached)
    for log in tick.logs:
        found = slice_log(duty, script, tick, log, known[log.source], left, moved, follow)
        changes += found.changes
        left -= found.read
        if not found.ended or left <= 0:
            duty.session.run(tick.mark_dirty)
            return Sealed(changes, False, fresh)
    taken, ended = scan_some(duty, script, left, follow)
    changes += taken
    duty.session.run(tick.mark_dirty)
    if not ended:
        return Sealed(changes, False, fresh)
    duty.ledger.run("finish_seal", about(script))
    # Few changes go along; many go afterwards, perhaps all at once.
    many = before + changes >= CONSUME_ROWS
    return Sealed(changes, True, fresh, CONSUME_ROWS if many else consume(duty, script))


def _seal_everything(duty: Duty, script: Script, tick: Tick, fresh: bool) -> Sealed:
    """Finish a seal whose changes nobody reads: every unit that is stored now, and every one that the query has, is dirty."""
    changes = count_changes(duty, script)
    for statement in tick.everything:
        duty.session.run(statement)
    finish_scans(duty, script)
    duty.ledger.run("finish_seal", about(script))
    return Sealed(changes, True, fresh, CONSUME_ROWS)


def find_targets(duty: Duty, script: Script, known: Mapping[str, Checkpoint] | None = None) -> dict[str, str]:
    """The moment of the caller's transaction, as the checkpoint of each log would say it; `known` are those that there are."""
    known = read_checkpoints(duty, script) if known is None else known
    asked, before = [], dict[str, str]()
    for place, log in enumerate(script.logs):
        before[f"previous_{place}"] = known[log.source].snapshot
        text = duty.ledger.text("find_target", log=log.log).replace(":previous", f":previous_{place}")
        asked.append(f"SELECT {duty.session.dialect.literal(log.source)}, ({text})")
    rows = duty.session.all(" UNION ALL ".join(asked), before) if asked else []
    return {str(source): str(target) for source, target in rows}


def move_checkpoints(duty: Duty, script: Script, targets: Mapping[str, str]) -> None:
    """Put every checkpoint at the moment of which the rows are; a seal that was under way is over."""
    duty.ledger.run("move_checkpoints", {**about(script), "moments": json.dumps(dict(targets))})


def is_ahead(duty: Duty, script: Script, known: Mapping[str, Checkpoint]) -> bool:
    """Whether a checkpoint is ahead of its log, as it is after a restore, or when somebody emptied that."""
    return any(
        duty.ledger.value("is_ahead", {"snapshot": known[log.source].snapshot}, log=log.log) for log in script.logs
    )


def count_dirty(duty: Duty, script: Script) -> int:
    """The number of sealed keys that are not applied yet."""
    row = duty.session.one(script.tick.count_dirty) if script.tick else None
    return int(row[0]) if row else 0


def consume(duty: Duty, script: Script, sources: Container[str] | None = None, limit: int = CONSUME_ROWS) -> int:
    """Delete at most `limit` changes that everybody has sealed, in the caller's transaction, from every log or from those of some
    sources; give how many. None where that is done after all ticks of a round."""
    logs = [log for log in script.logs if sources is None or log.source in sources]
    if duty.spent is None:
        return trim_some(duty, logs, limit)
    duty.spent.update((log.source, log) for log in logs)
    return 0


def trim_some(duty: Duty, logs: Iterable[SourceLog], limit: int) -> int:
    """Delete at most `limit` changes of some logs that everybody has sealed, in the caller's transaction; give how many."""
    deleted = 0
    for log in logs:
        deleted += trim(duty.ledger, log.source, log.log, limit - deleted)
        if deleted >= limit:
            break
    return deleted


def let_go(duty: Duty, script: Script, pace: Pace) -> bool:
    """Let the logs go of what everybody has sealed: at once where that can be, else of so much as the pace says; give whether
    there may be more."""
    logs, limit = script.logs, pace.size
    if duty.spent is not None:
        consume(duty, script)
        return False
    if all([empty(duty, log.source, log.log) for log in logs]):  # noqa: C419
        return False
    held = duty.write(partial(consume, duty, script, None, limit))
    pace.record(held.value, held.hold_ms)
    return held.value >= limit
