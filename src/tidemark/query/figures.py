"""One spelling for rows that are compared with a figure over everything.

Owns: `with_figures`, the query in that spelling, and `total_of`, one row over everything. A total that stands in FROM, and one
that a subquery shows more of, become subqueries where their columns are read; BETWEEN becomes two comparisons; and groups of
which HAVING or a column asks more become a query over groups. Promises: the same rows, since a total without HAVING is always one
row. Knows nothing of what is compared (`tidemark.query.compared`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import cast

from sqlglot import exp

from tidemark.dialect import Dialect
from tidemark.model import Catalog
from tidemark.query.functions import is_aggregate
from tidemark.query.lower import lower_query
from tidemark.query.moment import reads_moment
from tidemark.query.parse import render
from tidemark.query.relation import Block, Derived, Item, Query, Scalar
from tidemark.query.stage import ROW, name_outputs, text_of
from tidemark.query.subtypes import passes_json
from tidemark.query.trees import aliased, column_at, outputs_of, own_nodes, whole_items

Shown = Mapping[str, exp.Expression]
"""What is shown of a total, by name."""


def with_figures(query: Query, catalog: Catalog) -> Query:
    """The query with totals as subqueries beside what they are compared with; any other query as it is."""
    if not isinstance(query, Block) or query.limited or query.windows or query.distinct_on or not query.items:
        return query
    if reads_moment(query) or whole_items(query.tree) or any(passes_json(block) for block in query.blocks):
        # What is marked in the tree is in no text.
        return query
    tree = _beside_rows(query)
    found = lower_query(text_of(tree, query.dialect), catalog, query.dialect) if tree is not None else query
    over = _over_groups(found) if isinstance(found, Block) else None
    return lower_query(over, catalog, query.dialect) if over is not None else found


def total_of(query: Query) -> exp.Select | None:
    """One row over everything, whatever is there; of a subquery that shows more of one, the same over what the total reads."""
    if not isinstance(query, Block) or query.limited or query.windows or query.distinct_on or query.having is not None:
        return None
    own = {item.alias for one in query.blocks for item in one.items}
    if not query.items or {alias for alias, _ in query.columns if alias} - own:
        return None
    if query.is_aggregated:
        return query.tree.copy() if query.groups is None else None
    inner = query.items[0]
    if len(query.items) > 1 or query.where or query.nested or not isinstance(inner, Derived):
        return None
    total = total_of(inner.query)
    if total is None:
        return None
    shown, over = dict(outputs_of(total)), query.tree.copy()
    name_outputs(over)
    _put(over, {inner.alias: shown})
    total.set("expressions", list(over.expressions))
    return total


# -- totals in FROM, and in subqueries --------------------------------------------------------------------------------


def _beside_rows(block: Block) -> exp.Select | None:
    """The query with each figure as a subquery of its own; None where it is spelled so, or has none."""
    totals = _totals(block)
    tree = block.tree.copy()
    texts = {}
    for nested in block.nested:
        total = total_of(nested.query) if nested.form == "scalar" and len(nested.query.outputs) == 1 else None
        if total is not None and isinstance(nested.query, Block) and not nested.query.is_aggregated:
            texts[nested.text] = _subquery(total)
    tests = [node for node in own_nodes(tree) if _is_of_figures(node, block, totals)]
    if not (totals or texts or tests):
        return None
    for test in reversed(tests):
        test.replace(_apart(test))
    name_outputs(tree)
    if totals:
        _take_out(tree, block, totals)
        _of_groups(tree, totals)
        _put(tree, totals)
    return cast(exp.Select, tree.transform(lambda node: _swapped(node, texts, block.dialect))) if texts else tree


def _swapped(node: exp.Expression, texts: Mapping[str, exp.Expression], dialect: Dialect) -> exp.Expression:
    found = texts.get(render(node, dialect)) if isinstance(node, exp.Subquery) else None
    return found.copy() if found is not None else node


def _is_of_figures(node: exp.Expression, block: Block, totals: Collection[str]) -> bool:
    """Whether it compares several times, with figures and what is the same everywhere."""
    if isinstance(node, exp.Between):
        others = [node.args["low"], node.args["high"]]
    else:
        others = list(node.expressions) if isinstance(node, exp.In) and not node.args.get("query") else []
    figures = [
        one for one in others if one.find(exp.Select) or any(at.table in totals for at in one.find_all(exp.Column))
    ]
    plain = all(one in figures or Scalar(one, block.dialect).is_constant for one in others)
    return bool(figures) and not node.args.get("symmetric") and (plain or isinstance(node, exp.Between))


def _apart(test: exp.Expression) -> exp.Expression:
    """What compares several times as comparisons."""
    value = exp.Paren(this=test.this.copy())
    if isinstance(test, exp.In):
        one_of = [exp.EQ(this=value.copy(), expression=exp.Paren(this=one.copy())) for one in test.expressions]
        return exp.Paren(this=exp.or_(*one_of, copy=False))
    low, high = (exp.Paren(this=test.args[end].copy()) for end in ("low", "high"))
    return exp.Paren(
        this=exp.And(this=exp.GTE(this=value, expression=low), expression=exp.LTE(this=value.copy(), expression=high))
    )


def _totals(block: Block) -> dict[str, Shown]:
    """The totals in FROM that each row stands beside, and what is shown of them."""
    if any(item.kind in ("right", "full") for item in block.items):
        return {}
    found = {item.alias: total for item in block.items if (total := _total_in_from(item)) is not None}
    rest = [item for item in block.items if item.alias not in found]
    # What would come first must need nothing that stands left of it.
    if not rest or (rest[0] is not block.items[0] and rest[0].kind != "inner"):
        return {}
    if any(isinstance(item, Derived) and item.lateral for item in rest) or block.calls:
        return {}
    return {alias: dict(outputs_of(total)) | {"": total} for alias, total in found.items()}


def _total_in_from(item: Item) -> exp.Select | None:
    if not isinstance(item, Derived) or item.lateral:
        return None
    always = all(one.text.lower() in ("true", "1", "1 = 1") for one in item.on)
    return total_of(item.query) if item.kind in ("first", "inner") or always else None


def _take_out(tree: exp.Select, block: Block, totals: Collection[str]) -> None:
    """Take the totals out of FROM. What joined them, or reads them where rows are joined, is asked of rows."""
    asked = []
    joins = list(tree.args.get("joins") or [])
    kept: list[exp.Join] = []
    for item, join in zip(block.items[1:], joins, strict=True):
        on = join.args.get("on")
        reads = on is not None and any(column.table in totals for column in on.find_all(exp.Column))
        first = not kept and block.items[0].alias in totals
        if on is not None and item.kind == "inner" and (reads or first or item.alias in totals):
            asked.append(exp.Paren(this=on.copy()))
            join.set("on", None)
            join.set("kind", "CROSS")
        if item.alias not in totals:
            kept.append(join)
    if block.items[0].alias in totals:
        tree.set("from_", exp.From(this=kept.pop(0).this))
    tree.set("joins", kept)
    where = tree.args.get("where")
    asked += [exp.Paren(this=where.this.copy())] if where is not None else []
    tree.set("where", exp.Where(this=exp.and_(*asked, copy=False)) if asked else None)


def _of_groups(tree: exp.Select, totals: Collection[str]) -> None:
    """Spell out that what stands beside all rows is the same in every group."""
    group = tree.args.get("group")
    terms = [one for one in group.expressions if not _is_of(one, totals)] if group is not None else []
    if group is None or not terms:
        return
    group.set("expressions", terms)
    for node in [one for one in own_nodes(tree) if isinstance(one, exp.Min | exp.Max) and _is_of(one.this, totals)]:
        if not node.expressions and not isinstance(node.parent, exp.Filter):
            node.replace(node.this.copy())


def _is_of(node: exp.Expr, totals: Collection[str]) -> bool:
    return isinstance(node, exp.Column) and node.table in totals


def _put(tree: exp.Expression, totals: Mapping[str, Shown]) -> None:
    """Put what is shown of totals into the place of their columns: of those with a query as a subquery."""
    for node in [one for one in tree.find_all(exp.Column) if one.table in totals]:
        shown = totals[node.table]
        value, whole = shown[node.name].copy(), shown.get("")
        if whole is not None:
            query = whole.copy()
            query.set("expressions", [value])
            node.replace(_subquery(cast(exp.Select, query)))
        else:
            node.replace(exp.Paren(this=value))


def _subquery(total: exp.Select) -> exp.Subquery:
    total.set("order", None)
    total.set("distinct", None)
    return exp.Subquery(this=total)


# -- groups ---------------------------------------------------------------------------------------------------------------


def _over_groups(block: Block) -> str | None:
    """Groups that are compared with figures, as a query over what is compared; None where none are."""
    figures = {one.text for one in block.nested if one.form == "scalar" and total_of(one.query) is not None}
    if block.groups is None or block.distinct or len(figures) < len({one.text for one in block.nested}) or not figures:
        return None
    names = [output.name for output in block.outputs]
    if any(one.find(exp.Select) for one in own_nodes(block.tree) if is_aggregate(one)) or len(set(names)) < len(names):
        return None
    if any(one.has_subquery for one in block.groups) or any(
        one.has_subquery for item in block.items for one in item.on
    ):
        return None
    if not all(names) or any(one.has_subquery for one in block.where):
        return None
    # More of one letter than all names have is in none of them.
    lift = _Lift(f"{'x' * ''.join(names).lower().count('x')}compared", block.dialect)
    groups, having = block.tree.copy(), block.having.bare_tree if block.having is not None else None
    conjuncts = having.flatten() if isinstance(having, exp.And) else [having] if having is not None else []
    every = [Scalar(cast(exp.Expression, one), block.dialect) for one in conjuncts]
    rest = [one.tree.copy() for one in every if not one.has_subquery]
    tests = [lift.of(one.tree) for one in every if one.has_subquery]
    shown = [
        aliased(lift.of(one.scalar.tree) if one.scalar.has_subquery else column_at(ROW, one.name), one.name)
        for one in block.outputs
    ]
    plain = [aliased(one.scalar.tree.copy(), one.name) for one in block.outputs if not one.scalar.has_subquery]
    groups.set("expressions", [*plain, *(aliased(one, name) for name, one in lift.found.values())])
    groups.set("having", exp.Having(this=exp.and_(*rest, copy=False)) if rest else None)
    groups.set("order", None)
    over = exp.Select(expressions=shown)
    item = exp.Subquery(this=groups, alias=exp.TableAlias(this=exp.to_identifier(ROW, quoted=True)))
    over.set("from_", exp.From(this=item))
    over.set("where", exp.Where(this=exp.and_(*tests, copy=False)) if tests else None)
    return text_of(over, block.dialect)


class _Lift:
    """What is said of groups beside figures, with each part that reads no figure as a column of the groups."""

    def __init__(self, prefix: str, dialect: Dialect) -> None:
        self.prefix = prefix
        self.dialect = dialect
        self.found: dict[str, tuple[str, exp.Expression]] = {}

    def of(self, tree: exp.Expr) -> exp.Expression:
        """The expression over the groups."""
        node = cast(exp.Expression, tree)
        one = Scalar(node, self.dialect)
        if isinstance(node, exp.Subquery) or one.is_constant:
            return node.copy()
        if not one.has_subquery and not isinstance(node, exp.If):
            name, _ = self.found.setdefault(one.text, (f"{self.prefix}{len(self.found) + 1}", node.copy()))
            return column_at(ROW, name)
        made = node.copy()
        for mine, theirs in zip(list(made.iter_expressions()), list(node.iter_expressions()), strict=True):
            mine.replace(self.of(theirs))
        return made
