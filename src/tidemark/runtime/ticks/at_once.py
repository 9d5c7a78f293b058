"""A small tick: everything in one transaction.

Owns: the tick of a derived table for which little waits. Promises: changes are read, rows written, the checkpoint moved and the
run recorded in one transaction that sees one moment, under the lease; a seal is begun by nobody and so never left behind. Where
changes are few and their units many, that transaction seals them, all of them, and the units are computed step by step. What
it cannot do so it leaves to the tick that goes step by step, and then nothing was written: much that waits, a seal that is
under way, units that are dirty already, a marker, a clock, a scan, a function in Python, sums over joins that do not add up
exactly, memory that has to wait, rows that somebody else was writing, and a change that cannot be read.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from tidemark.contract.script import Script
from tidemark.contract.tick import Tick
from tidemark.database.session import Conflict, blames_data
from tidemark.errors import TidemarkError
from tidemark.runtime.duty import Duty
from tidemark.runtime.objects.captures import trim_alone
from tidemark.runtime.pace import Pace, choose_pace
from tidemark.runtime.runs import Run, add_done_tick, add_run
from tidemark.runtime.ticks.batch import preparing
from tidemark.runtime.ticks.guard import FEW, KEEP, LONG_MS, Choice, Way, choose_for, cost_ms
from tidemark.runtime.ticks.portions import Portion, begin
from tidemark.runtime.ticks.seals import CONSUME_ROWS, TickReport, about, consume, move_checkpoints
from tidemark.runtime.ticks.small import Far, Made, Seen, Unsuited, Weighed, Whole, add, count_changes, join, recompute
from tidemark.runtime.ticks.steady import Unsteady, read_first, require_steady

LOOKED_AT_MAX = 5_000
"""So many changes are looked at, to find out how few of them concern a table."""
CHANGE_MS = 0.02
"""What it is assumed to take to follow a change, of as many as fit into a transaction."""
CHANGES_MAX = 50_000


@dataclass(frozen=True)
class _Done:
    changes: int
    made: Made
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
    except Whole as found:
        return found.weighed
    except Far as seen:
        duty.write(seen.portion.remember)
        return None
    except (Unsuited, Unsteady, Conflict):
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
    changes, sources = count_changes(seen), frozenset(source for source, one in seen.items() if one.moved)
    if not sources:
        return None
    # What joins is added only to rows that are all of one moment.
    joins = tick.products is not None and all(one.even for one in seen.values())
    # Where few changes reach far, following them is much already.
    if changes > most or portion.far or not (joins or tick.deltas or script.applier.units):
        raise Unsuited
    do = add if tick.deltas is not None else join if joins else recompute
    usual: Way = "keyed" if do is recompute else "delta"
    choice = _choose(duty, script, usual, changes, portion, each_ms)
    duty.session.repeat(changes <= FEW)
    # What is computed anew is computed as of the checkpoint, so that one goes first.
    move_checkpoints(duty, script, {source: one.now for source, one in seen.items()})
    made = do(duty, script, tick, seen, portion) if changes else Made()
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
        raise Whole(Weighed(choice, changes, portion))
    if choice.way != usual:
        raise Unsuited
    return choice


def _look(duty: Duty, script: Script, tick: Tick, pace: Pace, most: int) -> tuple[dict[str, Seen], Portion, float]:
    """What waits in each log, read along with its checkpoint in one statement, the portion of the ticks, and what a change took
    lately, in milliseconds."""
    limits = {"limit": most + 1, "most": max(most, LOOKED_AT_MAX)}
    rows = duty.session.all(_question(duty, tick), {**about(script), **limits})
    if len(rows) != len(tick.logs):
        # A checkpoint is not there; the long way says so.
        raise Unsuited
    found, portion = dict[str, Seen](), begin(duty, script, pace, *rows[0][9:11])
    for source, before, under_way, now, ahead, even, moved, changes, markers, _, _, dirty, _ in rows:
        if under_way or ahead or markers or dirty:
            raise Unsuited
        found[source] = Seen(source, before, now, bool(moved), int(changes), bool(even))
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
