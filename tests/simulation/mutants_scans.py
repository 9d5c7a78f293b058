"""Deliberate mistakes in scans, each of which the random programs of `tests.simulation.scans` must find.

Owns: the list `SCANNING`. Promises: a mistake that nothing meets is an error, not a survivor.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from unittest import mock

from tests.simulation.aside import Aside
from tests.simulation.case import Failure
from tests.simulation.mutants import Met
from tests.simulation.mutants_runtime import Patch, text
from tests.simulation.run import Ground
from tests.simulation.scans import play
from tidemark.contract.scans import SourceScan
from tidemark.contract.script import Script
from tidemark.errors import Fault
from tidemark.runtime.changes import cutover
from tidemark.runtime.ticks import apart, scanning, seals

CAUGHT = ("different", "drift")


@dataclass(frozen=True)
class ScanMistake:
    """A mistake on an engine: a patched protocol, or an edited scan. It is hunted from the program `begin` on."""

    engine: str
    word: str
    patch: Patch | None = None
    edit: Callable[[SourceScan], SourceScan] | None = None
    begin: int = 0

    @property
    def name(self) -> str:
        """A name for a test."""
        return f"{self.engine}-{self.word.replace(' ', '-')}"


def effects_lost(met: Met) -> AbstractContextManager[Any]:
    """A mark moves in a transaction that was rolled back to before its effects, now and then."""
    original = scanning._touch

    def touch(*about: Any) -> None:
        met["changed"] += 1
        if met["changed"] % 4:
            original(*about)

    return mock.patch.object(scanning, "_touch", touch)


def _no_cut(scan: SourceScan) -> SourceScan:
    """The last position of a full batch is taken for whole."""
    return replace(scan, cut=f"DELETE FROM {scan.slice} WHERE 1 = 0")


def _not_at(place: Any, name: str) -> Patch:
    """Something is not done."""

    def patch(met: Met) -> AbstractContextManager[Any]:
        def nothing(*_: Any) -> None:
            met["changed"] += 1

        return mock.patch.object(place, name, nothing)

    return patch


def first_half(met: Met) -> AbstractContextManager[Any]:
    """Of changes that cannot be read together the first half is followed."""
    original = apart.halves

    def halves(*places: int) -> Any:
        met["changed"] += 1
        return original(*places)[:1]

    return mock.patch.object(apart, "halves", halves)


MISTAKES = [
    ("position split by a batch", None, _no_cut),
    ("position left early", text("stay_inside", "SET behind = :behind", "SET mark = inside, inside = NULL"), None),
    ("mark without effects", effects_lost, None),
    ("mark at the target at once", text("advance_mark", r"SET mark = \(SELECT.*?LIMIT 1\)", "SET mark = target"), None),
    ("half of what can be read", first_half, None),
    ("seed over an older mark", text("find_marks", "WHERE derived IN", "WHERE 1 = 0 AND derived IN"), None),
]
SCANNING = (
    *(ScanMistake(engine, *mistake) for engine in ("sqlite", "postgres") for mistake in MISTAKES),
    ScanMistake("sqlite", "value that stands taken for gone", _not_at(seals, "require_readable"), begin=42),
    ScanMistake("sqlite", "first changes that wait at a cutover", _not_at(cutover, "_let_begin"), begin=30),
    ScanMistake(
        "postgres", "unsettled positions", text("list_lockers", "WHERE l.locktype", "WHERE 1 = 0 AND l.locktype")
    ),
    ScanMistake(
        "postgres",
        "prepared transactions forgotten",
        text("list_lockers", r"AND l\.pid IS DISTINCT FROM pg_backend_pid\(\)", "AND l.pid <> pg_backend_pid()"),
    ),
)


def chase(place: Ground, mistake: ScanMistake, programs_max: int, seed: str = "scan") -> tuple[Failure | None, Met]:
    """Play programs with the mistake until one fails; the failure (None when it survives) and what was met."""
    met: Met = Counter()

    def edited(script: Script) -> Script:
        if mistake.edit is None or script.tick is None:
            return script
        met["changed"] += bool(script.tick.scans)
        return replace(script, tick=replace(script.tick, scans=tuple(mistake.edit(scan) for scan in script.tick.scans)))

    with Aside(met) as aside, mistake.patch(met) if mistake.patch is not None else nullcontext():
        for number in range(mistake.begin, mistake.begin + programs_max):
            try:
                play(place, f"{seed}/{number}", edited)
            except Failure as failure:
                if failure.kind in CAUGHT:
                    return failure, met
                aside.put(failure, partial(play, place, f"{seed}/{number}"))
            except Fault as fault:
                # A new generation that waits for writers although an older one has a mark.
                return Failure("fault", "", str(fault)), met
    return None, met
