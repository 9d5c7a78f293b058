"""The first filling of a derived table while writers go on.

Owns: walking every key in chunks. Promises: capture is committed before the keys are listed, so a key is either listed or
wholly captured; a chunk assigns the recomputed rows of its keys under their locks, so it may be done twice; the cursor
moves in the chunk's transaction. After a kill the keys are listed again and the cursor is only a hint: keys that came or
went meanwhile may shift it, and the verification that always follows finds and mends what it skipped.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial

from tidemark.errors import Fault
from tidemark.runtime.apply_batch import apply_batch, prepare, take_range
from tidemark.runtime.captures import begin_reading, find_snapshots
from tidemark.runtime.duty import Duty
from tidemark.runtime.ledger import Installed
from tidemark.runtime.pace import choose_pace
from tidemark.runtime.progress import Event, Listener, ignore
from tidemark.runtime.runs import Run, add_run
from tidemark.script import Script, Whole

WHOLE_BYTES_MAX = 4 * 1024**3


@dataclass(frozen=True)
class FillReport:
    """What a filling did: keys walked (by this run), rows written, chunks, and the longest hold in milliseconds."""

    derived: str
    keys: int
    rows_written: int
    chunks: int
    longest_ms: float


def fill(duty: Duty, installed: Installed, listen: Listener = ignore) -> FillReport:
    """Compute every key that exists, from the ledger's cursor on. Raises `Fault` (exit 75) when asked to stop."""
    script = installed.script
    if _is_new(duty, installed) and fits(duty, script):
        return _copy_all(duty, script, listen)
    total = list_every_key(duty, script)
    start = installed.cursor_at if 0 < installed.cursor_at <= total else 0
    run = duty.write(lambda: add_run(duty, "fill", script, total)).value
    run.rows_done = start
    try:
        chunks = _walk(duty, script, run, total, listen)
    except Exception as problem:
        run.fail(problem)
        raise
    run.finish(f"{total} keys filled")
    return FillReport(script.name, total - start, run.rows_written, chunks, run.longest_ms)


def fits(duty: Duty, script: Script) -> bool:
    """Whether the sources are small enough to be read in one go."""
    if script.applier.whole is None:
        return False
    size = duty.ledger.value("measure_sources", {"sources": json.dumps(script.sources)})
    return int(size or 0) <= WHOLE_BYTES_MAX


def list_suspects(duty: Duty, script: Script, whole: Whole) -> tuple[int, int]:
    """Fill the session's list with every key whose row may differ; give their number, and that of the stored rows."""

    def work() -> tuple[int, int]:
        prepare(duty.session, script)
        for statement in whole.suspects:
            duty.session.run(statement)
        found, stored = duty.session.one(script.applier.count_todo), duty.session.one(whole.count)
        return int(found[0]) if found else 0, int(stored[0]) if stored else 0

    return duty.read(work).value


def list_every_key(duty: Duty, script: Script) -> int:
    """Fill the session's list with every key of the query and the store; give their number."""

    def work() -> int:
        prepare(duty.session, script)
        for statement in script.applier.list_keys:
            duty.session.run(statement)
        row = duty.session.one(script.applier.count_todo)
        return int(row[0]) if row else 0

    return duty.read(work, snapshot=False).value


def _is_new(duty: Duty, installed: Installed) -> bool:
    """Whether nothing was filled yet and nobody else writes the rows, so that a whole result can be put there as it is."""
    script, whole = installed.script, installed.script.applier.whole
    if script.tick is None or whole is None or not whole.rows or installed.cursor_at:
        return False
    row = duty.session.one(f"SELECT 1 FROM {script.store} LIMIT 1")
    return row is None


def _copy_all(duty: Duty, script: Script, listen: Listener) -> FillReport:
    """Evaluate the query once, in one moment, and put the rows into the store; changes after that moment wait in the logs."""
    whole = script.applier.whole
    if whole is None:
        raise Fault(f"{script.name} has no whole result", retry_safe=False)

    def work() -> tuple[int, dict[str, str]]:
        prepare(duty.session, script)
        for statement in whole.rows:
            duty.session.run(statement)
        row = duty.session.one(whole.count_rows)
        return int(row[0]) if row else 0, find_snapshots(duty.ledger, script)

    total, moments = duty.read(work).value
    run = duty.write(lambda: add_run(duty, "fill", script, total)).value
    try:
        duty.write(lambda: begin_reading(duty.ledger, script, moments))
        chunks = _copy(duty, script, whole, run, total, listen)
    except Exception as problem:
        run.fail(problem)
        raise
    run.finish(f"{total} keys filled")
    return FillReport(script.name, total, run.rows_written, chunks, run.longest_ms)


def _copy(duty: Duty, script: Script, whole: Whole, run: Run, total: int, listen: Listener) -> int:
    pace, chunks = choose_pace(duty.session.dialect), 0
    foreign = duty.session.changes_marker()
    while run.rows_done < total:
        duty.check_stop(f"the filling of {script.name}")
        low, high = run.rows_done, min(total, run.rows_done + pace.size)
        held = duty.write(partial(_copy_chunk, duty, script, whole, run, low, high, total))
        chunks += 1
        run.longest_ms = max(run.longest_ms, held.hold_ms)
        pace.record(high - low, held.hold_ms)
        listen(Event(script.name, "fill", run.rows_done, total))
        seen, foreign = foreign, duty.session.changes_marker()
        duty.clock.wait(pace.rest_seconds(held.hold_ms, contended=seen != foreign))
    return chunks


def _copy_chunk(duty: Duty, script: Script, whole: Whole, run: Run, low: int, high: int, total: int) -> None:
    before = (run.rows_done, run.rows_written)
    try:
        written = duty.session.run(whole.copy, {"low": low, "high": high})
        run.rows_done, run.rows_written = high, before[1] + written
        # Places in this list mean nothing to a filling that goes on by keys: it begins at the first.
        duty.ledger.run(
            "set_cursor", {"name": script.name, "generation": script.generation, "cursor_at": 0, "cursor_total": total}
        )
        run.advance()
    except BaseException:
        run.rows_done, run.rows_written = before
        raise


def _walk(duty: Duty, script: Script, run: Run, total: int, listen: Listener) -> int:
    pace, chunks = choose_pace(duty.session.dialect), 0
    if not script.applier.indexed:
        pace.size = max(1, total)
    foreign = duty.session.changes_marker()
    while run.rows_done < total:
        duty.check_stop(f"the filling of {script.name}")
        low, high = run.rows_done, min(total, run.rows_done + pace.size)
        held = duty.write(partial(_chunk, duty, script, run, low, high, total), snapshot=script.applier.at_checkpoint)
        chunks += 1
        run.longest_ms = max(run.longest_ms, held.hold_ms)
        if script.applier.indexed:
            pace.record(high - low, held.hold_ms)
        listen(Event(script.name, "fill", run.rows_done, total))
        seen, foreign = foreign, duty.session.changes_marker()
        duty.clock.wait(pace.rest_seconds(held.hold_ms, contended=seen != foreign))
    return chunks


def _chunk(duty: Duty, script: Script, run: Run, low: int, high: int, total: int) -> None:
    applier = script.applier
    before = (run.rows_done, run.rows_written)
    try:
        written = apply_batch(duty.session, applier, lambda: take_range(duty.session, applier, low, high))
        run.rows_done, run.rows_written = high, before[1] + written
        cursor = {"cursor_at": high, "cursor_total": total}
        duty.ledger.run("set_cursor", {"name": script.name, "generation": script.generation, **cursor})
        run.advance()
    except BaseException:
        # The transaction is rolled back, so what it counted did not happen.
        run.rows_done, run.rows_written = before
        raise
