"""Deliberate mistakes where rows look alike and are told apart by counting them.

Owns: the lists `ALIKE`, of the same kind as `MUTANTS`, and `ALIKE_MISTAKES`. Promises: as `mutants`.
"""

from __future__ import annotations

import re
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any
from unittest import mock

from sqlglot import exp

from tests.simulation.case import COPIES, Engine
from tests.simulation.mutants import Change, Met, Mutant
from tests.simulation.mutants_keyed import recompute
from tests.simulation.mutants_runtime import Mistake
from tests.simulation.mutants_unlike import compiled
from tidemark.contract.script import Script
from tidemark.query import copies

BOTH: tuple[Engine, Engine] = ("sqlite", "postgres")


def _stays(script: Script) -> Script:
    """No row goes that the query does not have any more."""
    kept = tuple(text for text in script.applier.write if not re.match(r"DELETE FROM", text))
    return replace(script, applier=replace(script.applier, write=kept))


def one_of_copies(met: Met) -> AbstractContextManager[Any]:
    """Rows that look alike are one row."""
    original = copies.written_out

    def written_out(*about: Any) -> exp.Expression:
        met["changed"] += 1
        rows = exp.Subquery(this=original(*about), alias=exp.TableAlias(this=exp.to_identifier("same")))
        return exp.Select(expressions=[exp.Star()], distinct=exp.Distinct(), from_=exp.From(this=rows))

    return mock.patch.object(copies, "written_out", written_out)


CHANGES: tuple[tuple[str, Change], ...] = (
    ("first of copies alone", recompute(r" AS w JOIN", " AS w JOIN (SELECT 1) AS one ON w.tidemark_key_1 = 1 JOIN")),
    ("copies that went stay", _stays),
)
ALIKE: tuple[Mutant, ...] = tuple(
    Mutant(engine, word, (COPIES,), change, disturbed=True) for word, change in CHANGES for engine in BOTH
)
ALIKE_MISTAKES: tuple[Mistake, ...] = tuple(
    Mistake(engine, "copies are one", compiled(one_of_copies), (COPIES,), steady=True) for engine in BOTH
)
