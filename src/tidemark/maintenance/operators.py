"""The class of every operator of a query by itself, with a code and a reason.

Owns: the table from operators to classes. Promises: one entry for each operator in the order in which the query is evaluated; an
operator says what it costs alone, and the class of the whole is the weakest that its program needs.
"""

from __future__ import annotations

from tidemark.contract.costs import Operator
from tidemark.maintenance.groupings import ADDED
from tidemark.query.functions import LINEAR_AGGREGATES
from tidemark.query.relation import Aggregate, Called, Derived, Item, Nested, Occurrence, Query, Recursion, SetOperation
from tidemark.query.walked import carried

_SETS = {
    "union": ("set-multiplicity", "a row stays as long as one side has it"),
    "except": ("set-difference", "a row of the left side depends on every equal row of the right one"),
    "intersect": ("set-difference", "a row depends on the equal rows of both sides"),
}


def operators_of(query: Query, *, linear: bool, counted: bool = False) -> tuple[Operator, ...]:
    """The operators of a query; `linear` tells that the whole is kept by what single rows add, `counted` that values are counted
    beside its groups."""
    if isinstance(query, SetOperation):
        inner = (
            *operators_of(query.left, linear=linear, counted=counted),
            *operators_of(query.right, linear=linear, counted=counted),
        )
        if query.keeps_duplicates and query.kind == "union":
            return (*inner, Operator("UNION ALL", "linear", "union-all", "each side adds its own rows"))
        return (*inner, Operator(query.kind.upper(), "keyed", *_SETS[query.kind]))
    if isinstance(query, Recursion):
        if query.body is None:
            return ()
        inner = operators_of(query.body, linear=linear)
        if carried(query):
            why = "what begins alike is computed together, and a change is walked back to where it begins"
            return (*inner, Operator("WITH RECURSIVE", "keyed", "recursion", why))
        return (*inner, Operator("WITH RECURSIVE", "global", "recursion", "a change reaches whatever follows from it"))
    found: list[Operator] = []
    for place, item in enumerate(query.items):
        found += _item(item, place, linear=linear)
    if query.where:
        found.append(Operator("WHERE", "linear", "filter", "a row passes or not, whatever others do"))
    found += [_nested(nested, linear=linear) for nested in query.nested]
    if query.groups is not None:
        found.append(Operator("GROUP BY", "linear", "group-count", "a group is there while rows of it are counted"))
    found += [_aggregate(aggregate, counted=counted) for aggregate in query.aggregates]
    if query.having is not None:
        found.append(
            Operator("HAVING", "linear", "read-filter", "every group is kept, and readers see those that pass")
        )
    for window in query.windows:
        if window:
            by = ", ".join(scalar.text for scalar in window)
            found.append(Operator("window", "keyed", "partition", f"rows with the same {by} are computed together"))
        else:
            found.append(
                Operator("window", "global", "whole-window", "it has no partition, so a row depends on all others")
            )
    if query.distinct or query.distinct_on:
        found.append(Operator("DISTINCT", "keyed", "multiplicity", "a row stays as long as one of its equals is there"))
    if query.limited:
        found.append(
            Operator("LIMIT", "keyed", "limit", "what is let through depends on what other rows leave room for")
        )
    return tuple(found)


def _item(item: Item, place: int, *, linear: bool) -> list[Operator]:
    if isinstance(item, Called):
        reason = "its rows are computed from the row beside it, so a changed row brings its own"
        return [Operator(f"rows of {item.name}", "linear", "row-function", reason)]
    inner = list(operators_of(item.query, linear=linear)) if isinstance(item, Derived) else []
    name = item.table.label if isinstance(item, Occurrence) else item.alias
    if place == 0:
        return [*inner, Operator(f"scan of {name}", "linear", "scan", "each changed row is taken by itself")]
    if item.kind in ("first", "inner"):
        reason = "a change counts for every row that it joins, so its work grows with those"
        return [*inner, Operator(f"join of {name}", "bilinear", "inner-join", reason)]
    reason = "a row of NULLs comes and goes with the first and the last match"
    return [*inner, Operator(f"{item.kind} join of {name}", "keyed", "outer-join", reason)]


def _nested(nested: Nested, *, linear: bool) -> Operator:
    what = {"scalar": "subquery", "exists": "EXISTS", "in": "IN"}.get(nested.form, nested.form)
    blocks = nested.query.blocks
    own = {alias for block in blocks for alias in block.local}
    outer = {alias for block in blocks for scalar in block.scalars for alias in scalar.aliases} - own
    if linear:
        return Operator(what, "linear", "points-at-key", "its rows carry the key of the row to which they add")
    if outer or nested.matches:
        return Operator(what, "keyed", "correlated", "a change reaches the rows that its condition ties it to")
    return Operator(
        what, "global", "uncorrelated", "it is the same for every row, so a change of it may touch them all"
    )


def _aggregate(call: Aggregate, *, counted: bool) -> Operator:
    name = f"{call.function}({'DISTINCT ' if call.distinct else ''}{'…' if call.argument is not None else '*'})"
    if counted and (call.function in ("min", "max") or (call.distinct and call.function == "count")):
        return Operator(name, "linear", "counted-values", "how often each value occurs is kept beside the rows")
    if call.distinct and call.function not in ("min", "max"):
        return Operator(name, "keyed", "distinct-values", "how often each value is there is not kept")
    if call.function in ADDED:
        return Operator(name, "linear", "adds-up", "each row adds its part, where values add exactly")
    if call.function in LINEAR_AGGREGATES:
        reason = "rows that come are compared; when the extreme value may have left, its key is computed again"
        return Operator(name, "linear", "extreme-value", reason)
    return Operator(name, "keyed", "not-additive", "it cannot be told from sums what it is without a row")
