"""A whole row as one value, by the name of its item in FROM: where JSON is made of it, the columns that it stands for.

Owns: `spell_row`. Promises: what is written out has the value that the name had; where it might not, the refusal says what to
write.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from tidemark.dialect import Dialect
from tidemark.errors import Code, Refusal
from tidemark.query.functions import function_name
from tidemark.query.parse import place_of

COLUMNS_MAX = 50
"""PostgreSQL calls nothing with more than a hundred arguments."""
_DOCUMENTS = frozenset(
    {"to_jsonb", "jsonb_agg", "jsonb_agg_strict", "jsonb_build_array", "jsonb_build_object", "jsonb_object_agg"}
)
_OF_JSON = {
    "to_json": "to_jsonb",
    "row_to_json": "to_jsonb",
    "json_agg": "jsonb_agg",
    "json_build_object": "jsonb_build_object",
}


def spell_row(
    node: exp.Column,
    columns: Mapping[str, exp.Expression] | None,
    present: exp.Expression | None,
    dialect: Dialect,
    *,
    padded: bool = False,
) -> exp.Expression:
    """The row that `node` names as a JSON object of its `columns`; None where not all of them have a name. `present` is a column
    that is NULL in no row: where rows are counted, and where an outer join has none (`padded`), which is NULL as a whole.

    Raises `Refusal` where nothing is made of it that has one value for equal rows.
    """
    call: exp.Expr | None = node.parent
    while isinstance(call, exp.Order | exp.Distinct):
        call = call.parent
    name = function_name(call) if call is not None else None
    where, whole = place_of(node, dialect), node.table if isinstance(node.this, exp.Star) else node.name
    if name == "count" and present is not None and call is node.parent:
        return present
    if name == "count":
        raise Refusal(
            Code.UNSUPPORTED,
            f"{whole} stands for whole rows.",
            instead="count(*), or count of a column",
            place=where,
        )
    if name not in _DOCUMENTS:
        listed = (
            f"{_OF_JSON[name]}({node.name} …)"
            if name in _OF_JSON
            else f"to_jsonb({node.name}), or each column by its name"
        )
        raise Refusal(Code.UNSUPPORTED, f"{node.name} stands for whole rows.", instead=listed, place=where)
    if columns is None or not 0 < len(columns) <= COLUMNS_MAX or (padded and present is None):
        raise Refusal(
            Code.UNSUPPORTED,
            f"{node.name} stands for whole rows, which may be NULL or have columns without a name of their own.",
            instead=f"jsonb_build_object('a_name', {node.name}.a_name, …)",
            place=where,
        )
    parts = [part for shown, column in columns.items() for part in (exp.Literal.string(shown), column)]
    whole_row = exp.Anonymous(this="jsonb_build_object", expressions=parts)
    if not padded or present is None:
        return whole_row
    return exp.Case(ifs=[exp.If(this=exp.Is(this=present, expression=exp.Null()), true=exp.Null())], default=whole_row)
