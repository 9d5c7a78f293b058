"""ORDER BY and LIMIT of the whole query: every row is kept, and readers see the first.

Owns: `lower_with_order`, `cut_of`, `written_out`, `cut_like`. Promises: the text orders and cuts the stored rows as the query
orders and cuts its result. What is ordered by and not shown is stored too, as columns that no reader sees. An order without a
limit is the reader's affair and is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from sqlglot import exp

from tidemark.dialect import Dialect
from tidemark.errors import Code, Refusal
from tidemark.model import Catalog, Describe, Outputs
from tidemark.query.inline import fold, unwrapped
from tidemark.query.lower import lower_query
from tidemark.query.parse import parse_tree, place_of, render
from tidemark.query.relation import Query
from tidemark.query.trees import outputs_of

HIDDEN = "tidemark_order_"
"""The beginning of the names of columns that are stored for their order alone."""
HIDDEN_UNIT = "tidemark_unit_"
"""The same of those by which the rows fall apart (`query.partitions`)."""
HIDDEN_KEY = "tidemark_key_"
"""The same of those that identify a row (`query.identified`)."""


def lower_with_order(
    text: str, catalog: Catalog, dialect: Dialect, moment: str, describe: Describe
) -> tuple[str, Query, Outputs, Outputs]:
    """The query that is kept, as text and as blocks, its columns, and those of them that readers see."""
    lowered, shown = lower_query(text, catalog, dialect, moment), describe(text)
    kept, stored = with_order(text, shown, dialect, describe)
    return kept, lowered if kept == text else lower_query(kept, catalog, dialect, moment), stored, shown


def with_order(text: str, shown: Outputs, dialect: Dialect, describe: Describe) -> tuple[str, Outputs]:
    """The query with what it is cut by among its columns, and its columns; `shown` are those it has as it is.

    Nothing is added where that would be another query (a set operation, DISTINCT); `cut_of` refuses it then.
    """
    if any(is_hidden(column.name) for column in shown):
        raise Refusal(
            Code.NAME,
            f"Columns that begin with {HIDDEN}, {HIDDEN_UNIT} or {HIDDEN_KEY} are Tidemark's own.",
            instead="another name",
        )
    tree = unwrapped(parse_tree(text, dialect)) if _is_cut(text, dialect) else None
    if not isinstance(tree, exp.Select) or _is_distinct(tree):
        return text, shown
    names = [dialect.fold(column.name) for column in shown]
    order, added = tree.args.get("order"), 0
    for item in order.expressions if order is not None else ():
        holder, node = _apart(item)
        if _place(node, tree, names, dialect) is None and node.find(exp.Collate) is None:
            added += 1
            named = exp.to_identifier(f"{HIDDEN}{added}", quoted=True)
            tree.append("expressions", exp.Alias(this=node.copy(), alias=named))
            holder.set("this", exp.Column(this=named.copy()))
    if not added:
        return text, shown
    kept = render(tree, dialect)
    if tree.args.get("distinct") is None:
        # PostgreSQL knows the name of a column in ORDER BY by itself alone, without a comparison behind it.
        tree.set("order", None)
    try:
        return kept, describe(render(tree, dialect))
    except Refusal:
        # SQLite orders by what is made of its columns, too, and no column can be made of those.
        return text, shown


def written_out(text: str, catalog: Catalog, dialect: Dialect) -> exp.Expression:
    """The tree of a query in which every name is written out, WITH and views where they are named; without what cuts it."""
    return lower_query(text, catalog, dialect).tree.copy()


def cut_like(text: str, tree: exp.Expression, dialect: Dialect) -> exp.Expression:
    """The `tree` of `written_out` of a text, cut as that is, whatever columns it has been given. The tree is used up."""
    if not _is_cut(text, dialect):
        return tree
    written = unwrapped(parse_tree(text, dialect))
    names = [name for name, _ in outputs_of(tree)]
    order = written.args.get("order")
    if order is not None and tree.args.get("order") is None:
        for item in order.expressions:
            place = _place(_apart(item)[1], written, [dialect.fold(name) for name in names], dialect)
            if place is not None:
                named = exp.Column(this=exp.to_identifier(names[place], quoted=True))
                _apart(item)[0].set("this", named)
        tree.set("order", order.copy())
    for name in ("limit", "offset"):
        clause = written.args.get(name)
        tree.set(name, clause.copy() if clause is not None else None)
    return tree


def is_hidden(name: str) -> bool:
    """Whether a column is stored for the order of what readers see, its pieces, or to tell rows apart, and not seen itself."""
    return name.startswith((HIDDEN, HIDDEN_UNIT, HIDDEN_KEY))


def _is_distinct(tree: exp.Select) -> bool:
    distinct = tree.args.get("distinct")
    return distinct is not None and not distinct.args.get("on")


def _apart(item: exp.Expression) -> tuple[exp.Expression, exp.Expression]:
    """What is ordered by, without the comparison that is asked for, and the node that holds it."""
    holder = item
    while isinstance(holder.this, exp.Collate | exp.Paren):
        holder = holder.this
    return holder, holder.this


def cut_of(text: str, query: Query, dialect: Dialect) -> str:
    """``ORDER BY … LIMIT …`` over the stored row ``s``; empty when nothing is cut. `query` is what `text` was lowered to."""
    if not _is_cut(text, dialect):
        return ""
    tree = unwrapped(parse_tree(text, dialect))
    clauses = [tree.args[name] for name in ("limit", "offset") if tree.args.get(name)]
    order = tree.args.get("order")
    items = [_ordered(item, tree, query, dialect) for item in (order.expressions if order is not None else ())]
    words = [f"ORDER BY {', '.join(items)}"] if items else []
    return " ".join([*words, *(render(clause, dialect).strip() for clause in clauses)])


@lru_cache(maxsize=4096)
def _is_cut(text: str, dialect: Dialect) -> bool:
    """Whether the query has a LIMIT or an OFFSET. It is asked of every query, and few have one."""
    tree = unwrapped(parse_tree(text, dialect))
    return any(tree.args.get(name) for name in ("limit", "offset"))


def _ordered(item: exp.Expression, tree: exp.Expression, query: Query, dialect: Dialect) -> str:
    position = _place(_apart(item)[1], tree, [dialect.fold(output.name) for output in query.outputs], dialect)
    if position is None:
        raise Refusal(
            Code.UNSUPPORTED,
            "The rows are cut in an order that is not in the result.",
            instead=f"SELECT …, {render(item.this, dialect)} AS a_name, and ORDER BY that",
            place=place_of(item, dialect),
        )
    column = exp.Column(
        this=exp.to_identifier(query.outputs[position].name, quoted=True), table=exp.to_identifier("s", quoted=False)
    )
    copy = item.copy()
    _apart(copy)[0].set("this", column)
    return render(copy, dialect)


def _place(node: exp.Expression, tree: exp.Expression, names: Sequence[str], dialect: Dialect) -> int | None:
    """Where among the columns of those names, folded, stands what is ordered by; None when it is none of them."""
    if isinstance(node, exp.Literal) and not node.is_string:
        return int(node.name) - 1 if 1 <= int(node.name) <= len(names) else None
    if isinstance(node, exp.Column) and node.args.get("table") is None and fold(node.this, dialect) in names:
        return names.index(fold(node.this, dialect))
    written = [render(expression, dialect) for _, expression in outputs_of(tree)]
    stars = any(isinstance(expression, exp.Star) or expression.name == "*" for _, expression in outputs_of(tree))
    text = render(node, dialect)
    return written.index(text) if not stars and text in written else None
