"""Repair: make the rows true that verification found wrong.

Owns: which rows, and how each is mended. Promises: a repair is the one applier on those keys, under the same locks as any other
write; the finding is closed in the transaction that mended the row and stays as its audit row. Repairs what is recorded, what
somebody picked of it, or a range of keys that somebody names, and nothing else: look first with `verify`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from shlex import quote
from threading import Lock
from typing import Any, TypeVar

from tidemark.contract.script import Script
from tidemark.errors import Code, Fault, Refusal
from tidemark.runtime.backfill.fill_pages import choose_crew, compute_range
from tidemark.runtime.backfill.filling import Part
from tidemark.runtime.backfill.mending import Chunk, walk
from tidemark.runtime.backfill.pages import open_book
from tidemark.runtime.backfill.places import Between, cut_places, places_between
from tidemark.runtime.backfill.together import tell_alone
from tidemark.runtime.duty import Duty
from tidemark.runtime.ledger import Installed
from tidemark.runtime.outbox import silence
from tidemark.runtime.pace import Pace
from tidemark.runtime.runs import Run
from tidemark.runtime.ticks.batch import apply_batch, each_once, prepare_once, take_keys, units_of
from tidemark.runtime.ticks.processing import computing, list_quarantined_units
from tidemark.runtime.ticks.steady import write_steadily
from tidemark.runtime.ticks.tick import tick
from tidemark.runtime.truth.findings import OpenDrift, close_drift, count_drift, count_findings, find_drift, list_drift

S = TypeVar("S")


@dataclass(frozen=True)
class RepairReport:
    """What a repair did: findings closed and rows written (a row that became true by itself is closed unwritten)."""

    derived: str
    keys: int
    rows_written: int


def repair(duty: Duty, installed: Installed) -> RepairReport:
    """Recompute the units of every open finding. Raises `Fault` (exit 75) when asked to stop."""
    script = installed.script
    retried, mended = _retry(duty, script)
    total = count_findings(duty.ledger, script)
    if total == 0:
        return RepairReport(script.name, retried, mended)
    crew = choose_crew(duty, script, "repair")
    # One session lists what is left again and again; several divide what there is now.
    known = None if crew == 1 else list_drift(duty.ledger, script, total)
    taking = partial(list_drift, duty.ledger, script) if known is None else _dealing(known)
    done = walk(duty, script, total, partial(_mended, script, taking), crew)
    return RepairReport(script.name, retried + done.keys, mended + done.rows_written)


def repair_picked(duty: Duty, installed: Installed, keys: Sequence[str]) -> RepairReport:
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
                instead=f"let `tidemark verify {quote(script.name)}` look first; keys are written as it shows them",
            )
        picked += [found] if found not in picked else []

    done = walk(duty, script, len(picked), partial(_mended, script, _dealing(picked)), 1)
    return RepairReport(script.name, done.keys, done.rows_written)


def repair_between(duty: Duty, installed: Installed, between: Between) -> RepairReport:
    """Recompute every unit from one key to another one, both among them, whatever is known about them; None is the first, or the
    last. Findings among them stay on record until a verification sees that they are mended.

    Raises `Refusal` (``declaration``) for a key with another number of columns, and where there are no keys.
    """
    script = installed.script
    places = places_between(duty, script, between)
    crew = choose_crew(duty, script, "repair")
    parts = cut_places(duty, script, places, crew) if crew > 1 else None
    if crew > 1 and parts is None:
        tell_alone(duty, script.name, "its keys have no order in which they could be cut into ranges", "repair")
    if parts is None:
        done = walk(duty, script, len(places), partial(_computed, script, places), 1)
    else:
        given = partial(_computed_by_pages, script, _dealing(parts))
        done = walk(duty, script, len(places), given, min(crew, len(parts)))
    return RepairReport(script.name, done.keys, done.rows_written)


def _dealing(some: Sequence[S]) -> Callable[[int], list[S]]:
    """What gives the next so many of them, each once, to whichever session asks."""
    left, lock = list(some), Lock()

    def take(most: int) -> list[S]:
        with lock:
            found = left[:most]
            del left[:most]
        return found

    return take


def _mended(
    script: Script, take: Callable[[int], list[OpenDrift]], duty: Duty, run: Run, pace: Pace
) -> Iterator[Chunk]:
    """The chunks of some open findings, as long as `take` gives any."""
    while some := take(pace.size):
        yield len(some), partial(_mend, duty, script, run, some)


def _computed(script: Script, places: range, duty: Duty, run: Run, pace: Pace) -> Iterator[Chunk]:
    """The chunks of a range of the session's list of every key."""
    low = places.start
    while low < places.stop:
        high = min(places.stop, low + pace.size)
        yield high - low, partial(compute_range, duty, script, low, high)
        low = high


def _computed_by_pages(
    script: Script, take: Callable[[int], list[Part]], duty: Duty, run: Run, pace: Pace
) -> Iterator[Chunk]:
    """The chunks of ranges of keys that no other session has, a page at a time."""
    while some := take(1):
        book = open_book(duty, script, *some[0])
        if book is None:
            raise Fault(f"the keys of {script.name} have lost their order", retry_safe=False)
        for count in book.turn():
            yield from _computed(script, range(count), duty, run, pace)


def _retry(duty: Duty, script: Script) -> tuple[int, int]:
    """Have Python compute again what its function failed for; how many units, and rows written."""
    units = [one.unit for one in list_quarantined_units(duty.ledger, script)]
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
    return each_once(found)


def _mend(duty: Duty, script: Script, run: Run, some: list[OpenDrift]) -> int:
    applier = script.applier
    units = _units_of(script, some)
    with silence(duty.ledger, script.crosses):
        compute = computing(duty, script, "apply")
        written = apply_batch(duty.session, applier, lambda: take_keys(duty.session, applier, units), compute)
    close_drift(duty.ledger, script, run.id, [drift.key for drift in some])
    return written
