"""ORDER BY and LIMIT of the whole query: every row is kept, and readers see the first.

Owns: `cut_of`. Promises: the text orders and cuts the stored rows as the query orders and cuts its result. An order without a
limit is the reader's affair and is left out.
"""

from __future__ import annotations

from functools import lru_cache

from sqlglot import exp

from tidemark.dialect import Dialect
from tidemark.errors import Code, Refusal
from tidemark.query.inline import ascii_lower, unwrapped
from tidemark.query.parse import parse_tree, place_of, render
from tidemark.query.relation import Query
from tidemark.query.trees import outputs_of


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
    position = _position(item.this, tree, query, dialect)
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
    copy.set("this", column)
    return render(copy, dialect)


def _position(node: exp.Expression, tree: exp.Expression, query: Query, dialect: Dialect) -> int | None:
    if isinstance(node, exp.Literal) and not node.is_string:
        return int(node.name) - 1 if 1 <= int(node.name) <= len(query.outputs) else None
    if isinstance(node, exp.Column) and node.args.get("table") is None:
        names = [ascii_lower(output.name) for output in query.outputs]
        if ascii_lower(node.name) in names:
            return names.index(ascii_lower(node.name))
    written = [render(expression, dialect) for _, expression in outputs_of(tree)]
    stars = any(isinstance(expression, exp.Star) or expression.name == "*" for _, expression in outputs_of(tree))
    text = render(node, dialect)
    return written.index(text) if not stars and text in written else None
