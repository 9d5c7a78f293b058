"""``docs/statements.md``: counted by playing, written as a table.

Owns: turning a kind into a case, playing it, and the text of the page. Promises: after every commit all tables at commit
freshness are compared, after every drained tick all tables; the counts are comparisons that were made and held.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tests.simulation.case import Case, Duty, Engine, Statement, Transaction
from tests.simulation.run import Ground
from tests.simulation.tally import Tally
from tests.statements.kinds import DERIVED, FILL, SETUP, Unit
from tests.statements.programs import KINDS

TITLES: Mapping[Engine, str] = {"sqlite": "SQLite", "postgres": "PostgreSQL"}
STRIDE = 100
HEAD = """# Statements

Which statements keep derived tables true, and how often that was compared. Made by `tests/statements`; write it anew with
`TIDEMARK_WRITE_DOCS=1 python -m pytest tests/statements`. A number counts comparisons of a derived table with its query, both
ways, as bags, with types and NULLs: after every commit for tables at commit freshness, after every drained tick for
all. Thirteen tables are derived each time: copies of rows, groups, one row, correlated columns, joins and a window, these
by ticks and by writers. A dash: the engine has no such statement.

"""


@dataclass(frozen=True)
class Counts:
    """Comparisons at each freshness."""

    commit: int
    tick: int


def case_of(engine: Engine) -> Case:
    """All programs of an engine in one case: the rows are as at first before each, a tick follows each transaction."""
    transactions: list[Transaction] = []
    duties: list[Duty] = []
    for kind in KINDS:
        if engine in kind.programs:
            start = float(STRIDE * (len(transactions) + 1))
            transactions += _restart(engine, start - STRIDE / 2)
            duties += [Duty(start - 2, "tick"), Duty(start - 1, f"mark {kind.title} before")]
            for number, unit in enumerate(kind.programs[engine]):
                transactions.append(_transaction(unit, start + 10 * number))
                duties.append(Duty(start + 10 * number + 9, "tick"))
            duties.append(Duty(duties[-1].at + 0.5, f"mark {kind.title} after"))
    return Case(
        engine=engine,
        seed="statements",
        setup=SETUP[engine],
        fill=FILL,
        sources=('"owners"', '"items"', '"notes"', '"events"'),
        derived=DERIVED,
        transactions=tuple(transactions),
        duties=tuple(duties),
        quick=True,
    )


def _restart(engine: Engine, at: float) -> tuple[Transaction, Transaction]:
    """Settings and rows as at first."""
    settings = {
        "sqlite": ("PRAGMA foreign_keys = ON", "PRAGMA recursive_triggers = OFF"),
        "postgres": ("SET session_replication_role = origin",),
    }[engine]
    emptying = tuple(f"DELETE FROM {table}" for table in ("notes", "items", "owners", "events"))
    first = _transaction(Unit(emptying, "BEGIN", prelude=settings), at)
    # Extra columns come after those that are named nowhere, so the first rows can always be put back.
    return first, _transaction(Unit(FILL, "BEGIN"), at + 10)


def _transaction(unit: Unit, at: float) -> Transaction:
    statements = tuple(
        Statement(at + 0.1 * (number + 1), "copy" if unit.copied else "fixed", sql, unit.copied)
        for number, sql in enumerate(unit.statements)
    )
    return Transaction(unit.session, at, unit.begin, statements, unit.end, at + 8, unit.prelude)


def count(engine: Engine, place: Ground) -> dict[str, Counts]:
    """Play every kind of an engine; the comparisons of each. Raises `Failure` when a table is not true."""
    tally = Tally()
    place.play(case_of(engine), tally)
    counted: dict[str, Counts] = {}
    for kind in KINDS:
        if engine in kind.programs:
            made = [
                tally.marks[f"mark {kind.title} after {word}"] - tally.marks[f"mark {kind.title} before {word}"]
                for word in ("commit", "tick")
            ]
            counted[kind.title] = Counts(*made)
    return counted


def page(counted: Mapping[tuple[str, Engine], Counts]) -> str:
    """The page's text."""
    lines = [
        "| statement | SQLite, commit | SQLite, tick | PostgreSQL, commit | PostgreSQL, tick |",
        "|---|---|---|---|---|",
    ]
    for kind in KINDS:
        cells = [kind.title]
        for engine in TITLES:
            found = counted.get((kind.title, engine))
            cells += [str(found.commit), str(found.tick)] if found else ["–", "–"]
        lines.append(f"| {' | '.join(cells)} |")
    totals = [
        sum(one.commit + one.tick for (_, engine), one in counted.items() if engine == wanted) for wanted in TITLES
    ]
    closing = f"\n{len(KINDS)} kinds of statements; {totals[0]} comparisons on SQLite, {totals[1]} on PostgreSQL.\n"
    return HEAD + "\n".join(lines) + "\n" + closing
