"""What somebody writes while the first installation fills.

Owns: `draw_beside`, `in_turn` and `expect_no_repair`. Promises: a text at a time, whenever the worker lets others have the
database, until all are written; what is filled by adding has to be true without the repair that would hide it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from tests.simulation.case import Failure
from tests.simulation.statements import Statements
from tidemark.runtime.ledger import Ledger

# Not text that is sent as one, and not what may take a column away that the plan was made for.
APART = frozenset({"copy", "schema-change"})


def draw_beside(rng: random.Random, statements: Statements) -> tuple[str, ...]:
    """Texts for one case."""
    drawn = [statements.draw() for _ in range(rng.choice((3, 10, 30)))]
    return tuple(sql for kind, sql in drawn if kind not in APART)


def in_turn(texts: Sequence[str], write: Callable[[str], object]) -> Callable[[], None]:
    """What writes one of the texts each time that it is called, until all are written."""
    left = iter(texts)

    def between() -> None:
        text = next(left, None)
        if text is not None:
            write(text)

    return between


def expect_no_repair(ledger: Ledger) -> None:
    """Raises `Failure` where rows that are filled by adding alone had to be repaired."""
    added = {
        row.name
        for row in ledger.derived()
        if (whole := row.script.applier.whole) is not None and whole.adding is not None and whole.adding.exact
    }
    table = "tidemark__run" if ledger.session.dialect.name == "sqlite" else "tidemark._run"
    for name, told in ledger.session.all(f"SELECT derived, message FROM {table} WHERE kind = 'repair'"):
        if name in added:
            raise Failure("filled", str(name), f"a first filling left rows that are not true: {told}")
