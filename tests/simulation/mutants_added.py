"""Deliberate mistakes in ticks that add: weights, extreme values that fall, rows as of the checkpoint.

Owns: the list `ADDED`, for both engines. Promises: as `mutants`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from tests.simulation.case import Engine
from tests.simulation.mutants import Change, Mutant
from tests.simulation.mutants_keyed import shown_live
from tests.simulation.pinned import LATE
from tests.simulation.strains import halting
from tidemark.contract.script import Applier, Script
from tidemark.contract.tick import Deltas

BOTH: tuple[Engine, Engine] = ("sqlite", "postgres")
GROUPS = ("group", "universe")


def in_deltas(edit: Callable[[Deltas], Deltas]) -> Change:
    """Change how deltas are added."""

    def change(script: Script) -> Script:
        if script.tick is None or script.tick.deltas is None:
            return script
        return replace(script, tick=replace(script.tick, deltas=edit(script.tick.deltas)))

    return change


def in_recompute(pattern: str, by: str) -> Change:
    """Change how a row is computed as of the checkpoint."""

    def edit(applier: Applier) -> Applier:
        return replace(applier, recompute=tuple(re.sub(pattern, by, one) for one in applier.recompute))

    def change(script: Script) -> Script:
        return replace(script, applier=edit(script.applier)) if script.applier.at_checkpoint else script

    return change


def without_weights(script: Script) -> Script:
    """What went is added, too."""
    if script.tick is None or script.tick.deltas is None:
        return script
    logs = tuple(
        replace(log, added=tuple(one.replace("sum(r.tidemark_weight * ", "sum(1 * ") for one in log.added))
        for log in script.tick.logs
    )
    return replace(script, tick=replace(script.tick, logs=logs))


def _flags(pattern: str, by: str) -> Change:
    return in_deltas(lambda one: replace(one, flag=tuple(re.sub(pattern, by, text) for text in one.flag)))


CHANGES: tuple[tuple[str, tuple[str, ...], Change], ...] = (
    ("weights of deltas", GROUPS, without_weights),
    ("fallen extremes", GROUPS, in_deltas(lambda one: replace(one, flag=()))),
    ("ties of extremes", GROUPS, _flags(r"([<>])= s\.", r"\1 s.")),
)

# What came after a seal began shows where ticks stop in the middle of one.
LATELY: tuple[tuple[str, Change], ...] = (
    ("late changes", in_recompute(r"(INSERT INTO \S*_late_.*?) WHERE 1 = 1", r"\1 WHERE 1 = 0")),
    ("what went late", in_recompute(r"WHERE r\.tidemark_weight < 0", "WHERE 1 = 0")),
    ("what came late", in_recompute(r"WHERE a\.tidemark_place > [^\n]*?0\)", "WHERE 1 = 1")),
)

LIVE = (
    ("sums as of now without what went", (r"l\.weight <> 0", "l.weight > 0")),
    ("sums as of now twice", (r'NOT EXISTS \(SELECT 1 FROM "tidemark pending" AS b', r"1 = 1 OR \g<0>")),
    ("sums as of now without what is stored", (r"coalesce\(s\.\S+, 0\) \+", "0 +")),
    ("fallen extremes as of now", (r"IS NOT NULL AND \(s\.", "IS NULL AND (s.")),
)
# Some keys have what waits already.
SEALED = ("sums as of now in the middle of a seal", shown_live(r"AND target IS NOT NULL", "AND 1 = 0"))

ADDED: tuple[Mutant, ...] = (
    *(Mutant(engine, word, families, change, disturbed=True) for word, families, change in CHANGES for engine in BOTH),
    *(
        Mutant(engine, word, GROUPS, change, LATE if engine == "postgres" else None, disturbed=True, strain=halting)
        for word, change in LATELY
        for engine in BOTH
    ),
    *(
        Mutant(engine, word, GROUPS, shown_live(*change), LATE if engine == "postgres" else None, disturbed=True)
        for word, change in LIVE
        for engine in BOTH
    ),
    *(Mutant(engine, SEALED[0], GROUPS, SEALED[1], disturbed=True, strain=halting) for engine in BOTH),
)
