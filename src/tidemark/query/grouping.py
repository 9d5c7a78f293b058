"""GROUPING SETS, ROLLUP and CUBE as what they are: one grouping after another, put together by UNION ALL.

Owns: `expand_groupings`. Promises: the query has the rows that it had; a column that a grouping leaves
out is a NULL of its type there, and ``grouping(…)`` the number that it is. A column counts as grouped where it is written as in
GROUP BY.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import chain, combinations, product

from sqlglot import exp

from tidemark.dialect import Dialect
from tidemark.errors import Code, Refusal
from tidemark.model import Catalog
from tidemark.query.functions import function_name, is_aggregate
from tidemark.query.inline import fold
from tidemark.query.parse import place_of, render
from tidemark.query.trees import aliased, bare, own_items

SETS_MAX = 32
_Set = tuple[exp.Expression, ...]
_WORDS = (exp.GroupingSets, exp.Rollup, exp.Cube)


def expand_groupings(holder: exp.Expression, catalog: Catalog, dialect: Dialect) -> None:
    """Replace every SELECT below `holder` that groups in several ways. Raises `Refusal` where they are too many."""
    for select in sorted(holder.find_all(exp.Select), key=lambda one: -one.depth):
        group = select.args.get("group")
        if group is None or not any(isinstance(item, _WORDS) or _is_empty(item) for item in group.expressions):
            if group is not None:
                # Columns in parentheses are columns, and one grouping is no other one's repetition.
                group.set("expressions", [one for item in group.expressions for one in _listed(item)])
                group.set("all", None)
            continue
        whole = select.parent is holder
        beside = [select.args.get("distinct"), select.find(exp.Window)]
        beside += [] if whole else [select.args.get(name) for name in ("order", "limit", "offset")]
        _write_out(select, group, catalog, dialect)
        if any(beside):
            select = _inside(select, group, dialect)
        found = [tuple(chain.from_iterable(parts)) for parts in product(*(_sets(item) for item in group.expressions))]
        if group.args.get("all") is False:
            # GROUP BY DISTINCT.
            found = list({frozenset(render(one, dialect) for one in own): own for own in found}.values())
        if len(found) > SETS_MAX:
            raise Refusal(
                Code.UNSUPPORTED,
                f"{len(found)} groupings at once are not kept true.",
                instead="one derived table for each, or for some",
                place=place_of(group, dialect),
            )
        listed = {render(one, dialect) for one in chain.from_iterable(found)}
        branches = [_branch(select, one, listed, dialect) for one in found]
        union: exp.Expression = branches[0]
        for branch in branches[1:]:
            union = exp.Union(this=union, expression=branch, distinct=False)
        union.meta.update(select.meta)
        # Beside other branches it is one of them, and its own would be combined with those one after the other.
        select.replace(exp.Subquery(this=union) if isinstance(select.parent, exp.SetOperation) else union)


def _inside(select: exp.Select, group: exp.Group, dialect: Dialect) -> exp.Select:
    """Let windows, DISTINCT and LIMIT stand around the groupings, which become a subquery; gives that one."""
    listed = {render(one, dialect) for item in group.expressions for own in _sets(item) for one in own}
    columns: dict[str, exp.Expression] = {}

    def lift(node: exp.Expression) -> None:
        text = render(node, dialect)
        windowed = isinstance(node.parent, exp.Window) and node.arg_key == "this"
        summed = (
            is_aggregate(node) or isinstance(node, exp.Filter | exp.WithinGroup) or function_name(node) == "grouping"
        )
        if text in listed or (summed and not windowed):
            columns.setdefault(text, node.copy())
            name = f"part_{list(columns).index(text)}"
            node.replace(exp.Column(this=exp.to_identifier(name, quoted=True)))
        elif not isinstance(node, exp.Select):
            # The name of an output is no column of it.
            for child in [one for one in node.iter_expressions() if not isinstance(one, exp.Identifier)]:
                lift(child)

    _name_columns(select)
    ordered = select.args.get("order")
    outputs = {one.alias for one in select.expressions}
    terms = [one for one in (ordered.expressions if ordered is not None else ()) if one.this.name not in outputs]
    distinct = select.args.get("distinct")
    on = distinct.args.get("on") if distinct is not None else None
    for node in (*select.expressions, *terms, *(select.args.get("windows") or ()), *([on] if on is not None else [])):
        lift(node)
    inner = exp.Select(expressions=[aliased(one, f"part_{n}") for n, one in enumerate(columns.values())])
    for name in ("from_", "joins", "where", "group", "having"):
        inner.set(name, select.args.get(name))
        select.set(name, None)
    select.set(
        "from_", exp.From(this=exp.Subquery(this=inner, alias=exp.TableAlias(this=exp.to_identifier("groupings"))))
    )
    return inner


def _name_columns(select: exp.Select) -> None:
    """Let a column that is an output keep its name, whatever comes to stand in its place."""
    for item in select.expressions:
        if isinstance(item, exp.Column):
            item.replace(exp.Alias(this=item.copy(), alias=item.this.copy()))


def _write_out(select: exp.Select, group: exp.Group, catalog: Catalog, dialect: Dialect) -> None:
    """Positions of the SELECT list, and names of its outputs that are no columns of FROM, as what stands there."""
    named = {fold(one.args["alias"], dialect): one.this for one in select.expressions if isinstance(one, exp.Alias)}
    for node in list(group.walk()):
        alone = isinstance(node.parent, (*_WORDS, exp.Group, exp.Tuple, exp.Paren))
        if alone and isinstance(node, exp.Literal) and node.is_int and 1 <= int(node.name) <= len(select.expressions):
            _write_in(node, select.expressions[int(node.name) - 1].unalias(), select.expressions, dialect)
        elif isinstance(node, exp.Column) and not node.table and named.get(fold(node.this, dialect), node) != node:
            name = fold(node.this, dialect)
            known = _is_column(select, name, catalog, dialect)
            if known is None:
                raise Refusal(
                    Code.UNSUPPORTED,
                    f"{node.name} stands for an expression, and is grouped by.",
                    instead="the expression itself in GROUP BY",
                    place=place_of(node, dialect),
                )
            if alone and not known:
                _write_in(node, named[name], select.expressions, dialect)


def _write_in(
    node: exp.Expression, output: exp.Expression, outputs: Sequence[exp.Expression], dialect: Dialect
) -> None:
    """Put an output in the place of what names it. Groupings that leave it out find it by its text.

    PostgreSQL tells outputs of one text apart where a position or a name says which, and takes a constant that is left out for
    one that is there, where it orders or combines rows by it (before 18); both are refused.
    """
    if sum(one.unalias() == output for one in outputs) > 1:
        raise Refusal(
            Code.UNSUPPORTED,
            f"Two columns are {render(output, dialect)}, and groupings leave one of them out.",
            instead="one of them",
            place=place_of(node, dialect),
        )
    if output.find(exp.Column, exp.Query) is None:
        raise Refusal(
            Code.UNSUPPORTED,
            f"{render(output, dialect)} is the same in every row, and groupings leave it out.",
            instead="the groupings without it, and grouping(…) for which one a row is of",
            place=place_of(node, dialect),
        )
    node.replace(output.copy())


def _is_column(select: exp.Select, name: str, catalog: Catalog, dialect: Dialect) -> bool | None:
    """Whether FROM has a column of that name; None where it cannot be seen."""
    found: set[str] = set()
    for item in own_items(select):
        table = None
        if isinstance(item, exp.Table) and isinstance(item.this, exp.Identifier):
            schema = fold(item.args["db"], dialect) if item.args.get("db") else ""
            table = catalog.find(fold(item.this, dialect), schema)
        alias = item.args.get("alias")
        if table is None or (alias is not None and alias.args.get("columns")):
            return None
        found |= {column.name for column in table.columns}
    return name in found


def _sets(item: exp.Expression) -> list[_Set]:
    """The groupings that an item of GROUP BY stands for."""
    parts = [_parts(one) for one in item.expressions] if isinstance(item, exp.Rollup | exp.Cube) else []
    if isinstance(item, exp.Rollup):
        return [tuple(chain.from_iterable(parts[:size])) for size in range(len(parts), -1, -1)]
    if isinstance(item, exp.Cube):
        some = chain.from_iterable(combinations(parts, size) for size in range(len(parts), -1, -1))
        return [tuple(chain.from_iterable(one)) for one in some]
    if isinstance(item, exp.GroupingSets):
        return [one for inner in item.expressions for one in _sets(inner)]
    return [_parts(item)]


def _is_empty(item: exp.Expression) -> bool:
    """Whether it is ``()``, by which there is a row of everything, even of no rows."""
    return isinstance(item, exp.Tuple) and not item.expressions


def _listed(item: exp.Expression) -> _Set:
    return tuple(item.expressions) if isinstance(item, exp.Tuple) and item.expressions else (item,)


def _parts(item: exp.Expression) -> _Set:
    listed = bare(item)
    return tuple(listed.expressions) if isinstance(listed, exp.Tuple) else (listed,)


def _branch(select: exp.Select, own: Sequence[exp.Expression], listed: set[str], dialect: Dialect) -> exp.Select:
    """The SELECT with one of its groupings."""
    there = {render(one, dialect): one for one in own}
    branch = select.copy()
    for name in ("order", "limit", "offset"):
        branch.set(name, None)
    branch.set("group", exp.Group(expressions=[one.copy() for one in there.values()]) if there else None)
    for part in [*branch.expressions, branch.args.get("having")]:
        if part is not None:
            _leave_out(part, there.keys(), listed, dialect)
    if not there and not any(is_aggregate(node) for node in branch.walk() if isinstance(node, exp.Expression)):
        raise Refusal(
            Code.UNSUPPORTED,
            "A grouping of everything without an aggregate is not kept true.",
            instead="count(*) among the columns",
            place=place_of(select, dialect),
        )
    return _named_alike(branch, select)


def _leave_out(node: exp.Expression, there: Collection[str], listed: set[str], dialect: Dialect) -> None:
    """Make a NULL of every part that another grouping has and this one has not; aggregates see their rows as ever."""
    text = render(node, dialect)
    if function_name(node) == "grouping":
        bits = "".join("0" if render(one, dialect) in there else "1" for one in node.expressions)
        node.replace(exp.Literal.number(int(bits, 2)))
    elif text in listed and text not in there:
        node.replace(_no_value_of(node))
    elif text not in there and not (is_aggregate(node) or isinstance(node, exp.Filter | exp.WithinGroup | exp.Select)):
        # The name of an output is no column of it.
        for child in [one for one in node.iter_expressions() if not isinstance(one, exp.Identifier)]:
            _leave_out(child, there, listed, dialect)


def _no_value_of(node: exp.Expression) -> exp.Expression:
    """A NULL of the part's own type: the most frequent of no values, which every type has that can be grouped by. The greatest
    one not every type has, and some not in their own type."""
    order = exp.Order(expressions=[exp.Ordered(this=node.copy(), nulls_first=False)])
    most = exp.WithinGroup(this=exp.Anonymous(this="mode"), expression=order)
    return exp.Filter(this=most, expression=exp.Where(this=exp.false()))


def _named_alike(branch: exp.Select, select: exp.Select) -> exp.Select:
    """A column that became a NULL keeps its name."""
    items = []
    for item, before in zip(branch.expressions, select.expressions, strict=True):
        plain = isinstance(before, exp.Column) and not isinstance(item, exp.Column)
        items.append(exp.Alias(this=item, alias=before.this.copy()) if plain else item)
    branch.set("expressions", items)
    return branch
