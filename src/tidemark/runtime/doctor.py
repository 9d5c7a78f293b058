"""The doctor: what is well and what is not, in sentences that name the next command.

Owns: `Diagnosis` and the examination. Promises: reads only. Facts of an engine are statements of its ledger file whose name
begins with ``fact_``; warnings are those that begin with ``warn_`` and give a text for every problem.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from tidemark.runtime.ledger import Ledger
from tidemark.runtime.statements import load_statements
from tidemark.runtime.status import read_status


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


def examine(ledger: Ledger) -> list[Diagnosis]:
    """Everything that the doctor looks at, in order."""
    found: list[Diagnosis] = []
    named = load_statements(ledger.session.dialect.name)
    with ledger.session.transaction("read"):
        for name, statement in named.items():
            if name.startswith("fact_"):
                found.append(Diagnosis("ok", name.removeprefix("fact_"), f"{statement.purpose} {ledger.value(name)}"))
            elif name.startswith("warn_"):
                found.extend(Diagnosis("warn", name.removeprefix("warn_"), str(row[0])) for row in ledger.all(name))
        exists = ledger.exists()
    if not exists:
        return [*found, Diagnosis("ok", "ledger", "Nothing is installed here.", "tidemark apply")]
    for status in read_status(ledger):
        if status.state == "retired":
            found.append(Diagnosis("warn", status.name, "An old generation is not removed yet.", "tidemark apply"))
        elif status.well:
            behind = f", {status.pending} changes wait" if status.pending else ""
            found.append(Diagnosis("ok", status.name, f"It is live and captured{behind}.", status.next))
            found += [Diagnosis("ok", status.name, f"{said[0].upper()}{said[1:]}.") for said in status.scans]
        else:
            says = f"It is {status.state}; captures: {status.captures}; {status.drift} rows known to be wrong."
            found.append(Diagnosis("fail", status.name, says, status.next))
    return found
