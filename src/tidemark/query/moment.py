"""The clock in a query: every way to ask for the time becomes one recorded moment.

Owns: `pin`, `looks`, `clock_of`. Promises: a pinned query reads no clock; what it reads instead is a text given by the caller,
which stands in the tree as one opaque node and is found again by `is_moment`. Only the time in UTC is pinned: what depends on
a session's time zone stays as it was, and is refused later.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from sqlglot import exp

from tidemark.dialect import Dialect
from tidemark.query import functions
from tidemark.query.functions import is_aggregate
from tidemark.query.nodes import nodes
from tidemark.query.relation import MOMENT, Block, Query, Scalar

Clock = tuple[Callable[[exp.Expr], bool], Callable[[exp.Expr, str], None]]
"""Whether a node looks at the clock of an engine, and how a moment is put in its place."""
_COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE)
_POSTGRES = frozenset(["now", "transaction_timestamp", "current_timestamp"])
_SQLITE = {"current_timestamp": "datetime", "current_date": "date", "current_time": "time"}


def pin(tree: exp.Expression, moment: str, dialect: Dialect) -> bool:
    """Put `moment`, the text of a scalar, in the place of every look at the clock; True when there was one."""
    looks_at, replace = _CLOCKS[dialect.name]
    found = [node for node in nodes(tree) if looks_at(node)]
    for node in found:
        replace(node, moment)
    return bool(found)


def reads_moment(query: Query) -> bool:
    """True when a block of the query reads the moment."""
    return bool(moments_of(query))


def clock_of(dialect: Dialect) -> str:
    """What a query that is pinned to it asks the clock with: its text can be pinned again."""
    return _ASKED[dialect.name]


def moments_of(query: Query) -> tuple[str, ...]:
    """The texts of the moments that blocks of the query read."""
    every = (node for block in query.blocks for node in nodes(block.tree))
    return tuple(dict.fromkeys(node.name for node in every if is_moment(node)))


def compared_with_it(tree: exp.Expr) -> bool:
    """Whether the node compares something with the moment."""
    return isinstance(tree, (*_COMPARISONS, exp.Between)) and any(is_moment(node) for node in nodes(tree))


def looks(block: Block) -> list[Scalar | None]:
    """For each look at the moment in the block's own clauses, the comparison with it whose truth is all that matters, or None
    where the value itself is shown or counted."""
    found: list[Scalar | None] = []
    for node in block.own_nodes:
        if is_moment(node):
            found += _comparisons(block, node)
    return found


def sides(test: Scalar) -> tuple[Scalar, Scalar] | tuple[None, None]:
    """(column, bound) of a comparison of one column with what reads none; (None, None) for any other."""
    left, right = Scalar(test.tree.this, test.dialect), Scalar(test.tree.expression, test.dialect)
    for one, other in ((left, right), (right, left)):
        if one.column is not None and not other.columns:
            return one, other
    return None, None


def _comparisons(block: Block, node: exp.Expression) -> list[Scalar | None]:
    around: exp.Expr | None = node
    while around is not None and not isinstance(around, (*_COMPARISONS, exp.Between, exp.Select)):
        if is_aggregate(around):
            return [None]
        around = around.parent
    if around is None or isinstance(around, exp.Select):
        return [None]
    whole: list[exp.Expr] = [around]
    if isinstance(around, exp.Between):
        low = exp.GTE(this=around.this.copy(), expression=around.args["low"].copy())
        high = exp.LTE(this=around.this.copy(), expression=around.args["high"].copy())
        whole = [one for one in (low, high) if any(is_moment(inner) for inner in one.walk())]
    found: list[Scalar | None] = []
    for one in whole:
        plain = not any(isinstance(inner, exp.Select | exp.Window) or is_aggregate(inner) for inner in one.walk())
        found.append(Scalar(cast(exp.Expression, one), block.dialect) if plain else None)
    return found


def is_moment(node: exp.Expr) -> bool:
    """True for the node that stands for the recorded moment."""
    return isinstance(node, exp.Var) and bool(node.meta_get(MOMENT))


def _asks_postgres(node: exp.Expr) -> bool:
    asks = functions.function_name(node) in _POSTGRES
    return asks and not node.args.get("this_precision") and not node.expressions


def _asks_sqlite(node: exp.Expr) -> bool:
    name = functions.function_name(node)
    if name in _SQLITE:
        return True
    if name not in functions.SQLITE_TIME or name == "timediff":
        return False
    return _place(name, node) is not None


def _place(name: str, node: exp.Expr) -> int | None:
    """The index of the argument that is the clock; one after the last when it is left out; None when there is a time."""
    at = functions.TIME_ARGUMENT.get(name, 0)
    if len(node.expressions) == at:
        return at
    given = node.expressions[at] if len(node.expressions) > at else None
    if isinstance(given, exp.Literal) and given.is_string and given.name.strip().lower() == "now":
        return at
    return None


def _pin_postgres(node: exp.Expr, moment: str) -> None:
    node.replace(_node(moment))


def _pin_sqlite(node: exp.Expr, moment: str) -> None:
    name = functions.function_name(node) or ""
    if name in _SQLITE:
        node.replace(exp.Anonymous(this=_SQLITE[name], expressions=[_node(moment)]))
        return
    at = _place(name, node)
    arguments = list(node.expressions)
    arguments[at:] = [_node(moment), *arguments[(at or 0) + 1 :]]
    node.set("expressions", arguments)


def _node(moment: str) -> exp.Var:
    node = exp.Var(this=moment)
    node.meta[MOMENT] = True
    return node


_CLOCKS: dict[str, Clock] = {"sqlite": (_asks_sqlite, _pin_sqlite), "postgres": (_asks_postgres, _pin_postgres)}
_ASKED = {"sqlite": "'now'", "postgres": "now()"}
