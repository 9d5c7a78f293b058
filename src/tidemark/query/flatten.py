"""A query taken apart into the scans on which a changed row stands, with the conditions that tie them together.

Owns: `flatten`. Promises: for every row of the query's FROM that comes, goes or changes with a row of the `focus` scan there is
a `Flat` whose edges that row satisfies, in the state before or after; its values are what the row's outputs are made of.

Every outer join gives variants: the item matched, or NULL. Where the focus is in the item that is NULL, its match is what
comes or goes, so the join's condition holds for it, while everything above sees NULL. Conditions over outputs that cannot be
traced to scans (an aggregate, a window, a recursion, what a LIMIT lets through) are dropped: more rows are reached, none is
missed.
"""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from tidemark.dialect import Dialect
from tidemark.query.flat import (
    Flat,
    Joined,
    Pair,
    has_scan,
    laterally,
    memberships,
    needed_aliases,
    own_columns,
    said_calls,
)
from tidemark.query.nullable import is_nullable, is_nullable_output
from tidemark.query.parse import render
from tidemark.query.relation import (
    Block,
    Called,
    Derived,
    Item,
    Nested,
    Occurrence,
    Query,
    Recursion,
    Scalar,
    SetOperation,
    as_call,
    is_given,
    once,
)
from tidemark.query.seen import (
    BEGUN,
    LOOSE,
    VOID,
    WALK,
    column_of,
    conditions,
    is_void,
    marked,
    over_scans,
    passed,
    said,
    void,
    walk_to,
    walked,
)
from tidemark.query.trees import bare
from tidemark.query.units import fixed, is_exact, is_uniform, keeps, reads_row
from tidemark.query.walked import Walk, begins_and_goes_on, carried, walk_of

_LISTED = "tidemark_listed"


def flatten(query: Query, focus: str, wanted: frozenset[int] | None = None) -> tuple[Flat, ...]:
    """Every way in which rows of the query stand on a row of the scan `focus`, or on any row when the focus is elsewhere.

    `wanted` are the positions of the outputs that matter; None = all.
    """
    return _flat(query, focus if has_scan(query, focus) else "", wanted)


@once
def _flat(query: Query, focus: str, wanted: frozenset[int] | None) -> tuple[Flat, ...]:
    inside = bool(focus)
    if isinstance(query, Recursion):
        return tuple(_recursion(query, focus))
    if isinstance(query, SetOperation):
        found = [
            flat
            for side in (query.left, query.right)
            if not inside or has_scan(side, focus)
            for flat in flatten(side, focus, wanted)
        ]
        hidden = inside and query.limited
        said = [not hidden and is_uniform(query, position) for position in range(len(query.outputs))]
        return tuple(
            replace(
                flat,
                values=tuple(value if shown else None for shown, value in zip(said, flat.values, strict=True)),
                sealed=flat.sealed or hidden,
            )
            for flat in found
        )
    if not inside and query.is_aggregated and query.groups is None:
        # It has its row whatever its scans hold, so nothing is to be reached through them.
        return (Flat({}, (), (None,) * len(query.outputs)),)
    return tuple(_project(query, part, inside) for part in _from(query, focus, wanted))


def _recursion(query: Recursion, focus: str) -> list[Flat]:
    inside, parts, walk = has_scan(query, focus), begins_and_goes_on(query), walk_of(query)
    # A row that it finds is made of any number of rows, and without a walk nothing says of which.
    scans = {one.alias: one for one in query.all_occurrences if one.alias == focus}
    lost = [Flat(scans, (), (None,) * len(query.outputs), sealed=inside)]
    if parts is None or (walk is None and inside and not has_scan(parts[0], focus)):
        return lost
    first, step = parts
    handed = carried(query)
    whole = flatten(first, focus)
    begun = [
        replace(flat, values=tuple(one if place in handed else None for place, one in enumerate(flat.values)))
        for flat in whole
    ]
    if inside and has_scan(first, focus):
        return [replace(flat, sealed=True) for flat in begun]
    begins = [_walks_from(query, flat, walk) for flat in whole]
    if not inside:
        return [_as_begun(flat, walk, value) for flat, value in zip(begun, begins, strict=True)]
    found = []
    for going in flatten(step, focus):
        for flat, value, one in zip(begun, begins, whole, strict=True):
            if walk is not None and _is_nothing(one.values[walk.place]):
                # From NULL no step goes on.
                continue
            if value is None or walk is None or not walk.enters.aliases <= going.scans.keys():
                return lost
            edges = (*going.edges, *flat.edges, walk.condition(value, walk.enters))
            calls = {**going.calls, **flat.calls}
            found.append(Flat({**going.scans, **flat.scans}, edges, flat.values, sealed=True, calls=calls))
    return found


def _is_nothing(value: Scalar | None) -> bool:
    return value is not None and bool(value.bare_tree.meta.get(VOID))


def _walks_from(query: Recursion, flat: Flat, walk: Walk | None) -> Scalar | None:
    """The column that a recursion begins with, if a walk leads back to it; of a row outside `begins_alike` tells that later."""
    value = flat.values[walk.place] if walk is not None else None
    if walk is None or value is None or value.column is None:
        return None
    own = {item.alias for block in query.blocks for item in block.items}
    return value if value.column[0] not in own or walk.compares(column_of(value, flat.scans)) else None


def _as_begun(flat: Flat, walk: Walk | None, begins: Scalar | None) -> Flat:
    """What is seen of a recursion from outside: what it hands on, and by which walk its other rows are reached."""
    values: list[Scalar | None] = [marked(one, BEGUN, True) for one in flat.values]
    if walk is not None and begins is not None:
        values[walk.place] = marked(begins, WALK, walk)
    return replace(flat, values=tuple(values))


def _project(block: Block, part: Joined, inside: bool) -> Flat:
    values: list[Scalar | None] = []
    hidden = inside and (block.limited or (block.is_aggregated and block.groups is None))
    merging = block.is_aggregated or block.distinct or bool(block.distinct_on or block.windows)
    for output in block.outputs:
        plain = keeps(block, output.scalar) if inside or block.is_aggregated else reads_row(output.scalar)
        constant = output.scalar.is_constant and not inside
        value = None if hidden or not (plain or constant) else passed(output.scalar, part.seen)
        if not hidden and (same := fixed(block, output.scalar)) is not None:
            value = same
        if value is not None and isinstance(value.tree, exp.Null):
            value = marked(value, VOID, True)
        if value is not None and merging and not is_exact(block, output.scalar):
            value = Scalar(exp.Paren(this=value.tree.copy()), value.dialect)
            value.tree.meta[LOOSE] = True
        values.append(value)
    sealed = part.sealed or hidden or (inside and bool(block.windows or block.distinct_on))
    return Flat(part.scans, part.edges, tuple(values), sealed, part.calls)


# -- FROM and WHERE ---------------------------------------------------------------------------------------------------


def _from(block: Block, focus: str, wanted: frozenset[int] | None) -> list[Joined]:
    parts = [Joined({}, (), {})]
    needed = needed_aliases(block, wanted)
    for place, item in enumerate(block.items):
        rights = _item(item, focus, block.dialect)
        parts = [one for left in parts for right in rights for one in _join(block, left, right, place, focus, needed)]
    for nested in block.nested:
        if nested.item is None:
            tie = _with_nested if has_scan(nested.query, focus) else _through_list
            parts = [one for part in parts for one in tie(block, part, nested, focus)]
    for scalar in block.where:
        parts = [one for part in parts for one in _through_value(block, part, scalar, focus)]
    found = []
    for part in parts:
        edges = conditions(block.where, part.seen, part.scans)
        if edges is not None:
            found.append(replace(part, edges=(*part.edges, *edges)))
    return found


def _through_value(block: Block, part: Joined, scalar: Scalar, focus: str) -> list[Joined]:
    """The same with the scans of a subquery whose value a condition of WHERE demands, which the focus is not in."""
    tree = scalar.bare_tree
    sides = (tree.this, tree.expression) if isinstance(tree, exp.EQ) else ()
    for side, other in (sides, sides[::-1]) if sides else ():
        text = render(bare(side), block.dialect)
        inner = next((one for one in block.nested if one.form == "scalar" and one.text == text), None)
        value = over_scans(Scalar(other, block.dialect), part.seen)
        # A row of several values is compared as a whole.
        if inner is None or value is None or len(inner.query.outputs) > 1 or has_scan(inner.query, focus):
            continue
        found = []
        for flat in flatten(inner.query, focus):
            (demanded,) = flat.values
            edges = conditions(flat.edges, part.seen, {**part.scans, **flat.scans})
            if demanded is None or edges is None:
                return [part]
            equal = exp.EQ(this=value.tree.copy(), expression=(over_scans(demanded, part.seen) or demanded).tree.copy())
            edges.append(Scalar(equal, block.dialect))
            calls = {**part.calls, **said_calls(flat.calls, part.seen)}
            found.append(replace(part, scans={**part.scans, **flat.scans}, edges=(*part.edges, *edges), calls=calls))
        return found
    return [part]


def _through_list(block: Block, part: Joined, nested: Nested, focus: str) -> list[Joined]:
    """The same with the scans of a subquery that reads a row outside, and has what WHERE demands; the focus is not in it."""
    outside = {table for table, _ in nested.query.columns} - {""}
    outside -= {item.alias for one in nested.query.blocks for item in one.items}
    if nested.form != "in" or not nested.stands_alone or not outside:
        return [part]
    found, outputs, pairs = [], [one.scalar for one in nested.query.outputs], []
    for one, other in nested.matches:
        listed = exp.column(str(outputs.index(other)), _LISTED, quoted=True)
        pairs.append(Scalar(exp.EQ(this=one.tree.copy(), expression=listed), block.dialect))
    for flat in flatten(nested.query, focus):
        scans = {**part.scans, **flat.scans}
        values = {str(place): value for place, value in enumerate(flat.values)}
        edges = conditions((*flat.edges, *pairs), {**part.seen, _LISTED: values}, scans)
        if edges is None:
            return [part]
        calls = {**part.calls, **said_calls(flat.calls, part.seen)}
        found.append(replace(part, scans=scans, edges=(*part.edges, *edges), calls=calls))
    return found


def _item(item: Item, focus: str, dialect: Dialect) -> list[Joined]:
    if isinstance(item, Derived) and is_given(item.query):
        item = as_call(item.alias, item.query)
    if isinstance(item, Called):
        return [Joined({}, (), {item.alias: own_columns(item.alias, item.columns, dialect)}, calls={item.alias: item})]
    if isinstance(item, Occurrence):
        columns = own_columns(item.alias, [column.name for column in item.table.columns], dialect)
        return [Joined({item.alias: item}, (), {item.alias: columns})]
    names = [output.name for output in item.query.outputs]
    return [
        Joined(
            flat.scans, flat.edges, {item.alias: dict(zip(names, flat.values, strict=True))}, flat.sealed, flat.calls
        )
        for flat in flatten(item.query, focus)
    ]


def _join(block: Block, left: Joined, right: Joined, place: int, focus: str, needed: frozenset[str]) -> list[Joined]:
    """What stands left of an item, with the item: matched, and NULL on either side where the join allows it."""
    item = block.items[place]
    if item.kind == "first":
        return [right]
    inside = any(nested.item == place and has_scan(nested.query, focus) for nested in block.nested)
    padded = item.kind in ("left", "full")
    if item.kind == "left" and item.alias not in needed and focus not in right.scans and not inside:
        # Nothing but its own condition reads it: whether it matches makes no difference to what is reached.
        return [replace(left, seen={**left.seen, **void(right.seen, right.scans)})]
    matched = []
    for whole in _with_on(block, laterally(left, right), place, focus):
        edges = conditions(item.on, whole.seen, whole.scans)
        if edges is not None:
            matched.append(replace(whole, edges=(*whole.edges, *edges)))
    found = list(matched)
    if padded and (focus in right.scans or inside):
        found += [replace(one, seen={**one.seen, **void(right.seen, right.scans)}) for one in matched]
    elif padded:
        found.append(replace(left, seen={**left.seen, **void(right.seen, right.scans)}))
    if item.kind in ("right", "full") and (focus in left.scans or inside):
        found += [replace(one, seen={**one.seen, **void(left.seen, left.scans)}) for one in matched]
    elif item.kind in ("right", "full"):
        found.append(replace(right, seen={**void(left.seen, left.scans), **right.seen}))
    return found


def _with_on(block: Block, whole: Joined, place: int, focus: str) -> list[Joined]:
    """The same with the subquery of the join's condition that holds the focus, if there is one."""
    for nested in block.nested:
        if nested.item == place and has_scan(nested.query, focus):
            return _with_nested(block, whole, nested, focus)
    return [whole]


def _with_nested(block: Block, part: Joined, nested: Nested, focus: str) -> list[Joined]:
    """A part of FROM with the scans of a subquery in a scalar, tied by correlation and by IN."""
    found = []
    for flat in flatten(nested.query, focus):
        scans = {**part.scans, **flat.scans}
        edges = [edge for scalar in flat.edges if (edge := said(scalar, part.seen, scans)) is not None]
        if any(is_void(edge) for edge in edges):
            continue
        calls = {**part.calls, **said_calls(flat.calls, part.seen)}
        tied = Joined(scans, (*part.edges, *edges), part.seen, sealed=True, calls=calls)
        pairs: list[Pair] = []
        for operand, output in nested.matches:
            position = [one.scalar for one in nested.query.outputs].index(output)
            value, other = over_scans(operand, part.seen), flat.values[position]
            if value is None and other is not None and nested.stands_alone and walk_to(other) is None:
                equal = Scalar(exp.EQ(this=operand.tree.copy(), expression=other.tree.copy()), operand.dialect)
                back = walked(equal, part.seen, scans)
                tied = replace(tied, edges=(*tied.edges, *([back] if back is not None else [])))
            if value is not None and other is not None and reads_row(operand):
                unknown = (is_nullable(operand, block), is_nullable_output(nested.query, position))
                pairs.append((value, over_scans(other, part.seen) or other, unknown))
        found += [replace(tied, edges=(*tied.edges, *extra)) for extra in memberships(pairs, nested)]
    return found
