"""What time makes due, as statements: the recorded moment, and the units that differ between it and a later one.

Owns: `moment_of` and the `DueTexts` of a tick. Promises: a row that time moves is looked for between the two moments by a range
on its column where there is one, so that an index finds it; the moment moves on in the transaction that makes units dirty.
"""

from __future__ import annotations

from collections.abc import Sequence

from tidemark.contract.tick import DueTexts
from tidemark.maintenance.program import Due, DueTest, KeyedProgram, KeyQuery
from tidemark.names import Names, ledger
from tidemark.query.relation import Called, Occurrence, Scalar
from tidemark.render.statements import qualified
from tidemark.render.store import Store

AT = ":at"
"""The parameter of the later moment; NULL stands for the database's own time."""


def moment_of(names: Names) -> str:
    """The recorded moment of a derived table, as a scalar."""
    name = names.dialect.literal(names.derived)
    return (
        f"(SELECT m.at FROM {ledger(names.dialect, 'moment')} AS m "
        f"WHERE m.derived = {name} AND m.generation = {names.generation})"
    )


def due_texts(store: Store, program: KeyedProgram, everything: tuple[str, ...]) -> DueTexts | None:
    """The statements; None where no clock is read."""
    due = program.due
    if due is None:
        return None
    late = _late(store, due)
    if due.everything:
        return DueTexts(everything, late)
    found = [f"EXISTS (SELECT 1 FROM {_rows(store, test)})" for test in due.tests]
    return DueTexts(
        tuple(_insert(store, program, test, route) for test in due.tests for route in test.routes),
        f"{late} AND ({' OR '.join(found)})",
    )


def _late(store: Store, due: Due) -> str:
    """True when the recorded moment is older than the cadence, or ahead of the clock."""
    return f"{store.phrases.seconds_between(store.phrases.clock(AT), due.moment)} >= {due.seconds}"


def _later(store: Store, scalar: Scalar) -> str:
    """The scalar at the later moment."""
    return scalar.swapped({scalar.moment or "": store.phrases.clock(AT)})


def _differs(store: Store, test: DueTest) -> str:
    """True for a row for which the test's truth is another at the later moment."""
    now, then = f"({test.test.text})", f"({_later(store, test.test)})"
    dialect = store.dialect
    found = f"{now} {dialect.null_safe_differs} {then}"
    if test.column is None or test.bound is None:
        return found
    ends = f"{test.bound.text}, {_later(store, test.bound)}"
    low, high = (test.bound.typed(f"{end}({ends})") for end in (dialect.least, dialect.greatest))
    return f"{test.column.text} >= {low} AND {test.column.text} <= {high} AND {found}"


def _rows(store: Store, test: DueTest) -> str:
    """FROM and WHERE of the rows for which a test's truth differs, with whatever else it names."""
    route = test.routes[0]
    calls = [one for one in route.calls if one.alias in test.test.aliases]
    # What is called with the rows of a function is called with what those are made of.
    named = test.test.aliases.union(*(one.call.aliases for one in route.calls)) if calls else test.test.aliases
    scans = [route.changed, *(scan for scan in route.joined if scan.alias in named)]
    return f"{_from(store, scans, route.calls if calls else ())} WHERE {_differs(store, test)}"


def _from(store: Store, scans: Sequence[Occurrence], calls: Sequence[Called]) -> str:
    tables = [f"{qualified(s.table, store.dialect)} AS {store.dialect.quote(s.alias)}" for s in scans]
    return ", ".join([*tables, *(one.in_from() for one in calls)])


def _insert(store: Store, program: KeyedProgram, test: DueTest, route: KeyQuery) -> str:
    """The statement that makes the units of one route dirty."""
    unit = store.units
    tables = _from(store, (route.changed, *route.joined), route.calls)
    tests = [_differs(store, test), *(f"({scalar.text})" for scalar in route.on)]
    keys = []
    for part, scalar in zip(program.unit, route.values, strict=True):
        value = scalar.text
        tests += [] if part.nullable else [f"({value}) IS NOT NULL"]
        keys.append(f"({value}){store.dialect.cast(part.type)}")
    return (
        f"INSERT INTO {store.names.own('dirty')} ({unit.key_list}) SELECT DISTINCT {', '.join(keys)} "
        f"FROM {tables} WHERE {' AND '.join(tests)} ON CONFLICT ({unit.conflict}) DO NOTHING"
    )
