"""Deliberate mistakes where a query says in another way what other queries say.

Owns: the list `SPELLED`, of the same kind as `MISTAKES`. Promises: the package is as it was when the hunt ends.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any
from unittest import mock

from sqlglot import exp

from tests.simulation.mutants_runtime import Met, Mistake
from tests.simulation.mutants_unlike import compiled
from tidemark.query import grouping, listed


def one_of_equals(met: Met) -> AbstractContextManager[Any]:
    """Equal rows of a list are one row."""
    original = listed._rows

    def rows(values: exp.Values) -> exp.Query:
        found = original(values)
        for union in found.find_all(exp.Union):
            met["changed"] += 1
            union.set("distinct", True)
        return found

    return mock.patch.object(listed, "_rows", rows)


def windows_inside(met: Met) -> AbstractContextManager[Any]:
    """DISTINCT and windows are computed in each grouping by itself."""

    def inside(select: exp.Select, *about: Any) -> exp.Select:
        met["changed"] += 1
        return select

    return mock.patch.object(grouping, "_inside", inside)


SPELLED: tuple[Mistake, ...] = (
    Mistake("sqlite", "equal rows of a list are one", compiled(one_of_equals), ("listed-values",)),
    Mistake("postgres", "equal rows of a list are one", compiled(one_of_equals), ("listed-values",)),
    Mistake("postgres", "windows in each grouping", compiled(windows_inside), ("around-groupings",)),
)
