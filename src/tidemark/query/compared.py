"""Rows that are compared with a figure over everything: above the mean, equal to the greatest sum.

Owns: `compared`, and `figures_of` and `moved_by`, what is told of such a query. The figure is one row, kept by what changes,
and so are groups that are compared with it. When it moves from one value to another, the rows that come or go are those that
equal one of the two, or lie between them; an index over what is compared finds these. Promises: where a comparison is no
equality, both sides order values alike, so that nothing outside of what a figure moved over changes sides. Other queries
have no such form.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from sqlglot import exp

from tidemark.model import Column
from tidemark.query.affinity import affinity
from tidemark.query.figures import total_of
from tidemark.query.functions import function_name
from tidemark.query.parse import render
from tidemark.query.relation import Block, Derived, Item, Nested, Occurrence, Query, Recursion, Scalar
from tidemark.query.stage import Stage, Staged, marked_item, text_of, unnamed
from tidemark.query.trees import aliased, bare, column_at, known, outputs_of, own_items, rename_outputs
from tidemark.query.units import branches_of, item_of, origins_of, position_of, same_comparison

FIGURE = "figure"
"""The one column of the stage of a figure."""
_ALIAS = "tidemark figure "
"""Begins the alias of a figure in the query that compares with it."""
_SAME = (exp.NullSafeEQ, exp.NullSafeNEQ)
_EQUAL = (exp.EQ, exp.NEQ, *_SAME)
_COMPARED = (*_EQUAL, exp.GT, exp.GTE, exp.LT, exp.LTE)
_NUMBERS = ("smallint", "integer", "bigint", "numeric", "real", "double precision")
_TIMES = {
    "date": "time",
    "timestamp without time zone": "time",
    "timestamp with time zone": "moment",
}
_TOLD = ("date", "datetime", "time", "strftime")
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
    the figure's that `where` is true of. A comparison that asks whether both are `equal` changes for rows that equal what it was
    or is, and for no row between; of `same` ones NULL is a value like any other."""

    rows: Scalar
    figure: Scalar
    where: tuple[Scalar, ...]
    equal: bool = False
    same: bool = False


def figures_of(query: Query) -> dict[str, tuple[Scalar, ...]]:
    """The aliases of the scans of figures, in a query over these, with the conditions of each on its scan."""
    found: dict[str, tuple[Scalar, ...]] = {}
    for nested in (one for block in query.blocks for one in block.nested):
        item = nested.query.items[0] if isinstance(nested.query, Block) and len(nested.query.items) == 1 else None
        inner = item.query if isinstance(item, Derived) and item.alias.startswith(_ALIAS) else None
        if isinstance(inner, Block) and inner.is_flat and len(inner.items) == 1:
            found[inner.items[0].alias] = inner.where
    return found


def moved_by(test: Scalar, alias: str, where: tuple[Scalar, ...]) -> Moved | None:
    """The two sides of a comparison with the figure of that scan, also where all that is asked is whether it is known."""
    tree = known(test.tree)
    sides = [Scalar(one, test.dialect) for one in (tree.this, tree.expression)] if isinstance(tree, _COMPARED) else []
    for rows, figure in (sides, sides[::-1]) if sides else ():
        if figure.aliases == {alias} and rows.aliases and alias not in rows.aliases:
            return Moved(rows, figure, where, isinstance(tree, _EQUAL), isinstance(tree, _SAME))
    return None


def compared(block: Block) -> Staged | None:
    """The query over the stages of its figures, and of the groups that it compares with them; None where it compares none."""
    figures = {one.text: one for one in block.nested if one.item is None and _is_figure(block, one)}
    if not figures or block.limited or block.windows or block.distinct_on or block.is_aggregated:
        return None
    tests = {one.scalar.text: one for scalar in block.scalars for one in _tests(block, scalar, figures)}
    if {one.nested.text for one in tests.values()} != figures.keys():
        return None
    aliases = {alias for one in tests.values() for alias in one.rows.aliases}
    taken = [item for item in block.items if item.alias in aliases and _is_together(item)]
    if not all(_is_readable(item) for item in taken) or _mixes(block, taken, tests):
        return None
    over, stages = block.tree.copy(), []
    for item in taken:
        assert isinstance(item, Derived)
        names = [[name] for one in tests.values() for alias, name in sorted(one.rows.columns) if alias == item.alias]
        indexes = tuple(dict.fromkeys(map(tuple, names)))
        stages.append(Stage(text_of(item.query.tree.copy(), block.dialect), indexes, unnamed(item.query.tree.copy())))
        own_items(over)[block.items.index(item)].replace(marked_item(item.alias, len(stages)))
    numbers = {text: len(stages) + place for place, text in enumerate(figures, start=1)}
    stages += [_stage(one) for one in figures.values()]
    inside: dict[str, str] = {}
    alone = {render(scalar.bare_tree, block.dialect) for scalar in block.where}
    for place, (text, test) in enumerate(tests.items(), start=1):
        untyped = _untyped(block, test, {item.alias for item in taken})
        asked = _asked(test, place, numbers[test.nested.text], untyped, alone=text in alone)
        inside[text] = render(asked, block.dialect)
    if block.where:
        rows = [exp.Paren(this=exp.Var(this=one.swapped(inside))) for one in block.where]
        over.set("where", exp.Where(this=exp.and_(*rows, copy=False)))
    if any(one.scalar.has_subquery for one in block.outputs):
        over.set(
            "expressions",
            [aliased(exp.Var(this=one.scalar.swapped(inside)), one.name) for one in block.outputs],
        )
    queries = [one.query for one in block.nested if one.text not in figures]
    queries += [one.query for one in block.items if isinstance(one, Derived) and one not in taken]
    beside = [*block.occurrences, *(one for query in queries for one in query.all_occurrences)]
    return Staged(tuple(stages), render(over, block.dialect), tuple(one.table for one in beside), compared=True)


def _stage(nested: Nested) -> Stage:
    figure = nested.query.tree.copy()
    rename_outputs(figure, [FIGURE])
    return Stage(text_of(figure, nested.query.dialect))


def _untyped(block: Block, test: _Test, stored: Collection[str]) -> dict[str, str]:
    """The column of the `stored` items that is compared, without the type that it is stored with: what is computed compares on
    SQLite as it is. Numbers compare as they are in any type, and are found by an index."""
    figure, column = test.nested.query, test.rows.column
    assert isinstance(figure, Block)
    if (
        block.dialect.types_are_fixed
        or column is None
        or column[0] not in stored
        or origins_of(block, column) is not None
    ):
        return {}
    if _is_number(block, test.rows.bare_tree) and _is_number(figure, figure.outputs[0].scalar.tree):
        return {}
    text = render(column_at(*column), block.dialect)
    return {text: f"coalesce({text}, NULL)"}


def _asked(test: _Test, place: int, number: int, untyped: Mapping[str, str], *, alone: bool) -> exp.Expression:
    """The comparison as a question to the row of the stage of that number, which is always there: a condition that stands alone
    asks whether it is true, any other what it is, where that is known."""
    dialect, alias = test.scalar.dialect, f"{_ALIAS}{place}"
    figure = render(column_at(alias, FIGURE), dialect)
    if not dialect.types_are_fixed:
        # A subquery has neither a type nor a collation to convert what it is compared with.
        figure = f"coalesce({figure}, NULL)"
    text = exp.Var(this=test.scalar.swapped({test.nested.text: figure, **untyped}))
    rows = exp.Select(expressions=[exp.Literal.number(1) if alone else text])
    rows.set("from_", exp.From(this=marked_item(alias, number)))
    is_known = exp.Not(this=exp.Is(this=exp.Paren(this=text.copy()), expression=exp.Null()))
    rows.set("where", exp.Where(this=text if alone else is_known))
    return exp.Exists(this=rows) if alone else exp.Subquery(this=rows)


def _is_figure(block: Block, nested: Nested) -> bool:
    """Whether a subquery is one row over everything, whatever the row outside."""
    query = nested.query
    plain = nested.form == "scalar" and isinstance(query, Block) and query.is_aggregated and len(query.outputs) == 1
    return plain and isinstance(query, Block) and total_of(query) is not None and not _converts(query)


def _converts(query: Block) -> bool:
    """Whether SQLite compares the figure as it compares a column or a CAST, and no function."""
    value = bare(query.outputs[0].scalar.tree)
    return not query.dialect.types_are_fixed and isinstance(value, exp.Cast | exp.Collate | exp.Column)


def _tests(block: Block, scalar: Scalar, figures: Mapping[str, Nested]) -> list[_Test]:
    """The comparisons with figures in an expression, wherever they stand in it."""
    if not scalar.has_subquery:
        return []
    inside = scalar.tree.walk(prune=lambda node: isinstance(node, exp.Select))
    return [
        test for node in inside if isinstance(node, _COMPARED) and (test := _test(block, node, figures)) is not None
    ]


def _test(block: Block, tree: exp.Expression, figures: Mapping[str, Nested]) -> _Test | None:
    """The comparison as one of what is made of rows with what is made of one figure."""
    sides = [Scalar(side, block.dialect) for side in (tree.this, tree.expression)]
    for rows, other in (sides, sides[::-1]):
        nested = _made_of(other.tree, figures, block)
        if nested is None or rows.has_subquery or not rows.aliases or not rows.aliases <= block.local:
            continue
        if isinstance(tree, _EQUAL) or _are_ordered_alike(block, rows, other, nested):
            return _Test(Scalar(tree, block.dialect), rows, nested)
    return None


def _made_of(tree: exp.Expression, figures: Mapping[str, Nested], block: Block) -> Nested | None:
    """The figure that an expression is, or is computed from with constants."""
    found = figures.get(render(tree, block.dialect))
    told = not block.dialect.types_are_fixed and function_name(tree) in _TOLD
    if found is not None or not (told or isinstance(tree, _ARITHMETIC)):
        return found
    inner = [one for one in tree.iter_expressions() if not Scalar(one, block.dialect).is_constant]
    return _made_of(inner[0], figures, block) if len(inner) == 1 else None


def _are_ordered_alike(block: Block, rows: Scalar, other: Scalar, nested: Nested) -> bool:
    """Whether the comparison puts values in the order that each side has by itself."""
    figure = nested.query
    assert isinstance(figure, Block)
    if (time := _time(block, rows.tree, figure)) and time == _time(block, other.tree, figure):
        return True
    if _is_number(block, rows.tree) and _is_number(figure, figure.outputs[0].scalar.tree):
        return True
    ends = [one for one in figure.aggregates if one.function in ("min", "max") and one.text == _written(figure)]
    column = ends[0].argument.column if ends and ends[0].argument is not None else None
    if rows.column is None or column is None or other.text != nested.text:
        return False
    plain = all(one.collation in (None, "BINARY") for one in origins_of(block, rows.column) or ())
    return plain and same_comparison(block, rows.column, column, figure)


def _time(block: Block, tree: exp.Expr, figure: Block) -> str:
    """The kind of times that an expression is of, which have one order; empty for other values. On SQLite they are texts."""
    fixed, name = block.dialect.types_are_fixed, function_name(tree)
    if isinstance(tree, exp.Paren):
        return _time(block, tree.this, figure)
    if isinstance(tree, exp.Subquery):
        return _time(figure, figure.outputs[0].scalar.tree, figure)
    if isinstance(tree, exp.Column):
        found = origins_of(block, (tree.table, tree.name)) or ()
        kinds = {_TIMES.get(one.type.partition("(")[0], "") if fixed else _text(one) for one in found}
        return kinds.pop() if len(kinds) == 1 else ""
    if not fixed and name in _TOLD:
        return "text"
    if name in ("min", "max") or (fixed and isinstance(tree, exp.Add | exp.Sub)):
        every = (cast(exp.Expression, one) for one in tree.iter_expressions())
        inner = [one for one in every if not Scalar(one, block.dialect).is_constant]
        return _time(block, inner[0], figure) if len(inner) == 1 else ""
    return ""


def _text(column: Column) -> str:
    return "text" if affinity(column.type) == "TEXT" and column.collation in (None, "BINARY") else ""


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


def _mixes(block: Block, taken: Sequence[Item], tests: Collection[str]) -> bool:
    """Whether SQLite compares computed columns of what is stored with columns of other items, which have types."""
    if block.dialect.types_are_fixed:
        return False
    aliases = {item.alias for item in taken}

    def place(node: exp.Expression) -> exp.Expression:
        return exp.Null() if isinstance(node, _COMPARED) and render(node, block.dialect) in tests else node

    rest = [Scalar(one.tree.transform(place), block.dialect) for one in block.scalars]
    return any(
        alias in aliases and origins_of(block, (alias, name)) is None
        for one in rest
        if len(one.aliases) > 1
        for alias, name in one.columns
    )
