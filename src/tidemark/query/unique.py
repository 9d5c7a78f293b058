"""Proofs that no two rows of a query share the values of a key, by the unique keys of its sources.

Owns: `identifies` and `is_unique`: the closure that proves it through joins, subqueries and set operations. Promises: what is
said to be proven holds whatever the sources hold.
"""

from __future__ import annotations

from itertools import combinations

from sqlglot import exp

from tidemark.model import Column, Unique
from tidemark.query.functions import function_name
from tidemark.query.indexed import predicate_shapes
from tidemark.query.nullable import is_nullable, is_nullable_output, is_quantified, required_columns
from tidemark.query.relation import (
    Block,
    Called,
    Derived,
    Item,
    Occurrence,
    Output,
    Query,
    Recursion,
    Scalar,
    SetOperation,
)
from tidemark.query.units import bare_text, branches_of, determined, is_void, item_of, origins_of, position_of, table_of

_DOUBLES = ("REAL", "DOUBLE", "FLOAT")
_DOUBLE_FUNCTIONS = frozenset(
    {"sqrt", "cbrt", "exp", "ln", "log", "log10", "power", "pow", "pi", "date_part", "degrees", "radians"}
)


def identifies(query: Query, key: frozenset[int], around: Query | None = None) -> bool:
    """True when it is proven that no two rows of the query share the values of those outputs.

    `around` is the whole that holds the query, where it may refer to columns outside of it.
    """
    if query.distinct and len(key) == len(query.outputs):
        return True
    if isinstance(query, SetOperation):
        if query.kind == "except":
            return identifies(query.left, key, around)
        if query.kind == "intersect":
            return identifies(query.left, key, around) or identifies(query.right, key, around)
        return _are_apart(query, key) and all(identifies(branch, key, around) for branch in query.branches)
    if isinstance(query, Recursion):
        return False
    limit = query.tree.args.get("limit")
    if query.is_aggregated and query.groups is None or (limit is not None and limit.text("expression") == "1"):
        return True
    outputs = tuple(query.outputs[position] for position in sorted(key))
    shapes = {bare_text(output.scalar) for output in outputs}
    if any(_numbers_rows(output.scalar, shapes) for output in outputs):
        return True
    if query.groups is not None:
        settled = determined(query, tuple(output.scalar for output in outputs))
        return all(
            group.is_constant or bare_text(group) in shapes or (bool(group.columns) and group.aliases <= settled)
            for group in query.groups
        )
    if query.distinct_on and all(bare_text(term) in shapes for term in query.distinct_on):
        return True
    return is_unique(query, outputs, around)


def _numbers_rows(scalar: Scalar, shapes: set[str]) -> bool:
    """True for the number of a row among those that have the same values of other columns of the key."""
    tree = scalar.bare_tree
    if not isinstance(tree, exp.Window) or function_name(tree.this) != "row_number" or tree.args.get("alias"):
        return False
    partition = tree.args.get("partition_by") or []
    return all(bare_text(Scalar(term, scalar.dialect)) in shapes for term in partition)


def _are_apart(query: SetOperation, key: frozenset[int]) -> bool:
    """True when columns of the key tell the branches of a union from one another."""
    if any(isinstance(side, SetOperation) and side.kind != "union" for side in _set_operations(query)):
        return False
    return all(any(_differ(one, other, position) for position in key) for one, other in combinations(query.branches, 2))


def _differ(one: Block, other: Block, position: int) -> bool:
    """True when no row of one block has the other's value there: two constants, or NULL beside what is never NULL."""
    sides = [(block, block.outputs[position].scalar) for block in (one, other)]
    if all(isinstance(scalar.tree, exp.Literal) for _, scalar in sides):
        return len({scalar.text for _, scalar in sides}) == 2
    return any(is_void(scalar) for _, scalar in sides) and any(
        not is_nullable(scalar, block) for block, scalar in sides
    )


def _set_operations(query: Query) -> list[SetOperation]:
    if not isinstance(query, SetOperation):
        return []
    return [query, *_set_operations(query.left), *_set_operations(query.right)]


def is_unique(block: Block, key: tuple[Output, ...], around: Query | None = None) -> bool:
    """True when the unique keys of FROM prove that no two rows of an ungrouped result share `key`; NULL is one value of ours."""
    fixed = {output.scalar.column for output in key if output.scalar.column is not None}
    not_null = required_columns(block) | {
        (one.alias, column.name)
        for one in block.occurrences
        for column in one.table.columns
        if column.not_null or (one.table.keeps and any(column.name in unique.terms for unique in one.table.uniques))
    }
    direct = {one for one in fixed if one in not_null or not isinstance(item_of(block, one[0]), Occurrence)}
    pinned = {item.alias for item in block.items if _is_unmatched(item, block)}
    moved = True
    while moved:
        moved = False
        for place, item in enumerate(block.items):
            if item.alias in pinned:
                continue
            own = _equalities_for(block, place)
            known = set(direct) | _equated(item.alias, own, fixed, pinned, block, around)
            if _is_pinned(item, known, pinned, block, around):
                pinned.add(item.alias)
                moved = True
    return len(pinned) == len(block.items) and not _may_be_of_either_side(block, fixed)


def _may_be_of_either_side(block: Block, fixed: set[tuple[str, str]]) -> bool:
    """Whether one key may stand for a row of each side of a FULL JOIN that nothing was joined to: groups of NULL on both."""
    silent = [
        item
        for item in block.items
        if not any(_is_told(item, column) for alias, column in fixed if alias == item.alias)
    ]
    return any(
        item.kind == "full" and item in silent and any(one in silent for one in block.items[:place])
        for place, item in enumerate(block.items)
    )


def _is_told(item: Item, column: str) -> bool:
    """Whether a column of an item is never NULL where there is a row of it."""
    if isinstance(item, Derived):
        position = position_of(item.query, column)
        return position is not None and not is_nullable_output(item.query, position)
    if isinstance(item, Called):
        return column == item.unique
    found = item.table.column(column)
    return found is not None and found.not_null


def _is_unmatched(item: Item, block: Block) -> bool:
    """True when WHERE lets only rows of a LEFT JOIN through that nothing was joined to: each of them once."""
    if not isinstance(item, Occurrence) or item.kind != "left":
        return False
    wanted = {(item.alias, column.name) for column in item.table.columns if column.not_null}
    wanted |= {side.column for scalar in item.on for side in (equality(scalar) or ()) if side.column is not None}
    tests = [tree for tree in (scalar.bare_tree for scalar in block.where) if isinstance(tree, exp.Is)]
    nulls = {Scalar(one.this, block.dialect).column for one in tests if isinstance(one.expression, exp.Null)}
    return any(column in wanted and column[0] == item.alias for column in nulls if column is not None)


def _equalities_for(block: Block, place: int) -> list[tuple[Scalar, Scalar]]:
    """Equalities that leave at most one row of that item for given rows of the others, or only NULLs."""
    conditions = list(block.where)
    for number, item in enumerate(block.items):
        usable = item.kind == "inner" or (item.kind == "left" and number == place)
        conditions += item.on if usable or (item.kind == "right" and number > place) else ()
    return [pair for scalar in conditions if (pair := equality(scalar)) is not None]


def _is_pinned(item: Item, known: set[tuple[str, str]], pinned: set[str], block: Block, around: Query | None) -> bool:
    if isinstance(item, Occurrence):
        return any(_covers(unique, item, known, block) for unique in item.table.uniques)
    if isinstance(item, Called):
        # Its rows are those of one call as soon as there is one row of what it is called with.
        told = item.single or (item.alias, item.unique) in known
        return told and item.call.aliases & block.local <= pinned
    positions = {position_of(item.query, name) for alias, name in known if alias == item.alias}
    return identifies(item.query, frozenset(position for position in positions if position is not None), around)


def _equated(
    alias: str,
    equalities: list[tuple[Scalar, Scalar]],
    fixed: set[tuple[str, str]],
    pinned: set[str],
    block: Block,
    around: Query | None,
) -> set[tuple[str, str]]:
    """Columns of `alias` that an equality fixes to a constant, a fixed column, or a value of a pinned item or an outer row."""
    found = set()
    for left, right in equalities:
        for one, other in ((left, right), (right, left)):
            column = one.column
            if column is None or column[0] != alias or alias in other.aliases:
                continue
            matches = _fits_one if block.dialect.types_are_fixed else _matches_one
            if not matches(column, other, block, around):
                continue
            if other.is_constant or other.column in fixed or (other.aliases and other.aliases & block.local <= pinned):
                found.add(column)
    return found


def _matches_one(column: tuple[str, str], other: Scalar, block: Block, around: Query | None) -> bool:
    """True when at most one value of the column equals a value of `other` in SQLite's comparison.

    A comparison takes the collation of its left side, and numeric affinity on one side makes '1' and '01' equal on the other.
    """
    found = _column_of(column, block)
    if found is not None and found.rowid_alias:
        return True
    if other.tree.find(exp.Collate) is not None:
        return False
    if found is None:
        # Nothing is converted to be compared with what is computed.
        return isinstance(other.tree, exp.Literal) and not other.tree.is_string
    if other.column is None:
        # What is cast has the affinity of its type, and nothing else but columns and subqueries has any.
        casts = list(other.tree.find_all(exp.Cast, exp.Select))
        return is_numeric(found.type) or not casts
    opposite = _column_elsewhere(other.column, block, around)
    if opposite is None or (found.collation or "BINARY") != (opposite.collation or "BINARY"):
        return False
    return is_numeric(found.type) or not is_numeric(opposite.type)


def _fits_one(column: tuple[str, str], other: Scalar, block: Block, around: Query | None) -> bool:
    """True when at most one value of the column equals a value of `other` in PostgreSQL's comparison.

    Another collation takes different texts for equal ones, and beside a double, wide integers are rounded to doubles.
    """
    found = _column_of(column, block)
    if other.tree.find(exp.Collate) is not None:
        return False
    is_wide = found is not None and found.type.startswith(("bigint", "numeric"))
    return not is_wide or not _may_be_double(other, block, around)


def _may_be_double(scalar: Scalar, block: Block, around: Query | None) -> bool:
    """Whether an expression is made of what is a double on PostgreSQL, as far as the query shows."""
    if any(one.to.sql("postgres").upper().startswith(_DOUBLES) for one in scalar.tree.find_all(exp.Cast)):
        return True
    if any(function_name(one) in _DOUBLE_FUNCTIONS for one in scalar.tree.walk()):
        return True
    for column in scalar.columns:
        item = item_of(block, column[0])
        if isinstance(item, Derived) and not isinstance(item.query, Recursion):
            position = position_of(item.query, column[1])
            branches = branches_of(item.query) if position is not None else ()
            if any(_may_be_double(one.outputs[position or 0].scalar, one, around) for one in branches):
                return True
            continue
        known = _column_elsewhere(column, block, around)
        if known is not None and known.type.upper().startswith(_DOUBLES):
            return True
    return False


def _column_elsewhere(column: tuple[str, str], block: Block, around: Query | None) -> Column | None:
    """A column of FROM, or of the query around it."""
    if around is None or column[0] in block.local:
        return _column_of(column, block)
    table = table_of(around, column[0])
    return table.column(column[1]) if table is not None else None


def _column_of(column: tuple[str, str], block: Block) -> Column | None:
    origins = origins_of(block, column)
    return origins[0] if origins and len(set(origins)) == 1 else None


def is_numeric(declared: str) -> bool:
    """True when SQLite gives a column of that declared type numeric affinity (https://www.sqlite.org/datatype3.html)."""
    upper = declared.upper()
    if "INT" in upper:
        return True
    return bool(upper) and not any(word in upper for word in ("CHAR", "CLOB", "TEXT", "BLOB"))


def _covers(unique: Unique, occurrence: Occurrence, known: set[tuple[str, str]], block: Block) -> bool:
    if any(term is None or (occurrence.alias, term) not in known for term in unique.terms):
        return False
    for term, collation in zip(unique.terms, unique.collations, strict=False):
        column = occurrence.table.column(term or "")
        if column is not None and collation not in (None, "BINARY") and collation == column.collation:
            continue
        if column is not None and (column.collation or "BINARY") not in ("BINARY", collation):
            return False
    if unique.where is None:
        return True
    have = {scalar.shape for scalar in (*block.where, *occurrence.on)}
    wanted = predicate_shapes(unique.where, occurrence, block.dialect)
    return wanted is not None and wanted <= have


def equality(scalar: Scalar) -> tuple[Scalar, Scalar] | None:
    """The two sides when the conjunct is ``a = b``."""
    tree = scalar.bare_tree
    if not isinstance(tree, exp.EQ) or is_quantified(tree):
        return None
    return Scalar(tree.this, scalar.dialect), Scalar(tree.expression, scalar.dialect)
