"""A first filling by adding: writers go on, and no transaction reads a source with a lock in hand.

Owns: `fill_by_adding`. Promises: what rows are short of is found in one moment, by reading alone; each chunk adds some of it,
which is true whatever writers have done since; what was added is not missing any more, so whoever goes on after a kill finds
what is left, and there is no cursor.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from tidemark.contract.script import Script
from tidemark.contract.ways import Adding, Whole
from tidemark.errors import Fault
from tidemark.runtime.backfill.filling import Filling, FillReport, begin_fill, report, see_through, set_cursor
from tidemark.runtime.backfill.together import tell_alone
from tidemark.runtime.duty import Duty
from tidemark.runtime.ledger import Installed
from tidemark.runtime.outbox import silence
from tidemark.runtime.pace import choose_patient_pace
from tidemark.runtime.ticks.batch import prepare
from tidemark.runtime.ticks.expected import expect_reading


def may_add(installed: Installed) -> bool:
    """Whether rows that writers keep may be filled by adding: what adds up always, and what does not where the other way would
    be to compute all of it in one transaction."""
    script, whole = installed.script, installed.script.applier.whole
    if whole is None or whole.adding is None or script.tick is not None or script.wide.of or script.applier.carry:
        return False
    return whole.adding.exact or not script.applier.indexed


def fill_by_adding(duty: Duty, installed: Installed) -> FillReport:
    """Find what the rows are short of and add it in chunks."""
    script, whole = installed.script, installed.script.applier.whole
    if whole is None or whole.adding is None:
        raise Fault(f"{script.name} is more than what adds up", retry_safe=False)
    adding = whole.adding
    tell_alone(duty, script.name, "what adds up is read once, and short to add")
    total = _find_short(duty, script, whole, adding)
    filling = begin_fill(duty, script, choose_patient_pace(duty.session.dialect), 0, total)

    def add() -> None:
        for low, high in filling.steps(0, total):
            held = duty.write(partial(_add_chunk, filling, adding, low, high), mode="chunk")
            filling.take_in(high - low, held)

    see_through(filling, installed, add)
    return report(filling, total)


def _find_short(duty: Duty, script: Script, whole: Whole, adding: Adding) -> int:
    """Fill the session's list with what the rows are short of; give how many rows it is."""
    session = duty.session

    def work() -> int:
        is_empty = session.one(f"SELECT 1 FROM {script.store} LIMIT 1") is None
        for statement in whole.rows if is_empty and whole.rows else adding.find:
            session.run(statement)
        row = session.one(adding.count)
        return int(row[0]) if row else 0

    duty.read(lambda: prepare(session, script), snapshot=False)
    expect_reading(duty, script.sources)
    return replace(duty, holding=adding.tables).read(work).value


def _add_chunk(filling: Filling, adding: Adding, low: int, high: int) -> tuple[int, str]:
    duty, places = filling.duty, {"low": low, "high": high}
    with silence(duty.ledger, filling.script.crosses):
        written, *_ = [duty.session.run(statement, places) for statement in adding.add]
    set_cursor(duty, filling.script, 0, filling.tally.begun.rows_total or 0)
    return written, filling.commit(high - low, written)
