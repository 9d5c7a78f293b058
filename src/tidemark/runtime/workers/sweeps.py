"""Verification for ever: a worker walks through every key again and again, at its leisure, and keeps the score.

Owns: when a sweep is due, how far it has come, and what follows from it. Promises: a sweep takes a tenth of one connection's
time, in short transactions, so that nobody waits for it; it goes on where it was after a stop or a kill; what it finds is drift
only if it persists; it repairs only where the declaration says so, and nothing when so much is wrong that the cause must be
something else. After a sweep that found nothing, what is small is compared with the query as it is written. Between two sweeps it
looks once a minute at what the newest rows of the sources reach, and at what it ticked last, which are likelier to be wrong than
the rest. It says nothing while everything is true. One worker sweeps a table at a time; ticks go on meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from shlex import quote
from typing import Any, TypeVar

from tidemark.contract.script import Script
from tidemark.errors import Fault, is_interruption
from tidemark.runtime.changes.apply import drain
from tidemark.runtime.coverage import Sweep, read_sweep
from tidemark.runtime.duty import Duty
from tidemark.runtime.ledger import Installed
from tidemark.runtime.ticks.batch import prepare_once
from tidemark.runtime.truth.findings import count_drift, count_findings
from tidemark.runtime.truth.last_word import UNMENDED, last_word, record_unlike
from tidemark.runtime.truth.repair import repair
from tidemark.runtime.truth.verify import REST_SECONDS_MAX, Leisure, verify, verify_units
from tidemark.telling import tell_count, tell_doing

T = TypeVar("T")
BUDGET = 0.1
LOOK_SECONDS = 60.0
SAMPLE_ROWS = 100
# More wrong rows than these, and more than this share: something else is wrong, and repairing would hide it.
FUSE_ROWS = 100
FUSE_SHARE = 0.01


@dataclass(frozen=True)
class Swept:
    """What a sweep did: `wait_seconds` until the next one is worth a look, rows `found` wrong and `repaired`, and a sentence for
    people where there is something to say."""

    wait_seconds: float
    keys: int = 0
    found: int = 0
    repaired: int = 0
    note: str = ""


def sweep_on(duty: Duty, installed: Installed, holder: str) -> Swept | None:
    """Begin the sweep that is due, or go on with the one at hand; None when another worker is at it.

    Raises what verifying raises, but no fault of being asked to stop: there is always a next time.
    """
    script = installed.script
    known = read_sweep(duty.ledger, script)
    with duty.leased_if_free(f"verify {script.name}", holder) as mine:
        if mine is None:
            return None
        try:
            # What began after now did so by a clock that was set back since.
            if known is not None and known.ended and 0 <= known.began_seconds < script.verify_seconds:
                rest = Swept(min(LOOK_SECONDS, script.verify_seconds - known.began_seconds))
                return _sample(mine, installed, rest)
            return _sweep(mine, installed, known)
        except Fault as problem:
            if not is_interruption(problem):
                raise
            return Swept(0.0)


def _sample(duty: Duty, installed: Installed, rest: Swept) -> Swept:
    """Between two sweeps: compare what changed last."""
    units = list_sample(duty, installed.script)
    found = verify_units(duty, installed, units, _drain(duty, installed)) if units else 0
    if not found:
        return rest
    return _judge(duty, installed, replace(rest, keys=len(units), found=found))


def list_sample(duty: Duty, script: Script) -> list[tuple[Any, ...]]:
    """Units that are worth a look: for each way from a source those that its newest rows reach, and those that this session has
    ticked last."""
    prepare_once(duty, script)

    def work() -> list[tuple[Any, ...]]:
        return [unit for text in script.applier.newest for unit in duty.session.all(text, {"limit": SAMPLE_ROWS})]

    return list(dict.fromkeys(duty.read(work).value))


def _sweep(duty: Duty, installed: Installed, known: Sweep | None) -> Swept:
    script = installed.script
    begins = known is None or known.ended
    about = {"derived": script.name, "generation": script.generation}
    if begins:
        duty.write(partial(duty.ledger.run, "begin_sweep", about))
    before = 0 if begins or known is None else known.drift

    def advance(done: int, total: int, drift: int) -> None:
        duty.ledger.run("advance_sweep", {**about, "done": done, "total": total, "drift": before + drift})

    leisure = Leisure(BUDGET, 0 if begins or known is None else known.done, advance)
    report = verify(duty, installed, _drain(duty, installed), leisure)
    duty.write(partial(duty.ledger.run, "end_sweep", about))
    swept = Swept(0.0, report.keys, before + report.drift)
    if swept.found or report.stale:
        return _judge(duty, installed, swept)
    return _say_last(duty, installed, swept)


def _say_last(duty: Duty, installed: Installed, swept: Swept) -> Swept:
    """After a sweep that found nothing: the last word about what is small, in the same share of the time. What differs there is
    computed as it is stored, so that nothing is repaired."""
    report = last_word(duty, installed, swept.keys, _drain(duty, installed))
    duty.clock.wait(min(REST_SECONDS_MAX, report.seconds * (1 / BUDGET - 1)))
    if not report.differ:
        return swept
    record_unlike(duty, installed, report)
    found, name = len(report.differ), quote(installed.name)
    said = (
        f"{installed.name}: {tell_doing(found, 'row', 'differ')} from the query as it is written, which is {UNMENDED}; "
    )
    return replace(swept, found=found, note=f"{said}look at `tidemark verify --as-written {name}`")


def _judge(duty: Duty, installed: Installed, swept: Swept) -> Swept:
    """Repair what was found, if the declaration says so and the fuse holds."""
    script = installed.script
    found = count_drift(duty.ledger, script)
    if not script.repairs:
        said = f"{script.name}: {tell_doing(found, 'row', 'differ')} from the query; `tidemark repair {quote(script.name)}`"
        return replace(swept, note=said if found else "")
    if found > FUSE_ROWS and found > FUSE_SHARE * swept.keys:
        said = (
            f"{script.name}: {tell_doing(found, 'row', 'differ')} from the query, too many to repair without being asked: "
            f"look at `tidemark verify {quote(script.name)}`, then run `tidemark repair {quote(script.name)}`"
        )
        return replace(swept, note=said)
    if not count_findings(duty.ledger, script):
        return swept
    mended = _alone(duty, installed, repair)
    said = f"{script.name}: {tell_count(found, 'row')} differed from the query and {'is' if found == 1 else 'are'} repaired"
    return replace(swept, repaired=mended.rows_written, note=said if found else "")


def _alone(duty: Duty, installed: Installed, work: Callable[[Duty, Installed], T]) -> T:
    """Do what writes rows under the lease of those who write them."""
    with duty.leased(f"keep {installed.name}") as mine:
        return work(mine, duty.ledger.again(installed))


def _drain(duty: Duty, installed: Installed) -> Callable[[], bool] | None:
    if installed.script.tick is None:
        return None

    return lambda: _alone(duty, installed, lambda mine, now: drain(mine, now.script))
