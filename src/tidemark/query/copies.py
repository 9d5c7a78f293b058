"""Rows that look alike, told apart by counting them.

Owns: `lower_counted`. Promises: the query has the rows that it had, with one more column, under a name of ours, that no reader
sees: the number of a row among those that have the same values in all columns. Which of them has which number is nobody's
affair, for they are the same; so the number stays what it is wherever the rows are read again.
"""

from __future__ import annotations

from sqlglot import exp

from tidemark.dialect import Dialect
from tidemark.errors import Code, Refusal
from tidemark.model import Catalog, Describe, OutputColumn, Outputs
from tidemark.query.cut import HIDDEN_KEY, cut_like, lower_with_order, written_out
from tidemark.query.lower import lower_query
from tidemark.query.parse import render
from tidemark.query.relation import Query
from tidemark.query.trees import aliased, column_at

_ALIKE = "tidemark_alike"
_TEXTS = ("text", "character")
_PLAIN = ("smallint", "integer", "bigint", "boolean", "uuid", "date", "timestamp", "time ", "bytea")
"""Types of PostgreSQL whose equal values are the same."""


def lower_counted(
    text: str, catalog: Catalog, dialect: Dialect, moment: str, describe: Describe
) -> tuple[str, Query, Outputs, Outputs]:
    """As `lower_with_order`, with the number of each row among its like. Raises `Refusal` where rows that are alike may be told
    apart after all, or are cut, or have columns of one name."""
    kept, _, stored, shown = lower_with_order(text, catalog, dialect, moment, describe)
    names = [column.name for column in shown]
    if kept != text or len(set(names)) < len(names):
        reason = "Its rows are cut in an order that is not among its columns, or have columns of one name."
        raise Refusal(Code.KEY_MISSING, reason, instead="key=")
    rows = exp.Subquery(this=written_out(text, catalog, dialect), alias=exp.TableAlias(this=exp.to_identifier(_ALIKE)))
    select = exp.Select(expressions=[aliased(_column(one), one.name) for one in stored])
    select.set("from_", exp.From(this=rows))
    number = exp.Window(
        this=exp.RowNumber(), partition_by=[_column(one) for one in stored], order=_order(stored, dialect)
    )
    select.append("expressions", aliased(number, f"{HIDDEN_KEY}1"))
    found = describe(render(select, dialect))
    counted = render(cut_like(text, select, dialect), dialect)
    return counted, lower_query(counted, catalog, dialect, moment), found, shown


def _order(stored: tuple[OutputColumn, ...], dialect: Dialect) -> exp.Order | None:
    """By what rows that are equal may still differ in: how their values are spelled."""
    terms: list[exp.Expression] = []
    for one in stored:
        if not dialect.types_are_fixed:
            terms.append(exp.Anonymous(this="typeof", expressions=[_column(one)]))
            terms.append(exp.Collate(this=_column(one), expression=exp.Var(this="BINARY")))
        elif one.type.startswith(_TEXTS):
            terms.append(exp.Collate(this=_column(one), expression=exp.to_identifier("C", quoted=True)))
        elif not one.type.startswith(_PLAIN):
            terms.append(exp.Cast(this=_column(one), to=exp.DataType.build("text")))
    return exp.Order(expressions=[exp.Ordered(this=term, nulls_first=True) for term in terms]) if terms else None


def _column(one: OutputColumn) -> exp.Column:
    return column_at(_ALIKE, one.name)
