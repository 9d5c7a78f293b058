"""What a processor's function reads, found by running it with a recording face.

Owns: `find_inputs`. Promises: every unit that there is now is computed and nothing of it is kept; what a statement reads is
what the engine says of it. A branch that no unit takes is not seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from tidemark.contract.script import Script
from tidemark.runtime.backfill.fill_listed import list_every_key
from tidemark.runtime.duty import Duty
from tidemark.runtime.ticks.batch import prepare, take_range
from tidemark.runtime.ticks.processing import Reading, computing


@dataclass(frozen=True)
class InputsReport:
    """What a function reads: `read` are names of tables and columns, `undeclared` those of them that its declaration does not
    name. `failed` units were not computed."""

    derived: str
    read: tuple[str, ...]
    undeclared: tuple[str, ...]
    failed: int


class _Recording(Reading):
    """A face that takes down what each query reads."""

    found: set[tuple[str, str]]

    def all(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Every row of a query."""
        self.found |= self._session.inputs_of(sql, parameters)
        return super().all(sql, parameters)

    def one(self, sql: str, parameters: Mapping[str, Any] | None = None) -> tuple[Any, ...] | None:
        """The first row of a query, or None."""
        self.found |= self._session.inputs_of(sql, parameters)
        return super().one(sql, parameters)


def find_inputs(duty: Duty, script: Script) -> InputsReport:
    """Run a processor's function for every unit and report what it read."""
    compute = script.applier.compute
    face = _Recording(duty.session)
    face.found, failed = set(), 0
    total = list_every_key(duty, script)
    for low in range(0, total, compute.batch_max if compute else 1):
        work = computing(duty, script, "compare")
        if work is None or compute is None:
            break
        work.face = face

        def run(low: int = low, work: Any = work, high: int = min(total, low + compute.batch_max)) -> None:
            prepare(duty.session, script)
            duty.session.run(script.applier.clear_batch)
            take_range(duty.session, script.applier, low, high)
            work()

        duty.read(partial(run))
        failed += len(work.failed)
    declared = frozenset(compute.declares) if compute else frozenset()
    strange = {(label, column) for label, column in face.found if not {(label, ""), (label, column)} & declared}
    return InputsReport(script.name, _named(face.found), _named(strange), failed)


def _named(inputs: set[tuple[str, str]]) -> tuple[str, ...]:
    return tuple(sorted(f"{label}.{column}" if column else label for label, column in inputs))
