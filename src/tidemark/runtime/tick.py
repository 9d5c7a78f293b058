"""One tick: seal what changed, then apply what is sealed.

Owns: the checkpoint of every log. Promises: a seal goes up to one snapshot, the same for all logs of a derived table, which
is recorded before the first slice; it takes exactly the changes that this snapshot sees and the checkpoint does not, in
slices, each slice with its affected keys and its position in one transaction. A slice sees the old images of every log,
because changes stay in the logs until the whole seal is done; then the checkpoint advances. Applying recomputes sealed keys
from the current state, in key order, in transactions of their own: a change that comes after a key was sealed is in no
finished seal and makes the key dirty again. Where a change cannot be read, everything is dirty in its place. A tick's own writes
are not visible in its own checkpoint. Where the guard chooses so, the whole result takes the place of what is left to seal and to
apply. Every transaction is short whatever the backlog, and a kill loses and doubles nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from tidemark.database.session import blames_data
from tidemark.errors import Fault, TidemarkError
from tidemark.runtime.apply_batch import apply_batch, prepare_once, tables_of_whole, tables_to_compute
from tidemark.runtime.at_once import Begun, Weighed, tick_at_once
from tidemark.runtime.backlog import Backlog, read_more, write_some
from tidemark.runtime.duty import Duty, Held
from tidemark.runtime.full import Whole, read_whole, write_whole
from tidemark.runtime.guard import FEW, Choice, Way, add_cost, choose_for, count_changes
from tidemark.runtime.pace import Pace, choose_pace
from tidemark.runtime.portions import Portion, recall
from tidemark.runtime.processing import computing, keeps_changes
from tidemark.runtime.progress import Event, Listener, ignore
from tidemark.runtime.runs import Run, add_run
from tidemark.runtime.scanning import is_ready, settle
from tidemark.runtime.seals import (
    CONSUME_ROWS,
    Sealed,
    TickReport,
    begin_seal,
    count_dirty,
    has_work,
    hold_sources,
    let_go,
    pace_for_logs,
    read_checkpoints,
    seal_slice,
)
from tidemark.runtime.steady import write_steadily
from tidemark.runtime.tick_deltas import tick_deltas
from tidemark.runtime.tick_products import add_up, why_not_added, write_sum
from tidemark.runtime.unread import recording, tell_unread
from tidemark.script import Script, Tick
from tidemark.ways import Products

__all__ = ["TickReport", "count_dirty", "has_work", "tick"]
ALL_KEYS = 1_000_000_000
T = TypeVar("T")


@dataclass
class _State:
    """A tick at work."""

    duty: Duty
    script: Script
    tick: Tick
    portion: Portion
    unsettled: str = ""
    run: Run | None = None
    changes: int = 0
    keys: int = 0
    written: int = 0
    total: int = 0
    transactions: int = 0
    fresh: bool = False
    sealed: bool = False
    applied: bool = False
    remains: bool = False
    backlog: Backlog | None = None
    choice: Choice | None = None
    waiting: int = 0
    whole: Whole | None = None
    ms: float = 0.0
    unread: str = ""
    seal_pace: Pace = field(init=False)
    logs: Pace = field(init=False)
    pace: Pace = field(init=False)

    def __post_init__(self) -> None:
        self.pace = self.portion.pace
        self.seal_pace = choose_pace(self.duty.session.dialect, self.duty.hold_ms).for_sealing()
        self.logs = pace_for_logs(self.duty)
        if not self.script.applier.indexed:
            self.pace.size = ALL_KEYS

    @property
    def longest_ms(self) -> float:
        """The longest hold; nobody waits for what only reads."""
        return max(one.longest_ms for one in (self.pace, self.seal_pace, self.logs))

    def take_over(self, done: Begun | Weighed) -> None:
        """Go on where one transaction has sealed everything, or has found out how to make it true."""
        self.choice = done.choice
        if isinstance(done, Weighed):
            self.waiting = done.changes
            return
        self.run, self.changes, self.total = done.run, done.changes, done.units
        self.transactions, self.ms, self.sealed = 1, done.hold_ms, True
        self.seal_pace.longest_ms = done.hold_ms

    def report(self, drained: bool) -> TickReport:
        counts = self.changes, self.keys, self.written, self.transactions, self.longest_ms
        return TickReport(self.script.name, *counts, drained, self.unsettled)


def tick(
    duty: Duty,
    script: Script,
    *,
    max_ms: float | None = None,
    max_batches: int | None = None,
    listen: Listener = ignore,
    waits: bool = False,
    at_once: bool = True,
) -> TickReport:
    """Seal and apply until everything that was committed before is applied, or a bound is reached.

    `waits`: something was seen to wait; `at_once`: one transaction may do what is little. Raises `Fault` when the ledger has no
    checkpoint of the script's logs, and `Lost` when the lease is gone.
    """
    if script.tick is None:
        return TickReport(script.name)
    # Rows that are computed from the sources are to be those of the moment that the tick sees.
    duty = hold_sources(duty, script) if script.tick.deltas is None or script.tick.deltas.flag else duty
    done = tick_at_once(duty, script) if at_once and max_batches is None else None
    if isinstance(done, TickReport):
        return done
    if done is None and not (waits or has_work(duty, script)):
        return TickReport(script.name)
    if script.tick.deltas is not None:
        weighed = done if isinstance(done, Weighed) else None
        return tick_deltas(duty, script, max_ms=max_ms, max_batches=max_batches, listen=listen, weighed=weighed)
    unsettled = settle(duty, script)
    if not is_ready(duty, script):
        return TickReport(script.name, unsettled=unsettled)
    portion = done.portion if done else recall(duty, script, choose_pace(duty.session.dialect, duty.hold_ms))
    state = _State(duty, script, script.tick, portion, unsettled)
    if done is not None:
        state.take_over(done)
    began = duty.clock.now()
    with recording(duty, script, lambda: state.run):
        while not (state.sealed and state.applied and not state.remains):
            spent = max_ms is not None and duty.clock.ms_since(began) >= max_ms and not _has_only_read(state)
            if spent or duty.stop() or (max_batches is not None and state.transactions >= max_batches):
                if spent and state.keys == 0 and max_batches is None and not duty.stop():
                    # Where one transaction takes longer than the bound, sealing alone would be all that ticks ever do.
                    _apply(state)
                _end(state, "a bound was reached; the next tick goes on")
                return state.report(drained=False)
            _next(state)
            listen(Event(script.name, "tick", state.keys, state.total))
        _end(state, None)
    return state.report(drained=True)


def _next(state: _State) -> None:
    """Do the next transaction: seals come first, then what they spare the logs, then the rows."""
    if state.whole is not None and not state.whole.finished:
        return _write_whole(state, state.whole)
    if not state.sealed:
        return _take_changes(state)
    if state.remains:
        return _consume_more(state)
    return _read_whole(state) if _weigh_units(state) else _apply(state)


def _take_changes(state: _State) -> None:
    """Begin with what waits in the logs, in the way that the guard chooses."""
    choice = _weigh_changes(state)
    if choice.way == "full":
        return _read_whole(state)
    prepare_once(state.duty, state.script)
    if choice.way == "delta" and state.tick.products is not None:
        return _add(state, state.tick.products)
    if state.portion.far and state.backlog is None and _may_read_first(state):
        return _begin_reading(state)
    if state.tick.products is not None and state.backlog is None and state.waiting <= state.pace.size:
        return _seal_at_once(state, state.tick.products)
    return _seal(state) if state.backlog is None else _seal_backlog(state, state.backlog)


def _has_only_read(state: _State) -> bool:
    """Whether a whole result was read and nothing of it is written: what was read is lost with the session."""
    if state.backlog is not None:
        return not state.backlog.finished
    return state.whole is not None and state.whole.done == 0 and not state.whole.finished


def _end(state: _State, message: str | None) -> None:
    """End the run, if there was anything to record, with why its rows were made true in the way that they were."""
    run, choice = state.run, state.choice
    if run is None:
        return
    if choice is not None and state.unread:
        choice = replace(choice, reason=f"{choice.reason}; {state.unread}")
    run.rows_done, run.rows_written = state.keys, state.written
    run.longest_ms = state.longest_ms
    said = "; ".join(part for part in (message, choice.reason if choice else None) if part)

    def work() -> None:
        if choice is not None:
            done = choice.work if choice.way == "full" else state.changes + state.keys
            add_cost(state.duty, state.script, choice, done, state.ms)
        run.end("done", said or None)
        state.portion.remember()

    state.duty.write(work)


def _weigh_changes(state: _State) -> Choice:
    """The way for what waits in the logs; asked once."""
    if state.choice is not None:
        return state.choice
    duty, script, tick = state.duty, state.script, state.tick
    why_not = why_not_added(duty, script) if tick.products is not None else ""
    state.waiting = count_changes(duty, script) if tick.full is not None or tick.products is not None else 0
    usual: Way = "delta" if tick.products is not None and not why_not else "keyed"
    choice = choose_for(duty, script, usual, state.waiting, "change")
    state.choice = replace(choice, reason=f"{choice.reason}; {why_not}") if why_not else choice
    return state.choice


def _weigh_units(state: _State) -> bool:
    """Whether the whole result costs less than the units that were found dirty; asked when many were."""
    if state.total <= FEW or state.keys:
        return False
    state.choice = choose_for(state.duty, state.script, "keyed", state.total, "unit")
    return state.choice.way == "full"


def _add(state: _State, products: Products) -> None:
    """Add what changed rows join; where that is not exact, or too much, the units are recomputed."""
    found, ms = add_up(state.duty, state.script, products, state.pace.size)
    state.ms += ms
    if found.why_not:
        state.choice = Choice("keyed", f"keyed: {found.why_not}")
        return
    added = write_sum(state.duty, state.script, products, found, state.pace, state.run)
    state.run, state.changes = added.run, found.changes
    state.keys, state.written, state.ms = found.keys, added.written, state.ms + added.ms
    state.transactions += 1
    state.sealed = state.applied = True
    state.remains = added.consumed >= CONSUME_ROWS


def _read_whole(state: _State) -> None:
    """Evaluate the whole query; nobody waits for that."""
    if state.tick.full is not None:
        prepare_once(state.duty, state.script, tables_of_whole(state.script))
        state.whole = read_whole(state.duty, state.script, state.tick.full)


def _write_whole(state: _State, whole: Whole) -> None:
    """Write what differs. With the last of it everything that was committed before is applied."""
    full, choice = state.tick.full, state.choice
    if full is None or choice is None:
        raise Fault(f"{state.script.name} has no whole result", retry_safe=False)
    state.run, _ = write_whole(state.duty, state.script, full, whole, state.pace, state.run, choice)
    state.transactions += 1
    if whole.finished:
        state.changes = state.changes or state.waiting
        state.keys += whole.total
        state.written += whole.written
        state.ms += whole.ms
        state.sealed = state.applied = True
        state.remains = whole.consumed >= CONSUME_ROWS


def _seal(state: _State) -> None:
    """Seal one slice. Sees one moment, so that a change and the rows around it fit together."""
    held = _readably(state, lambda anew: state.duty.write(lambda: _seal_slice(state, anew), snapshot=True))
    state.run, sealed = held.value
    state.changes += sealed.changes
    state.transactions += 1
    state.fresh, state.remains = sealed.fresh, state.remains or sealed.consumed >= CONSUME_ROWS
    # A seal that an earlier tick left unfinished is finished first; only a seal that began now covers everything.
    if sealed.finished:
        state.sealed, state.fresh = state.fresh, False
        state.total = count_dirty(state.duty, state.script)
        state.portion.reached(state.changes, state.total)
    elif _may_read_first(state):
        state.backlog = Backlog(state.seal_pace.for_reading())
    state.seal_pace.record(sealed.changes, held.hold_ms)
    state.ms += held.hold_ms


def _may_read_first(state: _State) -> bool:
    """Whether a seal may be read before anything of it is written: not where what changed is kept along with its units."""
    return not (state.tick.scans or keeps_changes(state.script))


def _begin_reading(state: _State) -> None:
    """Begin a seal that is read from its first change on, since each may reach more than a transaction should write."""

    def work() -> tuple[Run, bool]:
        run, known = state.run or add_run(state.duty, "tick", state.script), read_checkpoints(state.duty, state.script)
        begins = all(one.target is None for one in known.values())
        if begins:
            begin_seal(state.duty, state.script, state.tick, known)
        return run, begins

    held = state.duty.write(work, snapshot=True)
    state.run, begins = held.value
    state.fresh = state.fresh or begins
    state.transactions += 1
    state.backlog = Backlog(state.seal_pace.for_reading())


def _seal_backlog(state: _State, backlog: Backlog) -> None:
    """Read what is left of a seal, which nobody waits for; then write the units that it reaches, and finish it."""
    if backlog.total is None:
        state.ms += read_more(state.duty, state.script, state.tick, backlog)
        return
    held = write_some(state.duty, state.script, state.tick, backlog, state.seal_pace.size)
    state.transactions += 1
    state.ms += held.hold_ms
    state.seal_pace.record(held.value, held.hold_ms)
    if backlog.finished:
        state.unread = backlog.unread or state.unread
        state.changes += backlog.changes
        state.portion.reached(backlog.changes, backlog.total)
        state.backlog, state.remains = None, True
        state.sealed, state.fresh = state.fresh, False
        state.total = count_dirty(state.duty, state.script)


def _seal_at_once(state: _State, products: Products) -> None:
    """Seal and recompute in one snapshot, where so little waits: then all rows are of one moment, and can be added to."""

    def work(anew: bool) -> tuple[Run, Sealed, int, int, bool]:
        run, sealed = _seal_slice(state, anew)
        if not (sealed.finished and sealed.fresh):
            return run, sealed, 0, 0, False
        taken, written = _recompute(state)
        done = taken < state.pace.size
        if done:
            state.duty.session.run(products.even)
        return run, sealed, taken, written, done

    held = _readably(state, lambda anew: state.duty.write(lambda: work(anew), snapshot=True))
    state.run, sealed, taken, written, state.applied = held.value
    state.changes, state.keys, state.written = (
        state.changes + sealed.changes,
        state.keys + taken,
        state.written + written,
    )
    state.transactions += 1
    state.ms += held.hold_ms
    state.fresh, state.remains = sealed.fresh, state.remains or sealed.consumed >= CONSUME_ROWS
    if sealed.finished:
        state.sealed, state.fresh = state.fresh, False
        state.total = count_dirty(state.duty, state.script)
        state.portion.reached(sealed.changes, taken + state.total)
    else:
        state.backlog = Backlog(state.seal_pace.for_reading())
    if taken:
        state.portion.learn(taken, held.hold_ms)


def _seal_slice(state: _State, anew: bool) -> tuple[Run, Sealed]:
    run = state.run or add_run(state.duty, "tick", state.script)
    limit, before, fresh = state.seal_pace.size, state.changes, state.fresh
    return run, seal_slice(state.duty, state.script, state.tick, limit, before=before, fresh=fresh, anew=anew)


def _readably(state: _State, work: Callable[[bool], Held[T]]) -> Held[T]:
    """Seal; where that fails for what is in the data, without reading changes. Raises what the rows of now make of that."""
    try:
        return work(False)
    except TidemarkError as problem:
        if not blames_data(problem):
            raise
        done = work(True)
        state.unread = tell_unread(problem)
        return done


def _consume_more(state: _State) -> None:
    """Let the logs go of what everybody has sealed."""
    state.remains = let_go(state.duty, state.script, state.logs)
    state.transactions += 1


def _recompute(state: _State) -> tuple[int, int]:
    """Recompute the first units of the dirty set and take them out of it, in the caller's transaction; how many, and rows."""
    session, taken = state.duty.session, 0
    state.portion.remember()

    def take() -> None:
        nonlocal taken
        taken = session.run(state.tick.take_dirty, {"limit": state.pace.size})

    written = apply_batch(session, state.script.applier, take, computing(state.duty, state.script, "tick"))
    session.run(state.tick.done_dirty)
    return taken, written


def _apply(state: _State) -> None:
    """Recompute the first units of the dirty set and take them out of it."""
    prepare_once(state.duty, state.script, tables_to_compute(state.script))
    held = write_steadily(state.duty, state.script, lambda: _recompute(state), tick)
    taken, written = held.value
    state.keys += taken
    state.written += written
    state.transactions += 1
    state.ms += held.hold_ms
    state.applied = taken < state.pace.size
    if state.script.applier.indexed:
        state.portion.learn(taken, held.hold_ms)
    else:
        state.pace.longest_ms = max(state.pace.longest_ms, held.hold_ms)
