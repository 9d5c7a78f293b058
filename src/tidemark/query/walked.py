"""Where rows of a recursion come from: the way back from a row that it steps over to the rows with which it begins.

Owns: `carried` (the columns that every step hands on as they are) and `Walk` (the condition that ties a value by which a step
finds rows to the beginnings that lead there). Promises: whatever a change of a step's rows brings or takes comes from a
beginning that the walk from the changed row finds in the rows as they are now, or that a change of its own names: of all rows
that a new or a former result stands on, the first that changed comes after rows that did not.

A walk is found where a step meets what was found so far by an equality between a column of that and a column of its own tables,
and hands on another column of these in its place: ``SELECT c.parent FROM found f JOIN c ON c.id = f.parent``.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from tidemark.model import Column, Table
from tidemark.query.affinity import affinity
from tidemark.query.parse import render
from tidemark.query.relation import MOMENT, Block, Derived, Occurrence, Query, Recursion, Scalar
from tidemark.query.trees import own_items

NAME = "tidemark_walk"
"""What the rows that lead back are called in the query that finds them."""
WALKED = "walked"
"""On a condition: the walk that it is of, which reads tables as they are now."""
_INTEGERS = ("smallint", "integer", "bigint")
_TEXTS = ("text", "character varying")


@dataclass(frozen=True)
class Walk:
    """The way back through a `step`: from the value of `enters`, the column `found` of one of its tables, by which it finds what
    comes next of a row, to the value from which that row came, and so on to the values of beginnings at that `place`. `looks`
    are the columns by which rows are looked up on the way and on the way back."""

    def __deepcopy__(self, memo: object) -> Walk:
        """Itself: copies of a tree share what is said of its nodes."""
        return self

    step: Block
    place: int
    enters: Scalar
    found: Column
    text: str
    looks: tuple[tuple[Table, str], ...]

    def condition(self, begins: Scalar, value: Scalar) -> Scalar:
        """True for a beginning with the value `begins` from which the step reaches rows with that `value`."""
        dialect = begins.dialect
        type_ = _wide(self.found.type) if dialect.types_are_fixed else ""
        first = exp.Cast(this=value.tree.copy(), to=exp.Var(this=type_)) if type_ else value.tree.copy()
        back = exp.Union(this=exp.Select(expressions=[first]), expression=exp.Var(this=self.text), distinct=True)
        alias = exp.TableAlias(this=exp.to_identifier(NAME), columns=[exp.to_identifier("x")])
        rows = exp.Select(
            expressions=[exp.Var(this="x")],
            from_=exp.From(this=exp.Table(this=exp.to_identifier(NAME))),
            with_=exp.With(expressions=[exp.CTE(this=back, alias=alias)], recursive=True),
        )
        if dialect.types_are_fixed:
            # An array is found by an index for each of its values; a subquery would be tried on every row.
            array = exp.Paren(this=exp.Anonymous(this="ARRAY", expressions=[rows]))
            tree: exp.Expression = exp.EQ(this=begins.tree.copy(), expression=exp.Any(this=array))
        else:
            tree = exp.In(this=begins.tree.copy(), query=exp.Subquery(this=rows))
        tree.meta[WALKED] = self
        return Scalar(tree, dialect)

    def compares(self, column: Column | None) -> bool:
        """Whether a column has values like those that the walk goes by."""
        return column is not None and _is_like(self.step, column, self.found)


def looks_of(condition: Scalar) -> tuple[tuple[Table, str], ...]:
    """The columns by which the walk of a condition looks rows up; none of a condition that is no walk."""
    walk = condition.tree.meta.get(WALKED)
    return walk.looks if isinstance(walk, Walk) else ()


def begins_and_goes_on(query: Recursion) -> tuple[Query, Block] | None:
    """Where a recursion begins and the one step that it goes on by; None where there is more to it."""
    body = query.body
    if body is None or body.kind != "union" or body.limited or not isinstance(body.right, Block):
        return None
    step = body.right
    met = [block for block in body.blocks for item in block.items if _is_itself(item)]
    plain = not (step.is_aggregated or step.distinct or step.distinct_on or step.windows or step.limited)
    if met != [step] or not plain or any(node.meta.get(MOMENT) for node in query.tree.walk()):
        return None
    simple = all(
        item.kind in ("first", "inner") and (isinstance(item, Occurrence) or _is_itself(item)) for item in step.items
    )
    return (body.left, step) if simple else None


def carried(query: Recursion) -> frozenset[int]:
    """Places of the columns that every row has from the row with which it begins."""
    parts = begins_and_goes_on(query)
    if parts is None:
        return frozenset()
    _, step = parts
    itself = _itself(step)
    names = [output.name for output in query.outputs]
    return frozenset(
        place
        for place, output in enumerate(step.outputs)
        if names.count(names[place]) == 1 and output.scalar.column == (itself.alias, names[place])
    )


def walk_of(query: Recursion) -> Walk | None:
    """The way back through the step of a recursion, if there is one."""
    parts = begins_and_goes_on(query)
    if parts is None:
        return None
    _, step = parts
    itself, names = _itself(step), [output.name for output in query.outputs]
    conditions = [*step.where, *(scalar for item in step.items for scalar in item.on)]
    for place, output in enumerate(step.outputs):
        handed = _column(step, output.scalar)
        for scalar in conditions if handed is not None and names.count(names[place]) == 1 else ():
            found = _met(scalar, (itself.alias, names[place]))
            column = _column(step, found) if found is not None else None
            if found is not None and column is not None and handed is not None and _is_like(step, handed, column):
                text = _back(step, found, column, output.scalar, conditions)
                return Walk(step, place, found, column, text, (_look(step, found), _look(step, output.scalar)))
    return None


def _back(step: Block, found: Scalar, column: Column, handed: Scalar, conditions: list[Scalar]) -> str:
    """The rows of the step's tables that hand on a value, as values that they were found by."""
    type_ = _wide(column.type) if step.dialect.types_are_fixed else ""
    shown = f"CAST({found.text} AS {type_})" if type_ else found.text
    own = {item.alias for item in step.items if isinstance(item, Occurrence)}
    items = [render(item, step.dialect) for item in own_items(step.tree) if item.alias_or_name in own]
    tests = [f"{handed.text} = {NAME}.x"]
    tests += [f"({one.text})" for one in conditions if one.aliases <= own and not one.has_subquery]
    return f"SELECT {shown} FROM {', '.join([NAME, *items])} WHERE {' AND '.join(tests)}"


def _met(scalar: Scalar, column: tuple[str, str]) -> Scalar | None:
    """What a condition says a column is equal to."""
    tree = scalar.bare_tree
    if not isinstance(tree, exp.EQ):
        return None
    sides = (Scalar(tree.this, scalar.dialect), Scalar(tree.expression, scalar.dialect))
    return next((other for one, other in (sides, sides[::-1]) if one.column == column and other.column), None)


def _column(step: Block, scalar: Scalar) -> Column | None:
    alias, name = scalar.column or ("", "")
    return next((scan.table.column(name) for scan in step.occurrences if scan.alias == alias), None)


def _look(step: Block, scalar: Scalar) -> tuple[Table, str]:
    alias, name = scalar.column or ("", "")
    return next(scan.table for scan in step.occurrences if scan.alias == alias), name


def _is_itself(item: object) -> bool:
    return isinstance(item, Derived) and isinstance(item.query, Recursion) and item.query.body is None


def _itself(step: Block) -> Derived:
    return next(item for item in step.items if isinstance(item, Derived) and _is_itself(item))


def _is_like(step: Block, one: Column, other: Column) -> bool:
    if step.dialect.types_are_fixed:
        return (_wide(one.type) or one.type, one.collation) == (_wide(other.type) or other.type, other.collation)
    return (affinity(one.type), one.collation or "BINARY") == (affinity(other.type), other.collation or "BINARY")


def _wide(type_: str) -> str:
    """The widest type of PostgreSQL with the same values; empty where it is that type or there is none."""
    if type_ in _INTEGERS:
        return "bigint"
    return "text" if type_.startswith(_TEXTS) else ""
