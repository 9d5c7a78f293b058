"""Deliberate mistakes where values are compared with values of another type.

Owns: the list `UNLIKE`, of the same kind as `MISTAKES`. Promises: the package is as it was when the hunt ends.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack
from typing import Any
from unittest import mock

from sqlglot import exp

from tests.simulation.compiled import SCRIPTS
from tests.simulation.mutants import Met
from tests.simulation.mutants_runtime import Mistake, Patch
from tidemark.compiler import derived
from tidemark.database.postgres import probe as postgres_probe
from tidemark.database.postgres.domains import BARE_TYPE
from tidemark.database.sqlite import catalog as sqlite_catalog
from tidemark.maintenance import linear
from tidemark.query import comparisons, lower, parse, readings

CONDITIONS = ("group", "total", "copy")


def compiled(patch: Patch) -> Patch:
    """The same for scripts and trees that nobody had before, and that nobody has afterwards."""

    def whole(met: Met) -> AbstractContextManager[Any]:
        stack = ExitStack()
        stack.enter_context(mock.patch.dict(SCRIPTS, clear=True))
        stack.callback(parse.read_tree.cache_clear)
        parse.read_tree.cache_clear()
        stack.enter_context(patch(met))
        return stack

    return whole


def as_they_stand(met: Met) -> AbstractContextManager[Any]:
    """Nothing is converted for the row of a trigger."""

    def spell_out(*about: Any) -> None:
        met["changed"] += 1

    return mock.patch.object(lower, "spell_out", spell_out)


def whole_rows(met: Met) -> AbstractContextManager[Any]:
    """Rows of values are compared as one value is."""

    def fields(one: Any, other: Any) -> list[Any]:
        met["changed"] += 1
        return [(one, other)]

    return mock.patch.object(comparisons, "_fields", fields)


def hidden_by_collations(met: Met) -> AbstractContextManager[Any]:
    """A column whose collation is said is none."""
    original = comparisons._inside

    def inside(node: exp.Expr) -> exp.Expr:
        found = original(node)
        hides = node.find(exp.Collate) is not None and isinstance(found, exp.Column)
        met["changed"] += hides
        return node if hides else found

    return mock.patch.object(comparisons, "_inside", inside)


def stored_as_columns(met: Met) -> AbstractContextManager[Any]:
    """What is stored of an aggregate is compared by the type and the collation that it is stored with."""

    def over_parts(scalar: Any, swaps: Any, block: Any) -> str:
        met["changed"] += scalar.text not in swaps
        return str(scalar.swapped(swaps))

    return mock.patch.object(linear, "over_parts", over_parts)


def dropped_signs(met: Met) -> AbstractContextManager[Any]:
    """A plus before a column is nothing."""
    met["changed"] += 1
    return mock.patch.object(readings, "_BEFORE_OPERANDS", frozenset())


def other_casts(met: Met) -> AbstractContextManager[Any]:
    """A cast is one to the type that sqlglot takes for the same."""

    def keep(tokens: Any) -> Any:
        met["changed"] += 1
        return tokens

    return mock.patch.object(parse, "_types_by_affinity", keep)


def any_is_a_type(met: Met) -> AbstractContextManager[Any]:
    """A column of a STRICT table that takes any value is one of numbers in a table of ours."""
    original = sqlite_catalog.untyped

    def untyped(kind: str, strict: bool) -> str:
        met["changed"] += original(kind, strict) != kind
        return kind

    return mock.patch.object(sqlite_catalog, "untyped", untyped)


def columns_of_a_domain(met: Met) -> AbstractContextManager[Any]:
    """What the query gives is stored as a value of its domain."""
    original = postgres_probe._COLUMNS
    domains = original.replace(BARE_TYPE, "pg_catalog.format_type(a.atttypid, a.atttypmod)")
    met["changed"] += original != domains
    return mock.patch.object(postgres_probe, "_COLUMNS", domains)


def types_of_the_first(met: Met) -> AbstractContextManager[Any]:
    """What the first branch of a union gives says how what all of them give is stored."""

    def storable(query: Any, columns: Any) -> Any:
        met["changed"] += 1
        return tuple(columns)

    return mock.patch.object(derived, "storable", storable)


UNLIKE: tuple[Mistake, ...] = (
    Mistake("postgres", "columns of a domain", compiled(columns_of_a_domain), ("group", "total", "universe")),
    Mistake("sqlite", "values as they stand", compiled(as_they_stand), CONDITIONS, unlike=True),
    Mistake("sqlite", "rows of values as one", compiled(whole_rows), CONDITIONS, begin=400, unlike=True),
    Mistake("sqlite", "columns hidden by collations", compiled(hidden_by_collations), CONDITIONS, unlike=True),
    Mistake("sqlite", "aggregates as columns", compiled(stored_as_columns), ("group", "total"), unlike=True),
    Mistake("sqlite", "a plus that is dropped", compiled(dropped_signs), CONDITIONS, begin=87, unlike=True),
    Mistake("sqlite", "casts to other types", compiled(other_casts), CONDITIONS, begin=87, unlike=True),
    Mistake("sqlite", "types of the first branch", compiled(types_of_the_first), ("union-all",)),
    Mistake("sqlite", "any is a type", compiled(any_is_a_type), ("group",), begin=280, unlike=True),
)
