"""What is seen of FROM, said over scans: an expression with each column in the place of what it stands for.

Owns: `over_scans`, `conditions`, and the marks on what stands for something else: a NULL that an outer join gives, a value that a
grouping took for another one, a column with which a recursion begins. Promises: what is said is true of every row that the
expression is true of; what cannot be said so is None, and left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlglot import exp

from tidemark.model import Column
from tidemark.query.nodes import copied
from tidemark.query.relation import Occurrence, Scalar
from tidemark.query.trees import bare, known
from tidemark.query.walked import WALKED, Walk

Values = Mapping[str, Scalar | None]
"""Column name → what it is over scans; None = it cannot be said."""
Scans = Mapping[str, Occurrence]

_STRICT = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE)
VOID = "void"
"""On a node: it is NULL in every row."""
BEGUN = "begun"
"""On a node: it is what a recursion begins with."""
WALK = "walk"
"""On a column: it is where a recursion begins, and stands for all that this walk leads back there from."""
LOOSE = "loose"
"""On a node: equal values that look different were taken for one, and any of them may be what is seen."""


def passed(scalar: Scalar, seen: Mapping[str, Values]) -> Scalar | None:
    """What an output is over scans, or from which walk it comes, where it only passes that on."""
    alias, name = scalar.column or ("", "")
    value = seen[alias].get(name) if alias in seen else None
    return value if value is not None and walk_to(value) is not None else over_scans(scalar, seen)


def walk_to(value: Scalar) -> Walk | None:
    """The walk that leads back to a column with which a recursion begins, where it stands for other rows."""
    walk = value.bare_tree.meta_get(WALK)
    return walk if isinstance(walk, Walk) else None


def walked(scalar: Scalar, seen: Mapping[str, Values], scans: Scans) -> Scalar | None:
    """What an equality with a column that a walk leads back from says of where the recursion begins."""
    tree = scalar.bare_tree
    sides = (
        (Scalar(tree.this, scalar.dialect), Scalar(tree.expression, scalar.dialect)) if isinstance(tree, exp.EQ) else ()
    )
    for one, other in (sides, sides[::-1]) if sides else ():
        begins = passed(one, seen) if one.column is not None else None
        walk = walk_to(begins) if begins is not None else None
        value = over_scans(other, seen)
        if begins is None or walk is None or value is None or is_loose(begins) or is_loose(value):
            continue
        if walk.compares(column_of(value, scans)):
            return walk.condition(begins, value)
    return None


def said(scalar: Scalar, seen: Mapping[str, Values], scans: Scans) -> Scalar | None:
    """What a condition says of scans; None when it says nothing of them."""
    return walked(scalar, seen, scans) or over_scans(scalar, seen)


def over_scans(scalar: Scalar, seen: Mapping[str, Values]) -> Scalar | None:
    """The scalar with every column of FROM as what it is over scans; None when that cannot be said."""
    if scalar.has_subquery and not scalar.tree.meta_get(WALKED):
        return None
    for alias, name in scalar.columns:
        value = seen[alias].get(name) if alias in seen else scalar
        if value is None or walk_to(value) is not None:
            return None

    def place(node: exp.Column) -> exp.Expression:
        values = seen.get(node.table)
        value = values[node.name] if values is not None else None
        if value is None:
            return node
        return copied(value.tree) if value.column is not None else exp.Paren(this=copied(value.tree))

    return scalar.replaced(place)


def conditions(scalars: Iterable[Scalar], seen: Mapping[str, Values], scans: Scans) -> list[Scalar] | None:
    """The conditions that can be said over scans; None when one of them can never be true."""
    found = []
    for scalar in scalars:
        edge = said(scalar, seen, scans)
        if edge is not None and is_void(edge):
            return None
        if edge is not None and _is_sure(edge):
            found.append(edge)
    return found


def _is_sure(edge: Scalar) -> bool:
    """False for a condition that may tell values apart which a grouping took for one."""
    if not is_loose(edge):
        return True
    tree = edge.bare_tree
    sides = (bare(tree.this), bare(tree.expression)) if isinstance(tree, exp.EQ) else ()
    return edge.dialect.types_are_fixed and bool(sides) and all(isinstance(side, exp.Column) for side in sides)


def is_loose(scalar: Scalar) -> bool:
    """True when it reads any of several values that were taken for one."""
    return any(node.meta_get(LOOSE) for node in scalar.nodes)


def void(seen: Mapping[str, Values], scans: Scans) -> dict[str, Values]:
    """The columns of a part of FROM as NULLs, typed where types are fixed."""
    return {
        alias: {name: _typed_null(value, scans) if value is not None else None for name, value in values.items()}
        for alias, values in seen.items()
    }


def _typed_null(value: Scalar, scans: Scans) -> Scalar | None:
    def place(node: exp.Column) -> exp.Expression:
        scan = scans.get(node.table)
        column = scan.table.column(node.name) if scan is not None else None
        typed = value.dialect.cast(column.type) if column is not None else ""
        null = exp.Var(this=f"NULL{typed}")
        null.meta[VOID] = True
        return null

    if value.column is None and value.dialect.types_are_fixed and not value.aliases <= scans.keys():
        # Nothing tells the type of what a function gives.
        return None
    tree = value.replaced(place).tree
    if value.column is None and value.dialect.types_are_fixed:
        tree = exp.Case(ifs=[exp.If(this=exp.Boolean(this=False), true=tree)])
    elif value.column is None:
        tree = exp.Null()
    tree.meta[VOID] = True
    return Scalar(tree, value.dialect)


def is_void(scalar: Scalar) -> bool:
    """True for a comparison that a NULL makes unknown in every row."""
    tree = known(scalar.tree)
    sides = (tree.this, tree.expression) if isinstance(tree, _STRICT) else ()
    # ALL over no rows is true of NULL too.
    quantified = any(isinstance(side, exp.Any | exp.All) for side in sides)
    return not quantified and any(bare(side).meta_get(VOID) for side in sides)


def marked(value: Scalar | None, mark: str, meaning: object) -> Scalar | None:
    """The value with a mark on it."""
    if value is None:
        return None
    tree = value.tree.copy()
    tree.meta[mark] = meaning
    return Scalar(tree, value.dialect)


def column_of(value: Scalar, scans: Scans) -> Column | None:
    """The column of a table that a value is; None when it is more."""
    alias, name = value.column or ("", "")
    return scans[alias].table.column(name) if alias in scans else None


def begins_alike(edge: Scalar, scans: Scans) -> bool:
    """False for a walk back to a column that does not compare as the walk does, or is none of a table."""
    walk = edge.tree.meta_get(WALKED)
    return not isinstance(walk, Walk) or walk.compares(column_of(Scalar(bare(edge.tree.this), edge.dialect), scans))


def is_begun(value: Scalar) -> bool:
    """True for what a recursion hands on from where it begins: rows that nothing leads back to may be any of them."""
    return any(node.meta_get(BEGUN) for node in value.nodes)
