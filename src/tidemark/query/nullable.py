"""Which values of a query are surely never NULL.

Owns: `is_nullable` and `is_nullable_output`, and the columns that conditions keep from being NULL. Promises: what is said to be
never NULL is not, whatever the sources hold.
"""

from __future__ import annotations

from sqlglot import exp

from tidemark.query.relation import Block, Called, Derived, Query, Recursion, Scalar
from tidemark.query.units import branches_of, item_of, position_of
from tidemark.query.walked import begins_and_goes_on, carried


def is_quantified(comparison: exp.Expression) -> bool:
    """True for ANY and ALL: several values are compared, or none, which ALL is content with."""
    return any(isinstance(side, exp.Any | exp.All) for side in (comparison.this, comparison.expression))


def required_columns(block: Block) -> set[tuple[str, str]]:
    """Columns that cannot be NULL in any result row: ``IS NOT NULL`` and plain comparisons among the conjuncts."""
    found = set()
    conditions = list(block.where)
    if not any(item.kind in ("right", "full") for item in block.items):
        conditions += [scalar for item in block.items if item.kind == "inner" for scalar in item.on]
    for scalar in conditions:
        tree = scalar.bare_tree
        # One grammar reads IS NOT NULL as the negation of IS NULL, the other as a form of its own.
        test = tree.this if isinstance(tree, exp.Not) else tree
        negated = isinstance(tree, exp.Not) != bool(tree.args.get("negate"))
        if negated and isinstance(test, exp.Is) and isinstance(test.expression, exp.Null):
            column = Scalar(test.this, scalar.dialect).column
            if column is not None:
                found.add(column)
        if isinstance(tree, exp.EQ | exp.NEQ | exp.GT | exp.GTE | exp.LT | exp.LTE) and not is_quantified(tree):
            for side in (tree.this, tree.expression):
                column = Scalar(side, scalar.dialect).column
                if column is not None:
                    found.add(column)
    return found


def is_nullable(scalar: Scalar, block: Block) -> bool:
    """False when the expression is surely never NULL in the block's result."""
    if scalar.never_null:
        return False
    column = scalar.column
    if column is None:
        return True
    if column in required_columns(block):
        return False
    item = item_of(block, column[0])
    if item is None or item.alias in block.nullable:
        return True
    if isinstance(item, Derived):
        position = position_of(item.query, column[1])
        return position is None or is_nullable_output(item.query, position)
    if isinstance(item, Called):
        return column[1] != item.unique
    found = item.table.column(column[1])
    return found is None or not found.not_null


def is_nullable_output(query: Query, position: int) -> bool:
    """False when that output is surely never NULL."""
    if isinstance(query, Recursion):
        parts = begins_and_goes_on(query)
        return parts is None or position not in carried(query) or is_nullable_output(parts[0], position)
    return any(is_nullable(branch.outputs[position].scalar, branch) for branch in branches_of(query))
