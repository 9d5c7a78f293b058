"""The first filling of a derived table while writers go on.

Owns: walking every key in chunks. Promises: capture is committed before the keys are listed, so a key is either listed or
wholly captured; a chunk assigns the recomputed rows of its keys under their locks, so it may be done twice; the cursor
moves in the chunk's transaction. Rows of what adds up are not assigned: what they are short of is added (`adding` beside
this). Keys that an index gives in order are listed a page at a time, and the cursor is a key. Others are listed whole; after
a kill they are listed again and the cursor is only a hint: keys that came or went meanwhile may shift it, and the
verification that always follows finds and mends what it skipped.
"""

from __future__ import annotations

import json
from functools import partial

from tidemark.contract.script import Script
from tidemark.contract.ways import Whole
from tidemark.database.session import Conflict
from tidemark.errors import Fault
from tidemark.runtime.backfill.adding import fill_by_adding, may_add
from tidemark.runtime.backfill.fill_pages import compute_range, fill_by_pages, walk_pages
from tidemark.runtime.backfill.filling import (
    Filling,
    FillReport,
    begin_fill,
    report,
    see_through,
    set_cursor,
)
from tidemark.runtime.backfill.pages import Key, is_storable, open_book, read_key
from tidemark.runtime.backfill.together import tell_alone
from tidemark.runtime.duty import Duty, Held
from tidemark.runtime.ledger import Installed
from tidemark.runtime.objects.captures import begin_reading, find_snapshots
from tidemark.runtime.objects.pieces import TRIGGER_PATIENCE, set_patience
from tidemark.runtime.outbox import silence
from tidemark.runtime.pace import choose_patient_pace
from tidemark.runtime.throttle import reasons_of
from tidemark.runtime.ticks.batch import prepare
from tidemark.runtime.ticks.expected import expect_reading
from tidemark.runtime.ticks.guard import learn_full
from tidemark.runtime.ticks.steady import write_steadily
from tidemark.runtime.ticks.tick import tick

WHOLE_BYTES_MAX = 4 * 1024**3
ALONE_BYTES_MAX = 1024**3
# Nothing is ticked during one evaluation, and where readers see an older generation meanwhile it must not fall far behind.
BESIDE_BYTES_MAX = 256 * 1024**2
# What is read in a moment may be read in vain.
GLANCE_BYTES_MAX = 4 * 1024**2
QUIET_SECONDS = 0.05


def fill(duty: Duty, installed: Installed, before: Installed | None = None) -> FillReport:
    """Compute every key that exists, from the ledger's cursor on; `before` is the generation that readers see now, if any.

    Raises `Fault` (exit 75) when asked to stop or to rest.
    """
    script = installed.script
    if _is_new(duty, installed) and fits(duty, script, WHOLE_BYTES_MAX if before is None else BESIDE_BYTES_MAX):
        return _copy_all(duty, installed)
    done = _copy_alone(duty, installed) if _is_alone(duty, installed) else None
    if done is None and may_add(installed) and (not script.applier.indexed or fits(duty, script)):
        done = fill_by_adding(duty, installed)
    if done is None and _is_quiet(duty, installed):
        done = _copy_quietly(duty, installed)
    if done is not None:
        return done
    done = fill_by_pages(duty, installed)
    if done is not None:
        return done
    tell_alone(duty, script.name, "its keys have no order in which they could be cut into ranges")
    total = list_every_key(duty, script)
    start = installed.cursor_at if 0 < installed.cursor_at <= total else 0
    filling = begin_fill(duty, script, choose_patient_pace(duty.session.dialect), start, total)
    see_through(filling, installed, partial(_walk, filling, total, start))
    return report(filling, total - start)


def fits(duty: Duty, script: Script, most: int = WHOLE_BYTES_MAX) -> bool:
    """Whether the sources are small enough, in bytes, to be read in one go."""
    if script.applier.whole is None:
        return False
    size = duty.ledger.value("measure_sources", {"sources": json.dumps(script.sources)})
    return int(size or 0) <= most


def list_suspects(duty: Duty, script: Script, whole: Whole) -> tuple[int, int, float]:
    """Fill the session's list with every key whose row may differ; give their number, that of the stored rows, and how long that
    took, in milliseconds."""

    def work() -> tuple[int, int]:
        prepare(duty.session, script)
        for statement in whole.suspects:
            duty.session.run(statement)
        found, stored = duty.session.one(script.applier.count_todo), duty.session.one(whole.count)
        return int(found[0]) if found else 0, int(stored[0]) if stored else 0

    expect_reading(duty, script.sources)
    held = duty.read(work)
    return (*held.value, held.hold_ms)


def list_every_key(duty: Duty, script: Script) -> int:
    """Fill the session's list with every key of the query and the store; give their number."""

    def work() -> int:
        prepare(duty.session, script)
        for statement in script.applier.list_keys:
            duty.session.run(statement)
        row = duty.session.one(script.applier.count_todo)
        return int(row[0]) if row else 0

    expect_reading(duty, script.sources)
    return duty.read(work, snapshot=False).value


def list_and_learn(duty: Duty, script: Script) -> int:
    """The same, and remember how long it took to evaluate the query, where nothing else tells what the whole result takes."""
    began = duty.clock.now()
    total = list_every_key(duty, script)
    if script.applier.whole is None:
        learn_full(duty, script, duty.clock.ms_since(began))
    return total


def _is_new(duty: Duty, installed: Installed) -> bool:
    """Whether nothing was filled yet and nobody else writes the rows, so that a whole result can be put there as it is."""
    script, whole = installed.script, installed.script.applier.whole
    if script.wide.of or script.tick is None or whole is None or not whole.rows or installed.cursor_at:
        return False
    return not _has_rows(duty, script)


def _has_rows(duty: Duty, script: Script) -> bool:
    return duty.session.one(f"SELECT 1 FROM {script.store} LIMIT 1") is not None


def _whole_of(script: Script) -> Whole:
    if script.applier.whole is None:
        raise Fault(f"{script.name} has no whole result", retry_safe=False)
    return script.applier.whole


def _copy_all(duty: Duty, installed: Installed) -> FillReport:
    """Evaluate the query once, in one moment, and put the rows into the store; changes after that moment wait in the logs."""
    script, whole = installed.script, _whole_of(installed.script)
    tell_alone(duty, script.name, "its query is evaluated once, as of one moment")

    def work() -> tuple[int, dict[str, str]]:
        prepare(duty.session, script)
        for statement in whole.rows:
            duty.session.run(statement)
        row = duty.session.one(whole.count_rows)
        return int(row[0]) if row else 0, find_snapshots(duty.ledger, script)

    expect_reading(duty, script.sources)
    total, moments = duty.read(work).value
    filling = begin_fill(duty, script, choose_patient_pace(duty.session.dialect), 0, total)

    def copy() -> None:
        duty.write(lambda: begin_reading(duty.ledger, script, moments))
        for low, high in filling.steps(0, total):
            held = duty.write(partial(_copy_chunk, filling, whole, low, high, total), mode="chunk")
            filling.take_in(high - low, held)

    see_through(filling, installed, copy)
    return report(filling, total)


def _is_alone(duty: Duty, installed: Installed) -> bool:
    """Whether the rows may be put there at once although writers keep them: nobody is there who would have to wait, and no
    replica or disk either. What holds chunks back holds this back whole."""
    script, whole = installed.script, installed.script.applier.whole
    if script.wide.of or whole is None or not whole.alone or installed.cursor_at or script.applier.carry:
        return False
    if script.store == script.public:
        return False
    # What shows in a table of the user's takes several times as long to write as to read.
    most = ALONE_BYTES_MAX if len(whole.copy) == 1 else BESIDE_BYTES_MAX
    if reasons_of(duty.session.strain(), duty.limits):
        return False
    return not int(duty.ledger.value("count_others")) and fits(duty, script, most)


def _copy_alone(duty: Duty, installed: Installed) -> FillReport | None:
    """Evaluate the query once and put the rows there, in one transaction in which nobody writes the sources; None where
    somebody did just then, or where there are rows: they may be more than the query can say again (what is counted of rows that
    are gone). Who connects meanwhile waits for the end of it, so it is for what can be read in a moment."""
    script, whole = installed.script, _whole_of(installed.script)

    def work() -> int | None:
        set_patience(duty.ledger, TRIGGER_PATIENCE)
        for statement in whole.alone:
            duty.session.run(statement)
        if _has_rows(duty, script):
            return None
        for statement in whole.rows:
            duty.session.run(statement)
        row = duty.session.one(whole.count_rows)
        total = int(row[0]) if row else 0
        _put(duty, script, whole, 0, total)
        set_cursor(duty, script, total, total)
        return total

    duty.read(lambda: prepare(duty.session, script), snapshot=False)
    expect_reading(duty, script.sources)
    try:
        held = duty.write(work, once=True)
    except Conflict:
        return None
    total = held.value
    if total is None:
        return None
    tell_alone(duty, script.name, "nobody else is connected, and it was filled by one statement")
    filling = begin_fill(duty, script, choose_patient_pace(duty.session.dialect), total, total)
    see_through(filling, installed, lambda: None)
    return FillReport(script.name, total, total, 1, held.hold_ms)


def _put(duty: Duty, script: Script, whole: Whole, low: int, high: int) -> int:
    """Put rows that were read into the empty store, in the caller's transaction; give how many."""
    with silence(duty.ledger, script.crosses):
        return [duty.session.run(one, {"low": low, "high": high}) for one in whole.copy][0]


def _is_quiet(duty: Duty, installed: Installed) -> bool:
    """Whether the rows may be put there as they were read, for as long as nobody else commits anything: the engine says when
    somebody does, there are pages to go on with then, and nobody does just now."""
    script, whole, session = installed.script, installed.script.applier.whole, duty.session
    if not session.dialect.writers_wait_in_line or script.tick is not None or script.wide.of or script.applier.carry:
        return False
    if whole is None or not whole.rows or script.applier.pages is None or installed.cursor_at:
        return False
    if script.store == script.public or not fits(duty, script, ALONE_BYTES_MAX):
        return False
    before = session.changes_marker()
    left = QUIET_SECONDS - duty.calm.lasts(before, duty.clock.now())
    if left > 0 and not fits(duty, script, GLANCE_BYTES_MAX):
        # An evaluation that comes to nothing should cost no more than a moment; a bigger one is worth waiting for a sign. Of many
        # tables that are filled one after the other the first alone waits.
        duty.clock.wait(left)
    return session.changes_marker() == before


def _copy_quietly(duty: Duty, installed: Installed) -> FillReport | None:
    """Evaluate the query once, which holds nobody up, and put the rows there as long as nobody else has committed anything since:
    then they are the rows of now. When somebody has, the keys that are left are computed under their lock. None where there
    are rows already: they may be more than the query can say again."""
    script, whole, session = installed.script, _whole_of(installed.script), duty.session

    def read() -> tuple[str, int, Key | None] | None:
        marker = session.changes_marker()
        if _has_rows(duty, script):
            return None
        prepare(session, script)
        for statement in whole.rows:
            session.run(statement)
        row = session.one(whole.count_rows)
        total = int(row[0]) if row else 0
        last = read_key(session, whole.place, total)
        return marker, total, last if last is not None and is_storable(last) else None

    expect_reading(duty, script.sources)
    found = duty.read(read).value
    if found is None:
        return None
    marker, total, upto = found
    filling = begin_fill(duty, script, choose_patient_pace(session.dialect), 0, total, upto=upto)

    def put(low: int, high: int) -> tuple[int, str] | None:
        if session.changes_marker() != marker:
            return None
        written = _put(duty, script, whole, low, high)
        set_cursor(duty, script, high, total)
        return written, filling.commit(high - low, written, read_key(session, whole.place, high))

    def work() -> None:
        for low, high in filling.steps(0, total):
            held = duty.write(partial(put, low, high), mode="chunk")
            if held.value is None:
                _go_on(filling, read_key(session, whole.place, low))
                return
            filling.take_in(high - low, Held(held.value, held.hold_ms, held.wait_ms))

    see_through(filling, installed, work)
    return report(filling, filling.tally.done)


def _go_on(filling: Filling, after: Key | None) -> None:
    """Compute every key after the last one that was put there."""
    duty, script = filling.duty, filling.script
    book = open_book(duty, script, after)
    if book is None:
        # The greatest key cannot be compared with again, so that all of them are listed, and computed from the first on.
        _walk(filling, list_every_key(duty, script), 0)
        return
    walk_pages(filling, book, book.turn())


def _copy_chunk(filling: Filling, whole: Whole, low: int, high: int, total: int) -> tuple[int, str]:
    written = _put(filling.duty, filling.script, whole, low, high)
    tick_texts = filling.script.tick
    if high >= total and tick_texts is not None and tick_texts.products is not None:
        # All rows are of the moment that was read, so that the first tick may add to them.
        filling.duty.session.run(tick_texts.products.even)
    # Places in this list mean nothing to a filling that goes on by keys: it begins at the first.
    set_cursor(filling.duty, filling.script, 0, total)
    return written, filling.commit(high - low, written)


def _walk(filling: Filling, total: int, start: int) -> None:
    duty, script, pace = filling.duty, filling.script, filling.pace
    if not script.applier.indexed:
        pace.size = pace.size_min = pace.size_max = max(1, total)
    for low, high in filling.steps(start, total):
        held = write_steadily(duty, script, partial(_chunk, filling, low, high, total), tick, mode="chunk")
        filling.take_in(high - low, held)


def _chunk(filling: Filling, low: int, high: int, total: int) -> tuple[int, str]:
    written = compute_range(filling.duty, filling.script, low, high)
    set_cursor(filling.duty, filling.script, high, total)
    return written, filling.commit(high - low, written)
