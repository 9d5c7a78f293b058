"""Deliberate mistakes in keeping columns of the application's own tables.

Owns: the lists `OWN`, of the same kind as `MUTANTS`, and `OWN_MISTAKES`. Promises: as `mutants`.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack
from typing import Any
from unittest import mock

from tests.simulation.case import Case
from tests.simulation.compiled import SCRIPTS
from tests.simulation.mutants import Met, Mutant, texts
from tests.simulation.mutants_runtime import Mistake
from tests.simulation.pinned import MOVED
from tests.simulation.run import SEEDS
from tests.simulation.shapes_owned import FAMILY
from tidemark.model import Declaration
from tidemark.render import made

KEPT = (FAMILY,)


def recorded(name: str) -> Case:
    """A recorded case."""
    return Case.from_json((SEEDS / f"{name}.json").read_text())


def nobody_comes(met: Met) -> AbstractContextManager[Any]:
    """What is written at commit is what changed by key, as where a view shows it."""

    def shown_in(declaration: Declaration, query: Any) -> str:
        met["changed"] += declaration.columns_of is not None
        return ""

    stack = ExitStack()
    # Scripts are kept from case to case: none of before is to be used, and none of these afterwards.
    stack.enter_context(mock.patch.dict(SCRIPTS, clear=True))
    stack.enter_context(mock.patch.object(made, "_shown_in", shown_in))
    return stack


OWN: tuple[Mutant, ...] = (
    Mutant(
        "sqlite",
        "rows that come to own columns",
        KEPT,
        texts("trigger", "__mirror_.*_came$", r";\nEND$", r" AND 0;\nEND"),
        recorded("sqlite-own-columns-that-come-again"),
    ),
    Mutant(
        "sqlite",
        "rows that take another key",
        KEPT,
        texts("trigger", "__mirror_.*_moved$", r";\nEND$", r" AND 0;\nEND"),
    ),
    Mutant(
        "sqlite",
        "own columns of what changes",
        KEPT,
        texts("trigger", "__mirror_.*_update$", r";\nEND$", r" AND 0;\nEND"),
    ),
    Mutant(
        "sqlite",
        "victims while own columns are carried",
        KEPT,
        texts(
            "trigger",
            "__unstash_update_",
            r" OF [^\n]* (ON [^\n]*)\nWHEN [^\n]* AND (EXISTS [^\n]*)\n",
            r" \1\nWHEN \2\n",
        ),
        recorded("sqlite-own-columns-and-replace"),
    ),
    Mutant(
        "postgres",
        "rows that come to own columns",
        KEPT,
        texts("function", "_mirror_.*_came$", r"(  INSERT INTO [^;]*);", r"\1 WHERE false;"),
        disturbed=True,
    ),
    Mutant(
        "postgres",
        "rows that take another key",
        KEPT,
        texts("function", "_mirror_.*_moved$", r"(  INSERT INTO [^;]*);", r"\1 WHERE false;"),
        MOVED,
    ),
)
OWN_MISTAKES: tuple[Mistake, ...] = (
    Mistake(
        "postgres",
        "rows that come at commit",
        nobody_comes,
        KEPT,
        begin=161,
    ),
)
