"""The steps of a tick that seal what changed.

Owns: sealing by slices, by reading first, and along with the rows. Promises: each step is one transaction, which sees one moment,
so that a change and the rows around it fit together; where a change cannot be read, everything is dirty in its place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from tidemark.contract.ways import Products
from tidemark.database.session import blames_data
from tidemark.errors import TidemarkError
from tidemark.runtime.duty import Held
from tidemark.runtime.runs import Run, add_run
from tidemark.runtime.ticks.apart import begins_with_changes
from tidemark.runtime.ticks.backlog import Backlog, read_more, write_some
from tidemark.runtime.ticks.batch import apply_batch
from tidemark.runtime.ticks.processing import computing, keeps_changes
from tidemark.runtime.ticks.seals import CONSUME_ROWS, Sealed, begin_seal, count_dirty, read_checkpoints, seal_slice
from tidemark.runtime.ticks.state import State
from tidemark.runtime.ticks.unread import tell_unread

T = TypeVar("T")


def seal(state: State) -> None:
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
    elif may_read_first(state):
        state.backlog = Backlog(state.seal_pace.for_reading())
    state.seal_pace.record(sealed.changes, held.hold_ms)
    state.ms += held.hold_ms


def reads_first(state: State) -> bool:
    """Whether a seal is read before anything of it is written: where a change may reach far, or rows begin with one."""
    return may_read_first(state) and (state.portion.far or begins_with_changes(state.script))


def may_read_first(state: State) -> bool:
    """Whether a seal may be read before anything of it is written: not where what changed is kept along with its units."""
    return not (state.tick.scans or keeps_changes(state.script))


def begin_reading(state: State) -> None:
    """Begin a seal that is read from its first change on, since each may reach more than a transaction should write, or be one
    beside which the whole query is asked, since it cannot be read."""

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


def seal_backlog(state: State, backlog: Backlog) -> None:
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


def seal_at_once(state: State, products: Products) -> None:
    """Seal and recompute in one snapshot, where so little waits: then all rows are of one moment, and can be added to."""

    def work(anew: bool) -> tuple[Run, Sealed, int, int, bool]:
        run, sealed = _seal_slice(state, anew)
        if not (sealed.finished and sealed.fresh):
            return run, sealed, 0, 0, False
        taken, written = recompute(state)
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


def _seal_slice(state: State, anew: bool) -> tuple[Run, Sealed]:
    run = state.run or add_run(state.duty, "tick", state.script)
    limit, before, fresh = state.seal_pace.size, state.changes, state.fresh
    return run, seal_slice(state.duty, state.script, state.tick, limit, before=before, fresh=fresh, anew=anew)


def _readably(state: State, work: Callable[[bool], Held[T]]) -> Held[T]:
    """Seal; where that fails for what is in the data, without reading changes. Raises what the rows of now make of that."""
    try:
        return work(False)
    except TidemarkError as problem:
        if not blames_data(problem):
            raise
        done = work(True)
        state.unread = tell_unread(state.script, problem)
        return done


def recompute(state: State) -> tuple[int, int]:
    """Recompute the first units of the dirty set and take them out of it, in the caller's transaction; how many, and rows."""
    session, taken = state.duty.session, 0
    state.portion.remember()

    def take() -> None:
        nonlocal taken
        taken = session.run(state.tick.take_dirty, {"limit": state.pace.size})

    written = apply_batch(session, state.script.applier, take, computing(state.duty, state.script, "tick"))
    session.run(state.tick.done_dirty)
    return taken, written
