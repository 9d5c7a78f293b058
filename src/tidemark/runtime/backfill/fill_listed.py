"""Filling by a list of every key, where no index gives them in order.

Owns: the session's list of every key, of those that may differ, and the walk through it. Promises: after a kill keys are listed
again and the cursor is only a hint: keys that came or went meanwhile may shift it, and the verification that always follows finds
and mends what it skipped.
"""

from __future__ import annotations

from functools import partial

from tidemark.contract.script import Script
from tidemark.contract.ways import Whole
from tidemark.runtime.backfill.fill_pages import compute_range
from tidemark.runtime.backfill.filling import (
    Filling,
    set_cursor,
)
from tidemark.runtime.duty import Duty
from tidemark.runtime.ticks.batch import prepare
from tidemark.runtime.ticks.expected import expect_reading
from tidemark.runtime.ticks.guard import learn_full
from tidemark.runtime.ticks.steady import write_steadily
from tidemark.runtime.ticks.tick import tick


def list_suspects(duty: Duty, script: Script, whole: Whole) -> tuple[int, int, float]:
    """Fill the session's list with every key whose row may differ; give their number, that of the stored rows, and how long that
    took, in milliseconds."""

    def work() -> tuple[int, int]:
        prepare(duty.session, script)
        for statement in whole.suspects:
            duty.session.run(statement)
        found, stored = duty.session.one(script.applier.count_todo), duty.session.one(whole.count)
        return int(found[0]) if found else 0, int(stored[0]) if stored else 0

    expect_reading(duty, script.sources)
    held = duty.read(work)
    return (*held.value, held.hold_ms)


def list_every_key(duty: Duty, script: Script) -> int:
    """Fill the session's list with every key of the query and the store; give their number."""

    def work() -> int:
        prepare(duty.session, script)
        for statement in script.applier.list_keys:
            duty.session.run(statement)
        row = duty.session.one(script.applier.count_todo)
        return int(row[0]) if row else 0

    expect_reading(duty, script.sources)
    return duty.read(work, snapshot=False).value


def list_and_learn(duty: Duty, script: Script) -> int:
    """The same, and remember how long it took to evaluate the query, where nothing else tells what the whole result takes."""
    began = duty.clock.now()
    total = list_every_key(duty, script)
    if script.applier.whole is None:
        learn_full(duty, script, duty.clock.ms_since(began))
    return total


def walk_listed(filling: Filling, total: int, start: int) -> None:
    """Compute the keys of the list from a place on, chunk by chunk."""
    duty, script, pace = filling.duty, filling.script, filling.pace
    if not script.applier.indexed:
        pace.size = pace.size_min = pace.size_max = max(1, total)
    for low, high in filling.steps(start, total):
        held = write_steadily(duty, script, partial(_chunk, filling, low, high, total), tick, mode="chunk")
        filling.take_in(high - low, held)


def _chunk(filling: Filling, low: int, high: int, total: int) -> tuple[int, str]:
    written = compute_range(filling.duty, filling.script, low, high)
    set_cursor(filling.duty, filling.script, high, total)
    return written, filling.commit(high - low, written)
