"""Types with which SQLite stores what a query gives as it is.

Owns: `storable`, and `is_never_whole_real`. Promises: a column of a table made with these types changes no value of the query's:
its affinity is one that all values of that output were converted to before, or none. The engine's own answer is what CREATE TABLE
AS would take, and that converts: 1.0 of a CAST to NUMERIC becomes 1, and what the second branch of a UNION ALL gives becomes what
the first one gives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlglot import exp

from tidemark.model import OutputColumn
from tidemark.query.affinity import affinity
from tidemark.query.relation import Block, Derived, Occurrence, Query, Recursion, Scalar
from tidemark.query.units import branches_of, item_of, position_of

AS_IT_IS = ""
"""The type that converts nothing."""
_GIVE_TEXT = frozenset({"DATE", "TIME", "DATETIME", "STRFTIME", "LOWER", "UPPER"})
_WHOLE_AS_INTEGERS = frozenset({"INTEGER", "TEXT"})
"""Affinities of columns in which a whole number is never stored as a real one."""


def storable(query: Query, columns: Sequence[OutputColumn]) -> tuple[OutputColumn, ...]:
    """The outputs of the query, as the engine describes them, with such types."""
    if query.dialect.types_are_fixed:
        return tuple(columns)
    return tuple(
        replace(column, type=AS_IT_IS) if _given(query, place) != affinity(column.type) else column
        for place, column in enumerate(columns)
    )


def _given(query: Query, place: int) -> str:
    """The affinity that every value of an output has been converted to; that of `AS_IT_IS` when there is none."""
    if isinstance(query, Recursion):
        return affinity(AS_IT_IS)
    found = {_given_by(branch, branch.outputs[place].scalar) for branch in branches_of(query)}
    return found.pop() if len(found) == 1 else affinity(AS_IT_IS)


def _given_by(block: Block, scalar: Scalar) -> str:
    tree: exp.Expr = scalar.tree
    while isinstance(tree, exp.Paren | exp.Collate):
        tree = tree.this
    if isinstance(tree, exp.Cast):
        cast = affinity(tree.to.sql(dialect="sqlite"))
        # A real number stays one, although it is a whole one.
        return cast if cast != "NUMERIC" else affinity(AS_IT_IS)
    item = item_of(block, tree.table) if isinstance(tree, exp.Column) else None
    if isinstance(item, Occurrence):
        column = item.table.column(tree.name)
        return affinity(column.type) if column is not None else "INTEGER"
    place = position_of(item.query, tree.name) if isinstance(item, Derived) else None
    return _given(item.query, place) if isinstance(item, Derived) and place is not None else affinity(AS_IT_IS)


def as_it_is(scalar: Scalar) -> Scalar:
    """The same value of an expression of no type: SQLite may keep rows of a subquery in a table of its own, whose column of a
    CAST to NUMERIC makes an integer of 1.0, which the CAST itself does not."""
    tree: exp.Expr = scalar.tree
    while isinstance(tree, exp.Paren | exp.Collate):
        tree = tree.this
    to = tree.to.sql(dialect="sqlite") if isinstance(tree, exp.Cast) else "TEXT"
    if scalar.dialect.types_are_fixed or affinity(to) != "NUMERIC":
        return scalar
    bare = exp.Introducer(this=exp.Var(this="+"), expression=exp.Paren(this=scalar.tree.copy()))
    return Scalar(bare, scalar.dialect)


def is_never_whole_real(block: Block, tree: exp.Expr) -> bool:
    """Whether no value of an expression of SQLite is a real number without a fraction, which would equal an integer."""
    if isinstance(tree, exp.Paren):
        return is_never_whole_real(block, tree.this)
    if isinstance(tree, exp.Literal | exp.DPipe):
        return isinstance(tree, exp.DPipe) or bool(tree.is_string)
    if isinstance(tree, exp.Anonymous):
        name = tree.name.upper()
        first_of_all = name in ("COALESCE", "IFNULL")
        return name in _GIVE_TEXT or (first_of_all and all(is_never_whole_real(block, one) for one in tree.expressions))
    item = item_of(block, tree.table) if isinstance(tree, exp.Column) else None
    column = item.table.column(tree.name) if isinstance(item, Occurrence) else None
    return column is not None and affinity(column.type) in _WHOLE_AS_INTEGERS
