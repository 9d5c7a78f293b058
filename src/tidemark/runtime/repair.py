"""Repair: make the rows true that verification found wrong.

Owns: walking the open findings. Promises: a repair is the one applier on those keys, under the same locks as any other write; it
holds back as a backfill does, and says why;
the finding is closed in the transaction that mended the row and stays as its audit row. Repairs what is recorded, what
somebody picked of it, or a range of keys that somebody names, and nothing else: look first with `verify`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from tidemark.errors import Code, Refusal
from tidemark.runtime.apply_batch import apply_batch, prepare_once, take_keys, take_range, units_of
from tidemark.runtime.backfill.gate import Brake
from tidemark.runtime.duty import Duty
from tidemark.runtime.findings import OpenDrift, close_drift, count_drift, count_findings, find_drift, list_drift
from tidemark.runtime.ledger import Installed
from tidemark.runtime.outbox import silence
from tidemark.runtime.pace import choose_pace
from tidemark.runtime.places import Between, places_between
from tidemark.runtime.processing import computing, list_poison
from tidemark.runtime.progress import Event, Listener, ignore
from tidemark.runtime.runs import Run, Telling, add_run
from tidemark.runtime.samples import Hold
from tidemark.runtime.steady import write_steadily
from tidemark.runtime.tick import tick
from tidemark.script import Script

S = TypeVar("S", bound=Sequence[Any])


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
    done = _walk(duty, script, total, partial(list_drift, duty.ledger, script), partial(_mend, duty, script), listen)
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

    return _walk(duty, script, len(picked), take, partial(_mend, duty, script), listen)


def repair_between(duty: Duty, installed: Installed, between: Between, listen: Listener = ignore) -> RepairReport:
    """Recompute every unit from one key to another one, both among them, whatever is known about them; None is the first, or the
    last. Findings among them stay on record until a verification sees that they are mended.

    Raises `Refusal` (``declaration``) for a key with another number of columns, and where there are no keys.
    """
    script, applier, session = installed.script, installed.script.applier, duty.session
    places = places_between(duty, script, between)
    at = [places.start]

    def take(most: int) -> range:
        low, at[0] = at[0], min(places.stop, at[0] + most)
        return range(low, at[0])

    def mend(run: Run, some: range) -> int:
        with silence(duty.ledger, script.crosses):
            compute = computing(duty, script, "apply")
            return apply_batch(session, applier, lambda: take_range(session, applier, some.start, some.stop), compute)

    return _walk(duty, script, len(places), take, mend, listen)


def _walk(
    duty: Duty,
    script: Script,
    total: int,
    take: Callable[[int], S],
    mend: Callable[[Run, S], int],
    listen: Listener,
) -> RepairReport:
    """Have `mend` do what `take` gives, so many at a time, until it gives nothing."""
    prepare_once(duty, script)
    run = duty.write(lambda: add_run(duty, "repair", script, total)).value
    pace, telling, brake = choose_pace(duty.session.dialect), Telling(run), Brake(duty, script.name, "repair", listen)
    keys = written = 0
    try:
        while some := take(pace.size):
            duty.check_stop(f"the repair of {script.name}")
            brake.check()
            held = write_steadily(duty, script, partial(mend, run, some), tick, mode="chunk")
            keys, written = keys + len(some), written + held.value
            run.rows_done, run.rows_written = keys, written
            run.longest_ms = max(run.longest_ms, held.hold_ms)
            pace.record(len(some), held.hold_ms)
            telling.tell(len(some), Hold(held.hold_ms, held.wait_ms, pace.size, pace.target_ms))
            listen(Event(script.name, "repair", keys, total))
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


def list_wrong(duty: Duty, script: Script) -> list[tuple[Any, ...]]:
    """The units of every row that is known to be wrong."""
    some = list_drift(duty.ledger, script, count_drift(duty.ledger, script))
    return _units_of(script, some)


def _units_of(script: Script, some: list[OpenDrift]) -> list[tuple[Any, ...]]:
    found = [unit for drift in some for unit in units_of(script.applier, drift.key, drift.stored, drift.truth)]
    return list(dict.fromkeys(found))


def _mend(duty: Duty, script: Script, run: Run, some: list[OpenDrift]) -> int:
    applier = script.applier
    units = _units_of(script, some)
    with silence(duty.ledger, script.crosses):
        compute = computing(duty, script, "apply")
        written = apply_batch(duty.session, applier, lambda: take_keys(duty.session, applier, units), compute)
    close_drift(duty.ledger, script, run.id, [drift.key for drift in some])
    return written
