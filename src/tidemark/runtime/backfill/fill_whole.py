"""Filling by one evaluation of the query, whose rows are put into the empty store as they are.

Owns: when that may be, and the three ways: beside logs, alone, and for as long as all is quiet. Promises: rows that are put there
are those of one moment, after which no change is lost: it waits in a log, or nobody could write, or the keys that are left are
computed under their locks; where there are rows already nothing is put.
"""

from __future__ import annotations

import json
from functools import partial

from tidemark.contract.script import Script
from tidemark.contract.ways import Whole
from tidemark.database.session import Conflict
from tidemark.errors import Fault
from tidemark.runtime.backfill.fill_listed import list_every_key, walk_listed
from tidemark.runtime.backfill.fill_pages import walk_pages
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

WHOLE_BYTES_MAX = 4 * 1024**3
ALONE_BYTES_MAX = 1024**3
# Nothing is ticked during one evaluation, and where readers see an older generation meanwhile it must not fall far behind.
BESIDE_BYTES_MAX = 256 * 1024**2
# What is read in a moment may be read in vain.
GLANCE_BYTES_MAX = 4 * 1024**2
QUIET_SECONDS = 0.05


def fits(duty: Duty, script: Script, most: int = WHOLE_BYTES_MAX) -> bool:
    """Whether the sources are small enough, in bytes, to be read in one go."""
    if script.applier.whole is None:
        return False
    size = duty.ledger.value("measure_sources", {"sources": json.dumps(script.sources)})
    return int(size or 0) <= most


def is_new(duty: Duty, installed: Installed) -> bool:
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


def copy_all(duty: Duty, installed: Installed) -> FillReport:
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


def is_alone(duty: Duty, installed: Installed) -> bool:
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


def copy_alone(duty: Duty, installed: Installed) -> FillReport | None:
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


def is_quiet(duty: Duty, installed: Installed) -> bool:
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


def copy_quietly(duty: Duty, installed: Installed) -> FillReport | None:
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
        walk_listed(filling, list_every_key(duty, script), 0)
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
