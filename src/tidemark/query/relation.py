"""Our own small relation algebra: blocks of scans, with scalars that the host engine evaluates.

Owns: `Occurrence` (one scan of a source in a query), `Scalar` (the user's own expression, every column resolved), `Output`,
`Nested` (a subquery inside a scalar) and `Block` (scan → join → filter → group → project). Promises: all aliases in a
query are distinct, every column in a scalar names an occurrence, and a scalar renders at any row (``NEW``, ``OLD``, a
table's alias) without touching its meaning.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from sqlglot import exp

from tidemark.dialect import Dialect
from tidemark.model import Table
from tidemark.query.functions import is_aggregate
from tidemark.query.parse import render

JoinKind = Literal["first", "inner", "left"]


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

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Scalar) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)

    @cached_property
    def columns(self) -> frozenset[tuple[str, str]]:
        """Every (alias, column) that the expression reads, subqueries included."""
        return frozenset((node.table, node.name) for node in self.tree.find_all(exp.Column))

    @cached_property
    def aliases(self) -> frozenset[str]:
        """The occurrences that the expression reads."""
        return frozenset(alias for alias, _ in self.columns)

    @cached_property
    def scanned(self) -> frozenset[str]:
        """The occurrences in the expression's subqueries, whether a column of theirs is read or not."""
        return frozenset(node.alias_or_name for node in self.tree.find_all(exp.Table))

    @cached_property
    def column(self) -> tuple[str, str] | None:
        """(alias, column) when the expression is a bare column, else None."""
        tree = self.tree
        while isinstance(tree, exp.Paren):
            tree = tree.this
        return (tree.table, tree.name) if isinstance(tree, exp.Column) else None

    @cached_property
    def is_constant(self) -> bool:
        """True when no column and no subquery is read and no rows are counted."""
        counts = any(is_aggregate(node) for node in self.tree.find_all(exp.Expression))
        return not counts and not self.columns and self.tree.find(exp.Select) is None

    @cached_property
    def never_null(self) -> bool:
        """True when the expression's own form excludes NULL (a literal; COALESCE ending in a literal)."""
        tree = self.tree
        if isinstance(tree, exp.Anonymous) and tree.name.upper() in ("COALESCE", "IFNULL"):
            tree = tree.expressions[-1]
        return isinstance(tree, exp.Literal | exp.Boolean)

    def at(self, rows: Mapping[str, str]) -> str:
        """The expression with each alias in `rows` replaced by that (already quoted) row name."""

        def place(node: exp.Expression) -> exp.Expression:
            if isinstance(node, exp.Column) and node.table in rows:
                return exp.Column(this=node.this, table=exp.Var(this=rows[node.table]))
            return node

        return render(self.tree.transform(place), self.dialect)

    def at_row(self, row: str) -> str:
        """The expression at one row: every column is taken from `row`."""
        return self.at(dict.fromkeys(self.aliases, row))

    @cached_property
    def has_subquery(self) -> bool:
        """True when a SELECT stands in the expression."""
        return self.tree.find(exp.Select) is not None

    def column_of(self, alias: str, name: str) -> Scalar:
        """The bare column as a scalar of its own."""
        tree = exp.Column(this=exp.to_identifier(name, quoted=True), table=exp.to_identifier(alias, quoted=True))
        return Scalar(tree, self.dialect)

    def over_images(self, images: Collection[str], rename: Callable[[str], str], empty: Mapping[str, Table]) -> str:
        """The expression over logged images: columns of the occurrences in `images` are renamed, those of the occurrences in
        `empty` are NULL, typed where types are fixed."""

        def place(node: exp.Expression) -> exp.Expression:
            if not isinstance(node, exp.Column):
                return node
            if node.table in empty:
                column = empty[node.table].column(node.name)
                typed = f"::{column.type}" if self.dialect.has_schemas and column is not None else ""
                return exp.Var(this=f"NULL{typed}")
            if node.table in images:
                return exp.Column(
                    this=exp.to_identifier(rename(node.name), quoted=True), table=node.args["table"].copy()
                )
            return node

        return render(self.tree.transform(place), self.dialect)

    def swapped(self, texts: Mapping[str, str]) -> str:
        """The expression with every node whose text is a key of `texts` replaced by the text beside it."""

        def place(node: exp.Expression) -> exp.Expression:
            found = texts.get(render(node, self.dialect))
            return exp.Var(this=found) if found is not None else node

        return render(self.tree.transform(place), self.dialect)


@dataclass(frozen=True)
class Occurrence:
    """One scan of a source. `on` are the conjuncts of its join condition; `kind` says how it joins what stands left of it."""

    alias: str
    table: Table
    kind: JoinKind = "first"
    on: tuple[Scalar, ...] = ()


@dataclass(frozen=True)
class Output:
    """A column of a block's result."""

    name: str
    scalar: Scalar


@dataclass(frozen=True)
class Aggregate:
    """An aggregate call: `function` in lower case, `argument` None for COUNT(*), `condition` from FILTER (WHERE …)."""

    function: str
    argument: Scalar | None
    distinct: bool
    condition: Scalar | None
    text: str


@dataclass(frozen=True)
class Nested:
    """A subquery inside a scalar of a block. `form` is ``scalar``, ``exists`` or ``in``.

    `match` is ``operand = output`` for IN; `stands_alone` tells that it is a conjunct of WHERE by itself.
    """

    form: str
    block: Block
    match: Scalar | None
    stands_alone: bool
    text: str


@dataclass(frozen=True)
class Block:
    """SELECT `outputs` FROM `occurrences` WHERE `where` GROUP BY `groups` HAVING `having`.

    `groups` is None without GROUP BY; `aggregates` are the distinct aggregate calls of outputs and having; `nested` the
    subqueries anywhere in it. `tree` is the resolved SELECT, for rendering it whole.
    """

    occurrences: tuple[Occurrence, ...]
    where: tuple[Scalar, ...]
    groups: tuple[Scalar, ...] | None
    outputs: tuple[Output, ...]
    having: Scalar | None
    distinct: bool
    aggregates: tuple[Aggregate, ...]
    nested: tuple[Nested, ...]
    limited: bool
    tree: exp.Select
    dialect: Dialect

    @property
    def is_aggregated(self) -> bool:
        """True for GROUP BY, and for aggregates without it."""
        return self.groups is not None or bool(self.aggregates)

    @property
    def local(self) -> frozenset[str]:
        """Aliases of this block's own occurrences."""
        return frozenset(occurrence.alias for occurrence in self.occurrences)

    @cached_property
    def all_occurrences(self) -> tuple[Occurrence, ...]:
        """Own occurrences and those of every nested block."""
        inner = [occurrence for nested in self.nested for occurrence in nested.block.all_occurrences]
        return (*self.occurrences, *inner)

    @cached_property
    def scalars(self) -> tuple[Scalar, ...]:
        """Every scalar of the block itself."""
        conditions = [scalar for occurrence in self.occurrences for scalar in occurrence.on]
        having = [self.having] if self.having is not None else []
        return (*conditions, *self.where, *(self.groups or ()), *(o.scalar for o in self.outputs), *having)

    def sql(self, condition: str | None = None) -> str:
        """The block as SQL text, its columns under their public names, with one more condition in WHERE."""
        tree = self.tree.copy()
        if condition is not None:
            own = tree.args.get("where")
            whole = f"({render(own.this, self.dialect)}) AND {condition}" if own is not None else condition
            tree.set("where", exp.Where(this=exp.Var(this=whole)))
        items = [
            exp.Alias(this=item.unalias().copy(), alias=exp.to_identifier(output.name, quoted=True))
            for item, output in zip(tree.expressions, self.outputs, strict=True)
        ]
        tree.set("expressions", items)
        return render(tree, self.dialect)

    def output(self, name: str) -> Output | None:
        """The output column of that name, or None."""
        return next((output for output in self.outputs if output.name == name), None)

    def reads(self, alias: str) -> tuple[str, ...]:
        """Names of the columns of that occurrence which the query reads, in the table's order."""
        names = {node.name for node in self.tree.find_all(exp.Column) if node.table == alias}
        table = next(o.table for o in self.all_occurrences if o.alias == alias)
        return tuple(column.name for column in table.columns if column.name in names)
