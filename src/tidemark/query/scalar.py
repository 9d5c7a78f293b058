"""One expression of the user's, every column of it resolved.

Owns: `Scalar`. Promises: it renders at any row (``NEW``, ``OLD``, a table's alias) without touching its meaning; the host engine
evaluates it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property

from sqlglot import exp

from tidemark.dialect import Dialect
from tidemark.query.functions import is_aggregate
from tidemark.query.nodes import nodes, replaced
from tidemark.query.parse import render
from tidemark.query.template import Pieces, pieces
from tidemark.query.trees import bare, column_at

MOMENT = "moment"
"""On a node: it stands for the clock."""
_UNFAILING = (
    *(exp.Column, exp.Identifier, exp.Literal, exp.Null, exp.Boolean, exp.Paren, exp.Collate),
    *(exp.And, exp.Or, exp.Not, exp.Case, exp.If, exp.Coalesce, exp.In, exp.Between),
    *(exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.Is, exp.NullSafeEQ, exp.NullSafeNEQ),
)


@dataclass(frozen=True, eq=False)
class Scalar:
    """An expression of the user's with resolved columns; equal when its text is.

    `aggregates` counts aggregate calls outside of subqueries.
    """

    tree: exp.Expression
    dialect: Dialect

    @cached_property
    def text(self) -> str:
        """The expression with columns written as ``"alias"."column"``."""
        return render(self.tree, self.dialect)

    @cached_property
    def shape(self) -> str:
        """A text that is equal for expressions that differ in parentheses only."""
        without = replaced(self.tree, lambda node: node.this if isinstance(node, exp.Paren) else node)
        return str(bare(without).sql(comments=False))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Scalar) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)

    @cached_property
    def nodes(self) -> tuple[exp.Expression, ...]:
        """Every node of the expression."""
        return tuple(nodes(self.tree))

    @cached_property
    def columns(self) -> frozenset[tuple[str, str]]:
        """Every (alias, column) that the expression reads, subqueries included."""
        return frozenset((node.table, node.name) for node in self.nodes if isinstance(node, exp.Column))

    @cached_property
    def aliases(self) -> frozenset[str]:
        """The occurrences that the expression reads."""
        return frozenset(alias for alias, _ in self.columns)

    @cached_property
    def scanned(self) -> frozenset[str]:
        """The occurrences in the expression's subqueries, whether a column of theirs is read or not."""
        return frozenset(node.alias_or_name for node in self.nodes if isinstance(node, exp.Table))

    @property
    def bare_tree(self) -> exp.Expression:
        """The expression without parentheses around it."""
        return bare(self.tree)

    @cached_property
    def column(self) -> tuple[str, str] | None:
        """(alias, column) when the expression is a bare column, else None."""
        tree = self.bare_tree
        return (tree.table, tree.name) if isinstance(tree, exp.Column) else None

    @cached_property
    def moment(self) -> str | None:
        """The text that stands for the clock in the expression, None when it reads none."""
        found = next((node for node in self.nodes if isinstance(node, exp.Var) and node.meta_get(MOMENT)), None)
        return found.name if found is not None else None

    def typed(self, value: str) -> str:
        """Another value with the type that this one is cast to: what SQLite compares with a CAST is converted to its type, and
        compared with the value of a function as it is."""
        tree = self.tree
        while isinstance(tree, exp.Paren | exp.Collate):
            tree = tree.this
        if self.dialect.types_are_fixed or not isinstance(tree, exp.Cast):
            return value
        return render(exp.Cast(this=exp.Var(this=value), to=tree.to.copy()), self.dialect)

    @cached_property
    def is_constant(self) -> bool:
        """True when no column and no subquery is read and no rows are counted."""
        counts = any(is_aggregate(node) for node in self.nodes)
        return not counts and self.moment is None and not self.columns and not self.has_subquery

    @cached_property
    def never_fails(self) -> bool:
        """True when the expression has a value, or NULL, whatever is in its columns: it is made of these, of literals,
        comparisons and choices alone, and of nothing that computes or converts."""
        return all(isinstance(node, _UNFAILING) for node in self.tree.walk())

    @cached_property
    def never_null(self) -> bool:
        """True when the expression's own form excludes NULL (a literal, cast or not; COALESCE ending in a literal)."""
        tree = self.tree
        while isinstance(tree, exp.Cast) and isinstance(tree.this, exp.Cast | exp.Literal | exp.Boolean):
            tree = tree.this
        if isinstance(tree, exp.Anonymous) and tree.name.upper() in ("COALESCE", "IFNULL"):
            tree = tree.expressions[-1]
        return isinstance(tree, exp.Literal | exp.Boolean)

    def at(self, rows: Mapping[str, str]) -> str:
        """The expression with each alias in `rows` replaced by that (already quoted) row name."""
        quote = self.dialect.quote
        return self._written(
            lambda alias, name: f"{rows[alias]}.{quote(name)}" if alias in rows else quote(*filter(None, (alias, name)))
        )

    @cached_property
    def _pieces(self) -> Pieces:
        return pieces(self.tree, self.dialect)

    def _written(self, column: Callable[[str, str], str]) -> str:
        """The text with each column as `column` writes it, given its alias and its name."""
        return "".join(text + (column(*at) if at is not None else "") for text, at in self._pieces)

    def at_row(self, row: str) -> str:
        """The expression at one row: every column is taken from `row`."""
        return self.at(dict.fromkeys(self.aliases, row))

    @property
    def bare(self) -> str:
        """The expression with columns by their names alone, as in an index of the one table that it reads."""
        return self._written(lambda alias, name: self.dialect.quote(name))

    @cached_property
    def has_subquery(self) -> bool:
        """True when a SELECT stands in the expression."""
        return any(isinstance(node, exp.Select) for node in self.nodes)

    def where(self, condition: Scalar) -> Scalar:
        """The expression where a condition is true, and NULL elsewhere, where it is not computed."""
        found = exp.If(this=condition.tree.copy(), true=self.tree.copy())
        return Scalar(exp.Case(ifs=[found]), self.dialect)

    def column_of(self, alias: str, name: str) -> Scalar:
        """The bare column as a scalar of its own."""
        tree = column_at(alias, name)
        return Scalar(tree, self.dialect)

    def replaced(self, place: Callable[[exp.Column], exp.Expression]) -> Scalar:
        """The expression with each column replaced by what `place` gives for it."""

        def visit(node: exp.Expression) -> exp.Expression:
            return place(node) if isinstance(node, exp.Column) else node

        if not self.columns:
            return self
        if isinstance(self.tree, exp.Column):
            found = place(self.tree)
            return self if found is self.tree else Scalar(found, self.dialect)
        return Scalar(replaced(self.tree, visit), self.dialect)

    def over_images(self, images: Collection[str], rename: Callable[[str], str]) -> str:
        """The expression over logged images: columns of the occurrences in `images` are renamed."""
        quote = self.dialect.quote
        return self._written(
            lambda alias, name: quote(*filter(None, (alias, rename(name) if alias in images else name)))
        )

    def swapped(self, texts: Mapping[str, str]) -> str:
        """The expression with every node whose text is a key of `texts` replaced by the text beside it."""

        def place(node: exp.Expression) -> exp.Expression:
            found = texts.get(render(node, self.dialect))
            return exp.Var(this=found) if found is not None else node

        if self.text in texts:
            return texts[self.text]
        if not any(text in self.text for text in texts):
            return self.text
        return render(replaced(self.tree, place), self.dialect)


def whole_number(number: int, dialect: Dialect) -> Scalar:
    """A number as it stands in a query."""
    return Scalar(exp.Literal.number(number), dialect)
