"""Deliberate mistakes where a query says in another way what other queries say.

Owns: the list `SPELLED`, of the same kind as `MISTAKES`. Promises: the package is as it was when the hunt ends.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack
from typing import Any
from unittest import mock

from sqlglot import exp

from tests.simulation.case import COMPOSED
from tests.simulation.mutants_keyed import padded
from tests.simulation.mutants_runtime import Met, Mistake
from tests.simulation.mutants_unlike import compiled
from tidemark.maintenance import keyed, linear, restrict
from tidemark.query import grouping, values
from tidemark.query.relation import Block, Derived
from tidemark.render import spelling
from tidemark.render.postgres import flush as postgres_flush
from tidemark.render.postgres import flush_crossed as postgres_flush_crossed
from tidemark.render.sqlite import phrases as sqlite_phrases
from tidemark.render.store import Store


def one_of_equals(met: Met) -> AbstractContextManager[Any]:
    """Equal rows of a list are one row."""
    original = values._rows

    def rows(listed: exp.Values) -> exp.Query:
        found = original(listed)
        for union in found.find_all(exp.Union):
            met["changed"] += 1
            union.set("distinct", True)
        return found

    return mock.patch.object(values, "_rows", rows)


def windows_inside(met: Met) -> AbstractContextManager[Any]:
    """DISTINCT and windows are computed in each grouping by itself."""

    def inside(select: exp.Select, *about: Any) -> exp.Select:
        met["changed"] += 1
        return select

    return mock.patch.object(grouping, "_inside", inside)


def one_spelling(met: Met) -> AbstractContextManager[Any]:
    """Equal keys are the same, so that none is ever spelled anew."""

    def spelling_of_key(*about: Any) -> str:
        met["changed"] += 1
        return "one"

    stack = ExitStack()
    for module in (linear, keyed):
        stack.enter_context(mock.patch.object(module, "spelling_of_key", spelling_of_key))
    return stack


def left_alone(met: Met) -> AbstractContextManager[Any]:
    """Whoever leaves takes no spelling along."""

    def spells(*about: Any) -> bool:
        met["changed"] += 1
        return False

    stack = ExitStack()
    stack.enter_context(mock.patch.object(spelling, "spells", spells))
    for module in (postgres_flush, postgres_flush_crossed):
        stack.enter_context(mock.patch.object(module, "spells", spells))
    return stack


def through_the_inner_side(met: Met) -> AbstractContextManager[Any]:
    """What the condition of an outer join makes equal is equal on both sides, match or none."""
    original = restrict._equalities

    def equalities(block: Block, wanted: Derived) -> list[tuple[tuple[str, str], tuple[str, str]]]:
        found = original(block, wanted)
        turned = [(other, one) for one, other in found if (other, one) not in found]
        met["changed"] += bool(turned)
        return found + turned

    return mock.patch.object(restrict, "_equalities", equalities)


def through_filters(met: Met) -> AbstractContextManager[Any]:
    """Stored rows whose key may be NULL are joined by the expressions of their index, and many are expected to be."""

    def join(store: Store, *about: Any) -> str:
        met["changed"] += store.nullable and not store.dialect.has_schemas
        return store.match(*about)

    stack = ExitStack()
    stack.enter_context(mock.patch.object(Store, "join", join))
    stack.enter_context(
        mock.patch.object(sqlite_phrases, "seldom", lambda condition: f"likelihood({condition}, 0.001)")
    )
    return stack


SPELLED: tuple[Mistake, ...] = (
    Mistake("sqlite", "equal keys are the same", compiled(one_spelling), ("spelled-keys",)),
    Mistake("postgres", "equal keys are the same", compiled(one_spelling), ("spelled-keys",), unlike=True),
    Mistake("sqlite", "nobody takes a spelling along", compiled(left_alone), ("spelled-keys",)),
    Mistake(
        "postgres", "nobody takes a spelling along", compiled(left_alone), ("spelled-keys",), unlike=True, begin=33
    ),
    Mistake("sqlite", "rows are filtered by other values", compiled(through_filters), ("keyed", "grouped-join")),
    Mistake("sqlite", "equal rows of a list are one", compiled(one_of_equals), ("listed-values",)),
    Mistake("postgres", "equal rows of a list are one", compiled(one_of_equals), ("listed-values",)),
    Mistake("sqlite", "outer by the inner side", compiled(through_the_inner_side), (COMPOSED,), first=padded("sqlite")),
    Mistake(
        "postgres", "outer by the inner side", compiled(through_the_inner_side), (COMPOSED,), first=padded("postgres")
    ),
    Mistake("postgres", "windows in each grouping", compiled(windows_inside), ("around-groupings",)),
)
