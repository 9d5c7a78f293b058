"""Deliberate mistakes where a database changes under us: lost triggers, rebuilt sources, columns that a definition gains.

Owns: the list `CHANGES`, of the same kind as `MISTAKES`. Promises: the package is as it was when the hunt ends.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any
from unittest import mock

from tests.simulation.mutants_runtime import Met, Mistake
from tidemark.runtime import detached, gaps, widen

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


def columns_alone(met: Met) -> AbstractContextManager[Any]:
    """New columns are filled, and what keeps the store goes on without them."""
    real = widen.list_changes

    def list_changes(*about: Any) -> list[str]:
        found = real(*about)
        kept = [text for text in found if "ADD COLUMN" in text or text.startswith("COMMENT ON TABLE")]
        met["changed"] += len(kept) < len(found)
        return kept

    return mock.patch.object(widen, "list_changes", list_changes)


def never_the_same(met: Met) -> AbstractContextManager[Any]:
    """Any other definition with one more column is taken for the one that is installed."""

    def essence(script: object) -> dict[str, Any]:
        met["changed"] += 1
        return {}

    return mock.patch.multiple(widen, essence=essence, _is_alike=lambda old, wanted: old.key == wanted.key)


CHANGES: tuple[Mistake, ...] = (
    Mistake("sqlite", "lost trigger unseen", lost_unseen, COUNTED),
    Mistake("postgres", "lost trigger unseen", lost_unseen, COUNTED),
    Mistake("sqlite", "rebuilt source unseen", rebuilt_unseen, COUNTED),
    Mistake("sqlite", "columns without upkeep", columns_alone, COUNTED),
    Mistake("postgres", "columns without upkeep", columns_alone, COUNTED),
    Mistake("sqlite", "any definition is the same", never_the_same, COUNTED),
)
