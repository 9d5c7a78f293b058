"""One tick of a linear program: add up what changed by key, then add that to the rows.

Owns: the progress of a session through a seal. Promises: a seal goes up to one moment, the same for all logs, which is recorded
first. What changed up to it is added up in temporary tables, by reading alone, so nothing has to be kept true about that: a
session that ends, or another that goes on, adds up again and finds the same keys in the same places. Rows are written in the
order of keys, and the place that was reached is recorded in the transaction that reached it: each change is in the rows
exactly once, after a kill at any instant. When all places are done the checkpoint moves. A marker among the changes means
that everything is computed anew, as of the same moment, and no delta is added. So does a change that no expression of the query
can read; but the moment is then a new one, at which that value may be gone, and the seal's place says `ANEW` to whoever goes on
with it. Where the guard chooses so, and no seal is under way, the whole result takes the place of the changes, as of a moment
that becomes the checkpoint along with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from weakref import WeakKeyDictionary

from tidemark.contract.script import Script
from tidemark.contract.tick import Deltas, SourceLog
from tidemark.database.session import Session, blames_data
from tidemark.errors import Fault, TidemarkError
from tidemark.runtime.duty import Duty
from tidemark.runtime.ledger import Checkpoint
from tidemark.runtime.objects.captures import begin_reading
from tidemark.runtime.pace import Pace, choose_pace
from tidemark.runtime.progress import Event
from tidemark.runtime.runs import Run, add_run
from tidemark.runtime.ticks.batch import apply_batch, prepare_once, tables_of_units, tables_of_whole, take_range
from tidemark.runtime.ticks.full import read_whole, write_whole
from tidemark.runtime.ticks.guard import Choice, choose_for, count_changes
from tidemark.runtime.ticks.portions import recall
from tidemark.runtime.ticks.seals import (
    CONSUME_ROWS,
    TickReport,
    about,
    consume,
    is_ahead,
    read_checkpoints,
    set_targets,
)
from tidemark.runtime.ticks.small import Weighed
from tidemark.runtime.ticks.state import Working
from tidemark.runtime.ticks.unread import recording_tick, tell_unread
from tidemark.telling import tell_doing

ANEW = -1
"""The place of a seal in which everything is computed anew."""


@dataclass
class _Added:
    """What a session has added up so far of one seal. `place` and `file` are by log; `total` is None until keys are numbered.

    `everything` tells that a marker was met, or that the seal is one in which all is made `anew`; `done` is then how many places
    of the list of all keys are computed.
    """

    seal: tuple[tuple[str, str, str], ...]
    anew: bool
    place: dict[str, int] = field(default_factory=dict)
    file: dict[str, str] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    changes: int = 0
    everything: bool = False
    total: int | None = None
    done: int = 0


_SESSIONS: WeakKeyDictionary[Session, dict[tuple[str, int], _Added]] = WeakKeyDictionary()


@dataclass(kw_only=True)
class _State(Working):
    """A tick of sums."""

    deltas: Deltas
    reading: Pace = field(init=False)
    finished: bool = False
    progressed: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self.reading = self.pace.for_reading()


def tick_deltas(
    duty: Duty,
    script: Script,
    *,
    max_ms: float | None,
    max_batches: int | None,
    weighed: Weighed | None,
) -> TickReport:
    """Seal and add until everything that was committed before is in the rows, or a bound is reached.

    Raises `Fault` when the ledger has no checkpoint of the script's logs, and `Lost` when the lease is gone.
    """
    tick = script.tick
    if tick is None or tick.deltas is None:
        return TickReport(script.name)
    portion = weighed.portion if weighed else recall(duty, script, choose_pace(duty.session.dialect, duty.hold_ms))
    state = _State(duty, script, tick, portion, deltas=tick.deltas)
    if weighed is not None:
        state.choice, state.waiting = weighed.choice, weighed.changes
    began = duty.clock.now()
    with recording_tick(duty, script, lambda: state.run):
        while not (state.finished and not state.remains):
            # What was read is lost with the session, so a bound in time lets something be added first.
            spent = max_ms is not None and state.progressed and duty.clock.ms_since(began) >= max_ms
            if spent or duty.stop() or (max_batches is not None and state.transactions >= max_batches):
                state.end("a bound was reached; the next tick goes on")
                return state.report(drained=False)
            _readably(state)
        state.end(None)
    return state.report(drained=True)


def _readably(state: _State) -> None:
    """Do the next transaction; where that fails for what is in the data, let everything be computed anew. It is tried once in a
    tick: what fails then is in the rows of now."""
    try:
        _next(state)
    except TidemarkError as problem:
        if state.unread or not blames_data(problem):
            raise
        state.unread = tell_unread(state.script, problem)
        _begin_anew(state)


def _next(state: _State) -> None:
    """Do the next transaction."""
    if state.remains:
        return state.consume_more()
    known = read_checkpoints(state.duty, state.script)
    if any(one.target is None for one in known.values()):
        return _take_whole(state) if _weigh(state) else _begin(state)
    added = _find_added(state, known)
    waiting = next((log for log in state.tick.logs if log.source not in added.ended), None)
    if waiting is not None:
        return _read_slice(state, added, waiting, known[waiting.source])
    return _number(state, added) if added.total is None else _write(state, added)


def _write(state: _State, added: _Added) -> None:
    if added.everything:
        _add_everything(state, added)
    else:
        _add(state, added)
    state.duty.listen(Event(state.script.name, "tick", state.keys, added.total or 0))


def _weigh(state: _State) -> bool:
    """Whether the whole result costs less than what waits in the logs; asked once."""
    if state.choice is None:
        state.waiting = count_changes(state.duty, state.script) if state.tick.full is not None else 0
        state.choice = choose_for(state.duty, state.script, "delta", state.waiting, "change")
    return state.choice.way == "full"


def _take_whole(state: _State) -> None:
    """Read the whole result and write what differs in one transaction, if that much can be written in one."""
    full, script, choice = state.tick.full, state.script, state.choice
    if full is None or choice is None:
        raise Fault(f"{script.name} has no whole result", retry_safe=False)
    prepare_once(state.duty, script, tables_of_whole(script))
    whole = read_whole(state.duty, script, full)
    state.ms += whole.ms
    if whole.total > state.pace.rows_known:
        state.choice = Choice(
            "delta", f"delta: {tell_doing(whole.total, 'row', 'differ')}, which is too much for one transaction"
        )
        return
    state.run, hold_ms = write_whole(state.duty, script, full, whole, state.pace, state.run, choice)
    state.changes += state.waiting
    state.keys, state.written = state.keys + whole.total, state.written + whole.written
    state.transactions += 1
    state.ms += hold_ms
    state.remains = whole.consumed >= CONSUME_ROWS
    state.progressed = state.finished = True


def _begin(state: _State) -> None:
    """Begin a seal; after a restore, let the next one compute everything anew instead of guessing."""

    def work() -> Run:
        run = state.run or add_run(state.duty, "tick", state.script)
        known = read_checkpoints(state.duty, state.script)
        if is_ahead(state.duty, state.script, known):
            begin_reading(state.duty.ledger, state.script)
            for statement in state.deltas.mark:
                state.duty.session.run(statement)
        else:
            set_targets(state.duty, state.script, known)
        return run

    held = state.duty.write(work, snapshot=True)
    state.run, state.fresh = held.value, True
    state.transactions += 1


def _begin_anew(state: _State) -> None:
    """Let the seal, or a new one, go up to now, whatever was added of it: everything is computed anew as of then."""

    def work() -> Run:
        run = state.run or add_run(state.duty, "tick", state.script)
        set_targets(state.duty, state.script, read_checkpoints(state.duty, state.script))
        _move(state, ANEW)
        return run

    held = state.duty.write(work, snapshot=True)
    state.run, state.fresh = held.value, True
    state.transactions += 1


def _find_added(state: _State, known: Mapping[str, Checkpoint]) -> _Added:
    """What this session knows of the seal; nothing yet when it is another one than last time."""
    seal = tuple((one.source, one.snapshot, one.target or "") for one in known.values())
    mine = _SESSIONS.setdefault(state.duty.session, {})
    place = (state.script.name, state.script.generation)
    added, anew = mine.get(place), any(one.position == ANEW for one in known.values())
    if added is None or (added.seal, added.anew) != (seal, anew):
        # Adding alone needs two tables; what computes rows is needed where some have to be computed.
        computed = tables_of_units(state.script.applier) if state.deltas.flag else ()
        prepare_once(state.duty, state.script, (*state.deltas.create, *computed))
        state.duty.read(lambda: _clear(state), snapshot=False)
        added = mine[place] = _Added(seal, anew, everything=anew)
        added.ended.update(known if anew else ())
    return added


def _clear(state: _State) -> None:
    for statement in state.deltas.clear:
        state.duty.session.run(statement)


def _read_slice(state: _State, added: _Added, log: SourceLog, checkpoint: Checkpoint) -> None:
    """Add up the next changes of one log."""
    session, ledger, limit = state.duty.session, state.duty.ledger, state.reading.size
    position = added.place.get(log.source, 0)

    def work() -> tuple[int, int, int, bool, str]:
        part = {"previous": checkpoint.snapshot, "target": checkpoint.target, "position": position, "limit": limit}
        ((count, markers, following, ended, file),) = ledger.all("measure_part", {**part, "name": log.log}, log=log.log)
        for statement in log.added if count else ():
            session.run(statement, part)
        return int(count), int(markers), int(following), bool(ended), str(file)

    held = state.duty.read(work)
    count, markers, following, ended, file = held.value
    if added.file.setdefault(log.source, file) != file:
        # The log was rewritten since the last slice, and its rows moved: from the beginning.
        _SESSIONS[session].pop((state.script.name, state.script.generation))
        return
    state.reading.record(limit if not ended else count, held.hold_ms)
    state.ms += held.hold_ms
    added.place[log.source] = following
    added.changes += count
    added.everything = added.everything or markers > 0
    if ended:
        added.ended.add(log.source)


def _number(state: _State, added: _Added) -> None:
    """Give every key its place."""
    session, applier = state.duty.session, state.script.applier
    if added.everything:
        prepare_once(state.duty, state.script)

    def work() -> int:
        for statement in applier.list_keys if added.everything else state.deltas.number:
            session.run(statement)
        row = session.one(applier.count_todo if added.everything else state.deltas.count)
        return int(row[0]) if row else 0

    added.total = state.duty.read(work).value


def _add(state: _State, added: _Added) -> None:
    """Add the deltas of the next places, or finish."""

    def write(low: int, high: int) -> int:
        session, bounds = state.duty.session, {"low": low, "high": high}
        marked = sum(max(0, session.run(statement, bounds)) for statement in state.deltas.flag)
        written = sum(max(0, session.run(statement, bounds)) for statement in state.deltas.apply)
        if marked:
            take = partial(session.run, state.deltas.take_again, bounds)
            written += apply_batch(session, state.script.applier, take)
        return written

    def work() -> tuple[int, int, int, int]:
        low = _place_of(state, added)
        high = min(added.total or 0, low + state.pace.size)
        written = write(low, high) if high > low else 0
        done = high >= (added.total or 0)
        return low, high, written, _finish(state, added) if done else _move(state, high)

    held = state.duty.write(work, snapshot=True)
    state.ms += held.hold_ms
    low, high, written, consumed = held.value
    state.pace.record(high - low, held.hold_ms)
    _after(state, added, high - low, written, consumed, high >= (added.total or 0))


def _add_everything(state: _State, added: _Added) -> None:
    """Compute the next keys of all anew, or finish. It may be done twice, so its place is not recorded."""
    low, total = added.done, added.total or 0
    high = min(total, low + (state.pace.size if state.script.applier.indexed else total))

    def work() -> tuple[int, int]:
        session, applier = state.duty.session, state.script.applier
        _place_of(state, added)
        written = apply_batch(session, applier, lambda: take_range(session, applier, low, high)) if high > low else 0
        return written, _finish(state, added) if high >= total else 0

    held = state.duty.write(work, snapshot=True)
    written, consumed = held.value
    added.done = high
    state.pace.record(high - low, held.hold_ms)
    _after(state, added, high - low, written, consumed, high >= total)


def _place_of(state: _State, added: _Added) -> int:
    """The place that was reached, as the ledger has it. Raises `Fault` when the seal is over or another one."""
    known = read_checkpoints(state.duty, state.script)
    if tuple((one.source, one.snapshot, one.target or "") for one in known.values()) != added.seal:
        raise Fault(f"another worker went on with the tick of {state.script.name}", left_behind="their work stands")
    return max(one.position for one in known.values())


def _move(state: _State, place: int) -> int:
    for log in state.tick.logs:
        place_of = {**about(state.script), "source": log.source, "file": "", "position": place}
        state.duty.ledger.run("set_position", place_of)
    return 0


def _finish(state: _State, added: _Added) -> int:
    """Move the checkpoint, and let the logs go of what everybody has sealed: few changes go along, many afterwards."""
    state.duty.ledger.run("finish_seal", about(state.script))
    return CONSUME_ROWS if added.changes >= CONSUME_ROWS else consume(state.duty, state.script)


def _after(state: _State, added: _Added, keys: int, written: int, consumed: int, done: bool) -> None:
    state.keys += keys
    state.written += written
    state.transactions += 1
    state.progressed = True
    if done:
        state.changes += added.changes
        state.remains = consumed >= CONSUME_ROWS
        # A seal that an earlier tick left unfinished is finished first; only a seal that began now covers everything.
        state.finished, state.fresh = state.fresh, False
