"""What a query taken apart is made of: the scans on which its rows stand, the conditions among those, the values of its outputs.

Owns: `Flat` of a whole query, `Joined` of a part of FROM, and how parts are put beside one another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from sqlglot import exp

from tidemark.dialect import Dialect
from tidemark.query.relation import Block, Called, Derived, Nested, Occurrence, Query, Scalar
from tidemark.query.seen import Values, is_loose, is_void, over_scans
from tidemark.query.trees import column_at

Calls = Mapping[str, Called]
"""Alias → function in FROM, called with what scans have."""
Pair = tuple[Scalar, Scalar, tuple[bool, bool]]
"""The two sides of IN over scans, and which of them can be NULL."""


@dataclass(frozen=True)
class Flat:
    """One way in which rows of a query come about: `scans` by alias, `edges` that hold among them, `values` of the outputs.

    `sealed` tells that the focus is inside something that gives other rows than its own: a subquery in a scalar, an aggregate
    without groups, a LIMIT. `calls` are the functions in FROM whose arguments can be said over scans, each after those that it
    reads; what cannot be said of a function is not there, while edges and values may name it.
    """

    scans: Mapping[str, Occurrence]
    edges: tuple[Scalar, ...]
    values: tuple[Scalar | None, ...]
    sealed: bool = False
    calls: Calls = field(default_factory=dict)


@dataclass(frozen=True)
class Joined:
    """A part of FROM: as `Flat`, with the columns of each item as they are seen from above."""

    scans: Mapping[str, Occurrence]
    edges: tuple[Scalar, ...]
    seen: Mapping[str, Values]
    sealed: bool = False
    calls: Calls = field(default_factory=dict)


def has_scan(query: Query, alias: str) -> bool:
    """True when that scan is somewhere in the query."""
    return alias in query.scanned


def needed_aliases(block: Block, wanted: frozenset[int] | None) -> frozenset[str]:
    """Aliases of items whose values matter beyond their own join condition."""
    found: set[str] = set()
    outputs = [o.scalar for position, o in enumerate(block.outputs) if wanted is None or position in wanted]
    for scalar in (*block.where, *outputs):
        found |= scalar.aliases
    for item in block.items:
        others = {alias for scalar in item.on for alias in scalar.aliases} - {item.alias}
        if isinstance(item, Derived) and item.lateral:
            others |= {table for table, _ in item.query.columns}
        found |= others | (item.call.aliases if isinstance(item, Called) else set())
    for nested in block.nested:
        found |= {table for table, _ in nested.query.columns}
        found |= {alias for operand, _ in nested.matches for alias in operand.aliases}
    return frozenset(found)


def own_columns(alias: str, names: Iterable[str], dialect: Dialect) -> Values:
    """The columns of an item as themselves."""
    return {name: Scalar(column_at(alias, name), dialect) for name in names}


def laterally(left: Joined, right: Joined) -> Joined:
    """Both sides together; what a lateral item says of items left of it is said of their scans."""
    edges = [edge for scalar in right.edges if (edge := over_scans(scalar, left.seen)) is not None]
    seen = {
        alias: {
            name: over_scans(value, left.seen) if value is not None and value.aliases & left.seen.keys() else value
            for name, value in values.items()
        }
        for alias, values in right.seen.items()
    }
    return Joined(
        {**left.scans, **right.scans},
        (*left.edges, *edges),
        {**left.seen, **seen},
        left.sealed or right.sealed,
        {**left.calls, **said_calls(right.calls, left.seen)},
    )


def said_calls(calls: Calls, seen: Mapping[str, Values]) -> Calls:
    """The functions whose arguments can be said over scans, with those arguments."""
    said = {alias: over_scans(one.call, seen) for alias, one in calls.items()}
    return {
        alias: replace(calls[alias], call=call)
        for alias, call in said.items()
        if call is not None and not is_loose(call)
    }


def memberships(pairs: list[Pair], nested: Nested) -> list[tuple[Scalar, ...]]:
    """The conditions under which a row of IN's subquery matters: it is equal, or a NULL on either side makes IN unknown.

    As a condition of WHERE by itself, unknown is as good as false.
    """
    if not pairs:
        return [()]
    dialect = pairs[0][0].dialect
    equal = tuple(Scalar(exp.EQ(this=a.tree.copy(), expression=b.tree.copy()), dialect) for a, b, _ in pairs)
    if nested.stands_alone:
        return [] if any(is_void(one) for one in equal) else [equal]
    found = [] if any(is_void(one) for one in equal) else [equal]
    for side in (0, 1):
        test: exp.Expression | None = None
        for pair in pairs:
            if pair[2][side]:
                tree = (pair[0], pair[1])[side].tree.copy()
                unknown = exp.Is(this=exp.Paren(this=tree), expression=exp.Null())
                test = unknown if test is None else exp.Or(this=test, expression=unknown)
        if test is not None:
            found.append((Scalar(exp.Paren(this=test), dialect),))
    return found
