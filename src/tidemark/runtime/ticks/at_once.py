"""A small tick: everything in one transaction.

Owns: the tick of a derived table for which little waits. Promises: changes are read, rows written, the checkpoint moved and the
run recorded in one transaction that sees one moment, under the lease; a seal is begun by nobody and so never left behind. Where
changes are few and their units many, that transaction seals them, all of them, and the units are computed step by step. What
it cannot do so it leaves to the tick that goes step by step, and then nothing was written: much that waits, a seal that is
under way, units that are dirty already, a marker, a clock, a scan, a function in Python, sums over joins that do not add up
exactly, memory that has to wait, rows that somebody else was writing, and a change that cannot be read.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from tidemark.contract.script import Script
from tidemark.contract.tick import SourceLog, Tick
from tidemark.contract.ways import following
from tidemark.database.session import Conflict, blames_data
from tidemark.errors import Fault, TidemarkError
from tidemark.runtime.duty import Duty
from tidemark.runtime.objects.captures import trim_alone
from tidemark.runtime.pace import Pace, choose_pace
from tidemark.runtime.runs import Run, add_done_tick, add_run
from tidemark.runtime.ticks.batch import (
    apply_batch,
    prepare_here,
    preparing,
    tables_of_units,
    tables_to_follow,
    take_range,
)
from tidemark.runtime.ticks.guard import FEW, KEEP, LONG_MS, Choice, Way, choose_for, cost_ms
from tidemark.runtime.ticks.portions import Portion, begin
from tidemark.runtime.ticks.rival import Rival
from tidemark.runtime.ticks.seals import CONSUME_ROWS, TickReport, about, consume, move_checkpoints
from tidemark.runtime.ticks.steady import Unsteady, read_first, require_steady

ALL_ROWS = 64 << 31
"""A slice without an end; where slices are counted in blocks, as many as a table may have."""
LOOKED_AT_MAX = 5_000
"""So many changes are looked at, to find out how few of them concern a table."""
CHANGE_MS = 0.02
"""What it is assumed to take to follow a change, of as many as fit into a transaction."""
CHANGES_MAX = 50_000
PORTIONS_MAX = 20
"""Where more than so many portions of units are reached, none of them is computed before they are weighed."""


class _Unsuited(Exception):
    """It is more than a small tick can do; the transaction is given up."""


class _Far(_Unsuited):
    """Few changes reach many units."""

    def __init__(self, portion: Portion) -> None:
        self.portion = portion


class _Many(Exception):
    """Changes reach more than this transaction computes; it goes on without."""


class _Whole(_Unsuited):
    """The whole result is to take the place of what changed."""

    def __init__(self, weighed: Weighed) -> None:
        self.weighed = weighed


@dataclass(frozen=True)
class _Seen:
    """What a log and its checkpoint were found to be: the moments before and of now, whether changes lie between, how many of
    them concern the table, and whether every row is known to be of the moment before."""

    source: str
    before: str
    now: str
    moved: bool
    changes: int
    even: bool


@dataclass(frozen=True)
class _Made:
    """What became of the units: how many were made true, how many rows that wrote, and how long it took; how many are `left` in
    the dirty set."""

    keys: int = 0
    written: int = 0
    ms: float = 0.0
    left: int = 0


@dataclass(frozen=True)
class _Done:
    changes: int
    made: _Made
    sources: frozenset[str]
    portion: Portion
    run: Run | None
    choice: Choice


@dataclass(frozen=True)
class Begun:
    """A tick that has sealed everything that waited: its run, how the units that are left are to be made true, how many changes
    and units there are. `keys` were computed, which wrote so many rows."""

    run: Run
    choice: Choice
    changes: int
    units: int
    hold_ms: float
    portion: Portion
    keys: int = 0
    written: int = 0


@dataclass(frozen=True)
class Weighed:
    """So many `changes` wait, and the guard has chosen another way for them than one transaction has, perhaps only after this one
    had spent some time on its own."""

    choice: Choice
    changes: int
    portion: Portion
    spent_ms: float = 0.0


def suits(script: Script) -> bool:
    """Whether a derived table's ticks can be done at once when little waits."""
    tick, applier = script.tick, script.applier
    if tick is None or tick.scans or tick.due is not None or applier.compute is not None:
        return False
    # Where one change may reach every row, it is not little.
    may_compute = bool(tick.take_reached and applier.units) and (applier.indexed or script.klass != "global")
    return bool(tick.logs) and (tick.deltas is not None or tick.products is not None or may_compute)


def most_changes(pace: Pace) -> int:
    """So many changes may one transaction follow and keep to its pace."""
    return min(CHANGES_MAX, max(FEW, int(pace.target_ms / CHANGE_MS)))


def tick_at_once(duty: Duty, script: Script) -> TickReport | Begun | Weighed | None:
    """Tick in one transaction; `Begun` when the units are too many for it, and None or `Weighed`, and nothing was written, when
    all of it has to be done step by step.

    Raises `Lost` when the lease is gone.
    """
    tick = script.tick
    if tick is None or not suits(script):
        return None
    reads = read_first(duty, script)

    def work() -> _Done | None:
        require_steady(duty, reads)
        return _work(duty, script, tick)

    try:
        with preparing(duty, script):
            held = duty.write(work, snapshot=True, once=True)
    except _Whole as found:
        return found.weighed
    except _Far as seen:
        duty.write(seen.portion.remember)
        return None
    except (_Unsuited, Unsteady, Conflict):
        return None
    except TidemarkError as problem:
        if blames_data(problem):
            return None
        raise
    done = held.value
    if done is None:
        return TickReport(script.name)
    if not duty.session.dialect.writers_wait_in_line and duty.spent is None:
        # Others delete from the same log: whoever does it with the snapshot of before would meet what is gone already.
        _let_go(duty, tick, done.sources)
    made = done.made
    if made.keys:
        done.portion.learn(made.keys, made.ms)
    if done.run is not None:
        return Begun(
            done.run, done.choice, done.changes, made.left, held.hold_ms, done.portion, made.keys, made.written
        )
    if done.portion.now != done.portion.known:
        duty.write(done.portion.remember)
    return TickReport(script.name, done.changes, made.keys, made.written, 1, held.hold_ms)


def _let_go(duty: Duty, tick: Tick, sources: frozenset[str]) -> None:
    # Where somebody is in the way, the next tick does it.
    with suppress(Conflict):
        for log in tick.logs:
            if log.source in sources:
                trim_alone(duty.ledger, log.source, log.log, CONSUME_ROWS)


def _work(duty: Duty, script: Script, tick: Tick) -> _Done | None:
    began, pace = duty.clock.now(), choose_pace(duty.session.dialect, duty.hold_ms)
    most = most_changes(pace)
    duty.session.repeat(True)
    seen, portion, each_ms = _look(duty, script, tick, pace, most)
    changes, sources = _count(seen), frozenset(source for source, one in seen.items() if one.moved)
    if not sources:
        return None
    # What joins is added only to rows that are all of one moment.
    joins = tick.products is not None and all(one.even for one in seen.values())
    # Where few changes reach far, following them is much already.
    if changes > most or portion.far or not (joins or tick.deltas or script.applier.units):
        raise _Unsuited
    do = _add if tick.deltas is not None else _join if joins else _recompute
    usual: Way = "keyed" if do is _recompute else "delta"
    choice = _choose(duty, script, usual, changes, portion, each_ms)
    duty.session.repeat(changes <= FEW)
    # What is computed anew is computed as of the checkpoint, so that one goes first.
    move_checkpoints(duty, script, {source: one.now for source, one in seen.items()})
    made = do(duty, script, tick, seen, portion) if changes else _Made()
    if tick.products is not None and not made.left:
        duty.session.run(tick.products.even)
    counts = {"rows_done": made.keys, "rows_written": made.written, "longest_ms": duty.clock.ms_since(began)}
    run = add_run(duty, "tick", script) if made.left else None
    if changes and run is None:
        ms = counts["longest_ms"]
        cost = {"message": choice.reason, "way": usual, "work": float(changes + made.keys), "keep": KEEP}
        add_done_tick(duty, script, {**counts, **cost, "ms": ms, "cost_ms": cost_ms(duty, usual, ms)})
    if duty.session.dialect.writers_wait_in_line or duty.spent is not None:
        consume(duty, script, sources)
    return _Done(changes, made, sources, portion, run, choice)


def _choose(duty: Duty, script: Script, usual: Way, changes: int, portion: Portion, each_ms: float) -> Choice:
    """Why so many changes are taken in the usual way. Where they are not few, or few were much work lately, or may be because no
    index reaches the rows of a key, the guard weighs it; another way is not for one transaction."""
    unreached = script.tick is not None and script.tick.deltas is None and not script.applier.indexed
    if changes <= FEW and changes * each_ms < LONG_MS and not unreached:
        return Choice(usual, f"{usual}: {changes} change{'' if changes == 1 else 's'} are few")
    choice = choose_for(duty, script, usual, changes, "change")
    if choice.way == "full":
        raise _Whole(Weighed(choice, changes, portion))
    if choice.way != usual:
        raise _Unsuited
    return choice


def _look(duty: Duty, script: Script, tick: Tick, pace: Pace, most: int) -> tuple[dict[str, _Seen], Portion, float]:
    """What waits in each log, read along with its checkpoint in one statement, the portion of the ticks, and what a change took
    lately, in milliseconds."""
    limits = {"limit": most + 1, "most": max(most, LOOKED_AT_MAX)}
    rows = duty.session.all(_question(duty, tick), {**about(script), **limits})
    if len(rows) != len(tick.logs):
        # A checkpoint is not there; the long way says so.
        raise _Unsuited
    found, portion = dict[str, _Seen](), begin(duty, script, pace, *rows[0][9:11])
    for source, before, under_way, now, ahead, even, moved, changes, markers, _, _, dirty, _ in rows:
        if under_way or ahead or markers or dirty:
            raise _Unsuited
        found[source] = _Seen(source, before, now, bool(moved), int(changes), bool(even))
    return found, portion, float(rows[0][-1] or 0.0)


def _question(duty: Duty, tick: Tick) -> str:
    literal = duty.session.dialect.literal
    branches = [
        duty.ledger.text("look_at_log", log=log.log, source=literal(log.source), concerns=log.concerns)
        for log in tick.logs
    ]
    dirty = f"(SELECT count(*) FROM (SELECT 1 FROM {tick.dirty} LIMIT 1) AS d)" if tick.dirty else "0"
    each_ms = duty.ledger.text("weigh_change").rstrip("; \n")
    return f"SELECT l.*, {dirty}, ({each_ms}) FROM ({' UNION ALL '.join(branches)}) AS l"


def _follow(log: SourceLog, seen: Mapping[str, _Seen]) -> list[str]:
    """What copies what waits in a log, and follows it to the keys."""
    moved = [source for source, one in seen.items() if one.changes]
    return [*log.added] if log.added else [log.clear_slice, log.fill_slice, *following(log.affected, moved)]


def _bounds(seen: _Seen) -> dict[str, int | str]:
    return {"position": 0, "previous": seen.before, "target": seen.now, "limit": ALL_ROWS}


def _count(seen: Mapping[str, _Seen]) -> int:
    return sum(one.changes for one in seen.values())


def _are_few(portion: Portion, seen: Mapping[str, _Seen], units: int) -> bool:
    """Whether the units are no more than the portion of one transaction. Raises what gives the transaction up when changes reach
    far."""
    portion.reached(_count(seen), units)
    portion.duty.session.repeat(max(_count(seen), units) <= FEW)
    if portion.far:
        raise _Far(portion)
    return units <= portion.pace.size


def _require_few(portion: Portion, seen: Mapping[str, _Seen], units: int) -> None:
    """Raises what gives the transaction up when its units are more than the portion of one."""
    if not _are_few(portion, seen, units):
        raise _Unsuited


def _changed(tick: Tick, seen: Mapping[str, _Seen]) -> list[tuple[SourceLog, _Seen]]:
    return [(log, seen[log.source]) for log in tick.logs if seen[log.source].changes]


def _recompute(duty: Duty, script: Script, tick: Tick, seen: Mapping[str, _Seen], portion: Portion) -> _Made:
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
            raise _Whole(Weighed(choice, _count(seen), portion, spent_ms))
    if not reached:
        return _Made()
    prepare_here(duty, script, tables_of_units(script.applier))
    began = duty.clock.now()
    try:
        written = apply_batch(session, script.applier, take)
    except _Many:
        return _compute_some(duty, script, tick, seen, portion)
    return _Made(units, written, duty.clock.ms_since(began))


def _compute_some(duty: Duty, script: Script, tick: Tick, seen: Mapping[str, _Seen], portion: Portion) -> _Made:
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
    return _Made(done, written, duty.clock.ms_since(began), total - done)


def _leave(duty: Duty, tick: Tick, low: int, high: int) -> None:
    """Make those dirty that are listed after one place up to another one."""
    duty.session.run(tick.mark_listed, {"low": low, "high": high})


def _join(duty: Duty, script: Script, tick: Tick, seen: Mapping[str, _Seen], portion: Portion) -> _Made:
    """Add what changed rows join, summed by key."""
    session, products, changed = duty.session, tick.products, _changed(tick, seen)
    if products is None:
        raise Fault(f"{script.name} joins nothing", retry_safe=False)
    labels = {log.source for log, _ in changed}
    if products.are_too_many(labels):
        raise _Unsuited
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
        raise _Unsuited from problem
    keys = sum(counts[-len(products.number) :])
    _require_few(portion, seen, keys)
    if odd:
        raise _Unsuited
    began = duty.clock.now()
    written = sum(session.run_all(products.apply, {"low": 0, "high": keys})) if keys else 0
    return _Made(keys, written, duty.clock.ms_since(began))


def _add(duty: Duty, script: Script, tick: Tick, seen: Mapping[str, _Seen], portion: Portion) -> _Made:
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
        return _Made()
    bounds, began = {"low": 0, "high": keys}, duty.clock.now()
    counts = session.run_all([*deltas.flag, *deltas.apply], bounds)
    marked, written = sum(counts[: len(deltas.flag)]), sum(counts[len(deltas.flag) :])
    if marked:
        # Adding alone does not make every row true; what computes the others is seldom needed.
        prepare_here(duty, script, tables_of_units(script.applier))
        written += apply_batch(session, script.applier, partial(session.run, deltas.take_again, bounds))
    return _Made(keys, written, duty.clock.ms_since(began))
