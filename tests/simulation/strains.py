"""Cases that are strained in one way, to reach what is met too seldom by chance.

Owns: what can be done to a case that was drawn. Promises: the same case gives the same one; its program stays as it was, but for
a value that takes the place of another wherever that is written.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

from tests.simulation.case import Case, Derived, Duty, Statement

Strain = Callable[[Case], Case]
PLAIN = "3.00"
"""The number in whose place another stands."""


def at_ticks(case: Case) -> Case:
    """Every table is at tick freshness, and some transactions lie between two ticks, so that each finds changes of several
    tables."""
    rng = random.Random(f"{case.seed}/{case.engine}/at ticks")
    until = max((one.end_at for one in case.transactions), default=0.0)
    more = tuple(Duty(round(rng.uniform(0, until), 4), "tick") for _ in range(len(case.transactions) // 3))
    return replace(case, derived=_ticking(case.derived), later=_ticking(case.later), duties=(*case.duties, *more))


def _ticking(tables: tuple[Derived, ...]) -> tuple[Derived, ...]:
    return tuple(one if one.options.get("commit") else replace(one, freshness="tick") for one in tables)


def halting(case: Case) -> Case:
    """The same where most ticks stop after a transaction or two, so that much changes in the middle of what they do."""
    rng = random.Random(f"{case.seed}/{case.engine}/halting")
    ticking = at_ticks(case)
    return replace(ticking, duties=tuple(_halted(rng, one) if one.what == "tick" else one for one in ticking.duties))


def _halted(rng: random.Random, duty: Duty) -> Duty:
    return replace(duty, batches=rng.choice((1, 1, 2, 3))) if rng.random() < 0.7 else duty


def not_adding_up(case: Case) -> Case:
    """One of the numbers is NaN, on PostgreSQL; SQLite has none, and there every sum of floating point is such a value."""
    if case.engine == "sqlite":
        return case
    return _rewritten(case, lambda sql: sql.replace(PLAIN, "'NaN'::numeric"), lambda data: data.replace(PLAIN, "NaN"))


def of_scales(case: Case) -> Case:
    """No number has a declared scale, and one of them has more digits after the point than the others, on PostgreSQL."""
    if case.engine == "sqlite":
        return case

    def longer(sql: str) -> str:
        return sql.replace(PLAIN, f"{PLAIN}000").replace("numeric(10,2)", "numeric")

    return _rewritten(case, longer, longer)


def _rewritten(case: Case, edit: Callable[[str], str], edit_data: Callable[[str], str]) -> Case:
    """The case with every text of it edited, and what is copied into tables."""

    def texts(found: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(edit(one) for one in found)

    def tables(found: tuple[Derived, ...]) -> tuple[Derived, ...]:
        return tuple(replace(one, query=edit(one.query), declared=edit(one.declared)) for one in found)

    def written(one: Statement) -> Statement:
        return replace(one, sql=edit(one.sql), data=edit_data(one.data) if one.data else one.data)

    return replace(
        case,
        setup=texts(case.setup),
        fill=texts(case.fill),
        beside=texts(case.beside),
        derived=tables(case.derived),
        later=tables(case.later),
        transactions=tuple(
            replace(one, statements=tuple(written(part) for part in one.statements)) for one in case.transactions
        ),
        duties=tuple(replace(one, sql=texts(one.sql)) for one in case.duties),
    )


def spelling(case: Case) -> Case:
    """Every writer spells values in other ways than a session of ours."""
    settings = ("SET extra_float_digits = -8", "SET bytea_output = 'escape'", "SET transform_null_equals = on")
    return replace(
        case, transactions=tuple(replace(one, prelude=(*one.prelude, *settings)) for one in case.transactions)
    )
