"""What identifies a row and nobody is shown.

Owns: `lower_identified`. Promises: the query has the rows that it had, with more columns, under names of ours, that no reader
sees: what it groups by and leaves out, the grouping that a row is of, the primary keys of its tables, and which branch of a
UNION ALL a row comes from. Whether that identifies a row is for `query.keys` to prove.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

from sqlglot import exp

from tidemark.dialect import Dialect
from tidemark.errors import Code, Refusal
from tidemark.model import Catalog, Column, Table
from tidemark.query.cut import HIDDEN_KEY, Describe, Outputs, lower_with_order
from tidemark.query.grouping import grouped_by, is_column
from tidemark.query.inline import fold, unwrapped
from tidemark.query.lower import lower_query
from tidemark.query.parse import parse_tree, render
from tidemark.query.relation import Query
from tidemark.query.trees import outputs_of, own_items


def lower_identified(
    text: str, catalog: Catalog, dialect: Dialect, moment: str, describe: Describe
) -> tuple[str, Query, Outputs, Outputs]:
    """As `lower_with_order`, with what may identify a row among the columns that are kept. Raises `Refusal` where there is
    nothing of that, or it would be another query."""
    text, _, _, shown = lower_with_order(text, catalog, dialect, moment, describe)
    tree = unwrapped(parse_tree(text, dialect))
    if not _expose(tree, catalog, dialect):
        raise Refusal(Code.KEY_MISSING, "Nothing tells its rows apart.", instead="key=")
    kept = render(tree, dialect)
    return kept, lower_query(kept, catalog, dialect, moment), describe(kept), shown


def _expose(tree: exp.Expression, catalog: Catalog, dialect: Dialect) -> bool:
    """Put what may identify a row among the columns; whether there is anything."""
    if isinstance(tree, exp.Select):
        found = _telling(tree, catalog, dialect)
        _append(tree, [expression for expression, _ in found])
        return bool(found)
    branches = _branches(tree)
    told = [_telling(branch, catalog, dialect) for branch in branches]
    kinds = {tuple(None if column is None else column.type for _, column in found) for found in told}
    if not all(told) or len(kinds) > 1 or None in next(iter(kinds)):
        return False
    for number, (branch, found) in enumerate(zip(branches, told, strict=True), start=1):
        _append(branch, [exp.Literal.number(number), *(expression for expression, _ in found)])
    return True


def _branches(tree: exp.Expression) -> list[exp.Select]:
    """The SELECTs of a UNION ALL; none where it is another thing, in which one more column would be another query."""
    tree = unwrapped(tree)
    if isinstance(tree, exp.Select):
        return [tree]
    if not isinstance(tree, exp.Union) or tree.args.get("distinct"):
        return []
    sides = [_branches(side) for side in (tree.this, tree.expression)]
    return [one for side in sides for one in side] if all(sides) else []


def _append(select: exp.Select, found: Sequence[exp.Expression]) -> None:
    numbers = count(1)
    for expression in found:
        name = exp.to_identifier(f"{HIDDEN_KEY}{next(numbers)}", quoted=True)
        select.append("expressions", exp.Alias(this=expression, alias=name))


def _telling(select: exp.Select, catalog: Catalog, dialect: Dialect) -> list[tuple[exp.Expression, Column | None]]:
    """What may tell the rows of a SELECT apart and is not among its columns, with the column of a table that it is."""
    distinct = select.args.get("distinct")
    if distinct is not None:
        on = distinct.args.get("on")
        return [
            (one.copy(), None) for one in _missing(select, on.expressions if on is not None else (), catalog, dialect)
        ]
    if select.args.get("group") is not None:
        grouped = grouped_by(select.args["group"], dialect)
        return [(one.copy(), None) for one in _missing(select, grouped, catalog, dialect)]
    found: list[tuple[exp.Expression, Column | None]] = []
    for item in own_items(select):
        table = _table(item, catalog, dialect)
        columns: list[tuple[str, Column | None]] = [(one.name, one) for one in (_key_of(table) if table else ())]
        columns += _within(item, catalog, dialect)
        for name, column in columns:
            alias = exp.to_identifier(item.alias_or_name, quoted=_is_quoted(item))
            found.append((exp.Column(this=exp.to_identifier(name, quoted=True), table=alias), column))
    return found


def _within(item: exp.Expression, catalog: Catalog, dialect: Dialect) -> list[tuple[str, Column | None]]:
    """The same of a query in FROM, put among its columns, with the names that they have there."""
    inner = unwrapped(item) if isinstance(item, exp.Subquery) else None
    alias = item.args.get("alias")
    if not isinstance(inner, exp.Select) or alias is None or alias.args.get("columns"):
        return []
    found = _telling(inner, catalog, dialect)
    grouped = [one for one in inner.expressions if _is_grouped(inner, one.unalias(), dialect)]
    shown: list[tuple[str, Column | None]] = [(name, None) for one in grouped if (name := _name(one, dialect))]
    _append(inner, [expression for expression, _ in found])
    return [*shown, *((f"{HIDDEN_KEY}{number}", column) for number, (_, column) in enumerate(found, start=1))]


def _name(output: exp.Expression, dialect: Dialect) -> str:
    """The name of an output as the engine looks it up; empty where it has none of its own."""
    named = output.args["alias"] if isinstance(output, exp.Alias) else output.this
    return fold(named, dialect) if isinstance(named, exp.Identifier) else ""


def _is_grouped(select: exp.Select, expression: exp.Expression, dialect: Dialect) -> bool:
    """Whether an output is grouped by, or looks so: one more column does no harm."""
    group = select.args.get("group")
    terms = {render(one, dialect).lower() for one in grouped_by(group, dialect)} if group is not None else set()
    return render(expression, dialect).lower() in terms


def _missing(
    select: exp.Select, terms: Sequence[exp.Expression], catalog: Catalog, dialect: Dialect
) -> list[exp.Expression]:
    """Those of the terms that are no column of the SELECT."""
    outputs = outputs_of(select)
    written = {render(expression, dialect) for _, expression in outputs}
    names = {fold(item.args["alias"], dialect) for item in select.expressions if isinstance(item, exp.Alias)}

    def is_there(term: exp.Expression) -> bool:
        name = fold(term.this, dialect) if isinstance(term, exp.Column) and not term.table else ""
        named = name in names and not is_column(select, name, catalog, dialect)
        return isinstance(term, exp.Literal) or named or render(term, dialect) in written

    return [term for term in terms if not is_there(term)]


def _table(item: exp.Expression, catalog: Catalog, dialect: Dialect) -> Table | None:
    if not isinstance(item, exp.Table) or not isinstance(item.this, exp.Identifier):
        return None
    schema = fold(item.args["db"], dialect) if item.args.get("db") else ""
    return catalog.find(fold(item.this, dialect), schema)


def _key_of(table: Table) -> list[Column]:
    """The columns of a unique key without NULLs, the primary one first; none where there is none."""
    for unique in sorted(table.uniques, key=lambda one: not one.primary):
        columns = [column for term in unique.terms if (column := table.column(term or "")) is not None]
        if unique.where is None and len(columns) == len(unique.terms) and all(one.not_null for one in columns):
            return columns
    return []


def _is_quoted(item: exp.Expression) -> bool:
    alias = item.args.get("alias")
    named = alias.this if alias is not None else item.this
    return bool(named.args.get("quoted"))
