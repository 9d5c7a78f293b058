"""A small tick: everything in one transaction.

Owns: the tick of a derived table for which little waits. Promises: changes are read, rows written, the checkpoint moved and the
run recorded in one transaction that sees one moment, under the lease; a seal is begun by nobody and so never left behind. What
it cannot do so it leaves to the tick that goes step by step, and then nothing was written: much that waits, a seal that is
under way, units that are dirty already, a marker, a clock, a scan, a function in Python, sums over joins that do not add up
exactly, memory that has to wait, rows that somebody else was writing, and a change that cannot be read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from tidemark.database.session import Conflict, blames_data
from tidemark.errors import Fault, TidemarkError
from tidemark.runtime.apply_batch import apply_batch, is_prepared, prepare_once, tables_of, tables_to_compute
from tidemark.runtime.captures import trim_alone
from tidemark.runtime.duty import Duty, Held
from tidemark.runtime.guard import FEW, KEEP, Way, choose_for
from tidemark.runtime.pace import choose_pace
from tidemark.runtime.portions import Portion, begin
from tidemark.runtime.runs import add_done_tick
from tidemark.runtime.seals import CONSUME_ROWS, TickReport, about, consume, move_checkpoints
from tidemark.runtime.steady import Unsteady, read_first, require_steady
from tidemark.script import Script, SourceLog, Tick
from tidemark.ways import following

ALL_ROWS = 64 << 31
"""A slice without an end; where slices are counted in blocks, as many as a table may have."""
LOOKED_AT_MAX = 5_000
"""So many changes are looked at, to find out how few of them concern a table."""


class _Unsuited(Exception):
    """It is more than a small tick can do; the transaction is given up."""


class _Far(_Unsuited):
    """Few changes reach many units."""

    def __init__(self, portion: Portion) -> None:
        self.portion = portion


class _Unprepared(Exception):
    """Temporary tables are needed that are not there yet; the transaction is given up."""

    def __init__(self, tables: Sequence[str]) -> None:
        self.tables = tables


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
class _Done:
    changes: int
    keys: int
    written: int
    sources: frozenset[str]
    portion: Portion


def suits(script: Script) -> bool:
    """Whether a derived table's ticks can be done at once when little waits."""
    tick, applier = script.tick, script.applier
    if tick is None or tick.scans or tick.due is not None or applier.compute is not None:
        return False
    # Where one change may reach every row, it is not little.
    may_compute = bool(tick.take_reached) and (applier.indexed or script.klass != "global")
    return bool(tick.logs) and bool(applier.units) and (tick.deltas is not None or may_compute)


def tick_at_once(duty: Duty, script: Script) -> TickReport | None:
    """Tick in one transaction; None, and nothing was written, when it has to be done step by step.

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
        held = _prepared(duty, script, work)
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
    if done.keys:
        done.portion.learn(done.keys, held.hold_ms)
    if done.portion.now != done.portion.known:
        duty.write(done.portion.remember)
    if not duty.session.dialect.writers_wait_in_line:
        # Others delete from the same log: whoever does it with the snapshot of before would meet what is gone already.
        _let_go(duty, tick, done.sources)
    return TickReport(script.name, done.changes, done.keys, done.written, 1, held.hold_ms)


def _prepared(duty: Duty, script: Script, work: Callable[[], _Done | None]) -> Held[_Done | None]:
    """Do it, with the temporary tables that turn out to be needed: where nothing concerns a table, none is."""
    while True:
        try:
            return duty.write_once(work, snapshot=True)
        except _Unprepared as missing:
            prepare_once(duty, script, missing.tables)


def _require_tables(duty: Duty, script: Script, tables: Sequence[str]) -> None:
    """Raises what gives the transaction up when the session has not got all of these temporary tables."""
    if not is_prepared(duty, script, tables):
        raise _Unprepared(tables)


def _tables(script: Script, tick: Tick) -> Sequence[str]:
    """The statements that create what a small tick needs at first, if anything."""
    if tick.deltas is not None:
        return tick.deltas.create
    return (*tables_to_compute(script), *(tick.products.create if tick.products is not None else ()))


def _let_go(duty: Duty, tick: Tick, sources: frozenset[str]) -> None:
    try:
        for log in tick.logs:
            if log.source in sources:
                trim_alone(duty.ledger, log.source, log.log, CONSUME_ROWS)
    except Conflict:
        # The next tick does it.
        return


def _work(duty: Duty, script: Script, tick: Tick) -> _Done | None:
    began = duty.clock.now()
    seen, portion = _look(duty, script, tick)
    changes = _count(seen)
    sources = frozenset(source for source, one in seen.items() if one.moved)
    if not sources:
        return None
    # Where few changes reach far, following them is much already.
    if changes > FEW or portion.far:
        raise _Unsuited
    # What joins is added only to rows that are all of one moment.
    joins = tick.products is not None and all(one.even for one in seen.values())
    do = _add if tick.deltas is not None else _join if joins else _recompute
    usual: Way = "keyed" if do is _recompute else "delta"
    # Where no index reaches the rows of a key, few changes may be much work, which the guard weighs.
    unreached = tick.deltas is None and not script.applier.indexed
    if unreached and choose_for(duty, script, usual, changes, "change").way != usual:
        raise _Unsuited
    if changes:
        _require_tables(duty, script, _tables(script, tick))
    # What is computed anew is computed as of the checkpoint, so that one goes first.
    move_checkpoints(duty, script, {source: one.now for source, one in seen.items()})
    keys, written = do(duty, script, tick, seen, portion) if changes else (0, 0)
    if tick.products is not None:
        duty.session.run(tick.products.even)
    said = f"{usual}: {changes} change{'' if changes == 1 else 's'} are few"
    counts = {"rows_done": keys, "rows_written": written, "ms": duty.clock.ms_since(began)}
    if changes:
        add_done_tick(
            duty, script, {**counts, "message": said, "way": usual, "work": float(changes + keys), "keep": KEEP}
        )
    if duty.session.dialect.writers_wait_in_line:
        consume(duty, script, sources)
    return _Done(changes, keys, written, sources, portion)


def _look(duty: Duty, script: Script, tick: Tick) -> tuple[dict[str, _Seen], Portion]:
    """What waits in each log, read along with its checkpoint in one statement, and the portion of the ticks."""
    rows = duty.session.all(_question(duty, script, tick), {**about(script), "limit": FEW + 1, "most": LOOKED_AT_MAX})
    if len(rows) != len(tick.logs):
        # A checkpoint is not there; the long way says so.
        raise _Unsuited
    found = {}
    portion = begin(duty, script, choose_pace(duty.session.dialect, duty.hold_ms), *rows[0][9:11])
    for source, before, under_way, now, ahead, even, moved, changes, markers, _, _, dirty in rows:
        if under_way or ahead or markers or dirty:
            raise _Unsuited
        found[source] = _Seen(source, before, now, bool(moved), int(changes), bool(even))
    for log in tick.logs:
        one = found[log.source]
        if one.changes > FEW:
            found[log.source] = replace(one, changes=_count_concerning(duty, log, one.before))
    return found, portion


def _count_concerning(duty: Duty, log: SourceLog, before: str) -> int:
    """How many of many changes concern the table, up to what is too many."""
    bounds = {"previous": before, "limit": FEW + 1, "most": LOOKED_AT_MAX}
    return int(duty.ledger.value("count_concerning", bounds, log=log.log, concerns=log.concerns))


def _question(duty: Duty, script: Script, tick: Tick) -> str:
    literal = duty.session.dialect.literal
    branches = [
        duty.ledger.text("look_at_log", log=log.log, source=literal(log.source), concerns=log.concerns)
        for log in tick.logs
    ]
    dirty = f"(SELECT count(*) FROM (SELECT 1 FROM {tick.dirty} LIMIT 1) AS d)" if tick.dirty else "0"
    return f"SELECT l.*, {dirty} FROM ({' UNION ALL '.join(branches)}) AS l"


def _follow(log: SourceLog, seen: Mapping[str, _Seen]) -> list[str]:
    """What copies what waits in a log, and follows it to the keys."""
    moved = [source for source, one in seen.items() if one.changes]
    return [*log.added] if log.added else [log.clear_slice, log.fill_slice, *following(log.affected, moved)]


def _bounds(seen: _Seen) -> dict[str, int | str]:
    return {"position": 0, "previous": seen.before, "target": seen.now, "limit": ALL_ROWS}


def _count(seen: Mapping[str, _Seen]) -> int:
    return sum(one.changes for one in seen.values())


def _require_few(portion: Portion, seen: Mapping[str, _Seen], units: int) -> None:
    """Raises what gives the transaction up when its units are more than the portion of one."""
    portion.reached(_count(seen), units)
    if portion.far:
        raise _Far(portion)
    if units > portion.pace.size:
        raise _Unsuited


def _changed(tick: Tick, seen: Mapping[str, _Seen]) -> list[tuple[SourceLog, _Seen]]:
    return [(log, seen[log.source]) for log in tick.logs if seen[log.source].changes]


def _recompute(duty: Duty, script: Script, tick: Tick, seen: Mapping[str, _Seen], portion: Portion) -> tuple[int, int]:
    """Compute the units that are reached; how many, and how many rows were written."""
    session, taken = duty.session, 0

    def take() -> None:
        nonlocal taken
        taken = session.run(tick.take_reached, {"limit": portion.most_for(_count(seen)) + 1})
        _require_few(portion, seen, taken)

    before = [tick.clear_reached]
    for log, one in _changed(tick, seen):
        session.run_all([*before, *_follow(log, seen)], _bounds(one))
        before = []
    written = apply_batch(session, script.applier, take)
    return taken, written


def _join(duty: Duty, script: Script, tick: Tick, seen: Mapping[str, _Seen], portion: Portion) -> tuple[int, int]:
    """Add what changed rows join, summed by key; how many keys, and how many rows were written."""
    session, products, changed = duty.session, tick.products, _changed(tick, seen)
    if products is None:
        raise Fault(f"{script.name} joins nothing", retry_safe=False)
    labels = {log.source for log, _ in changed}
    if sum(label in labels for label in products.scans) > products.scans_max:
        raise _Unsuited
    adding = [one.add for one in products.products if labels.issuperset(one.sources)]
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
    return keys, sum(session.run_all(products.apply, {"low": 0, "high": keys})) if keys else 0


def _add(duty: Duty, script: Script, tick: Tick, seen: Mapping[str, _Seen], portion: Portion) -> tuple[int, int]:
    """Add the changes up by key, and to the rows; how many keys, and how many rows were written."""
    session, deltas = duty.session, tick.deltas
    if deltas is None:
        raise Fault(f"{script.name} adds nothing", retry_safe=False)
    before = list(deltas.clear)
    for log, one in _changed(tick, seen):
        session.run_all([*before, *_follow(log, seen)], _bounds(one))
        before = []
    keys = sum(session.run_all(deltas.number))
    _require_few(portion, seen, keys)
    if not keys:
        return 0, 0
    bounds = {"low": 0, "high": keys}
    counts = session.run_all([*deltas.flag, *deltas.apply], bounds)
    marked, written = sum(counts[: len(deltas.flag)]), sum(counts[len(deltas.flag) :])
    if marked:
        # Adding alone does not make every row true; what computes the others is seldom needed.
        _require_tables(duty, script, tables_of(script))
        written += apply_batch(session, script.applier, partial(session.run, deltas.take_again, bounds))
    return keys, written
