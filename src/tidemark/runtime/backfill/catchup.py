"""Catching up: the user's table comes to show what was stored while nothing carried it there.

Owns: `catch_up`. Promises: it begins when triggers carry what writers change, so that what it finds is all there is; no
transaction of it waits for a row while it has another one locked: rows that somebody has are passed over, and come again.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from tidemark.contract.script import Script
from tidemark.contract.ways import Catchup
from tidemark.dialect import unquote
from tidemark.errors import Fault
from tidemark.runtime.backfill.mending import Chunk, walk
from tidemark.runtime.duty import CONFLICT_SECONDS_MAX, Duty
from tidemark.runtime.ledger import Installed
from tidemark.runtime.pace import Pace
from tidemark.runtime.runs import Run
from tidemark.runtime.ticks.batch import prepare


def catch_up(duty: Duty, installed: Installed) -> None:
    """Bring the user's rows up to what is stored. Raises `Fault` (safe to try again) where somebody keeps a row locked, and
    (exit 75) when asked to stop."""
    script, whole = installed.script, installed.script.applier.whole
    catchup = whole.adding.catchup if whole is not None and whole.adding is not None else None
    if catchup is None:
        return
    table = unquote(script.public)
    first, tried = duty.clock.now(), 0
    while total := duty.read(partial(_find, duty, script, catchup)).value:
        taken: dict[int, int] = {}
        given = partial(_given, script, catchup, total, taken)
        walk(duty, script, total, given, 1, "fill", f"rows of {table} show what is stored")
        if sum(taken.values()) == total:
            # What would still differ is no matter of time: the verification says what it is.
            return
        if duty.clock.now() - first > CONFLICT_SECONDS_MAX:
            raise Fault(
                f"somebody keeps rows of {table} locked, which do not show what is stored yet",
                left_behind="everything else is there; `tidemark apply` goes on with these",
            )
        duty.wait_for_another_try(tried)
        tried += 1


def _find(duty: Duty, script: Script, catchup: Catchup) -> int:
    prepare(duty.session, script)
    for statement in catchup.find:
        duty.session.run(statement)
    row = duty.session.one(script.applier.count_todo)
    return int(row[0]) if row else 0


def _given(
    script: Script, catchup: Catchup, total: int, taken: dict[int, int], duty: Duty, run: Run, pace: Pace
) -> Iterator[Chunk]:
    """The chunks of the list; how many keys each could take is written down in `taken`, by its place."""
    low = 0
    while low < total:
        high = min(total, low + pace.size)
        yield high - low, partial(_carry, duty, script, catchup, low, high, taken)
        low = high


def _carry(duty: Duty, script: Script, catchup: Catchup, low: int, high: int, taken: dict[int, int]) -> int:
    duty.session.run(script.applier.clear_batch)
    counts = duty.session.run_all([*catchup.take, *catchup.carry], {"low": low, "high": high})
    taken[low] = counts[len(catchup.take) - 1]
    return taken[low]
