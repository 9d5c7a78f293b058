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

from dataclasses import replace

from tidemark.contract.script import Script
from tidemark.contract.ways import Products
from tidemark.errors import Fault
from tidemark.runtime.duty import Duty
from tidemark.runtime.pace import choose_pace
from tidemark.runtime.progress import Event
from tidemark.runtime.ticks.at_once import tick_at_once
from tidemark.runtime.ticks.batch import prepare_once, tables_of_whole, tables_to_compute
from tidemark.runtime.ticks.deltas import tick_deltas
from tidemark.runtime.ticks.full import Whole, read_whole, write_whole
from tidemark.runtime.ticks.guard import FEW, Choice, Way, choose_for, count_changes
from tidemark.runtime.ticks.moments import let_time_pass
from tidemark.runtime.ticks.newcomers import show_newcomers
from tidemark.runtime.ticks.portions import recall
from tidemark.runtime.ticks.products import add_up, why_not_added, write_sum
from tidemark.runtime.ticks.scanning import is_ready, settle
from tidemark.runtime.ticks.sealing import begin_reading, reads_first, recompute, seal, seal_at_once, seal_backlog
from tidemark.runtime.ticks.seals import CONSUME_ROWS, TickReport, count_dirty, has_work, hold_sources
from tidemark.runtime.ticks.small import Weighed
from tidemark.runtime.ticks.state import State
from tidemark.runtime.ticks.steady import write_steadily
from tidemark.runtime.ticks.unread import recording_tick

__all__ = ["TickReport", "count_dirty", "has_work", "tick"]


def tick(
    duty: Duty,
    script: Script,
    *,
    max_ms: float | None = None,
    max_batches: int | None = None,
    waits: bool = False,
    at_once: bool = True,
) -> TickReport:
    """Seal and apply until everything that was committed before is applied, or a bound is reached.

    `waits`: something was seen to wait; `at_once`: one transaction may do what is little. Raises `Fault` when the ledger has no
    checkpoint of the script's logs, and `Lost` when the lease is gone.
    """
    report = _make_true(duty, script, max_ms, max_batches, waits, at_once)
    show_newcomers(duty, script)
    return report


def _make_true(
    duty: Duty,
    script: Script,
    max_ms: float | None,
    max_batches: int | None,
    waits: bool,
    at_once: bool,
) -> TickReport:
    if script.tick is None:
        return TickReport(script.name)
    # Rows that are computed from the sources are to be those of the moment that the tick sees.
    duty = hold_sources(duty, script) if script.tick.deltas is None or script.tick.deltas.flag else duty
    done = None
    if at_once and max_batches is None:
        with recording_tick(duty, script, lambda: None):
            done = tick_at_once(duty, script)
    if isinstance(done, TickReport):
        return done
    if done is None and not (waits or has_work(duty, script)):
        return TickReport(script.name)
    if script.tick.deltas is not None:
        weighed = done if isinstance(done, Weighed) else None
        return tick_deltas(duty, script, max_ms=max_ms, max_batches=max_batches, weighed=weighed)
    unsettled = settle(duty, script)
    if not is_ready(duty, script):
        return TickReport(script.name, unsettled=unsettled)
    portion = done.portion if done else recall(duty, script, choose_pace(duty.session.dialect, duty.hold_ms))
    state = State(duty, script, script.tick, portion, unsettled)
    if done is not None:
        state.take_over(done)
        if isinstance(done, Weighed) and done.spent_ms:
            state.rival.give_up("keyed", done.changes, done.spent_ms)
    began = duty.clock.now()
    with recording_tick(duty, script, lambda: state.run):
        while not (state.sealed and state.applied and not state.remains):
            spent = max_ms is not None and duty.clock.ms_since(began) >= max_ms and not _has_only_read(state)
            if spent or duty.stop() or (max_batches is not None and state.transactions >= max_batches):
                if spent and state.keys == 0 and max_batches is None and not duty.stop():
                    # Where one transaction takes longer than the bound, sealing alone would be all that ticks ever do.
                    _apply(state)
                state.end("a bound was reached; the next tick goes on")
                return state.report(drained=False)
            _next(state)
            duty.listen(Event(script.name, "tick", state.keys, state.total))
        state.end(None)
    return state.report(drained=True)


def _next(state: State) -> None:
    """Do the next transaction: seals come first, then what they spare the logs, then the rows."""
    if state.whole is not None and not state.whole.finished:
        return _write_whole(state, state.whole)
    if _leaves(state):
        return _read_whole(state)
    if not state.sealed:
        return _take_changes(state)
    if state.remains:
        return state.consume_more()
    return _read_whole(state) if _weigh_units(state) else _apply(state)


def _take_changes(state: State) -> None:
    """Begin with what waits in the logs, in the way that the guard chooses."""
    choice = _weigh_changes(state)
    if choice.way == "full":
        return _read_whole(state)
    prepare_once(state.duty, state.script)
    if choice.way == "delta" and state.tick.products is not None:
        return _add(state, state.tick.products)
    if state.backlog is None and reads_first(state):
        return begin_reading(state)
    if state.tick.products is not None and state.backlog is None and state.waiting <= state.pace.size:
        return seal_at_once(state, state.tick.products)
    return seal(state) if state.backlog is None else seal_backlog(state, state.backlog)


def _has_only_read(state: State) -> bool:
    """Whether a whole result was read and nothing of it is written: what was read is lost with the session."""
    if state.backlog is not None:
        return not state.backlog.finished
    return state.whole is not None and state.whole.done == 0 and not state.whole.finished


def _weigh_changes(state: State) -> Choice:
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


def _weigh_units(state: State) -> bool:
    """Whether the whole result costs less than the units that were found dirty; asked once."""
    left = state.total - state.begun
    if state.keys > state.begun or not left:
        return False
    choice = choose_for(state.duty, state.script, "keyed", left, "unit")
    if left > FEW or choice.way == "full":
        state.choice = choice
    return choice.way == "full"


def _leaves(state: State) -> bool:
    """Whether the tick leaves its way, because it has taken so long on it that the whole result would be there."""
    way = state.choice.way if state.choice is not None else "full"
    if state.applied or state.whole is not None or state.unread:
        return False
    left = state.total - state.keys if state.sealed else None
    choice = state.rival.outruns(way, state.ms, left, state.ms / state.keys if state.keys else None)
    if choice is None:
        return False
    known = state.changes or state.waiting or count_changes(state.duty, state.script)
    state.rival.give_up(way, known + state.keys, state.ms)
    state.choice, state.ms = choice, 0.0
    return True


def _add(state: State, products: Products) -> None:
    """Add what changed rows join; where that is not exact, or too much, the units are recomputed."""
    found, ms = add_up(state.duty, state.script, products, state.pace.rows_known)
    state.ms += ms
    if found.why_not:
        way: Way = "keyed" if state.script.applier.units or state.tick.full is None else "full"
        state.choice = Choice(way, f"{way}: {found.why_not}")
        return
    added = write_sum(state.duty, state.script, products, found, state.pace, state.run)
    state.run, state.changes = added.run, found.changes
    state.keys, state.written, state.ms = found.keys, added.written, state.ms + added.ms
    state.transactions += 1
    state.sealed = state.applied = True
    state.remains = added.consumed >= CONSUME_ROWS


def _read_whole(state: State) -> None:
    """Evaluate the whole query; nobody waits for that. The moment that it reads is moved on as by a seal."""
    if state.tick.full is not None:
        if state.tick.due is not None and not state.sealed:
            state.duty.write(lambda: let_time_pass(state.duty, state.script))
            state.transactions += 1
        prepare_once(state.duty, state.script, tables_of_whole(state.script))
        state.whole = read_whole(state.duty, state.script, state.tick.full, tick)


def _write_whole(state: State, whole: Whole) -> None:
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


def _apply(state: State) -> None:
    """Recompute the first units of the dirty set and take them out of it."""
    prepare_once(state.duty, state.script, tables_to_compute(state.script))
    held = write_steadily(state.duty, state.script, lambda: recompute(state), tick)
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
