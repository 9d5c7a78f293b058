"""Repair: make the rows true that verification found wrong.

Owns: walking the open findings. Promises: a repair is the one applier on those keys, under the same locks as any other write;
the finding is closed in the transaction that mended the row and stays as its audit row. Repairs what is recorded, or what
somebody picked of it, and nothing else: look first with `verify`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from tidemark.errors import Code, Refusal
from tidemark.runtime.apply_batch import apply_batch, prepare_once, take_keys, units_of
from tidemark.runtime.duty import Duty
from tidemark.runtime.findings import OpenDrift, close_drift, count_findings, find_drift, list_drift
from tidemark.runtime.ledger import Installed
from tidemark.runtime.outbox import silence
from tidemark.runtime.pace import choose_pace
from tidemark.runtime.processing import computing, list_poison
from tidemark.runtime.progress import Event, Listener, ignore
from tidemark.runtime.runs import Run, Telling, add_run
from tidemark.runtime.samples import Hold
from tidemark.runtime.steady import write_steadily
from tidemark.runtime.tick import tick
from tidemark.script import Script


@dataclass(frozen=True)
class RepairReport:
    """What a repair did: findings closed and rows written (a row that became true by itself is closed unwritten)."""

    derived: str
    keys: int
    rows_written: int


def repair(duty: Duty, installed: Installed, listen: Listener = ignore) -> RepairReport:
    """Recompute the units of every open finding. Raises `Fault` (exit 75) when asked to stop."""
    script = installed.script
    retried, mended = _retry(duty, script)
    total = count_findings(duty.ledger, script)
    if total == 0:
        return RepairReport(script.name, retried, mended)
    done = _walk(duty, script, total, partial(list_drift, duty.ledger, script), listen)
    return RepairReport(script.name, retried + done.keys, mended + done.rows_written)


def repair_picked(duty: Duty, installed: Installed, keys: Sequence[str], listen: Listener = ignore) -> RepairReport:
    """Recompute the units of some open findings, which somebody picked by their `keys`; nothing else is looked at.

    Raises `Refusal` (``declaration``) for a key about which nothing is known to be wrong, and does nothing then.
    """
    script, picked = installed.script, []
    for key in keys:
        found = find_drift(duty.ledger, script, key)
        if found is None:
            raise Refusal(
                Code.DECLARATION,
                f"nothing is known to be wrong about {key} of {script.name}",
                instead=f"let `tidemark verify {script.name}` look first; keys are written as it shows them",
            )
        picked += [found] if found not in picked else []

    def take(most: int) -> list[OpenDrift]:
        some = picked[:most]
        del picked[:most]
        return some

    return _walk(duty, script, len(picked), take, listen)


def _walk(
    duty: Duty, script: Script, total: int, take: Callable[[int], list[OpenDrift]], listen: Listener
) -> RepairReport:
    """Mend what `take` gives, so many at a time, until it gives nothing."""
    prepare_once(duty, script)
    run = duty.write(lambda: add_run(duty, "repair", script, total)).value
    pace, telling = choose_pace(duty.session.dialect), Telling(run)
    keys = written = 0
    try:
        while some := take(pace.size):
            duty.check_stop(f"the repair of {script.name}")
            held = write_steadily(duty, script, partial(_mend, duty, script, run, some), tick)
            keys, written = keys + len(some), written + held.value
            run.rows_done, run.rows_written = keys, written
            run.longest_ms = max(run.longest_ms, held.hold_ms)
            pace.record(len(some), held.hold_ms)
            telling.tell(len(some), Hold(held.hold_ms, held.wait_ms, pace.size, pace.target_ms))
            listen(Event(script.name, "repair", keys, total))
            duty.clock.wait(pace.rest_seconds(held.hold_ms, contended=True))
    except Exception as problem:
        run.fail(problem)
        raise
    run.finish(f"{keys} rows repaired")
    return RepairReport(script.name, keys, written)


def _retry(duty: Duty, script: Script) -> tuple[int, int]:
    """Have Python compute again what its function failed for; how many units, and rows written."""
    units = [one.unit for one in list_poison(duty.ledger, script)]
    if not units:
        return 0, 0
    prepare_once(duty, script)
    take = partial(take_keys, duty.session, script.applier, units)
    work = partial(apply_batch, duty.session, script.applier, take, computing(duty, script, "apply"))
    held = write_steadily(duty, script, work, tick)
    return len(units), held.value


def _mend(duty: Duty, script: Script, run: Run, some: list[OpenDrift]) -> int:
    applier = script.applier
    units = [unit for drift in some for unit in units_of(applier, drift.key, drift.stored, drift.truth)]
    with silence(duty.ledger, script.crosses):
        compute = computing(duty, script, "apply")
        written = apply_batch(duty.session, applier, lambda: take_keys(duty.session, applier, units), compute)
    close_drift(duty.ledger, script, run.id, [drift.key for drift in some])
    return written
