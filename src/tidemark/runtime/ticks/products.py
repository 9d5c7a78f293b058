"""A batch of a join that is added: what changed rows join, summed by key in one snapshot, then written in one transaction.

Owns: whether a batch can be added, and adding it. Promises: the changes, and the tables that they are joined with, are read in
one snapshot, up to which the checkpoints move in the very transaction that writes the rows; rows are only added to while all of
them are of the checkpoint's moment. Whatever is not exact, or is too much for one transaction, is not added, and the reason is
given; then nothing was written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tidemark.contract.script import Script
from tidemark.contract.tick import SourceLog
from tidemark.contract.ways import Products
from tidemark.errors import TidemarkError
from tidemark.runtime.duty import Duty
from tidemark.runtime.ledger import Checkpoint
from tidemark.runtime.pace import Pace
from tidemark.runtime.runs import Run, add_run
from tidemark.runtime.ticks.seals import consume, fill_slice, find_targets, is_ahead, move_checkpoints, read_checkpoints

CHANGES_MAX = 50_000


@dataclass
class Sum:
    """What a session has added up: `keys` places to write, `changes` that they come from, `targets` by source. `why_not` says why
    it cannot be written, and is empty where it can."""

    changes: int = 0
    keys: int = 0
    why_not: str = ""
    targets: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Added:
    """What was written: the run, rows, changes consumed, and milliseconds."""

    run: Run
    written: int
    consumed: int
    ms: float


def why_not_added(duty: Duty, script: Script) -> str:
    """Why rows cannot be added to now; empty when they can."""
    known = read_checkpoints(duty, script)
    if is_ahead(duty, script, known) or any(one.target is not None for one in known.values()):
        return "a seal is under way"
    if not all(one.even for one in known.values()):
        return "rows are not of one moment yet"
    return ""


def add_up(duty: Duty, script: Script, products: Products, keys_max: int) -> tuple[Sum, float]:
    """Sum what changed rows join, by reading alone; the sum and the milliseconds that it took."""

    def work() -> Sum:
        for statement in products.clear:
            duty.session.run(statement)
        known, targets = read_checkpoints(duty, script), find_targets(duty, script)
        found = Sum(targets=targets)
        changed = set()
        for log in script.logs:
            count, markers, ended = _fill(duty, log, known[log.source], targets[log.source])
            found.changes += count
            if markers:
                found.why_not = f"{log.source} was emptied without a word about its rows"
            if not ended or found.changes > CHANGES_MAX:
                found.why_not = "the log is too long for one transaction"
            changed |= {log.source} if count else set()
        if products.are_too_many(changed):
            found.why_not = f"more than {products.scans_max} of its tables changed"
        return found if found.why_not else _sum(duty, products, found, changed, keys_max)

    try:
        held = duty.read(work)
    except TidemarkError as problem:
        # An old row and a new one may meet here that never met in the query, and an expression of the user's may fail on them.
        return Sum(why_not=f"adding failed ({problem})"), 0.0
    return held.value, held.hold_ms


def _fill(duty: Duty, log: SourceLog, checkpoint: Checkpoint, target: str) -> tuple[int, int, bool]:
    """Copy the changes of a log; how many, how many markers among them, and whether these are all."""
    bounds = {"position": 0, "previous": checkpoint.snapshot, "target": target, "limit": CHANGES_MAX + 1}
    found = fill_slice(duty.session, duty.ledger, log, bounds)
    return found.changes, found.markers, found.ended


def _sum(duty: Duty, products: Products, found: Sum, changed: set[str], keys_max: int) -> Sum:
    session = duty.session
    for statement in products.weigh:
        session.run(statement)
    for product in products.products:
        if changed.issuperset(product.sources):
            session.run(product.add)
    for statement in products.number:
        session.run(statement)
    row = session.one(products.count)
    found.keys = int(row[0]) if row else 0
    odd = sum(int(number) for query in products.odd for (number,) in session.all(query))
    if found.keys > keys_max:
        found.why_not = f"{found.keys} rows change, which is too much for one transaction"
    elif odd:
        found.why_not = f"{odd} rows hold values that do not add up exactly"
    return found


def write_sum(duty: Duty, script: Script, products: Products, found: Sum, pace: Pace, run: Run | None) -> Added:
    """Add what was summed up, and move the checkpoints to its moment, in one transaction."""

    def work() -> tuple[Run, int, int]:
        mine = run or add_run(duty, "tick", script)
        bounds = {"low": 0, "high": found.keys}
        written = sum(max(0, duty.session.run(statement, bounds)) for statement in products.apply) if found.keys else 0
        move_checkpoints(duty, script, found.targets or {})
        duty.session.run(products.even)
        return mine, written, consume(duty, script)

    held = duty.write(work, snapshot=True)
    pace.record(found.keys, held.hold_ms)
    return Added(*held.value, held.hold_ms)
