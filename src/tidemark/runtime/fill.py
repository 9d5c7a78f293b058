"""The first filling of a derived table while writers go on.

Owns: walking every key in chunks. Promises: capture is committed before the keys are listed, so a key is either listed or
wholly captured; a chunk assigns the recomputed rows of its keys under their locks, so it may be done twice; the cursor
moves in the chunk's transaction. After a kill the keys are listed again and the cursor is only a hint: keys that came or
went meanwhile may shift it, and the verification that always follows finds and mends what it skipped.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from tidemark.runtime.apply_batch import apply_batch, prepare, take_range
from tidemark.runtime.duty import Duty
from tidemark.runtime.ledger import Installed
from tidemark.runtime.pace import choose_pace
from tidemark.runtime.progress import Event, Listener, ignore
from tidemark.runtime.runs import Run, add_run
from tidemark.script import Script


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


def list_every_key(duty: Duty, script: Script) -> int:
    """Fill the session's list with every key of the query and the store; give their number."""

    def work() -> int:
        prepare(duty.session, script)
        for statement in script.applier.list_keys:
            duty.session.run(statement)
        row = duty.session.one(script.applier.count_todo)
        return int(row[0]) if row else 0

    return duty.read(work, snapshot=False).value


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
