"""Terms of the catalog's unique indexes as scalars, for probing what REPLACE would delete.

Owns: reading an index term or predicate, the value that a NOT NULL column's default puts in place of NULL, and the
expansion of generated columns. Promises: a term is readable at any row, or the table is refused with the reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from sqlglot import exp

from tidemark.dialect import Dialect
from tidemark.errors import Code, Refusal
from tidemark.model import Table, Unique
from tidemark.query.inline import fold
from tidemark.query.nodes import replaced
from tidemark.query.parse import parse_query
from tidemark.query.relation import Scalar
from tidemark.query.trees import column_at

ROW = "row"


@dataclass(frozen=True)
class Term:
    """A unique term: `stored` reads it from a stored row, `coming` from a row about to be written."""

    stored: Scalar
    coming: Scalar
    collation: str | None


@dataclass(frozen=True)
class Probe:
    """One unique key: its terms, and the predicate of a partial index on both rows."""

    terms: tuple[Term, ...]
    stored_where: Scalar | None
    coming_where: Scalar | None


def probes(table: Table, dialect: Dialect) -> tuple[Probe, ...]:
    """Every unique key of the table. Raises `Refusal` (``replace-default``) where a default cannot be foreseen."""
    return tuple(_probe(table, unique, dialect) for unique in table.uniques)


def _probe(table: Table, unique: Unique, dialect: Dialect) -> Probe:
    collations = unique.collations or (None,) * len(unique.terms)
    terms = []
    for expression, collation in zip(unique.expressions, collations, strict=True):
        terms.append(
            Term(
                _read(expression, table, dialect, coming=False),
                _read(expression, table, dialect, coming=True),
                collation,
            )
        )
    where = unique.where
    return Probe(
        tuple(terms),
        _read(where, table, dialect, coming=False) if where else None,
        _read(where, table, dialect, coming=True) if where else None,
    )


def _read(text: str, table: Table, dialect: Dialect, *, coming: bool) -> Scalar:
    tree = parse_query(f"SELECT {text} FROM x", dialect).expressions[0].unalias().copy()

    def place(node: exp.Expression) -> exp.Expression:
        if not isinstance(node, exp.Column):
            return node
        meant = fold(node.this, dialect)
        column = next((c for c in table.columns if dialect.fold(c.name) == meant), None)
        if column is None:
            return node
        if coming and column.generated is not None:
            return exp.Paren(this=_read(column.generated, table, dialect, coming=True).tree)
        bare = column_at(ROW, column.name)
        if coming and column.not_null and column.default is not None and not column.rowid_alias:
            return exp.Anonymous(
                this="COALESCE", expressions=[bare, _constant(column.default, table, column.name, dialect)]
            )
        return bare

    return Scalar(replaced(tree, place), dialect)


def _constant(default: str, table: Table, column: str, dialect: Dialect) -> exp.Expression:
    try:
        tree = parse_query(f"SELECT {default} FROM x", dialect).expressions[0].unalias().copy()
    except Refusal:
        tree = exp.Column()
    bare = tree
    while isinstance(bare, exp.Paren | exp.Neg):
        bare = bare.this
    if not isinstance(bare, exp.Literal | exp.Boolean | exp.Null | exp.HexString):
        raise Refusal(
            Code.REPLACE_DEFAULT,
            f"{table.label}.{column} is unique, NOT NULL, and has the default {default}: what INSERT OR REPLACE would delete "
            "cannot be foreseen.",
            instead="a constant default, or none",
        )
    return cast(exp.Expression, tree)
