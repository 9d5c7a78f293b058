"""Having Python compute the rows of a batch.

Owns: calling a processor's function, what it is shown, the units that it fails for, and how long it takes. Promises: the
function only reads; its
rows belong to the units that it was asked for, or they are an error; an error costs the units that cause it and no others,
which are found by halving the batch and quarantined with their rows as they were; a conflict with other writers is no error
of the function; the record of all this commits with the rows. Changes that are kept are let go with the rows that know them, and
stay where the function fails; it is shown either every change of its units or none.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from tidemark.contract.script import Script
from tidemark.database.session import Conflict, Exhausted, Session
from tidemark.errors import Fault
from tidemark.processors import Batch, Change, Compute, Function, Row
from tidemark.runtime.duty import Duty
from tidemark.runtime.lease import Lost
from tidemark.runtime.ledger import Ledger
from tidemark.runtime.runs import add_named_run
from tidemark.runtime.savepoints import Gone, name_problem, undoing
from tidemark.runtime.values import show

BOOK = "ticks/processing"
VERBS = ("SELECT", "WITH", "VALUES")
Wanted = Literal["tick", "apply", "compare"]
CHANGES_MAX = 20_000
"""Where more wait for a batch, reading them would take longer and more memory than computing it from what there is."""
Unit = tuple[int, tuple[Any, ...]]
Changes = Mapping[int, list[Change]]


@dataclass(frozen=True)
class ProcessorStatus:
    """How a processor's function is doing: `batches` and `units` that it computed, how long that took, and how often it was slow.
    `quarantined` is how many units are, because it fails for them."""

    batches: int
    units: int
    total_ms: float
    longest_ms: float
    last_ms: float
    slow: int
    last_at: str | None
    quarantined: int

    def as_json(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


@dataclass(frozen=True)
class QuarantinedUnit:
    """A unit that a function fails for."""

    unit: tuple[Any, ...]
    error: str
    attempts: int
    found: str


class Reading:
    """What a function sees of the session: queries, and no statement that writes."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def all(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Every row of a query."""
        return self._session.all(_require_query(sql), parameters)

    def one(self, sql: str, parameters: Mapping[str, Any] | None = None) -> tuple[Any, ...] | None:
        """The first row of a query, or None."""
        return self._session.one(_require_query(sql), parameters)


def _require_query(sql: str) -> str:
    if not sql.lstrip(" \t\r\n(").upper().startswith(VERBS):
        raise ValueError(
            f"a processor reads and gives rows; it does not run {sql.split()[0] if sql.split() else 'nothing'}"
        )
    return sql


@dataclass
class Computing:
    """One batch of a processor. `wanted` tells where the batch is from (``tick``: the dirty set), and whether it is written."""

    duty: Duty
    script: Script
    compute: Compute
    function: Function
    wanted: Wanted
    face: Any = None
    failed: list[tuple[Unit, str]] = field(default_factory=list)

    def __call__(self) -> None:
        """Have the function compute the batch; what it fails for is taken out of it."""
        session, compute = self.duty.session, self.compute
        session.run(compute.clear)
        units: list[Unit] = [(int(row[0]), tuple(row[1:])) for row in session.all(compute.list_units)]
        previous: dict[int, list[Row]] = {}
        for number, *values in session.all(compute.list_previous) if units else ():
            previous.setdefault(int(number), []).append(dict(zip(compute.columns, values, strict=True)))
        changes = self._changes(dict(units)) if self.wanted == "tick" else {}
        for told in (True, False):
            group = [unit for unit in units if (unit[0] in changes) is told]
            for start in range(0, len(group), compute.batch_max):
                self._timed(group[start : start + compute.batch_max], previous, changes if told else None)
        for (number, _), _ in self.failed:
            session.run(compute.let_go, {"n": number})
            if self.wanted == "tick":
                session.run(compute.forget, {"n": number})
        if self.wanted != "compare":
            for kept in compute.changes:
                session.run(kept.clear)
            self._record_quarantined(units)

    def _changes(self, units: Mapping[int, tuple[Any, ...]]) -> Changes:
        """What changed, by the units of which that is known."""
        found: dict[int, list[Change]] = {}
        doubtful, left = set(), CHANGES_MAX
        for kept in self.compute.changes:
            rows = self.duty.session.all(kept.read, {"limit": left + 1})
            left -= len(rows)
            if left < 0:
                return {}
            for number, weight, *values in rows:
                if not weight:
                    doubtful.add(int(number))
                    continue
                unit, row = (
                    dict(zip(self.compute.units, units[number], strict=True)),
                    dict(zip(kept.columns, values, strict=True)),
                )
                found.setdefault(int(number), []).append(Change(kept.source, unit, 1 if weight > 0 else -1, row))
        return {number: changes for number, changes in found.items() if number not in doubtful}

    def _timed(self, units: Sequence[Unit], previous: Mapping[int, list[Row]], changes: Changes | None) -> None:
        began = self.duty.clock.now()
        self._some(units, previous, changes)
        ms = self.duty.clock.ms_since(began)
        if self.wanted == "compare":
            return
        slow = ms > self.compute.slow_ms
        _run(self.duty.ledger, "add_time", self.script, units=len(units), ms=ms, slow=int(slow))
        if slow:
            said = f"the function took {ms / 1000:.2f} s for {len(units)} units, more than {self.compute.slow_ms / 1000:.2f} s"
            run = add_named_run(self.duty, "slow", self.script.name, self.script.generation, None, said)
            run.rows_done, run.longest_ms = len(units), ms
            run.end("done", said)

    def _some(self, units: Sequence[Unit], previous: Mapping[int, list[Row]], changes: Changes | None) -> None:
        """Compute units together, or by halves where that fails; one that fails alone is quarantined."""
        if not units:
            return
        try:
            with undoing(self.duty.session, "tidemark_processor"):
                self._call(units, previous, changes)
        except (Conflict, Lost, Gone, Exhausted):
            raise
        except Exception as problem:
            if not self.duty.session.is_open():
                raise
            if len(units) == 1:
                self.failed.append((units[0], name_problem(problem)))
                return
            half = len(units) // 2
            self._some(units[:half], previous, changes)
            self._some(units[half:], previous, changes)

    def _call(self, units: Sequence[Unit], previous: Mapping[int, list[Row]], changes: Changes | None) -> None:
        compute = self.compute
        keys = tuple(dict(zip(compute.units, values, strict=True)) for _, values in units)
        stored = tuple(row for number, _ in units for row in previous.get(number, ()))
        shown = None if changes is None else tuple(one for number, _ in units for one in changes[number])
        face = self.face or Reading(self.duty.session)
        given = self.function(face, Batch(keys, stored, shown))
        rows = read_rows(compute, {values for _, values in units}, given)
        if rows:
            self.duty.session.run(compute.take, {"rows": json.dumps(rows, default=_plain, allow_nan=False)})

    def _record_quarantined(self, units: Sequence[Unit]) -> None:
        ledger = self.duty.ledger
        failed = {number for (number, _), _ in self.failed}
        known = {row[0] for row in ledger.book(BOOK).all("list_quarantined_units", _about(self.script))}
        for number, values in units if known else ():
            if number not in failed and _packed(values) in known:
                _run(ledger, "end_quarantined_unit", self.script, unit=_packed(values))
        for (_, values), error in self.failed:
            _run(ledger, "add_quarantined_unit", self.script, unit=_packed(values), error=error)


def keeps_changes(script: Script) -> bool:
    """Whether a seal leaves more than units: then nobody may read a slice of it twice."""
    return script.applier.compute is not None and bool(script.applier.compute.changes)


def computing(duty: Duty, script: Script, wanted: Wanted) -> Computing | None:
    """What computes a batch of a script in Python; None where its query does.

    Raises `Fault` when this process has no function for it.
    """
    compute = script.applier.compute
    if compute is None:
        return None
    function = duty.functions.get((compute.name, compute.code))
    if function is None:
        others = any(name == compute.name for name, _ in duty.functions)
        why = "it has another one: `tidemark apply` builds its rows anew" if others else "name --definitions"
        raise Fault(
            f"the rows of {script.name} are computed by a function that this process does not have; {why}",
            left_behind="its changes wait",
            retry_safe=True,
        )
    return Computing(duty, script, compute, function, wanted)


def read_rows(compute: Compute, units: set[tuple[Any, ...]], given: Iterable[Row]) -> list[list[Any]]:
    """The rows of a function in the order of the columns. Raises `ValueError` for one that it was not asked for."""
    constants, names = dict(compute.constants), frozenset(compute.columns)
    found = []
    for row in given:
        whole = {**constants, **row}
        if whole.keys() != names:
            odd = sorted(names ^ whole.keys())
            raise ValueError(f"a row has other columns than declared: {', '.join(odd)}")
        unit = tuple(whole[name] for name in compute.units)
        if unit not in units:
            said = ", ".join(f"{name} = {show(value)}" for name, value in zip(compute.units, unit, strict=True))
            raise ValueError(f"a row for {said}, which is not in the batch")
        found.append([whole[name] for name in compute.columns])
    return found


def read_processor(ledger: Ledger, script: Script) -> ProcessorStatus | None:
    """How a processor is doing; None for a table whose query says its rows."""
    if script.applier.compute is None:
        return None
    row = ledger.book(BOOK).one("read_time", _about(script)) or (None,) * 8
    batches, units, total, longest, last, slow, at, quarantined = row
    counts = (
        int(batches or 0),
        int(units or 0),
        float(total or 0),
        float(longest or 0),
        float(last or 0),
        int(slow or 0),
    )
    return ProcessorStatus(*counts, at, int(quarantined or 0))


def list_quarantined_units(ledger: Ledger, script: Script) -> list[QuarantinedUnit]:
    """The units that a function fails for, oldest first."""
    if script.applier.compute is None:
        return []
    rows = ledger.book(BOOK).all("list_quarantined_units", _about(script))
    return [
        QuarantinedUnit(tuple(json.loads(unit)), error, int(attempts), found) for unit, error, attempts, found in rows
    ]


def _run(ledger: Ledger, statement: str, script: Script, **parameters: Any) -> None:
    ledger.book(BOOK).run(statement, {**_about(script), **parameters})


def _about(script: Script) -> dict[str, Any]:
    return {"derived": script.name, "generation": script.generation}


def _packed(unit: tuple[Any, ...]) -> str:
    return json.dumps(unit, default=_plain)


def _plain(value: object) -> str:
    """A value that JSON does not have, as the text that an engine reads."""
    if isinstance(value, Decimal | UUID):
        return str(value)
    if isinstance(value, datetime | date | time):
        return value.isoformat(" ") if isinstance(value, datetime) else value.isoformat()
    raise TypeError(f"{type(value).__name__} is no value of a column here")
