"""Deliberate mistakes in the runner of backfills, each of which the test named for it must find.

Owns: `MUTANTS`. Promises: a mistake is a patch of one function or one statement of the ledger for the length of a test; the
package is as it was afterwards.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest

from tests.backfill import test_telling
from tidemark import engine
from tidemark.runtime import samples, throttle
from tidemark.runtime.backfill import (
    adding,
    begin,
    chunk,
    ending,
    fill,
    fill_listed,
    fill_pages,
    fill_whole,
    filling,
    gate,
    listing,
    meter,
    pages,
    places,
    record,
    runner,
    steering,
    worker,
)
from tidemark.runtime.backfill.tally import Tally
from tidemark.runtime.changes import apply
from tidemark.runtime.duty import Duty
from tidemark.runtime.progress import Event
from tidemark.runtime.statements import find_statement
from tidemark.runtime.truth import repair
from tidemark.runtime.turns import Turns

Patch = Callable[[pytest.MonkeyPatch], None]
ROOMS = (
    adding,
    apply,
    begin,
    chunk,
    ending,
    filling,
    gate,
    listing,
    meter,
    record,
    runner,
    worker,
    throttle,
    fill,
    fill_listed,
    fill_pages,
    fill_whole,
    pages,
    steering,
    repair,
    samples,
    engine,
)


def statement(name: str, old: str, new: str) -> Patch:
    """A statement of the ledger says something else."""

    def find(engine: str, wanted: str, *book: str) -> str:
        text = find_statement(engine, wanted, *book)
        if wanted != name:
            return text
        assert old in text, f"{name} does not say {old}"
        return text.replace(old, new)

    return lambda patch: patch.setattr("tidemark.runtime.book.find_statement", find)


def code(function: Callable[..., Any], old: str, new: str) -> Patch:
    """A function is written another way, wherever it was imported to."""

    def apply(patch: pytest.MonkeyPatch) -> None:
        known = inspect.unwrap(function)
        source = inspect.getsource(known)
        assert old in source, f"{function.__qualname__} does not say {old}"
        lines = source.replace(old, new).splitlines()
        indent = len(lines[0]) - len(lines[0].lstrip())
        space = dict(known.__globals__)
        exec("from __future__ import annotations\n" + "\n".join(line[indent:] for line in lines), space)
        made = space[function.__name__]
        owner, _, _ = function.__qualname__.rpartition(".")
        if owner:
            patch.setattr(known.__globals__[owner], function.__name__, made)
            return
        for room in ROOMS:
            if getattr(room, function.__name__, None) is function:
                patch.setattr(room, function.__name__, made)

    return apply


def getter(name: str) -> Callable[..., Any]:
    """The function behind a property of the status."""
    found = inspect.getattr_static(record.BackfillStatus, name).fget
    assert callable(found)
    return found


def shout_of_empty_chunks(patch: pytest.MonkeyPatch) -> None:
    """An event for a chunk without keys, too."""
    real = Tally.count

    def count(self: Tally, keys: int, written: int, hold_ms: float, now: float) -> None:
        real(self, keys, written, hold_ms, now)
        if keys == 0:
            self.listen(Event(self.name, "backfill", self.done, 0))

    patch.setattr(Tally, "count", count)


def write_while_reading(patch: pytest.MonkeyPatch) -> None:
    """Who reads takes the writers' lock."""

    def read(self: engine.Tidemark, name: str = "") -> Any:
        with self._open() as duty:
            duty.session.set_lock_timeout(0)
            duty.write(lambda: None, once=True)
            return record.list_backfills(duty.ledger, name)

    patch.setattr(engine.Tidemark, "backfills", read)


def no_upper_bound(patch: pytest.MonkeyPatch) -> None:
    """The walk goes on to whatever there is."""
    real = begin.survey

    def survey(duty: Duty, walk: Any, parts: int, *tell: Any) -> Any:
        return [(low, (10**9,), keys) for low, _, keys in real(duty, walk, parts)]

    patch.setattr(begin, "survey", survey)


def cursor_of_written_rows(patch: pytest.MonkeyPatch) -> None:
    """The cursor moves over rows that were written only."""
    real = worker.do_chunk

    def do(ledger: Any, backfill: Any, walk: Any, todo: Any, size: int, **named: Any) -> Any:
        step = real(ledger, backfill, walk, todo, size, **named)
        return step if step.written == step.keys else replace(step, upto=todo.begins or (0,), finished=False)

    patch.setattr(worker, "do_chunk", do)


def range_for_two(patch: pytest.MonkeyPatch) -> None:
    """Two sessions are given the first range."""
    real, given = Tally.next_range, list[Any]()

    def next_range(self: Tally) -> Any:
        if len(given) == 1:
            given.append(replace(given[0]))
            return given[1]
        found = real(self)
        given.append(found)
        return found

    patch.setattr(Tally, "next_range", next_range)


class Late:
    """A ledger that hears of a chunk's cursor in the transaction of the next one."""

    def __init__(self, ledger: Any, kept: list[Any]) -> None:
        self._ledger = ledger
        self._kept = kept

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    def run(self, name: str, parameters: Any) -> int:
        """Keep a cursor until there is another."""
        if name == "advance_range":
            self._kept.append(parameters)
            return 1 if not parameters["finished"] else self.catch_up()
        return int(self._ledger.run(name, parameters))

    def catch_up(self) -> int:
        """Tell what was kept."""
        done = [self._ledger.run("advance_range", one) for one in self._kept]
        self._kept.clear()
        return int(done[-1]) if done else 1


def cursor_in_another_transaction(patch: pytest.MonkeyPatch) -> None:
    """The cursor is committed after the rows and not with them."""
    real, kept = worker.do_chunk, dict[int, list[Any]]()

    def do(ledger: Any, backfill: Any, walk: Any, todo: Any, size: int, **named: Any) -> Any:
        late = Late(ledger, kept.setdefault(id(ledger), []))
        late.catch_up()
        return real(late, backfill, walk, todo, size, **named)  # type: ignore[arg-type]

    patch.setattr(worker, "do_chunk", do)


def step_that_sorts(patch: pytest.MonkeyPatch) -> None:
    """A step finds its end in another order than that of an index."""
    real = test_telling.write_walk

    def write(*given: Any) -> Any:
        walk = real(*given)
        return replace(walk, step=walk.step.replace('ORDER BY "id"', 'ORDER BY "title"'))

    patch.setattr(test_telling, "write_walk", write)


MUTANTS = MappingProxyType(
    {
        "the cursor moves over written rows only": cursor_of_written_rows,
        "a count that is none is taken for nothing": code(chunk._checked, "raise Fault(", "return 0 or Fault("),
        "a retry keeps the counters": statement("reset_ranges", "rows_done = 0", "rows_done = rows_done"),
        "a cancel is a failure": code(
            ending.recording_end, "ended.state, ended.cause, also", "'failed', ended.cause, also"
        ),
        "a stop is a failure": code(
            ending.recording_end, "ended.state, ended.cause, also", "'failed', ended.cause, also"
        ),
        "an empty chunk is told": shout_of_empty_chunks,
        "a failure reads as finished": code(ending.recording_end, 'is_open else "failed"', 'is_open else "finished"'),
        "no text is tried before the first row": code(
            worker.Worker._prepare, "partial(prepare, self.duty.session, self.walk)", "lambda: None"
        ),
        "nobody rests": code(Turns._find_rest, "if self._busy >= every", "return 0.0\n        if self._busy >= every"),
        "nobody rests enough": code(Turns._end, "+= turn.held_seconds", "+= turn.held_seconds / 3"),
        "what was not answered was not committed": code(worker.Worker._refresh, "todo.refresh(", "print("),
        "who is held back hears of no cancel": code(gate.Gate._take_position, 'if wish == "cancel":', "if False:"),
        "a wish is not seen": code(gate.Gate.obey, 'if wish == "cancel":', 'if wish == "never":'),
        "there is no upper bound": no_upper_bound,
        "the rate counts what was held back": code(meter.Meter.leave_out, "self.since = now", "return None"),
        "what is left is over the whole": code(
            getter("eta_seconds"), "self.remaining / self.rate", "self.rows_total / self.rate"
        ),
        "keys that were listed are those of now": code(
            chunk.do_chunk, "listed.marker == session.changes_marker()", "listed.keys"
        ),
        "a step reads everything": code(chunk._find_end, "size - 1", "10**9"),
        "it is told after every chunk": code(Tally.tell, "< TELL_SECONDS", "< 0.0"),
        "the last word is not told": code(ending._end, "tally.record(duty)", "None"),
        "that nothing can be told is a failure": code(Tally.tell, "if not duty.session.is_open():", "if True:"),
        "who reads waits for writers": write_while_reading,
        "zero is nothing said": code(worker.Worker._advance, "nice = step.nice", "nice = step.nice or None"),
        "a record that is gone is no error": code(chunk.do_chunk, "!= 1", "< 0"),
        "without a ledger there is nothing": code(
            listing.list_everything, "ledger.require()", "if not ledger.exists(): return ()"
        ),
        "an unknown state is taken for what it says": code(
            record._read, "read_state(stored, BACKFILL)", "'backfilling'"
        ),
        "a dead runner is at work": code(record._read, "if state in AT_WORK:", "if state in ():"),
        "a time that cannot be read is now": code(
            record.read_time, "return None", "return datetime.datetime.now(datetime.UTC)"
        ),
        "two may be at it": code(runner.run_backfill, 'f"backfill {backfill.name}"', 'f"backfill {id(duty)}"'),
        "one bad row fails all": code(worker.Worker._bisect, "if size > 1:\n            return", "raise problem"),
        "the bad row takes its chunk along": code(
            worker.Worker._bisect, "if size > 1:\n            return", "if False:\n            return"
        ),
        "any number may be quarantined": code(
            worker.Worker._check_quarantine, "> self.backfill.quarantine_max", "> 10**9"
        ),
        "a changed definition goes on": code(begin._check, "stored.fingerprint != backfill.fingerprint", "False"),
        "one reason is told of several": code(throttle.reasons_of, "return tuple(found)", "return tuple(found[:1])"),
        "what cannot be seen is well": code(throttle.reasons_of, "if limits.trust_unseen else", "if True else"),
        "what is under strain goes on": code(gate.Gate.check, "if reasons:", "if False:"),
        "a pause ends with the chunk": code(gate.Gate.obey, 'self._wait(lambda: (), "paused")', "return"),
        "fillings are not in the list": code(listing.list_everything_here, "newest.values()", "()"),
        "a conflict is a failure": code(
            worker.Worker._attempt,
            "except Conflict as problem:\n                conflict = problem",
            "except Conflict as problem:\n                raise Fault(str(problem)) from problem",
        ),
        "what takes too long stays as big": code(worker.Worker._attempt, "max(1, size // 2)", "size - 1"),
        "the whole is whole before it is finished": code(getter("progress"), "min(0.99, ", "min(1.0, "),
        "the key that is NULL is in no page": code(pages.Book._list, "if self._has_null(self.after):", "if False:"),
        "a page begins one key late": code(
            pages.Book._list, "self._keys(self.after)", "self._keys(self.after) + ' OFFSET 1'"
        ),
        "a filling that goes on forgets its key": code(
            filling.Filling.commit, "self.cursor = pack(upto)", "self.cursor = None"
        ),
        "a paused filling is taken up again": code(filling.see_through, 'if state == "paused":', "if False:"),
        "the cursor is committed after the rows": cursor_in_another_transaction,
        "a step sorts what is left": step_that_sorts,
        "a lost connection is a failure": code(
            worker.Worker._persist, "if self.duty.session.is_open() or self.connect is None:", "if True:"
        ),
        "every range begins at the first key": code(begin._join, "some[0][0]", "None"),
        "keys are guessed from their numbers": code(
            begin._count, "return int(row[0]) if row else 0", "return one.high[0] - (low or (0,))[0]"
        ),
        "a failed filling is as good as a finished one": code(
            listing._combine, "if left else stored", "if left else 'finished'"
        ),
        "the walk of a filling has no end": code(pages.open_book, "upto or duty.session.one(pages.last)", "(10**9,)"),
        "a range is given to two sessions": range_for_two,
        "ahead is now": code(
            fill_pages._chunk, "if ready:", "ready = ready and filling.duty.session.changes_marker()\n    if ready:"
        ),
        "a range is given to no session": code(fill_pages.cut, "return found, total", "return found[:-1], total"),
        "what ranges have is not what is filled": code(
            filling.find_unfilled, "done += int(rows_done) if", "done += 0 if"
        ),
        "who is lost takes a range along": code(Tally.give_back, "self._ranges.append(todo)", "pass"),
        "several say at once that they wait": statement("hold_control", " FOR UPDATE", ""),
        "every key is listed at once": code(fill_pages.fill_by_pages, "else [open_book(duty, script)]", "else [None]"),
        "who picks a row has everything repaired": code(
            repair.repair_picked,
            "done = walk(duty, script, len(picked), partial(_mended, script, _dealing(picked)), 1)",
            "return repair(duty, installed)",
        ),
        "what is left of a long filling is a failure": code(
            apply._make_sure, "report.drift <= RECORDED_MAX or report.drift >= before", "True"
        ),
        "a range ends before its last key": code(
            places.places_between,
            "last = 0 if found is None else int(found)",
            "last = 0 if found is None else int(found) - 1",
        ),
        "a range is everything": code(
            places.places_between, "first = last + 1 if found is None else int(found)", "first = 1"
        ),
        "the bounds of what is left are its middle": code(
            samples.find_range,
            "quantile(rates, 0.1), quantile(rates, 0.9)",
            "quantile(rates, 0.5), quantile(rates, 0.5)",
        ),
        "a lease is kept after the end": code(Duty.leased, "lease.release()", "pass"),
    }
)
