"""The shape of parsed queries: which nodes are a SELECT's own, and which queries stand in it.

Owns: the walks over trees that stop at queries inside, `bare`, and the making of columns and names.
Promises: FROM subqueries and subqueries in scalars are told apart.
"""

from __future__ import annotations

from sqlglot import exp

from tidemark.query.functions import function_name
from tidemark.query.inline import unwrapped
from tidemark.query.nodes import nodes, nodes_of

WHOLE = "whole"
"""What marks a column of a whole row."""
_QUERIES = (exp.Select, exp.SetOperation)


def own_items(select: exp.Select) -> list[exp.Expression]:
    """The items of FROM and JOIN of this SELECT, in order."""
    from_ = select.args.get("from_")
    items = [from_.this] if from_ is not None else []
    return items + [join.this for join in select.args.get("joins") or []]


def open_first(select: exp.Select) -> None:
    """Take parentheses off that come first in FROM: what is joined there is joined like the rest."""
    from_ = select.args.get("from_")
    while from_ is not None and isinstance(from_.this, exp.Subquery):
        around, first = from_.this, from_.this.this
        said = {key for key, value in around.args.items() if value}
        if not isinstance(first, exp.Table | exp.Subquery) or not said <= {"this", "joins"}:
            break
        joins = [join for node in (first, around, select) for join in node.args.get("joins") or ()]
        first.set("joins", None)
        from_.set("this", first)
        select.set("joins", joins)


def outputs_of(query: exp.Expression) -> list[tuple[str, exp.Expression]]:
    """(name, expression) of each column of a query, as its first SELECT has them."""
    while isinstance(query, exp.SetOperation):
        query = unwrapped(query.this)
    found = []
    for item in query.expressions:
        bare = item.this if isinstance(item, exp.Alias) else item
        found.append(
            (item.alias if isinstance(item, exp.Alias) else bare.name if isinstance(bare, exp.Column) else "", bare)
        )
    return found


def rename_outputs(query: exp.Expression, names: list[str]) -> None:
    """Give the first columns of a query other names."""
    while isinstance(query, exp.SetOperation):
        query = unwrapped(query.this)
    items = list(query.expressions)
    for position, name in enumerate(names[: len(items)]):
        items[position] = aliased(items[position].unalias(), name)
    query.set("expressions", items)


def own_nodes(select: exp.Expression) -> list[exp.Expression]:
    """Every node of this SELECT that does not belong to a query inside it."""
    return [node for node in _down_to_queries(select) if node is select or not _is_query(node)]


def orders_rows(query: exp.Expression) -> bool:
    """Whether rows are put in order somewhere in a query, so that it may show which of two equal ones came first."""
    return query.find(exp.Order, exp.Limit) is not None


def inner_queries(select: exp.Select) -> list[exp.Expression]:
    """The queries directly inside this one's scalars (not those of FROM), outermost only."""
    items = own_items(select)
    found = [node for node in _down_to_queries(select) if _is_query(node) and node is not select]
    return [node for node in found if not any(_holder(node) is item for item in items)]


def _holder(query: exp.Expr) -> exp.Expr | None:
    """The item of FROM that holds the query, through parentheses."""
    node = query.parent
    while isinstance(node, exp.Subquery) and isinstance(node.parent, exp.Subquery | exp.Lateral):
        node = node.parent
    return node


def _is_query(node: exp.Expression) -> bool:
    return isinstance(node, _QUERIES)


def _down_to_queries(select: exp.Expression) -> list[exp.Expression]:
    return nodes(select, _QUERIES)


def bare(tree: exp.Expression) -> exp.Expression:
    """The tree without parentheses around it."""
    while isinstance(tree, exp.Paren):
        tree = tree.this
    return tree


def known(tree: exp.Expression) -> exp.Expression:
    """The condition of which a condition asks whether it is known, that is not NULL; any other as it is, without parentheses."""
    inner = bare(tree)
    asked = bare(inner.this) if isinstance(inner, exp.Not) else inner
    nothing = isinstance(inner, exp.Not) and isinstance(asked, exp.Is) and isinstance(asked.expression, exp.Null)
    return bare(asked.this) if nothing else inner


def named_again(written: exp.Expression, name: str) -> exp.Identifier:
    """The catalog's spelling at the place where the user wrote the name."""
    identifier = exp.Identifier(this=name, quoted=True)
    identifier.meta.update(written.meta)
    return identifier


def aliased(node: exp.Expression, name: str) -> exp.Alias:
    """A column of a query under a name."""
    return exp.Alias(this=node, alias=exp.to_identifier(name, quoted=True))


def column_at(alias: str, name: str) -> exp.Column:
    """A column of an item, which is yet to be looked up."""
    return exp.Column(this=exp.to_identifier(name, quoted=True), table=exp.to_identifier(alias, quoted=True))


def resolved_column(alias: str, column: str, **marks: bool) -> exp.Column:
    """A column of an item, of which nothing is to be looked up any more."""
    node = column_at(alias, column)
    node.meta.update(resolved=True, **marks)
    return node


def starred_column(name: str, column: exp.Expression) -> exp.Expression:
    """A column that a star stands for, under the name that it has there."""
    plain = isinstance(column, exp.Column) and column.name == name
    return column.copy() if plain else exp.Alias(this=column.copy(), alias=exp.to_identifier(name, quoted=True))


def whole_items(tree: exp.Expression) -> frozenset[str]:
    """The aliases of items of which every column is read because a whole row is, whichever columns there are."""
    return frozenset(node.table for node in nodes_of(tree, exp.Column) if node.meta_get(WHOLE))


def words_of(node: exp.Expression) -> str:
    """What a node is called in a refusal."""
    name = function_name(node.this) if isinstance(node, exp.Table) else None
    return f"The function {name}" if name else node.key.upper()


def is_renamed(item: exp.Expression) -> bool:
    """True when an item of FROM gives its columns other names."""
    alias = item.args.get("alias")
    return alias is not None and bool(alias.args.get("columns"))
