"""Deliberate mistakes where a definition takes the place of another, and in the events of crossings.

Owns: the list `REDEFINED`, of the same kind as `MISTAKES`. Promises: the package is as it was when the hunt ends.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from typing import Any
from unittest import mock

from tests.simulation.compiled import SCRIPTS
from tests.simulation.mutants import Met
from tests.simulation.mutants_runtime import Mistake, Patch
from tests.simulation.redefined import FAMILY
from tidemark.contract.script import Carried, Carry, Script
from tidemark.render.crossings import crossing_select
from tidemark.render.postgres import crossings as postgres_crossings
from tidemark.render.sqlite import crossings as sqlite_crossings
from tidemark.runtime.changes import carry, cutover
from tidemark.runtime.duty import Duty


def answering(place: Any, name: str, answer: Callable[..., Any]) -> Patch:
    """A function of the runtime gives that answer and does nothing."""

    def patch(met: Met) -> AbstractContextManager[Any]:
        def mistaken(*about: Any, **more: Any) -> Any:
            met["changed"] += 1
            return answer(*about)

        return mock.patch.object(place, name, mistaken)

    return patch


def told(right: str, wrong: str) -> Patch:
    """Triggers on the stored rows write other events."""

    def patch(met: Met) -> AbstractContextManager[Any]:
        def mistaken(*about: Any, **more: Any) -> str:
            found = crossing_select(*about, **more)
            met["changed"] += right in found
            return found.replace(right, wrong)

        stack = ExitStack()
        # Scripts are kept from case to case: none of before is to be used, and none of these afterwards.
        stack.enter_context(mock.patch.dict(SCRIPTS, clear=True))
        for engine in (sqlite_crossings, postgres_crossings):
            stack.enter_context(mock.patch.object(engine, "crossing_select", mistaken))
        return stack

    return patch


def remembered_alone(duty: Duty, script: Script, older: Script, wanted: Carry) -> tuple[Carried, ...]:
    """Of rows that stay only the columns with memory are taken over."""
    return tuple(one for one in SHARED_ROWS(duty, script, older, wanted) if one in wanted.columns)


SHARED_ROWS = carry._shared_rows
MISTAKEN = (
    ("generations that part whenever", answering(cutover, "require_steady", lambda *about: None)),
    ("memory that is taken over once", answering(cutover, "carry_memory", lambda *about: False)),
    ("columns that both remember", answering(carry, "_shared", lambda *about: ())),
    ("columns of rows that stay", answering(carry, "_shared_rows", remembered_alone)),
    ("columns that freeze others", answering(carry, "_freezes_others", lambda *about: False)),
    ("a threshold that is reached", told(">= t.threshold", "> t.threshold")),
    ("a threshold that was reached before", told("< t.threshold)", "<= t.threshold)")),
)
BEGIN = {
    "sqlite": {
        "generations that part whenever": 2,
        "memory that is taken over once": 2,
        "columns that both remember": 1,
        "columns of rows that stay": 1,
        "columns that freeze others": 2,
        "a threshold that was reached before": 1,
    },
    "postgres": {
        "memory that is taken over once": 3,
        "columns of rows that stay": 1,
        "columns that freeze others": 4,
    },
}
"""The case that found a mistake last, where it was not the first."""
REDEFINED: tuple[Mistake, ...] = tuple(
    Mistake(engine, word, patch, (FAMILY,), begin=begin.get(word, 0), steady=True)
    for engine, begin in BEGIN.items()
    for word, patch in MISTAKEN
)
