"""The last word about what is small: what readers see, or are about to, beside the query as it is written.

Owns: `last_word`, `require_as_written`, `Unlike` and `record_unlike`. Promises: nobody waits for it but whoever asks, since it is
one snapshot without a lock, and no longer than `SECONDS_MAX`; what differs differed in two looks; what could not be compared is
no difference, and says why.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tidemark.contract.script import Script
from tidemark.errors import Fault, TidemarkError, is_interruption
from tidemark.runtime.cascade import identity, reads_of
from tidemark.runtime.duty import Duty
from tidemark.runtime.lease import Lost
from tidemark.runtime.ledger import Installed
from tidemark.runtime.progress import Event
from tidemark.runtime.runs import add_run
from tidemark.runtime.ticks.batch import Difference
from tidemark.runtime.ticks.steady import apply_waiting
from tidemark.runtime.ticks.tick import tick
from tidemark.runtime.truth.as_written import WrittenReport, compare_as_written, tell_differences
from tidemark.runtime.truth.findings import record_drift
from tidemark.telling import tell_count, tell_doing, tell_problem

BYTES_MAX = 256 * 1024**2
"""How big sources may be that are read once more: about a second and a half."""
ROWS_MAX = 200_000
SECONDS_MAX = 2.0
"""What reads for so long keeps nobody waiting, and no log from being emptied."""
SAME = "the query as it is written has the same rows"
UNMENDED = "a mistake of Tidemark's, which no repair mends: please report it"
_UNDECIDED = (
    (r"\b(ORDER\s+BY|LIMIT|FETCH)\b", "it may show which of two equal rows came first"),
    (
        r"\bWHERE\b.*\b(ROLLUP|CUBE|GROUPING\s+SETS)\b",
        "the engine may take a column that WHERE makes equal to a constant for that, where groupings leave it out",
    ),
)
"""What a query may have whose rows the engine itself is free in, or is not of one mind about; each with the reason."""


class Unlike(Fault):
    """Rows are what is computed of a query, and not what it says."""


def last_word(
    duty: Duty, installed: Installed, rows: int, drain: Callable[[], object] | None, to_be: Script | None = None
) -> WrittenReport:
    """Compare a table of so many rows with its query as it is written, if it is small; `to_be` is what its view will be, where
    nobody sees it yet. `drain` applies what waits for it. Raises `Lost`, and `Fault` when asked to stop."""
    query = to_be or installed.script
    beneath = [one for one in duty.ledger.supporting(installed.name) if one.state == "live"]

    def settle() -> None:
        for one in beneath:
            if one.script.tick is not None:
                apply_waiting(duty, one, tick)
        if drain is not None:
            drain()

    def look() -> WrittenReport:
        scripts = [one.script for one in beneath]
        return compare_as_written(duty, installed.script, settle, scripts, to_be=to_be, seconds_max=SECONDS_MAX)

    why_not = _why_not(duty, query, rows)
    if why_not:
        return WrittenReport(query.name, (), query.columns, (), 0.0, why_not)
    try:
        found = look()
        if found.differ:
            again = look()
            # What a look alone saw was under way.
            found = replace(again, differ=tuple(one for one in again.differ if one in found.differ))
    except TidemarkError as problem:
        if isinstance(problem, Lost) or is_interruption(problem):
            raise
        why_not = f"it could not be evaluated: {tell_problem(problem)}"
        return WrittenReport(query.name, (), query.columns, (), 0.0, why_not)
    unsure = [said for text, said in _UNDECIDED if re.search(text, query.truth, re.IGNORECASE | re.DOTALL)]
    if found.differ and unsure:
        said = f"{tell_doing(len(found.differ), 'row', 'differ')}, and {unsure[0]}: tidemark verify --as-written shows them"
        return replace(found, differ=(), why_not=said)
    return found


def _why_not(duty: Duty, script: Script, rows: int) -> str:
    """Why it is not asked, as a sentence; empty where it is small, and its names mean here what they meant when it was read."""
    if rows > ROWS_MAX:
        return f"it has {tell_count(rows, 'row')}: tidemark verify --as-written does it"
    size = int(duty.ledger.value("measure_sources", {"sources": json.dumps(script.sources)}) or 0)
    if size > BYTES_MAX:
        return f"its sources have {size / 1024**2:,.0f} MB: tidemark verify --as-written does it"
    above = duty.ledger.derived(*sorted({kept.derived for kept in script.reads})) if script.reads else ()
    if not reads_of(script) <= {identity(one) for one in above if one.state == "live"}:
        return "what it reads is shown by another definition"
    if script.home and duty.ledger.value("read_home") != script.home:
        return f"unqualified names are looked up in {script.home} no more"
    return ""


def require_as_written(
    duty: Duty, installed: Installed, rows: int, drain: Callable[[], object] | None, to_be: Script
) -> None:
    """See that readers will see what the query has as it is written. Raises `Fault` when they would not."""
    report = last_word(duty, installed, rows, drain, to_be)
    if report.differ:
        raise Unlike(
            f"{tell_doing(len(report.differ), 'row', 'differ')} from the query of {report.derived} as it is written: "
            f"{tell_differences(report)}",
            left_behind=f"what readers saw before is as it was; that is {UNMENDED}. "
            "Said in other words the query may be kept true: change the declaration, then tidemark apply",
            retry_safe=False,
        )
    note = f"not compared with the query as it is written: {report.why_not}" if report.why_not else SAME
    duty.listen(Event(report.derived, "verify", rows, rows, note))


def record_unlike(duty: Duty, installed: Installed, report: WrittenReport) -> None:
    """Write down that rows which readers see are not what the query says: as drift, until a verification no longer finds that."""
    script, ledger = installed.script, duty.ledger
    told = f"{tell_doing(len(report.differ), 'row', 'differ')} from the query as it is written"

    def work() -> None:
        run = add_run(duty, "verify", script, len(report.differ))
        record_drift(ledger, script, run.id, _as_compared(script, report))
        ledger.run("mark_unverified", {"name": script.name, "generation": script.generation})
        run.end("done", told)

    duty.write(work)


def _as_compared(script: Script, report: WrittenReport) -> list[Difference]:
    """What differs in the columns that a verification compares; nothing where its keys are not what readers see."""
    if report.key_columns != script.applier.key_columns:
        return []

    def compared(row: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
        shown = dict(zip(report.columns, row or (), strict=False))
        return None if row is None else tuple(shown.get(name) for name in script.applier.compared_columns)

    return [replace(one, stored=compared(one.stored), truth=compared(one.truth)) for one in report.differ]
