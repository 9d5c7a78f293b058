"""The columns of a query's result, some left out.

Owns: `leave_out`. Promises: the text is the query as it was written but for those columns; rows are filtered, joined and grouped
as before. Decides nothing about whether the result has the same rows: who asks compares what is made of it.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from tidemark.dialect import Dialect
from tidemark.errors import Code, Refusal
from tidemark.query.parse import parse_query, render
from tidemark.query.trees import outputs_of


def leave_out(text: str, names: Sequence[str], dialect: Dialect) -> str:
    """The query without the columns of those names. Raises `Refusal` (``unsupported``) where that is another query or none."""
    tree = parse_query(text, dialect)
    named = outputs_of(tree)
    written = [name for name, _ in named]
    starred = any(
        isinstance(bare, exp.Star) or isinstance(bare.this, exp.Star) and isinstance(bare, exp.Column)
        for _, bare in named
    )
    if starred or any(written.count(name) != 1 for name in names) or len(named) == len(names):
        raise Refusal(
            Code.UNSUPPORTED, f"{', '.join(names)} cannot be left out of the result.", instead="each column by its name"
        )
    items = [item for item, name in zip(tree.expressions, written, strict=True) if name not in names]
    tree.set("expressions", items)
    return render(tree, dialect)
