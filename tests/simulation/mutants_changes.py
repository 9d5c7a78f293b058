"""Deliberate mistakes where a database changes under us: lost triggers and rebuilt sources.

Owns: the list `CHANGES`, of the same kind as `MISTAKES`. Promises: the package is as it was when the hunt ends.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any
from unittest import mock

from tests.simulation.mutants_runtime import Met, Mistake
from tidemark.runtime import detached, gaps

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


CHANGES: tuple[Mistake, ...] = (
    Mistake("sqlite", "lost trigger unseen", lost_unseen, COUNTED),
    Mistake("postgres", "lost trigger unseen", lost_unseen, COUNTED, suffers="lose"),
    Mistake("sqlite", "rebuilt source unseen", rebuilt_unseen, COUNTED),
)
