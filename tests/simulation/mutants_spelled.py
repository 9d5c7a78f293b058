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
from tidemark.query import listed


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


SPELLED: tuple[Mistake, ...] = (
    Mistake("sqlite", "equal rows of a list are one", compiled(one_of_equals), ("listed-values",)),
    Mistake("postgres", "equal rows of a list are one", compiled(one_of_equals), ("listed-values",)),
)
