"""The names of a query's columns, in the text itself.

Owns: the alias of every output, what positions and names stand for in GROUP BY and DISTINCT ON, ORDER BY by a column's name.
Promises: a name is the one that the engine gives, and it stands in the text, so that it is the same however the query is
rendered.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlglot import exp

from tidemark.dialect import Dialect
from tidemark.errors import Code, Refusal
from tidemark.query.functions import function_name, is_aggregate
from tidemark.query.inline import fold
from tidemark.query.parse import place_of
from tidemark.query.trees import bare, outputs_of, own_nodes


def number_groups(select: exp.Select, dialect: Dialect) -> None:
    """Replace ``GROUP BY 1`` by the first output."""
    group = select.args.get("group")
    if group is None:
        return
    items = []
    for item in group.expressions:
        if isinstance(item, exp.Literal) and item.is_int:
            position = int(item.name)
            if not 1 <= position <= len(select.expressions):
                raise Refusal(Code.PARSE, f"GROUP BY {position} is not a position of the SELECT list.")
            _take_for_text(select, select.expressions[position - 1].unalias(), dialect)
            item = select.expressions[position - 1].unalias().copy()
        items.append(item)
    group.set("expressions", items)


def _take_for_text(select: exp.Select, output: exp.Expression, dialect: Dialect) -> None:
    """Write that a text or NULL of no type is text, as PostgreSQL takes it where rows are grouped by it: a branch beside this one
    would give it another type once it is no part of GROUP BY."""
    value, around = bare(output), select.parent
    while isinstance(around, exp.Subquery | exp.Paren):
        around = around.parent
    untyped = isinstance(value, exp.Null) or (isinstance(value, exp.Literal) and value.is_string)
    if untyped and isinstance(around, exp.SetOperation) and dialect.types_are_fixed:
        output.replace(exp.Cast(this=output.copy(), to=exp.DataType(this=exp.DataType.Type.TEXT)))


def spell_distinct_out(select: exp.Select, dialect: Dialect) -> None:
    """Replace positions and names of outputs in DISTINCT ON by what stands there. A name is that of an output before that of a
    column."""
    distinct = select.args.get("distinct")
    on = distinct.args.get("on") if distinct is not None else None
    named = {fold(one.args["alias"], dialect): one.this for one in select.expressions if isinstance(one, exp.Alias)}
    for item in on.expressions if on is not None else ():
        output = None
        if isinstance(item, exp.Literal) and item.is_int and 1 <= int(item.name) <= len(select.expressions):
            output = select.expressions[int(item.name) - 1].unalias()
        elif isinstance(item, exp.Column) and not item.table:
            output = named.get(fold(item.this, dialect))
        if output is not None and _is_constant(output):
            raise Refusal(
                Code.UNSUPPORTED,
                "DISTINCT ON a constant keeps one row.",
                instead="ORDER BY … LIMIT 1",
                place=place_of(item, dialect),
            )
        if output is not None:
            item.replace(output.copy())


def spell_aliases_out(select: exp.Select, is_column: Callable[[exp.Expression], bool], dialect: Dialect) -> None:
    """Replace names of outputs in GROUP BY, HAVING (and, on SQLite, WHERE) that are no columns of FROM."""
    outputs = {fold(one.args["alias"], dialect): one.this for one in select.expressions if isinstance(one, exp.Alias)}
    if not outputs:
        return
    for part in ("group", "having", "where"):
        clause = select.args.get(part)
        for node in list(clause.find_all(exp.Column)) if clause is not None else []:
            if node.args.get("table") is None and node.find_ancestor(exp.Select) is select:
                name = fold(node.this, dialect)
                if name in outputs and not is_column(node.this):
                    if node.parent is select.args.get("group"):
                        _take_for_text(select, outputs[name], dialect)
                    node.replace(exp.Paren(this=outputs[name].copy()))


def leave_constants_out(select: exp.Select) -> None:
    """Leave constants out of GROUP BY, where a number would be the position of another output: one value makes no more groups.

    Where nothing else is grouped by there is one group, or none of no rows, which HAVING and DISTINCT say without GROUP BY.
    """
    group = select.args.get("group")
    if group is None or not group.expressions:
        return
    kept = [item for item in group.expressions if _reads([item])]
    nodes = own_nodes(select)
    having = select.args.get("having")
    if kept:
        group.set("expressions", kept)
    elif any(isinstance(node, exp.Window) for node in nodes) or select.args.get("distinct") is not None:
        group.set("expressions", [_no_position(group.expressions[0])])
    elif any(is_aggregate(node) for node in nodes if node.find_ancestor(exp.Having, exp.Select) is select):
        some = exp.GT(this=exp.Count(this=exp.Star()), expression=exp.Literal.number(0))
        select.set("having", exp.Having(this=exp.and_(having.this, some) if having is not None else some))
        select.set("group", None)
    elif having is None and select.find_ancestor(exp.Select) is None and not _reads(select.expressions):
        select.set("distinct", exp.Distinct())
        select.set("group", None)
    else:
        group.set("expressions", [_no_position(group.expressions[0])])


def _reads(items: Sequence[exp.Expression]) -> bool:
    """Whether some of them may have other values in other rows."""
    return any(item.find(exp.Column, exp.Query) is not None for item in items)


def _no_position(item: exp.Expression) -> exp.Expression:
    """A value of GROUP BY, in a form that the engines do not take for the position of an output."""
    if not _is_constant(item):
        return item.copy()
    return exp.Case(ifs=[exp.If(this=exp.true(), true=item.copy())])


def _is_constant(item: exp.Expression) -> bool:
    while isinstance(item, exp.Paren | exp.Neg):
        item = item.this
    return isinstance(item, exp.Literal | exp.Null | exp.Boolean)


def name_outputs(select: exp.Select, dialect: Dialect) -> None:
    """Give every output that has a name its name in the text."""
    named = []
    for item in select.expressions:
        name = _name(item, dialect) or (_implicit(item, dialect) if select.parent is not None else "")
        alias = exp.Identifier(this=name, quoted=True)
        if isinstance(item, exp.Alias):
            alias.meta.update(item.args["alias"].meta)
        named.append(exp.Alias(this=item.unalias(), alias=alias) if name else item)
    select.set("expressions", named)


def as_written(identifier: exp.Expression, dialect: Dialect) -> str:
    """The name that a column gets by an identifier, with a type or without: PostgreSQL folds it, SQLite keeps it."""
    if isinstance(identifier, exp.ColumnDef):
        return as_written(identifier.this, dialect)
    return fold(identifier, dialect) if dialect.names_have_case else str(identifier.name)


def is_of_triggers(alias: str, dialect: Dialect) -> bool:
    """Whether an alias is what SQLite calls a row in a trigger: a subquery there sees that row before what is around it."""
    return alias in dialect.language.names_of_trigger_rows


def _name(item: exp.Expression, dialect: Dialect) -> str:
    if isinstance(item, exp.Alias):
        return as_written(item.args["alias"], dialect)
    named = bare(item)
    if isinstance(named, exp.Dot) and isinstance(named.expression, exp.Identifier):
        return as_written(named.expression, dialect)
    return as_written(named.this, dialect) if isinstance(named, exp.Column) else ""


def _implicit(item: exp.Expression, dialect: Dialect) -> str:
    """The name that PostgreSQL gives to a call, by which the query around may say it."""
    if not dialect.language.calls_name_columns:
        return ""
    while isinstance(item, exp.Filter | exp.WithinGroup | exp.Window | exp.Paren):
        item = item.this
    return function_name(item) or ("case" if isinstance(item, exp.Case) else "")


def order_by_names(query: exp.Expression, dialect: Dialect) -> None:
    """Let ORDER BY name outputs as the outputs are named."""
    names = [name for name, _ in outputs_of(query)]
    order = query.args.get("order")
    for ordered in order.expressions if order is not None else []:
        node = ordered.this
        while isinstance(node, exp.Collate | exp.Paren):
            node = node.this
        if isinstance(node, exp.Column) and node.args.get("table") is None:
            name = fold(node.this, dialect)
            found = next((n for n in names if dialect.fold(n) == name), None)
            if found is not None:
                node.set("this", exp.to_identifier(found, quoted=True))
                node.meta["resolved"] = True
