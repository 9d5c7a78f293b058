"""The nodes of parsed trees: every one of them, and copies.

Owns: `nodes`, `nodes_of`, `copied` and `replaced`. Compiling walks and copies trees more than it does anything else, and the ways
that sqlglot has for it keep a queue and a generator, or copy what is never changed. Promises: nodes come as its `walk` gives
them, level by level, and all are found before the first of them is seen; a copy shares with what it was made of only what is
written on nodes, which nobody changes in place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from sqlglot.expressions import Expr, Expression

E = TypeVar("E", bound=Expr)


def nodes(tree: Expr, ends: tuple[type[Expression], ...] = ()) -> list[Expression]:
    """The tree and every node below it; none below nodes of those kinds with which it `ends`, itself apart."""
    found = [cast(Expression, tree)]
    for node in found:
        if not isinstance(node, ends) or node is tree:
            for value in node.args.values():
                if isinstance(value, Expression):
                    found.append(value)
                elif type(value) is list:
                    found += [one for one in value if isinstance(one, Expression)]
    return found


def nodes_of(tree: Expr, kind: type[E]) -> list[E]:
    """Those of one kind."""
    return [node for node in nodes(tree) if isinstance(node, kind)]


def copied(tree: E) -> E:
    """The tree once more."""
    root = _bare(tree)
    waiting: list[tuple[Expr, Expr]] = [(tree, root)]
    while waiting:
        node, copy = waiting.pop()
        kept = copy.args
        for key, value in node.args.items():
            if isinstance(value, Expression):
                made = kept[key] = _bare(value)
                made.parent, made.arg_key = copy, key
                waiting.append((value, made))
            elif type(value) is list:
                listed = kept[key] = list(value)
                for place, one in enumerate(value):
                    if isinstance(one, Expression):
                        made = listed[place] = _bare(one)
                        made.parent, made.arg_key, made.index = copy, key, place
                        waiting.append((one, made))
            else:
                kept[key] = value
    return root


def _bare(node: E) -> E:
    """A node of that kind with what is written on it, and nothing below it."""
    made = node.__class__()
    if node._meta:
        made._meta = node._meta.copy()
    if node.comments:
        made.comments = list(node.comments)
    made._type = node._type
    return made


def replaced(tree: Expression, place: Callable[[Expression], Expression]) -> Expression:
    """A copy with what `place` gives for each node, the node itself where it stays; it is not asked about what is below a new
    one."""
    root = copied(tree)
    waiting = [root]
    while waiting:
        node = waiting.pop()
        new = place(node)
        if new is node:
            # The first of them is the next one.
            waiting += [one for one in node.iter_expressions(reverse=True) if isinstance(one, Expression)]
        elif node is root:
            return new
        else:
            node.replace(new)
    return root
