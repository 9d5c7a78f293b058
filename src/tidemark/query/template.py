"""Texts of expressions and queries with places left open, so that a tree is rendered once however often it is written.

Owns: `pieces` (an expression whose columns are open), `template` and `filled` (a query whose conditions are). Promises: what is
put together is what rendering the changed tree would give; the tree that is given stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from sqlglot import exp

from tidemark.dialect import Dialect
from tidemark.query.nodes import copied, nodes_of, replaced
from tidemark.query.parse import render

Pieces = tuple[tuple[str, tuple[str, str] | None], ...]
"""Text, and the (alias, column) that stands after it; None after the last."""

_MARK = "\0"
"""Around what is open; no text of SQL can have it."""

_WHERE = re.compile(rf" WHERE {_MARK}(-?\d+)\(([^{_MARK}]*){_MARK}\)")


def pieces(tree: exp.Expression, dialect: Dialect) -> Pieces:
    """The expression's text, taken apart at its columns."""
    found: list[tuple[str, str]] = []

    def mark(node: exp.Expression) -> exp.Expression:
        if not isinstance(node, exp.Column):
            return node
        found.append((node.table, node.name))
        return exp.Column(this=exp.Var(this=f"{_MARK}{len(found) - 1}{_MARK}"))

    whole = render(replaced(tree, mark), dialect).split(_MARK)
    columns = [found[int(number)] for number in whole[1::2]]
    return tuple(zip(whole[::2], (*columns, None), strict=True))


def template(query: exp.Expression, dialect: Dialect) -> str:
    """The query's text with a mark for the WHERE of every block, whether it has one or not."""
    tree = copied(query)
    for select in sorted(nodes_of(tree, exp.Select), key=lambda select: -select.depth):
        own = select.args.get("where")
        text = render(own.this, dialect) if own is not None else ""
        mark = f"{_MARK}{select.meta.get('block', -1)}({text}{_MARK})"
        select.set("where", exp.Where(this=exp.Var(this=mark)))
    return render(tree, dialect)


def filled(text: str, conditions: Mapping[int, str]) -> str:
    """A template as SQL; `conditions` maps a block's number to one more condition of its WHERE."""

    def place(found: re.Match[str]) -> str:
        own, condition = found[2], conditions.get(int(found[1]))
        if condition is None:
            return f" WHERE {own}" if own else ""
        return f" WHERE ({own}) AND {condition}" if own else f" WHERE {condition}"

    count = 1
    while count:
        # Inner ones first: a condition is put around the text of what is inside.
        text, count = _WHERE.subn(place, text)
    return text
