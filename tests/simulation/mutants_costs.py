"""Deliberate mistakes in the ways among which the cost guard chooses.

Owns: the list `COSTS`, for both engines. Promises: as `mutants`; cases that go the way by decree are drawn often.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from tests.simulation.case import Engine
from tests.simulation.mutants import Change, Mutant
from tidemark.script import Full, Script

BOTH: tuple[Engine, Engine] = ("sqlite", "postgres")
FULL = ("group", "keyed", "left-join", "distinct")


def in_full(edit: Callable[[Full], Full]) -> Change:
    """Change how the whole result takes the place of what changed."""

    def change(script: Script) -> Script:
        if script.tick is None or script.tick.full is None:
            return script
        return replace(script, tick=replace(script.tick, full=edit(script.tick.full)))

    return change


def _reads(pattern: str, by: str) -> Change:
    return in_full(lambda one: replace(one, read=tuple(re.sub(pattern, by, text) for text in one.read)))


CHANGES: tuple[tuple[str, tuple[str, ...], Change], ...] = (
    ("keys that went stay", FULL, in_full(lambda one: replace(one, write=one.write[-1:]))),
    ("rows that differ stay", FULL, in_full(lambda one: replace(one, write=one.write[:-1]))),
    ("first place of the whole", FULL, _reads(r"row_number\(\) OVER", "1 + row_number() OVER")),
)

COSTS: tuple[Mutant, ...] = tuple(
    Mutant(engine, word, families, change, disturbed=True) for word, families, change in CHANGES for engine in BOTH
)
