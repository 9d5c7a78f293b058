"""Deliberate mistakes where a database changes under us: lost triggers, rebuilt sources, and writes that do not name them.

Owns: the list `CHANGES`, of the same kind as `MISTAKES`. Promises: the package is as it was when the hunt ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from typing import Any
from unittest import mock

from tests.simulation import worlds
from tests.simulation.compiled import SCRIPTS
from tests.simulation.mutants import Met
from tests.simulation.mutants_runtime import Mistake
from tidemark.database.sqlite import catalog as sqlite_catalog
from tidemark.model import Table
from tidemark.runtime.changes import detached
from tidemark.runtime.objects import gaps, sources
from tidemark.runtime.objects.sources import Change, Fact

COUNTED = ("group", "copy", "total")


def lost_unseen(met: Met) -> AbstractContextManager[Any]:
    """That a trigger is gone is nothing that matters."""

    def is_gap(*about: Any) -> bool:
        met["changed"] += about[1].health == "missing"
        return False

    return mock.patch.object(gaps, "is_gap", is_gap)


def rebuilt_unseen(met: Met) -> AbstractContextManager[Any]:
    """What a migration did inside a guard is forgotten with its end."""

    def open_gap(*about: Any) -> None:
        met["changed"] += 1

    return mock.patch.object(detached, "open_gap", open_gap)


def early_unseen(met: Met) -> AbstractContextManager[Any]:
    """Where triggers of the user's stand is nothing that matters."""
    original = sqlite_catalog.come_first

    def come_first(*about: Any) -> frozenset[str]:
        met["changed"] += bool(original(*about))
        return frozenset()

    return mock.patch.object(sqlite_catalog, "come_first", come_first)


def by_its_own_name(met: Met) -> AbstractContextManager[Any]:
    """Whoever writes a table is taken to name it, though it inherits from another one."""

    def written_by_row(self: Table) -> bool:
        met["changed"] += self.below
        return self.kind == "partitioned" or self.subscribed

    stack = ExitStack()
    # Scripts are kept from case to case: none of before is to be used, and none of these afterwards.
    stack.enter_context(mock.patch.dict(SCRIPTS, clear=True))
    stack.enter_context(mock.patch.object(worlds, "ABOVE", 1.0))
    stack.enter_context(mock.patch.object(Table, "written_by_row", property(written_by_row)))
    return stack


def compared_without(prefix: str, met: Met) -> AbstractContextManager[Any]:
    """Parts of sources whose names begin so are not compared with what they were."""
    original = sources.compare

    def compare(before: Sequence[Fact], now: Sequence[Fact], *, here: bool) -> Change | None:
        left = [fact for fact in before if not fact.part.startswith(prefix)]
        found = original(left, now, here=here)
        met["changed"] += original(before, now, here=here) != found
        return found

    return mock.patch.object(sources, "compare", compare)


CHANGES: tuple[Mistake, ...] = (
    Mistake("sqlite", "lost trigger unseen", lost_unseen, COUNTED),
    Mistake("postgres", "lost trigger unseen", lost_unseen, COUNTED, suffers="lose"),
    Mistake("postgres", "writes through a parent", by_its_own_name, COUNTED),
    Mistake("sqlite", "rebuilt source unseen", rebuilt_unseen, COUNTED),
    Mistake("sqlite", "trigger that writes early unseen", early_unseen, COUNTED, suffers="behind"),
    Mistake("postgres", "child for a while unseen", partial(compared_without, "past "), COUNTED, suffers="behind"),
    Mistake("postgres", "switched trigger unseen", partial(compared_without, "trigger "), COUNTED, suffers="behind"),
    Mistake(
        "postgres", "partition elsewhere unseen", partial(compared_without, "partition "), COUNTED, suffers="behind"
    ),
)
