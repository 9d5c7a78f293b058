"""Scans: how the rows of sources without triggers become affected keys, position by position.

Owns: the marks. Promises: a mark moves only over positions that are settled and whose every row was looked at, in the
transaction that makes the affected keys dirty; no batch splits a position: the last one of a full batch is left to the next,
and one that alone is more than a batch is exhausted, in bounded transactions where rows have an identity, before the mark
moves. A position is settled when every transaction that could write the source when the position was the highest has ended;
nobody is made to wait, and what cannot be settled yet is left and said. A mark that is there is never overwritten by a seed.
What is not seen: rows that come at or below the mark, and rows that go. When the last rows of a source are gone everything is
computed again, because their positions may be given anew.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from tidemark.contract.scans import SourceScan
from tidemark.contract.script import Script
from tidemark.errors import Fault
from tidemark.runtime.duty import Duty
from tidemark.runtime.ledger import Installed, Mark
from tidemark.runtime.progress import Event
from tidemark.runtime.ticks.apart import Follow, follow_together
from tidemark.runtime.values import pack, show, unpack

BATCH_ROWS = 5_000
SETTLE_SECONDS = 0.1
SEED_SECONDS = 60.0
LOOK_SECONDS = 0.01


@dataclass(frozen=True)
class Locker:
    """A transaction that may write a source: its virtual number, its real ones so far, whether it is prepared, and a name."""

    virtual: str
    numbers: tuple[str, ...]
    prepared: bool
    name: str


def about(script: Script, scan: SourceScan) -> dict[str, object]:
    """The parameters that name a mark."""
    return {"derived": script.name, "generation": script.generation, "source": scan.source}


def is_ready(duty: Duty, script: Script) -> bool:
    """Whether a tick has anything to do but to wait for transactions that may still write."""
    if script.tick is None or not script.tick.scans:
        return True
    row = duty.session.one(f"SELECT CASE WHEN {script.tick.ready} THEN 1 ELSE 0 END", _time(duty, script))
    return bool(row and row[0])


def _time(duty: Duty, script: Script) -> dict[str, object]:
    return {"at": duty.clock.today()} if script.due is not None else {}


def has_unscanned(duty: Duty, script: Script) -> bool:
    """Whether a source has rows after its mark, settled or not."""
    tests = [scan.waiting for scan in script.scans]
    row = duty.session.one(f"SELECT CASE WHEN {' OR '.join(tests)} THEN 1 ELSE 0 END") if tests else None
    return bool(row and row[0])


def describe_scans(known: Mapping[str, Mark], script: Script) -> tuple[str, ...]:
    """How far sources are scanned, in sentences; by what the ledger `known` says of each."""
    found = []
    for scan in script.scans:
        mark = known.get(scan.source)
        if mark is None:
            continue
        upto = f"up to {scan.watermark} {show(mark.mark)}" if mark.mark is not None else "from before its first row"
        held = _revive(mark.lockers) if mark.candidate is not None else []
        waits = f"; {', '.join(one.name for one in held[:3])} may still write positions up to {show(mark.candidate)}"
        found.append(f"{scan.source} is scanned {upto}{waits if held else ''}; eventually verified")
    return tuple(found)


# -- settling -----------------------------------------------------------------------------------------------------------


def settle(duty: Duty, script: Script) -> str:
    """Find out which positions are final; give a sentence about those that are not, empty when all are.

    Waits for short transactions a moment, and never for long ones.
    """
    since = duty.clock.now()
    waiting = list(script.scans)
    said: dict[str, str] = {}
    while waiting:
        said = {}
        for scan in waiting:
            held = duty.write(partial(_look, duty, script, scan)).value
            said.update({scan.source: held} if held else {})
        waiting = [scan for scan in waiting if scan.source in said]
        if not waiting or duty.stop() or duty.clock.now() - since >= SETTLE_SECONDS:
            break
        duty.clock.wait(LOOK_SECONDS)
    return "; ".join(said.values())


def _look(duty: Duty, script: Script, scan: SourceScan) -> str:
    """Settle the candidate if everybody has ended who could write up to it, and take the next one."""
    ledger, names = duty.ledger, about(script, scan)
    known = ledger.marks(script).get(scan.source)
    if known is None:
        return ""
    if known.candidate is not None:
        left = remaining(_revive(known.lockers), find_lockers(duty, scan.table))
        if left:
            return _said(scan, left)
        ledger.run("settle_mark", {**names, "settled": known.candidate})
    # The position first: who begins to write after it was read writes higher ones.
    high = ledger.session.one(scan.high)
    settled = known.settled if known.candidate is None else known.candidate
    if high is None or high[0] == settled:
        return ""
    lockers = find_lockers(duty, scan.table)
    if lockers:
        ledger.run("set_candidate", {**names, "candidate": high[0], "lockers": _kept(lockers)})
        return _said(scan, lockers)
    ledger.run("settle_mark", {**names, "settled": high[0]})
    return ""


def _said(scan: SourceScan, lockers: list[Locker]) -> str:
    names = ", ".join(dict.fromkeys(one.name for one in lockers[:3]))
    more = f" and {len(lockers) - 3} more" if len(lockers) > 3 else ""
    return f"{scan.source} is scanned up to the last settled position: {names}{more} may still write it"


def find_lockers(duty: Duty, table: str) -> list[Locker]:
    """Who may write a table at this moment."""
    rows = duty.ledger.all("list_lockers", {"table": table})
    return [Locker(str(row[0]), tuple(json.loads(row[1])), bool(row[2]), str(row[3])) for row in rows]


def remaining(were: list[Locker], now: list[Locker]) -> list[Locker]:
    """Those of `were` that have not ended. Who was prepared meanwhile is known by its virtual number, or else by a real one; who
    had none yet may be any that was not prepared then."""
    named = {one.virtual: one.name for one in now}
    numbers = {number: one.name for one in now for number in one.numbers}
    strangers = [one.name for one in now if one.prepared and one.virtual not in {was.virtual for was in were}]
    found = []
    for one in were:
        known = [numbers[number] for number in one.numbers if number in numbers]
        name = next(iter([*([named[one.virtual]] if one.virtual in named else []), *known]), None)
        if name is None and not one.numbers and strangers:
            name = strangers[0]
        found += [replace(one, name=name)] if name is not None else []
    return found


def _kept(lockers: list[Locker]) -> str:
    return json.dumps([[one.virtual, list(one.numbers), one.prepared, one.name] for one in lockers])


def _revive(text: str) -> list[Locker]:
    return [Locker(virtual, tuple(numbers), prepared, name) for virtual, numbers, prepared, name in json.loads(text)]


# -- seeding ------------------------------------------------------------------------------------------------------------


def seed_marks(duty: Duty, installed: Installed) -> None:
    """Decide where the first scans begin, before anything is filled: every row up to a mark is seen by what is computed later.

    Raises `Fault` when transactions that may write a source do not end.
    """
    script = installed.script
    for scan in script.scans:
        if scan.source in duty.ledger.marks(script):
            continue
        where = {**about(script, scan), "replaces": installed.replaces}
        older = duty.ledger.all("find_marks", where)
        mark = older[0][0] if older else None if scan.marks == "history" else _wait_for_end(duty, scan)
        duty.write(partial(duty.ledger.run, "seed_mark", {**about(script, scan), "mark": mark}))


def _wait_for_end(duty: Duty, scan: SourceScan) -> Any:
    """The highest position that there is, once everybody has ended who could write up to it; None in an empty source."""

    def first() -> tuple[Any, list[Locker]]:
        high = duty.session.one(scan.high)
        return (high[0] if high is not None else None), find_lockers(duty, scan.table)

    since = duty.clock.now()
    high, lockers = duty.write(first).value
    while lockers:
        duty.check_stop("the first look at sources")
        if duty.clock.now() - since >= SEED_SECONDS:
            raise Fault(
                f"{scan.source} cannot be scanned from now on, because {lockers[0].name} may still write it",
                left_behind="nothing is filled yet; end that transaction and run `tidemark apply` again",
            )
        duty.listen(Event("", "install", note=f"waiting for {lockers[0].name}, which may still write {scan.source}"))
        duty.clock.wait(LOOK_SECONDS)
        lockers = remaining(lockers, duty.write(partial(find_lockers, duty, scan.table)).value)
    return high


# -- scanning -----------------------------------------------------------------------------------------------------------


def begin_scans(duty: Duty, script: Script) -> None:
    """Aim at what is settled, in the transaction that begins a seal. Where a source ends before its mark, begin anew there."""
    for scan in script.scans:
        row = duty.session.one(f"SELECT CASE WHEN {scan.is_back} THEN 1 ELSE 0 END")
        if row and row[0]:
            for statement in script.tick.everything if script.tick else ():
                duty.session.run(statement)
            high = duty.session.one(scan.high)
            duty.ledger.run("go_back", {**about(script, scan), "mark": high[0] if high is not None else None})
        duty.ledger.run("begin_scan", about(script, scan))


def is_scanning(marks: dict[str, Mark]) -> bool:
    """Whether a scan is under way."""
    return any(mark.target is not None for mark in marks.values())


def scan_some(duty: Duty, script: Script, limit: int, follow: Follow = follow_together) -> tuple[int, bool]:
    """Look at the next rows of every source, about so many, in the caller's transaction; give how many they were, and whether all
    scans have reached their targets. `follow` is how rows are followed to keys."""
    taken = 0
    for scan in script.scans:
        count, ended = scan_slice(duty, script, scan, max(1, min(limit - taken, BATCH_ROWS)), follow)
        taken += count
        if not ended:
            return taken, False
    return taken, True


def finish_scans(duty: Duty, script: Script) -> None:
    """End the scans that are under way, in a transaction in which everything becomes dirty, their rows among it."""
    for source, mark in duty.ledger.marks(script).items():
        if mark.target is not None:
            duty.ledger.run("finish_scan", {"derived": script.name, "generation": script.generation, "source": source})


def scan_slice(
    duty: Duty, script: Script, scan: SourceScan, limit: int, follow: Follow = follow_together
) -> tuple[int, bool]:
    """Look at the next rows of a source: their affected keys become dirty and the mark moves, in the caller's transaction.

    Gives the number of rows, and whether the scan has reached its target.
    """
    session, ledger, names = duty.session, duty.ledger, about(script, scan)
    known = ledger.marks(script).get(scan.source)
    if known is None or known.target is None:
        return 0, True
    if known.inside is not None:
        return _exhaust(duty, script, scan, known.behind, limit, follow), False
    session.run(scan.clear_slice)
    count = session.run(scan.take if known.mark is not None else scan.take_first, {"limit": limit})
    if count < limit:
        _touch(duty, scan, follow)
        ledger.run("finish_scan", names)
        return count, True
    one = session.one(scan.is_one)
    if one and one[0]:
        ledger.run("enter_position", names, slice=scan.slice, place=scan.place)
        return _exhaust(duty, script, scan, "", limit, follow), False
    count -= session.run(scan.cut)
    _touch(duty, scan, follow)
    ledger.run("advance_mark", names, slice=scan.slice, place=scan.place)
    return count, False


def _exhaust(duty: Duty, script: Script, scan: SourceScan, behind: str, limit: int, follow: Follow) -> int:
    """Look at the next rows of the position that is too big for a batch; the mark moves when none are left."""
    session, ledger, names = duty.session, duty.ledger, about(script, scan)
    session.run(scan.clear_slice)
    place = {f"p{number}": value for number, value in enumerate(unpack(behind) if behind else ())}
    bounds = {"limit": limit, **place} if scan.identity else {}
    count = session.run(scan.take_more if behind else scan.take_inside, bounds)
    _touch(duty, scan, follow)
    last = session.one(scan.last) if scan.identity and count == limit else None
    if last is None:
        ledger.run("leave_position", names)
    else:
        ledger.run("stay_inside", {**names, "behind": pack(last)})
    return count


def _touch(duty: Duty, scan: SourceScan, follow: Follow) -> None:
    """Make dirty what the rows of the slice can touch."""
    follow(duty.session, scan.slice, [one.text for one in scan.affected])
