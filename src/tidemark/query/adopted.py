"""Declarations of columns that are being adopted: in shadow, or carried on from what was there.

Owns: what `adopt` makes of a declaration. Promises: in shadow the query, its key and its columns are as declared, and no table of
the user's is written; over a baseline each column is what the query says plus what was written down for its row, nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlglot import exp

from tidemark.dialect import Dialect
from tidemark.model import Declaration
from tidemark.names import shorten
from tidemark.query.parse import parse_query, render
from tidemark.query.trees import aliased, outputs_of

AHEAD = "ahead"
"""The alias of a baseline in the query."""


def baseline_of(name: str) -> str:
    """The name of the table that says by how much the columns of each row were ahead of the query when they were adopted."""
    return f"{name}_baseline"


def ahead_of(column: str, dialect: Dialect) -> str:
    """The name of a column in that table: another one than in the query, where a bare name must go on to mean what it meant."""
    return shorten(f"ahead_{column}", dialect.name_bytes_max)


def in_shadow(declaration: Declaration) -> Declaration:
    """The same rows in a table of their own, beside the user's."""
    return replace(declaration, columns_of=None)


def over_baseline(declaration: Declaration, dialect: Dialect, key: Sequence[str]) -> Declaration:
    """The same with what was written down added to each column that is no key; where either is NULL the other one counts.

    Raises `Refusal` (``not-a-query``) for what is no single SELECT.
    """
    tree = parse_query(declaration.query_for(dialect.name) or "", dialect)
    outputs = outputs_of(tree)
    shown: list[exp.Expression] = []
    for name, bare in outputs:
        value: exp.Expression = bare.copy()
        if name not in key:
            # Where a row is a group there is still one row of these beside it.
            more = exp.Max(this=_ahead(name, dialect)) if tree.args.get("group") else _ahead(name, dialect)
            both = exp.Add(this=exp.Paren(this=value), expression=more)
            value = exp.Anonymous(this="coalesce", expressions=[both, bare.copy(), more.copy()])
        shown.append(aliased(value, name))
    on: exp.Expression | None = None
    for name, bare in outputs:
        if name in key:
            equal = exp.EQ(this=_ahead(name, dialect), expression=exp.Paren(this=bare.copy()))
            on = equal if on is None else exp.And(this=on, expression=equal)
    table = exp.Table(this=exp.to_identifier(baseline_of(declaration.name), quoted=True))
    table.set("alias", exp.TableAlias(this=exp.to_identifier(AHEAD, quoted=True)))
    tree.set("expressions", shown)
    tree.append("joins", exp.Join(this=table, side="LEFT", on=on))
    return replace(declaration, query={dialect.name: render(tree, dialect)}, key=tuple(key))


def _ahead(column: str, dialect: Dialect) -> exp.Column:
    name = exp.to_identifier(ahead_of(column, dialect), quoted=True)
    return exp.Column(this=name, table=exp.to_identifier(AHEAD, quoted=True))
