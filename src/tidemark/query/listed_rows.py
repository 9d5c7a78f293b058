"""Functions that give rows, where one value is wanted: in the list of SELECT.

Owns: `move_rows`. Promises: afterwards such a function stands in FROM, beside the row that it is called for, and a column in its
place, which is the same on PostgreSQL wherever it is done: the list is evaluated after FROM and WHERE, and before DISTINCT and
LIMIT. Where groups, windows or another such function come in between, the list is left as it is, and refused by `admit`; several
``unnest`` give their rows side by side.
"""

from __future__ import annotations

from sqlglot import exp

from tidemark.dialect import Dialect
from tidemark.model import Catalog
from tidemark.query.called import gives_one_column
from tidemark.query.functions import function_name, is_aggregate
from tidemark.query.nodes import nodes_of
from tidemark.query.trees import aliased, own_nodes

ROWS = "tidemark_rows"
"""The item of FROM that a function of the list becomes."""
_CHOICES = (exp.Case, exp.If, exp.Coalesce)


def move_rows(holder: exp.Expression, catalog: Catalog, dialect: Dialect) -> None:
    """Do so in every SELECT of a tree in which names of queries are written out. On SQLite each such function has several
    columns, and none stands in a list."""
    for select in nodes_of(holder, exp.Select):
        _move(select, catalog, dialect)


def _move(select: exp.Select, catalog: Catalog, dialect: Dialect) -> None:
    own = own_nodes(select)
    found = [(node, name) for node in own if (name := _giving_rows(node, select, catalog, dialect))]
    between = any(isinstance(node, exp.Window) or is_aggregate(node) for node in own)
    if not found or between or any(select.args.get(word) for word in ("group", "having", "windows")):
        return
    if len(found) > 1 and any(
        name != "unnest" or len(_arguments(node)) > 1 or _is_inside(node, found) for node, name in found
    ):
        return
    if any(_is_within(node.find_ancestor(*_CHOICES), select) for node, _ in found):
        return
    rows = exp.to_identifier(ROWS, quoted=True)
    columns, arguments = [], []
    for place, (node, name) in enumerate(found):
        column = exp.to_identifier(name if not place else f"{name}_{place + 1}", quoted=True)
        listed = exp.Column(this=column.copy(), table=rows.copy())
        named = aliased(listed, name)
        arguments += [one.copy() for one in _arguments(node)]
        columns.append(column)
        node.replace(named if node.parent is select else listed)
    # Several of them give their rows side by side, as one that is called with several arrays does.
    call = exp.Anonymous(this=found[0][1], expressions=arguments)
    call.meta.update(found[0][0].meta)
    called = exp.Lateral(this=call, view=False, outer=False, alias=exp.TableAlias(this=rows, columns=columns))
    if select.args.get("from_") is None:
        select.set("from_", exp.From(this=called))
    else:
        select.append("joins", exp.Join(this=called))


def _giving_rows(node: exp.Expression, select: exp.Select, catalog: Catalog, dialect: Dialect) -> str:
    """The name of the function, if the node is one that gives rows of one column, in the list; empty otherwise."""
    name = function_name(node)
    if name is None or not gives_one_column(name, dialect, catalog.routines):
        return ""
    while node.parent is not None and node.parent is not select:
        node = node.parent  # type: ignore[assignment]
    return name if node.arg_key == "expressions" and node.parent is select else ""


def _arguments(node: exp.Expression) -> list[exp.Expression]:
    return [one for one in node.iter_expressions() if isinstance(one, exp.Expression)]


def _is_inside(node: exp.Expression, found: list[tuple[exp.Expression, str]]) -> bool:
    """Whether another of them is called with the node."""
    return any(inner is node for other, _ in found if other is not node for inner in other.walk())


def _is_within(node: exp.Expr | None, select: exp.Select) -> bool:
    """Whether there is a node, and it belongs to the SELECT."""
    while node is not None and node is not select:
        node = node.parent
    return node is select
