"""The doctor: what is well and what is not, in sentences that name the next command.

Owns: `Diagnosis` and the examination. Promises: reads only, and rolls back what it tries. Facts of an engine are statements of
its ledger file whose name begins with ``fact_``; warnings are those that begin with ``warn_`` and give a text for every problem.
What is installed is judged as everywhere, by the verdict.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from tidemark.database.session import Session
from tidemark.runtime.changes.plan_checks import find_refusal
from tidemark.runtime.ledger import Ledger
from tidemark.runtime.operate.overview import read_overview
from tidemark.runtime.operate.status import TableStatus
from tidemark.runtime.operate.verdict import patience_of
from tidemark.runtime.statements import load_statements
from tidemark.runtime.throttle import Limits, reasons_of


@dataclass(frozen=True)
class Diagnosis:
    """One finding: `level` is ``ok``, ``warn`` or ``fail``, `about` what was looked at, `says` a sentence, `next` a command."""

    level: Literal["ok", "warn", "fail"]
    about: str
    says: str
    next: str = ""

    def as_json(self) -> dict[str, Any]:
        """The finding as plain data."""
        return asdict(self)


def examine(ledger: Ledger, cadence: Mapping[str, float]) -> list[Diagnosis]:
    """Everything that the doctor looks at, in order. `cadence` is how many seconds lie between two ticks, by derived table, where
    they are spaced."""
    found = _look_at_engine(ledger)
    overview = read_overview(ledger, patience_of(cadence))
    if not overview.installed:
        return [*found, Diagnosis("ok", "ledger", "Nothing is installed here.", "tidemark apply")]
    for finding in overview.verdict.findings:
        level: Literal["warn", "fail"] = "fail" if finding.level == "fail" else "warn"
        found.append(Diagnosis(level, finding.name or finding.kind, f"It {finding.says.rstrip('.')}.", finding.next))
    for one in overview.tables:
        if not overview.verdict.about("table", one.name):
            found.extend(_tell_well(one))
    return found


def look_at_strain(session: Session, limits: Limits) -> list[Diagnosis]:
    """What fillings and backfills hold back for now. How something ends on a full disk cannot be written down, so that whoever
    looks for why something reads as interrupted finds the disk here."""
    found = []
    for reason in reasons_of(session.strain(), limits):
        word, _, says = reason.partition(": ")
        untold = (
            "; what fails for want of room cannot be written down, and reads as interrupted"
            if word == "disk_low"
            else ""
        )
        found.append(
            Diagnosis("warn", word, f"{says[:1].upper()}{says[1:]}: fillings and backfills hold back{untold}.")
        )
    return found


def look_at_writing(connect: Callable[[], Session]) -> list[Diagnosis]:
    """What a session that is to write finds when `connect` opens it: a file, or a folder, that this user may only read."""
    refusal = find_refusal(connect)
    return [Diagnosis("warn", "writing", refusal.reason, refusal.instead)] if refusal is not None else []


def _look_at_engine(ledger: Ledger) -> list[Diagnosis]:
    """Facts and warnings of the engine; a warning says more than the fact of its name."""
    facts, warnings = [], []
    with ledger.session.transaction("read"):
        for name, statement in load_statements(ledger.session.dialect.name).items():
            if name.startswith("fact_"):
                says = f"{statement.purpose} {ledger.value(name)}."
                facts.append(Diagnosis("ok", name.removeprefix("fact_"), says))
            elif name.startswith("warn_"):
                warnings += [Diagnosis("warn", name.removeprefix("warn_"), str(row[0])) for row in ledger.all(name)]
    warned = {one.about for one in warnings}
    return [*(one for one in facts if one.about not in warned), *warnings]


def _tell_well(one: TableStatus) -> Iterator[Diagnosis]:
    waits = (one.pending, "changes wait"), (one.upstream_pending, "changes of what it reads wait")
    behind = "".join(f", {count:,} {what}" for count, what in waits if count)
    yield Diagnosis("ok", one.name, f"It is live and captured{behind}.", one.next)
    for said in one.scans:
        yield Diagnosis("ok", one.name, f"{said[0].upper()}{said[1:]}.")
