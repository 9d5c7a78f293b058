"""Rows that are compared with a figure over everything: above the mean, equal to the greatest sum.

Owns: `compared`, and `figures_of` and `moved_by`, what is told of such a query. The figure is one row, kept by what changes,
and so are groups that are compared with it. When it moves from one value to another, the rows that come or go are those that
equal one of the two, or lie between them; an index over what is compared finds these. Promises: where a comparison is no
equality, both sides order values alike, so that nothing outside of what a figure moved over changes sides. Other queries
have no such form.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from tidemark.query.affinity import affinity
from tidemark.query.functions import function_name
from tidemark.query.parse import render
from tidemark.query.relation import Block, Derived, Item, Nested, Occurrence, Query, Recursion, Scalar
from tidemark.query.stage import Stage, Staged, marked_item, name_outputs, text_of, unnamed
from tidemark.query.trees import aliased, bare, column_at, outputs_of, own_items, rename_outputs
from tidemark.query.units import branches_of, item_of, origins_of, position_of, same_comparison

FIGURE = "figure"
"""The one column of the stage of a figure."""
_ALIAS = "tidemark figure "
"""Begins the alias of a figure in the query that compares with it."""
_COMPARED = (exp.EQ, exp.GT, exp.GTE, exp.LT, exp.LTE)
_NUMBERS = ("smallint", "integer", "bigint", "numeric", "real", "double precision")
_ARITHMETIC = (exp.Paren, exp.Neg, exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod)


@dataclass(frozen=True)
class _Test:
    """A condition that compares `rows` with what is made of a figure, the subquery `nested`."""

    scalar: Scalar
    rows: Scalar
    nested: Nested


@dataclass(frozen=True)
class Moved:
    """What is compared with a figure as an expression over `rows`, and the `figure` as one over its scan, of which those rows are
    the figure's that `where` is true of."""

    rows: Scalar
    figure: Scalar
    where: tuple[Scalar, ...]


def figures_of(query: Query) -> dict[str, tuple[Scalar, ...]]:
    """The aliases of the scans of figures, in a query over these, with the conditions of each on its scan."""
    found: dict[str, tuple[Scalar, ...]] = {}
    for nested in (one for block in query.blocks for one in block.nested if one.form == "exists"):
        item = nested.query.items[0] if isinstance(nested.query, Block) and len(nested.query.items) == 1 else None
        inner = item.query if isinstance(item, Derived) and item.alias.startswith(_ALIAS) else None
        if isinstance(inner, Block) and inner.is_flat and len(inner.items) == 1:
            found[inner.items[0].alias] = inner.where
    return found


def moved_by(test: Scalar, alias: str, where: tuple[Scalar, ...]) -> Moved | None:
    """The two sides of a comparison with the figure of that scan."""
    tree = test.bare_tree
    sides = [Scalar(one, test.dialect) for one in (tree.this, tree.expression)] if isinstance(tree, _COMPARED) else []
    for rows, figure in (sides, sides[::-1]) if sides else ():
        if figure.aliases == {alias} and rows.aliases and alias not in rows.aliases:
            return Moved(rows, figure, where)
    return None


def compared(block: Block) -> Staged | None:
    """The query over the stages of its figures, and of the groups that it compares with them; None where it compares none."""
    figures = {one.text: one for one in block.nested if one.item is None and _is_figure(block, one)}
    if not figures or block.limited or block.windows or block.distinct_on:
        return None
    if block.is_aggregated:
        return _groups(block, figures) if block.groups is not None and not block.distinct else None
    tests = [found for scalar in block.where if (found := _test(block, scalar, figures)) is not None]
    if not tests:
        return None
    aliases = {alias for one in tests for alias in one.rows.aliases}
    taken = [item for item in block.items if item.alias in aliases and _is_together(item)]
    if not all(_is_readable(item) for item in taken) or _mixes(block, taken, tests):
        return None
    over, stages = block.tree.copy(), []
    for item in taken:
        assert isinstance(item, Derived)
        names = [[name] for one in tests for alias, name in sorted(one.rows.columns) if alias == item.alias]
        indexes = tuple(dict.fromkeys(map(tuple, names)))
        stages.append(Stage(text_of(item.query.tree.copy(), block.dialect), indexes, unnamed(item.query.tree.copy())))
        own_items(over)[block.items.index(item)].replace(marked_item(item.alias, len(stages)))
    rest = [one.tree.copy() for one in block.where if one not in [test.scalar for test in tests]]
    for test in tests:
        stages.append(_stage(test.nested))
        rest.append(_exists(test, len(stages), {}))
    over.set("where", exp.Where(this=exp.and_(*rest, copy=False)))
    own = {test.nested.text for test in tests}
    queries = [one.query for one in block.nested if one.text not in own]
    queries += [one.query for one in block.items if isinstance(one, Derived) and one not in taken]
    beside = [*block.occurrences, *(one for query in queries for one in query.all_occurrences)]
    return Staged(tuple(stages), render(over, block.dialect), tuple(one.table for one in beside), compared=True)


def _groups(block: Block, figures: Mapping[str, Nested]) -> Staged | None:
    """Groups of which HAVING compares some value, as a stage with that value."""
    if block.having is None or any(one.text not in figures for one in block.nested):
        return None
    tree = block.having.bare_tree
    every = list(tree.flatten()) if isinstance(tree, exp.And) else [tree]
    wanted = [Scalar(one, block.dialect) for one in every if isinstance(one, exp.Expression)]
    tests = [test for scalar in wanted if (test := _test(block, scalar, figures)) is not None]
    if len(tests) < len({one.text for one in block.nested}):
        return None
    groups = block.tree.copy()
    name_outputs(groups)
    shown = [name for name, _ in outputs_of(groups)]
    if not all(shown) or len(set(shown)) < len(shown):
        return None
    rest = [one.tree.copy() for one in wanted if one not in [test.scalar for test in tests]]
    groups.set("having", exp.Having(this=exp.and_(*rest, copy=False)) if rest else None)
    # More of one letter than all names have is in none of them.
    taken = "".join(shown).lower()
    names = [f"{'x' * taken.count('x')}compared{place}" for place, _ in enumerate(tests, start=1)]
    groups.set("expressions", [*groups.expressions, *map(aliased, (one.rows.tree.copy() for one in tests), names)])
    over = exp.Select(expressions=[aliased(column_at("x", name), name) for name in shown])
    over.set("from_", exp.From(this=marked_item("x")))
    stages = [Stage(text_of(groups, block.dialect), tuple((name,) for name in names))]
    conditions = []
    for test, name in zip(tests, names, strict=True):
        stages.append(_stage(test.nested))
        conditions.append(_exists(test, len(stages), {test.rows.text: render(column_at("x", name), block.dialect)}))
    over.set("where", exp.Where(this=exp.and_(*conditions, copy=False)))
    return Staged(tuple(stages), render(over, block.dialect), compared=True)


def _stage(nested: Nested) -> Stage:
    figure = nested.query.tree.copy()
    rename_outputs(figure, [FIGURE])
    return Stage(text_of(figure, nested.query.dialect))


def _exists(test: _Test, number: int, stored: Mapping[str, str]) -> exp.Expression:
    """The condition as one on the row of the stage of that number, which is always there, over what is `stored` of the rows."""
    dialect, alias = test.scalar.dialect, f"{_ALIAS}{number}"
    figure = render(column_at(alias, FIGURE), dialect)
    if not dialect.types_are_fixed:
        # A subquery has neither a type nor a collation to convert what it is compared with.
        figure = f"coalesce({figure}, NULL)"
    text = test.scalar.swapped({test.nested.text: figure, **stored})
    rows = exp.Select(expressions=[exp.Literal.number(1)])
    rows.set("from_", exp.From(this=marked_item(alias, number)))
    rows.set("where", exp.Where(this=exp.Var(this=text)))
    return exp.Exists(this=rows)


def _is_figure(block: Block, nested: Nested) -> bool:
    """Whether a subquery is one row over everything, whatever the row outside."""
    query = nested.query
    if nested.form != "scalar" or not isinstance(query, Block) or not query.items or len(query.outputs) > 1:
        return False
    own = {item.alias for one in query.blocks for item in one.items}
    outside = {alias for alias, _ in query.columns if alias} - own
    total = query.is_aggregated and query.groups is None and query.having is None and not query.limited
    return total and not outside and not _converts(query)


def _converts(query: Block) -> bool:
    """Whether SQLite compares the figure as it compares a column or a CAST, and no function."""
    value = bare(query.outputs[0].scalar.tree)
    return not query.dialect.types_are_fixed and isinstance(value, exp.Cast | exp.Collate | exp.Column)


def _test(block: Block, scalar: Scalar, figures: Mapping[str, Nested]) -> _Test | None:
    """The condition as a comparison of what is made of rows with what is made of one figure."""
    tree = scalar.bare_tree
    if not isinstance(tree, _COMPARED):
        return None
    sides = [Scalar(side, block.dialect) for side in (tree.this, tree.expression)]
    for rows, other in (sides, sides[::-1]):
        nested = _made_of(other.tree, figures, block)
        if nested is None or rows.has_subquery or not rows.aliases or not rows.aliases <= block.local:
            continue
        if isinstance(tree, exp.EQ) or _are_ordered_alike(block, rows, other, nested):
            return _Test(scalar, rows, nested)
    return None


def _made_of(tree: exp.Expression, figures: Mapping[str, Nested], block: Block) -> Nested | None:
    """The figure that an expression is, or is computed from with constants."""
    found = figures.get(render(tree, block.dialect))
    if found is not None or not isinstance(tree, _ARITHMETIC):
        return found
    inner = [one for one in tree.iter_expressions() if not Scalar(one, block.dialect).is_constant]
    return _made_of(inner[0], figures, block) if len(inner) == 1 else None


def _are_ordered_alike(block: Block, rows: Scalar, other: Scalar, nested: Nested) -> bool:
    """Whether the comparison puts values in the order that each side has by itself."""
    figure = nested.query
    assert isinstance(figure, Block)
    if _is_number(block, rows.tree) and _is_number(figure, figure.outputs[0].scalar.tree):
        return True
    ends = [one for one in figure.aggregates if one.function in ("min", "max") and one.text == _written(figure)]
    column = ends[0].argument.column if ends and ends[0].argument is not None else None
    if rows.column is None or column is None or other.text != nested.text:
        return False
    plain = all(one.collation in (None, "BINARY") for one in origins_of(block, rows.column) or ())
    return plain and same_comparison(block, rows.column, column, figure)


def _written(figure: Block) -> str:
    return render(bare(figure.outputs[0].scalar.tree), figure.dialect)


def _is_number(block: Block, tree: exp.Expr) -> bool:
    """Whether every value of an expression is a number, or on SQLite compares as what it is stored as beside numbers."""
    fixed = block.dialect.types_are_fixed
    if isinstance(tree, exp.Literal):
        return not tree.is_string
    if isinstance(tree, exp.Paren | exp.Filter | exp.Neg):
        return _is_number(block, tree.this)
    if isinstance(tree, _ARITHMETIC):
        return not fixed or (_is_number(block, tree.this) and _is_number(block, tree.expression))
    if isinstance(tree, exp.Column):
        return _is_number_column(block, tree)
    name, arguments = function_name(tree), list(tree.iter_expressions())
    if name == "count" or (not fixed and name in ("sum", "avg", "total")):
        return True
    if name in ("sum", "avg", "min", "max", "coalesce"):
        arguments = list(arguments[0].expressions) if isinstance(arguments[0], exp.Distinct) else arguments
        return all(_is_number(block, one) for one in arguments)
    return False


def _is_number_column(block: Block, column: exp.Column) -> bool:
    item = item_of(block, column.table)
    if isinstance(item, Derived) and not isinstance(item.query, Recursion):
        place = position_of(item.query, column.name)
        return place is not None and all(
            _is_number(one, one.outputs[place].scalar.tree) for one in branches_of(item.query)
        )
    found = item.table.column(column.name) if isinstance(item, Occurrence) else None
    if found is None:
        return False
    if not block.dialect.types_are_fixed:
        return affinity(found.type) in ("INTEGER", "REAL", "NUMERIC")
    return found.type.startswith(_NUMBERS) and not found.type.endswith("]")


def _is_together(item: Item) -> bool:
    """Whether its rows are made of several rows of a table, so that what is compared is to be stored."""
    query = item.query if isinstance(item, Derived) else None
    if query is None or not isinstance(query, Block):
        return query is not None
    own = query.is_aggregated or query.distinct or bool(query.distinct_on or query.windows) or query.limited
    return own or any(map(_is_together, query.items))


def _is_readable(item: Item) -> bool:
    """Whether a stage can stand in its place."""
    if not isinstance(item, Derived) or item.lateral or (isinstance(item.query, Block) and not item.query.items):
        return False
    names = [name for name, _ in outputs_of(item.query.tree)]
    return all(names) and len(set(names)) == len(names)


def _mixes(block: Block, taken: Sequence[Item], tests: Sequence[_Test]) -> bool:
    """Whether SQLite compares computed columns of what is stored with columns of other items, which have types."""
    if block.dialect.types_are_fixed:
        return False
    aliases, own = {item.alias for item in taken}, [test.scalar for test in tests]
    wide = [one for one in block.scalars if len(one.aliases) > 1 and one not in own]
    return any(
        alias in aliases and origins_of(block, (alias, name)) is None for one in wide for alias, name in one.columns
    )
