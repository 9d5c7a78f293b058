"""The names of a query's columns, in the text itself.

Owns: the alias of every output, ``GROUP BY 1`` and ORDER BY by a column's name. Promises: a name is the one that the engine
gives, and it stands in the text, so that it is the same however the query is rendered.
"""

from __future__ import annotations

from sqlglot import exp

from tidemark.dialect import Dialect
from tidemark.errors import Code, Refusal
from tidemark.query.functions import function_name
from tidemark.query.inline import fold
from tidemark.query.trees import outputs_of


def number_groups(select: exp.Select) -> None:
    """Replace ``GROUP BY 1`` by the first output."""
    group = select.args.get("group")
    if group is None:
        return
    items = []
    for item in group.expressions:
        if isinstance(item, exp.Literal) and not item.is_string:
            position = int(item.name)
            if not 1 <= position <= len(select.expressions):
                raise Refusal(Code.PARSE, f"GROUP BY {position} is not a position of the SELECT list.")
            item = select.expressions[position - 1].unalias().copy()
        items.append(item)
    group.set("expressions", items)


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
    bare = item
    while isinstance(bare, exp.Paren):
        bare = bare.this
    if isinstance(bare, exp.Dot) and isinstance(bare.expression, exp.Identifier):
        return as_written(bare.expression, dialect)
    return as_written(bare.this, dialect) if isinstance(bare, exp.Column) else ""


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
