"""VALUES as what it is: one SELECT without FROM for each row, put together by UNION ALL.

Owns: `spell_lists`. Promises: the rows, their types and the names of their columns are those that the engines give to VALUES,
wherever a query may stand: in FROM, with and without LATERAL, in WITH and in IN.
"""

from __future__ import annotations

from sqlglot import exp

from tidemark.query.nodes import nodes_of


def spell_lists(tree: exp.Expression) -> None:
    """Replace every VALUES below `tree`."""
    for values in nodes_of(tree, exp.Values):
        alias = values.args.get("alias")
        query = exp.Subquery(this=_rows(values), alias=alias.copy() if alias is not None else None)
        around = values.parent
        if isinstance(around, exp.In) and values.arg_key == "expressions":
            around.set("expressions", None)
            around.set("query", query)
        elif isinstance(around, exp.Subquery | exp.CTE | exp.SetOperation) and alias is None:
            values.replace(query.this)
        elif isinstance(around, exp.Table) and alias is None:
            # What it is called, and what is joined to it, stands around it in parentheses.
            alias, joins = around.args.get("alias"), around.args.get("joins")
            around.replace(exp.Subquery(this=query.this, alias=alias, joins=joins))
        else:
            values.replace(query)


def _rows(values: exp.Values) -> exp.Query:
    found: exp.Query | None = None
    for row in values.expressions:
        parts = row.expressions if isinstance(row, exp.Tuple) else [row]
        named = [
            exp.Alias(this=part.copy(), alias=exp.to_identifier(f"column{place}"))
            for place, part in enumerate(parts, start=1)
        ]
        select = exp.Select(expressions=named)
        found = select if found is None else exp.Union(this=found, expression=select, distinct=False)
    assert found is not None
    return found
