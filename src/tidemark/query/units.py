"""Where a query falls apart: which outputs tell independent pieces of the result from one another.

Owns: `splits` (can the result be computed for some values of an output alone), `narrows` (is that less than all of it), `keeps`
(the same for one block's own clauses). Promises: when `splits` says yes, the rows with given values depend on no row of
a source that leads to other values of that output.

Two values that a query takes for one may look different (1 and 1.0, 'a' and 'A' under a collation), so an expression over a
grouping column tells pieces apart only where equal values are identical.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlglot import exp

from tidemark.dialect import Dialect
from tidemark.model import Column, Table
from tidemark.query.affinity import affinity
from tidemark.query.functions import is_aggregate
from tidemark.query.relation import (
    Aggregate,
    Block,
    Called,
    Derived,
    Item,
    Occurrence,
    Query,
    Recursion,
    Scalar,
    SetOperation,
    is_given,
    once,
)
from tidemark.query.trees import bare
from tidemark.query.walked import begins_and_goes_on, carried

_EXACT_TYPES = (
    "smallint",
    "integer",
    "bigint",
    "boolean",
    "date",
    "time",
    "timestamp",
    "uuid",
    "text",
    "character varying",
    "bytea",
    "oid",
)
"""Beginnings of the names of PostgreSQL's types in which equal values are identical."""


def splits(query: Query, position: int) -> bool:
    """True when the rows with given values of that output can be computed by themselves."""
    if is_given(query):
        # Rows that nothing changes may be left out one by one.
        return True
    if isinstance(query, Recursion):
        parts = begins_and_goes_on(query)
        return parts is not None and position in carried(query) and splits(parts[0], position)
    if query.limited:
        return False
    if isinstance(query, SetOperation):
        # Where another branch has one value in all of its rows, or NULL, these are a piece of their own.
        sides = [one for one in (query.left, query.right) if query.kind != "union" or not _is_fixed(one, position)]
        return bool(sides) and is_uniform(query, position) and all(splits(side, position) for side in sides)
    scalar = query.outputs[position].scalar
    if query.is_aggregated and query.groups is None:
        return False
    if not query.items:
        # It reads no table, so that leaving its row out leaves out nothing else.
        return reads_row(scalar)
    return keeps(query, scalar) and all(_comes_from(query, column, scalar) for column in scalar.columns)


def narrows(query: Query, positions: Collection[int]) -> bool:
    """True when given values of those outputs leave a part of each branch: none has nothing but NULLs in all of them."""
    if is_given(query) or (isinstance(query, Block) and not query.items):
        return True
    if isinstance(query, SetOperation):
        return all(narrows(side, positions) for side in (query.left, query.right))
    if isinstance(query, Recursion):
        parts, handed = begins_and_goes_on(query), carried(query)
        return parts is not None and narrows(parts[0], [one for one in positions if one in handed])
    told = [one for position in positions if not is_void(one := query.outputs[position].scalar)]
    inside: dict[str, set[int]] = {}
    for alias, name in (column for scalar in told for column in scalar.columns):
        item = item_of(query, alias)
        position = position_of(item.query, name) if isinstance(item, Derived) else None
        inside.setdefault(alias, set()).update(() if position is None else (position,))
    return any(_narrows_by(query, scalar, inside) for scalar in told)


def _narrows_by(block: Block, scalar: Scalar, inside: Mapping[str, Collection[int]]) -> bool:
    items = [item_of(block, alias) for alias in scalar.aliases]
    return bool(items) and all(not isinstance(one, Derived) or narrows(one.query, inside[one.alias]) for one in items)


def _is_fixed(query: Query, position: int) -> bool:
    """Whether that output is the same in every row of each branch, and these read tables."""
    branches = branches_of(query)
    same = all(one.items and fixed(one, one.outputs[position].scalar) is not None for one in branches)
    return bool(branches) and same


def fixed(block: Block, scalar: Scalar) -> Scalar | None:
    """What an output is that is the same in every row, without the rows: a constant, or NULL where no rows are counted."""
    if is_void(scalar):
        return Scalar(exp.Null(), block.dialect)
    return scalar if scalar.is_constant else None


def is_void(scalar: Scalar) -> bool:
    """True for NULL, and for an aggregate of no rows that is NULL then."""
    tree = scalar.tree
    while isinstance(tree, exp.Paren | exp.Cast):
        tree = tree.this
    if isinstance(tree, exp.Filter) and isinstance(tree.this, exp.Max | exp.WithinGroup):
        test = tree.expression.this
        return isinstance(test, exp.Boolean) and not test.this
    return isinstance(tree, exp.Null)


def is_no_value(aggregate: Aggregate) -> bool:
    """True for the most frequent of no rows, the NULL that stands for what a grouping leaves out."""
    tree = aggregate.condition.tree if aggregate.condition is not None else None
    return aggregate.function == "mode" and isinstance(tree, exp.Boolean) and not tree.this


def _comes_from(block: Block, column: tuple[str, str], scalar: Scalar) -> bool:
    item = item_of(block, column[0])
    if isinstance(item, Occurrence):
        return True
    if isinstance(item, Called):
        read = [one for one in item.call.columns if item_of(block, one[0]) is not None]
        return all(_comes_from(block, one, item.call) for one in read)
    if item is None:
        return False
    position = position_of(item.query, column[1])
    if position is None or not splits(item.query, position):
        return False
    return scalar.column is not None or not merges(item.query, position) or is_exact(block, scalar)


def keeps(block: Block, scalar: Scalar) -> bool:
    """True when the block's own clauses leave the scalar constant in each piece: it reads a row and its groups only."""
    if not reads_row(scalar) or not scalar.columns:
        return False
    listed = [*block.windows]
    listed += [block.groups] if block.groups is not None else []
    listed += [block.distinct_on] if block.distinct_on else []
    return all(_is_of(block, scalar, terms) for terms in listed)


def reads_row(scalar: Scalar) -> bool:
    """True when nothing but one row is read: no subquery, aggregate or window."""
    return not any(isinstance(node, exp.Select | exp.Window) or is_aggregate(node) for node in scalar.nodes)


def _is_of(block: Block, scalar: Scalar, terms: tuple[Scalar, ...]) -> bool:
    shapes = {bare_text(term) for term in terms}
    if bare_text(scalar) in shapes:
        return True
    settled = determined(block, terms)
    return _made_of(scalar.tree, shapes, settled, scalar) and is_exact(block, scalar)


def _made_of(node: exp.Expression, shapes: set[str], settled: frozenset[str], scalar: Scalar) -> bool:
    if bare_text(Scalar(node, scalar.dialect)) in shapes:
        return True
    if isinstance(node, exp.Column):
        return node.table in settled
    return all(_made_of(child, shapes, settled, scalar) for child in node.iter_expressions())


def determined(block: Block, terms: tuple[Scalar, ...]) -> frozenset[str]:
    """Scans of which the terms hold a whole unique key: every column of theirs is the same in a group."""
    columns = _with_equal(block, {term.column for term in terms if term.column is not None})
    found = set()
    for occurrence in block.occurrences:
        for unique in occurrence.table.uniques:
            parts = [(term, occurrence.table.column(term or "")) for term in unique.terms]
            plain = all(
                column is not None and column.not_null and _is_plain(block.dialect, column) for _, column in parts
            )
            if unique.where is None and plain and all((occurrence.alias, term) in columns for term, _ in parts):
                found.add(occurrence.alias)
    return frozenset(found)


def _with_equal(block: Block, columns: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """The columns, and those that are equal to one of them in every row of FROM and WHERE."""
    conditions = list(block.where)
    if not any(item.kind in ("right", "full") for item in block.items):
        conditions += [scalar for item in block.items if item.kind == "inner" for scalar in item.on]
    pairs = []
    for scalar in conditions:
        tree = scalar.bare_tree
        if isinstance(tree, exp.EQ):
            one, other = (Scalar(side, scalar.dialect).column for side in (tree.this, tree.expression))
            if one is not None and other is not None and same_comparison(block, one, other):
                pairs += [(one, other), (other, one)]
    found, grown = set(columns), True
    while grown:
        new = {other for one, other in pairs if one in found} - found
        found |= new
        grown = bool(new)
    return found


def bare_text(scalar: Scalar) -> str:
    """The text without the parentheses around it."""
    return Scalar(scalar.bare_tree, scalar.dialect).text


def merges(query: Query, position: int) -> bool:
    """True when rows with equal values of that output become one, or are taken together, somewhere inside."""
    if isinstance(query, SetOperation):
        return query.distinct or any(merges(side, position) for side in (query.left, query.right))
    if isinstance(query, Recursion):
        return True
    if query.groups is not None or query.distinct or query.distinct_on or query.windows:
        return True
    for alias, name in query.outputs[position].scalar.columns:
        item = item_of(query, alias)
        inner = position_of(item.query, name) if isinstance(item, Derived) else None
        if isinstance(item, Derived) and (inner is None or merges(item.query, inner)):
            return True
    return False


def is_exact(block: Block, scalar: Scalar) -> bool:
    """True when every column that the scalar reads has a type in which equal values are identical."""
    return all(
        column is not None and _is_plain(block.dialect, column)
        for origins in (origins_of(block, one) for one in scalar.columns)
        for column in (origins or (None,))
    )


def _is_plain(dialect: Dialect, column: Column) -> bool:
    if dialect.types_are_fixed:
        return column.collation is None and column.type.startswith(_EXACT_TYPES)
    return affinity(column.type) not in ("", "BLOB") and (column.collation or "BINARY") == "BINARY"


def are_identical(one: Column, other: Column, dialect: Dialect) -> bool:
    """True when values of two columns that are equal are the same value, whichever of the two it is taken from."""
    alike = one.type == other.type if dialect.types_are_fixed else affinity(one.type) == affinity(other.type)
    return alike and _is_plain(dialect, one) and _is_plain(dialect, other)


def origins_of(block: Block, column: tuple[str, str]) -> list[Column] | None:
    """The columns of tables that a column of FROM passes on as they are, one for each branch; None when it does not."""
    item = item_of(block, column[0])
    if isinstance(item, Occurrence):
        found = item.table.column(column[1])
        return [found] if found is not None else None
    position = position_of(item.query, column[1]) if isinstance(item, Derived) else None
    if not isinstance(item, Derived) or position is None:
        return None
    query: Query | None = item.query
    if isinstance(item.query, Recursion):
        # What every step hands on is in each row what the row began with.
        parts = begins_and_goes_on(item.query) if position in carried(item.query) else None
        query = parts[0] if parts is not None else None
    if query is None:
        return None
    origins: list[Column] = []
    for branch in branches_of(query):
        bare = branch.outputs[position].scalar.column
        inner = origins_of(branch, bare) if bare is not None else None
        if inner is None:
            return None
        origins += inner
    return origins


def narrowed(block: Block, scalar: Scalar) -> Scalar:
    """The column of which the scalar is only a wider integer: it equals the same values, and an index knows it. Else the scalar
    itself. On SQLite a cast may change what is stored."""
    tree = scalar.bare_tree
    if not block.dialect.types_are_fixed or not isinstance(tree, exp.Cast):
        return scalar
    narrower = {exp.DataType.Type.BIGINT: ("smallint", "integer"), exp.DataType.Type.INT: ("smallint",)}.get(
        tree.to.this
    )
    inner = Scalar(bare(tree.this), scalar.dialect)
    origins = origins_of(block, inner.column) if narrower and inner.column is not None else None
    return inner if narrower and origins and all(one.type in narrower for one in origins) else scalar


@once
def is_uniform(query: SetOperation, position: int) -> bool:
    """True when every branch compares that column alike. PostgreSQL resolves one type; SQLite compares what each gives."""
    if query.dialect.types_are_fixed:
        return True
    told = [(branch, branch.outputs[position].scalar) for branch in query.branches]
    return len({_comparison(branch, scalar) for branch, scalar in told if not is_void(scalar)}) <= 1


def _comparison(block: Block, scalar: Scalar) -> tuple[str, str]:
    """(affinity, collation) with which SQLite compares the scalar."""
    tree = scalar.bare_tree
    if isinstance(tree, exp.Cast):
        return affinity(tree.to.sql(dialect="sqlite")), "BINARY"
    origins = origins_of(block, scalar.column) if scalar.column is not None else None
    if origins:
        found = {(affinity(one.type), (one.collation or "BINARY")) for one in origins}
        return next(iter(found)) if len(found) == 1 else ("mixed", scalar.text)
    collate = tree.find(exp.Collate)
    return ("none", "BINARY") if collate is None else ("none", collate.text("expression").upper())


def same_comparison(block: Block, one: tuple[str, str], other: tuple[str, str], elsewhere: Block | None = None) -> bool:
    """True when two columns of FROM compare alike with each other and with a third value of either's type; the other may be of a
    block that stands `elsewhere`."""
    left, right = origins_of(block, one), origins_of(elsewhere or block, other)
    if not left or not right:
        return False
    return len({_family(block, column) for column in (*left, *right)}) == 1


def _family(block: Block, column: Column) -> tuple[str, str]:
    if not block.dialect.types_are_fixed:
        return affinity(column.type), column.collation or "BINARY"
    for family in (("smallint", "integer", "bigint"), ("text", "character varying")):
        if column.type.startswith(family):
            return family[-1], column.collation or ""
    return column.type, column.collation or ""


def branches_of(query: Query) -> tuple[Block, ...]:
    """The blocks whose rows a query shows."""
    return (query,) if isinstance(query, Block) else query.branches


def item_of(block: Block, alias: str) -> Item | None:
    """The item of FROM with that alias."""
    return next((item for item in block.items if item.alias == alias), None)


def position_of(query: Query, name: str) -> int | None:
    """The place of the output of that name."""
    names = [output.name for output in query.outputs]
    return names.index(name) if names.count(name) == 1 else None


def table_of(query: Query, alias: str) -> Table | None:
    """The table that is scanned under that alias, anywhere in the query."""
    return next((occurrence.table for occurrence in query.all_occurrences if occurrence.alias == alias), None)
