"""What somebody writes while the first installation fills.

Owns: `draw_beside`, `in_turn`, `nobody_seen` and `expect_no_repair`. Promises: a text at a time, whenever the worker lets others
have the database, until all are written; what is filled by adding, at once or by pages of keys has to be true without the repair
that would hide it, also where somebody comes just after it was looked whether anybody is there.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from unittest import mock

from tests.simulation.case import Failure
from tests.simulation.statements import Statements
from tidemark.contract.script import Script
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


@contextlib.contextmanager
def nobody_seen() -> Iterator[None]:
    """Nobody is there when it is looked whether a table may be filled at once: whoever there is comes right after that."""
    real = Ledger.value

    def value(self: Ledger, name: str, *given: Any, **named: Any) -> Any:
        return 0 if name == "count_others" else real(self, name, *given, **named)

    with mock.patch.object(Ledger, "value", value):
        yield


def _has_to_be_true(script: Script) -> bool:
    """Whether a first filling leaves nothing to the verification: what adds up, and what is computed under its lock by pages of
    keys. Where keys are listed whole, or rows shown beside the user's own, something may change behind it."""
    applier, own = script.applier, script.store == script.public
    if applier.whole is not None and applier.whole.adding is not None and applier.whole.adding.exact:
        return True
    plain = not own and not script.wide.of and applier.carry is None and script.tick is None
    return plain and applier.indexed and applier.pages is not None


def expect_no_repair(ledger: Ledger) -> None:
    """Raises `Failure` where rows had to be repaired that a first filling has to leave true."""
    added = {row.name for row in ledger.derived() if _has_to_be_true(row.script)}
    table = "tidemark__run" if ledger.session.dialect.name == "sqlite" else "tidemark._run"
    for name, told in ledger.session.all(f"SELECT derived, message FROM {table} WHERE kind = 'repair'"):
        if name in added:
            raise Failure("filled", str(name), f"a first filling left rows that are not true: {told}")
