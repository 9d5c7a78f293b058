"""A tick that asks for the whole result: one read, then what differs is written.

Owns: the progress of such a tick. Promises: the rows are those of one moment, which becomes the checkpoint of every log in the
transaction that writes the last of them. Rows may be written in several transactions only where nothing is ever added to them;
where sums are, all go into one, and if they are too many for that, nothing is done. A kill before the last transaction leaves
the checkpoint where it was, so that the next tick finds the same work.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tidemark.contract.script import Script
from tidemark.contract.ways import Full
from tidemark.runtime.duty import Duty
from tidemark.runtime.pace import Pace
from tidemark.runtime.runs import Run, add_done_tick, add_run
from tidemark.runtime.ticks.batch import require_keys
from tidemark.runtime.ticks.expected import expect_reading
from tidemark.runtime.ticks.guard import KEEP, Choice, fade_others
from tidemark.runtime.ticks.seals import consume, find_targets, hold_sources, move_checkpoints
from tidemark.runtime.ticks.steady import Ticking, read_steadily


@dataclass
class Whole:
    """What a session has read: `total` places to write, of which `done` are; `targets` by source is the moment. `ms` is what all
    transactions have taken."""

    total: int
    targets: dict[str, str]
    ms: float
    done: int = 0
    written: int = 0
    finished: bool = False
    consumed: int = field(default=0)


def read_whole(duty: Duty, script: Script, full: Full, tick: Ticking | None = None) -> Whole:
    """Evaluate the query and find what differs, in one moment; where `tick` keeps what a table with memory reads, in one in which
    nothing waits for that. Raises `Fault` when it gives a key twice."""

    def work() -> tuple[int, dict[str, str]]:
        duty.session.run_all(full.read)
        require_keys(duty.session, script.applier, full.duplicate)
        row = duty.session.one(full.count)
        return int(row[0]) if row else 0, find_targets(duty, script)

    if script.klass == "global":
        # What is chosen elsewhere is over soon.
        expect_reading(duty, script.sources)
    duty = hold_sources(duty, script)
    held = duty.read(work) if tick is None else read_steadily(duty, script, work, tick)
    return Whole(*held.value, held.hold_ms)


def write_whole(
    duty: Duty, script: Script, full: Full, whole: Whole, pace: Pace, run: Run | None, choice: Choice
) -> tuple[Run | None, float]:
    """Write the next places; with the last of them the checkpoints move. Give the run and the hold in milliseconds; no run where
    all is written at once, and recorded along with it, why and what it has cost as `choice` says."""
    low, high = whole.done, min(whole.total, whole.done + pace.rows_known)
    at_once = run is None and high >= whole.total

    def work() -> tuple[Run | None, int, int]:
        began = duty.clock.now()
        mine = None if at_once else run or add_run(duty, "tick", script)
        bounds = {"low": low, "high": high}
        written = sum(duty.session.run_all(full.write, bounds)) if high > low else 0
        consumed = _finish(duty, script, full, whole) if high >= whole.total else 0
        if at_once:
            counts = {"rows_done": whole.total, "rows_written": written, "longest_ms": duty.clock.ms_since(began)}
            cost = {"message": choice.reason, "way": choice.way, "work": choice.work, "keep": KEEP}
            ms = whole.ms + counts["longest_ms"]
            add_done_tick(duty, script, {**counts, **cost, "ms": ms, "cost_ms": ms})
            fade_others(duty, script, choice.way)
        return mine, written, consumed

    held = duty.write(work, snapshot=script.applier.at_checkpoint)
    mine, written, whole.consumed = held.value
    pace.record(high - low, held.hold_ms)
    whole.done, whole.finished = high, high >= whole.total
    whole.written += written
    whole.ms += held.hold_ms
    return mine, held.hold_ms


def _finish(duty: Duty, script: Script, full: Full, whole: Whole) -> int:
    duty.session.run_all(full.drained)
    move_checkpoints(duty, script, whole.targets)
    if script.tick is not None and script.tick.products is not None:
        duty.session.run(script.tick.products.even)
    return consume(duty, script)
