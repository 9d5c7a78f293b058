"""A whole row as one value, by the name of its item in FROM: where JSON is made of it, the columns that it stands for.

Owns: `place_row`, `name_fields`. Promises: what is written out has the value that the name had, and of `json`, which is a text,
the very text; where it might not, the refusal says what to write.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import reduce

from sqlglot import exp

from tidemark.dialect import Dialect
from tidemark.errors import Code, Refusal
from tidemark.query.functions import function_name
from tidemark.query.parse import place_of
from tidemark.query.scopes import Entry, Scopes
from tidemark.query.trees import own_nodes

COLUMNS_MAX = 50
"""PostgreSQL calls nothing with more than a hundred arguments."""
_DOCUMENTS = frozenset(
    {"to_jsonb", "jsonb_agg", "jsonb_agg_strict", "jsonb_build_array", "jsonb_build_object", "jsonb_object_agg"}
)
_TEXTS = frozenset({"json_build_array", "json_build_object", "json_object_agg"})
_ALONE = frozenset({"row_to_json", "to_json"})
_Columns = Mapping[str, exp.Expression]


def name_fields(
    select: exp.Select,
    scopes: Scopes,
    fold: Callable[[exp.Expression], str],
    named: Callable[[Entry, exp.Expression], str | None],
) -> None:
    """Write `(p).name` and `(p).*`, of an item of FROM that is called p where no column is, as the columns that they are."""
    for node in list(own_nodes(select)):
        held = node.this.this if isinstance(node, exp.Dot) and isinstance(node.this, exp.Paren) else None
        if not isinstance(held, exp.Column) or held.args.get("table") is not None:
            continue
        for scope in scopes:
            if any(named(entry, held.this) for entry in scope.names.values()):
                break
            if fold(held.this) in scope.names:
                node.replace(exp.Column(this=node.expression, table=held.this))
                break


def place_row(
    node: exp.Column,
    columns: _Columns | None,
    present: exp.Expression | None,
    dialect: Dialect,
    *,
    padded: bool = False,
) -> None:
    """Write the row that `node` names as a JSON object of its `columns`; None where not all of them have a name. `present` is a
    column that is NULL in no row: where rows are counted, and where an outer join has none (`padded`), which is NULL as a whole.

    Raises `Refusal` where nothing is made of it that has one value for equal rows.
    """
    call: exp.Expr | None = node.parent
    while isinstance(call, exp.Order | exp.Distinct):
        call = call.parent
    name = function_name(call) if call is not None else None
    whole = node.table if isinstance(node.this, exp.Star) else node.name
    if name == "count":
        node.replace(_counted(node, whole, call, present, dialect))
        return
    collected = name == "json_agg"
    if name not in _DOCUMENTS | _TEXTS | _ALONE and not collected:
        instead = f"to_jsonb({whole}), or each column by its name"
        raise Refusal(
            Code.UNSUPPORTED, f"{whole} stands for whole rows.", instead=instead, place=place_of(node, dialect)
        )
    if columns is None or not 0 < len(columns) <= COLUMNS_MAX or (padded and present is None):
        raise Refusal(
            Code.UNSUPPORTED,
            f"{whole} stands for whole rows, which may be NULL or have columns without a name of their own.",
            instead=f"jsonb_build_object('a_name', {whole}.a_name, …)",
            place=place_of(node, dialect),
        )
    if name in _DOCUMENTS:
        node.replace(_or_null(_document(columns), present if padded else None))
    elif collected:
        _collect(node, call, columns, whole, dialect, padded=padded)
    elif name in _TEXTS:
        node.replace(_or_null(_as_json(_text_of(columns)), present if padded else None))
    elif isinstance(call, exp.Anonymous) and len(call.expressions) == 1:
        call.replace(_or_null(_as_json(_text_of(columns)), present if padded else None))
    else:
        raise Refusal(
            Code.UNSUPPORTED,
            f"{whole} stands for whole rows, which {name} writes in lines.",
            instead=f"{name}({whole})",
            place=place_of(node, dialect),
        )


def _counted(
    node: exp.Column, whole: str, call: exp.Expr | None, present: exp.Expression | None, dialect: Dialect
) -> exp.Expression:
    if present is not None and call is node.parent:
        return present
    raise Refusal(
        Code.UNSUPPORTED,
        f"{whole} stands for whole rows.",
        instead="count(*), or count of a column",
        place=place_of(node, dialect),
    )


def _document(columns: _Columns) -> exp.Expression:
    parts = [part for shown, column in columns.items() for part in (exp.Literal.string(shown), column)]
    return exp.Anonymous(this="jsonb_build_object", expressions=parts)


def _text_of(columns: _Columns) -> exp.Expression:
    """The text that PostgreSQL writes for a row as `json`: without a space, names and values as they come."""
    parts: list[exp.Expression] = []
    for number, (shown, column) in enumerate(columns.items()):
        parts.append(exp.Literal.string(f"{',' if number else '{'}{json.dumps(shown, ensure_ascii=False)}:"))
        value = exp.Cast(this=exp.Anonymous(this="to_json", expressions=[column]), to=exp.DataType.build("text"))
        parts.append(exp.Coalesce(this=value, expressions=[exp.Literal.string("null")]))
    return _joined(*parts, exp.Literal.string("}"))


def _collect(
    node: exp.Column, call: exp.Expr | None, columns: _Columns, whole: str, dialect: Dialect, *, padded: bool
) -> None:
    """Put the texts of rows together as `json_agg` does, each on a line of its own."""
    holder = call.parent if call is not None and isinstance(call.parent, exp.Filter) else call
    if (
        padded
        or call is None
        or holder is None
        or isinstance(holder.parent, exp.Window)
        or call.find(exp.Distinct) is not None
    ):
        raise Refusal(
            Code.UNSUPPORTED,
            f"{whole} stands for whole rows, of which some may be NULL or alike.",
            instead=f"jsonb_agg({whole} …)",
            place=place_of(node, dialect),
        )
    node.replace(_text_of(columns))
    lines = exp.GroupConcat(this=call.expressions[0], separator=exp.Literal.string(", \n "))
    lines.meta.update(call.meta)
    call.replace(lines)
    holder = lines if holder is call else holder
    place = exp.Placeholder()
    holder.replace(place)
    place.replace(_as_json(_joined(exp.Literal.string("["), holder, exp.Literal.string("]"))))


def _joined(*parts: exp.Expr) -> exp.Expression:
    return exp.Paren(this=reduce(lambda one, other: exp.DPipe(this=one, expression=other, safe=True), parts))


def _as_json(text: exp.Expression) -> exp.Expression:
    return exp.Cast(this=text, to=exp.DataType.build("json"))


def _or_null(value: exp.Expression, present: exp.Expression | None) -> exp.Expression:
    if present is None:
        return value
    return exp.Case(ifs=[exp.If(this=exp.Is(this=present, expression=exp.Null()), true=exp.Null())], default=value)
