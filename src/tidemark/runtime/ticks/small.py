"""What a small tick does with the changes that it found: adds them, adds what they join, or computes the units that they reach.

Owns: `add`, `join` and `recompute`, each inside a transaction that is open, and what gives that transaction up. Promises: nothing
is computed before it is known to be few; what is too much raises `Unsuited`, and then nothing is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from tidemark.contract.script import Script
from tidemark.contract.tick import SourceLog, Tick
from tidemark.contract.ways import following
from tidemark.errors import Fault, TidemarkError
from tidemark.runtime.duty import Duty
from tidemark.runtime.ticks.batch import apply_batch, prepare_here, tables_of_units, tables_to_follow, take_range
from tidemark.runtime.ticks.guard import FEW, Choice
from tidemark.runtime.ticks.portions import Portion
from tidemark.runtime.ticks.rival import Rival

ALL_ROWS = 64 << 31
"""A slice without an end; where slices are counted in blocks, as many as a table may have."""
PORTIONS_MAX = 20
"""Where more than so many portions of units are reached, none of them is computed before they are weighed."""


class Unsuited(Exception):
    """It is more than a small tick can do; the transaction is given up."""


class Far(Unsuited):
    """Few changes reach many units."""

    def __init__(self, portion: Portion) -> None:
        self.portion = portion


class _Many(Exception):
    """Changes reach more than this transaction computes; it goes on without."""


class Whole(Unsuited):
    """The whole result is to take the place of what changed."""

    def __init__(self, weighed: Weighed) -> None:
        self.weighed = weighed


@dataclass(frozen=True)
class Seen:
    """What a log and its checkpoint were found to be: the moments before and of now, whether changes lie between, how many of
    them concern the table, and whether every row is known to be of the moment before."""

    source: str
    before: str
    now: str
    moved: bool
    changes: int
    even: bool


@dataclass(frozen=True)
class Made:
    """What became of the units: how many were made true, how many rows that wrote, and how long it took; how many are `left` in
    the dirty set."""

    keys: int = 0
    written: int = 0
    ms: float = 0.0
    left: int = 0


@dataclass(frozen=True)
class Weighed:
    """So many `changes` wait, and the guard has chosen another way for them than one transaction has, perhaps only after this one
    had spent some time on its own."""

    choice: Choice
    changes: int
    portion: Portion
    spent_ms: float = 0.0


def _follow(log: SourceLog, seen: Mapping[str, Seen]) -> list[str]:
    """What copies what waits in a log, and follows it to the keys."""
    moved = [source for source, one in seen.items() if one.changes]
    return [*log.added] if log.added else [log.clear_slice, log.fill_slice, *following(log.affected, moved)]


def _bounds(seen: Seen) -> dict[str, int | str]:
    return {"position": 0, "previous": seen.before, "target": seen.now, "limit": ALL_ROWS}


def count_changes(seen: Mapping[str, Seen]) -> int:
    """How many changes concern the table, over all logs."""
    return sum(one.changes for one in seen.values())


def _are_few(portion: Portion, seen: Mapping[str, Seen], units: int) -> bool:
    """Whether the units are no more than the portion of one transaction. Raises what gives the transaction up when changes reach
    far."""
    portion.reached(count_changes(seen), units)
    portion.duty.session.repeat(max(count_changes(seen), units) <= FEW)
    if portion.far:
        raise Far(portion)
    return units <= portion.pace.size


def _require_few(portion: Portion, seen: Mapping[str, Seen], units: int) -> None:
    """Raises what gives the transaction up when its units are more than the portion of one."""
    if not _are_few(portion, seen, units):
        raise Unsuited


def _changed(tick: Tick, seen: Mapping[str, Seen]) -> list[tuple[SourceLog, Seen]]:
    return [(log, seen[log.source]) for log in tick.logs if seen[log.source].changes]


def recompute(duty: Duty, script: Script, tick: Tick, seen: Mapping[str, Seen], portion: Portion) -> Made:
    """Compute the units that are reached, or make them dirty where they are many."""
    session, units = duty.session, 0

    def take() -> None:
        nonlocal units
        units = session.run(tick.take_reached, {"limit": portion.pace.size + 1})
        if not _are_few(portion, seen, units):
            raise _Many

    changed, before, reached = _changed(tick, seen), [tick.clear_reached], 0
    prepare_here(duty, script, tables_to_follow(tick, [log for log, _ in changed]))
    rival, followed = Rival(duty, script), duty.clock.now()
    for log, one in changed:
        copied = len(before) + len((log.clear_slice, log.fill_slice))
        reached += sum(session.run_all([*before, *_follow(log, seen)], _bounds(one))[copied:])
        before, spent_ms = [], duty.clock.ms_since(followed)
        choice = rival.outruns("keyed", spent_ms)
        if choice is not None:
            raise Whole(Weighed(choice, count_changes(seen), portion, spent_ms))
    if not reached:
        return Made()
    prepare_here(duty, script, tables_of_units(script.applier))
    began = duty.clock.now()
    try:
        written = apply_batch(session, script.applier, take)
    except _Many:
        return _compute_some(duty, script, tick, seen, portion)
    return Made(units, written, duty.clock.ms_since(began))


def _compute_some(duty: Duty, script: Script, tick: Tick, seen: Mapping[str, Seen], portion: Portion) -> Made:
    """Compute as many units as fit into the time of a transaction, by what those before took, and make the others dirty."""
    session, applier = duty.session, script.applier
    prepare_here(duty, script, (applier.create_todo,))
    session.run_all(tick.list_reached)
    total = int(session.all(applier.count_todo)[0][0])
    _are_few(portion, seen, total)
    done, written, size, began = 0, 0, portion.pace.size, duty.clock.now()
    # Many are weighed against the whole result first; and where each portion reads everything there is to be one.
    most = PORTIONS_MAX * portion.pace.size if applier.indexed else 0
    while done < total <= most:
        low, done = done, min(total, done + size)
        written += apply_batch(session, applier, partial(take_range, session, applier, low, done))
        spent_ms = max(duty.clock.ms_since(began), 0.01)
        size = min(2 * done, int((portion.pace.target_ms - spent_ms) * done / spent_ms))
        if size < min(portion.pace.size, total - done):
            break
    if done < total:
        _leave(duty, tick, done, total)
    return Made(done, written, duty.clock.ms_since(began), total - done)


def _leave(duty: Duty, tick: Tick, low: int, high: int) -> None:
    """Make those dirty that are listed after one place up to another one."""
    duty.session.run(tick.mark_listed, {"low": low, "high": high})


def join(duty: Duty, script: Script, tick: Tick, seen: Mapping[str, Seen], portion: Portion) -> Made:
    """Add what changed rows join, summed by key."""
    session, products, changed = duty.session, tick.products, _changed(tick, seen)
    if products is None:
        raise Fault(f"{script.name} joins nothing", retry_safe=False)
    labels = {log.source for log, _ in changed}
    if products.are_too_many(labels):
        raise Unsuited
    adding = [one.add for one in products.products if labels.issuperset(one.sources)]
    prepare_here(duty, script, (*tables_to_follow(tick, [log for log, _ in changed]), *products.create))
    try:
        before = list(products.clear)
        for log, one in changed:
            session.run_all([*before, log.fill_slice], _bounds(one))
            before = []
        counts = session.run_all([*products.weigh, *adding, *products.number])
        odd = sum(int(number) for query in products.odd for (number,) in session.all(query))
    except TidemarkError as problem:
        # An old row and a new one may meet here that never met in the query, and an expression of the user's may fail on them.
        raise Unsuited from problem
    keys = sum(counts[-len(products.number) :])
    _require_few(portion, seen, keys)
    if odd:
        raise Unsuited
    began = duty.clock.now()
    written = sum(session.run_all(products.apply, {"low": 0, "high": keys})) if keys else 0
    return Made(keys, written, duty.clock.ms_since(began))


def add(duty: Duty, script: Script, tick: Tick, seen: Mapping[str, Seen], portion: Portion) -> Made:
    """Add the changes up by key, and to the rows."""
    session, deltas = duty.session, tick.deltas
    if deltas is None:
        raise Fault(f"{script.name} adds nothing", retry_safe=False)
    prepare_here(duty, script, deltas.create)
    before = list(deltas.clear)
    for log, one in _changed(tick, seen):
        session.run_all([*before, *_follow(log, seen)], _bounds(one))
        before = []
    keys = sum(session.run_all(deltas.number))
    _require_few(portion, seen, keys)
    if not keys:
        return Made()
    bounds, began = {"low": 0, "high": keys}, duty.clock.now()
    counts = session.run_all([*deltas.flag, *deltas.apply], bounds)
    marked, written = sum(counts[: len(deltas.flag)]), sum(counts[len(deltas.flag) :])
    if marked:
        # Adding alone does not make every row true; what computes the others is seldom needed.
        prepare_here(duty, script, tables_of_units(script.applier))
        written += apply_batch(session, script.applier, partial(session.run, deltas.take_again, bounds))
    return Made(keys, written, duty.clock.ms_since(began))
