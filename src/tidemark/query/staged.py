"""A query over an inner relation as two: one whose rows are stored, the *stage*, and one over these rows; a row of figures over
several.

Owns: `staged`, the two texts of a query that falls apart so; `over_stages`, the query over stages that are there;
`over_table`, where no stage is needed. What no change can be followed through as a whole, an aggregate over an aggregate or a
total over outer joins and subqueries, can be followed step by step: the rows that are taken together are those of a query
with units, and what they are taken together to is a sum over one table, which knows what each was. Promises: the second query
over the rows of the first one gives what the query gives. Knows nothing of whether either can be kept
(`tidemark.compiler.stages`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from sqlglot import exp

from tidemark.errors import Code, Refusal
from tidemark.model import Catalog, Table
from tidemark.query.compared import compared
from tidemark.query.figures import with_figures
from tidemark.query.functions import is_aggregate
from tidemark.query.inline import SHOWN
from tidemark.query.lower import lower_query
from tidemark.query.moment import compared_with_it, is_moment, looks, moments_of, reads_moment
from tidemark.query.parse import render
from tidemark.query.relation import Block, Derived, Item, Query, SetOperation
from tidemark.query.stage import (
    ROW,
    Stage,
    Staged,
    marked_item,
    name_outputs,
    numbered,
    over_rows,
    text_of,
    unnamed,
)
from tidemark.query.subtypes import passes_json
from tidemark.query.trees import aliased, column_at, outputs_of, own_items, own_nodes, rename_outputs, whole_items
from tidemark.query.units import branches_of, is_uniform, origins_of

_TOGETHER = ("expressions", "group", "having", "distinct")
"""The clauses that take rows together; all others say which rows there are."""


def staged(query: Query, *, every: bool = False) -> Staged | None:
    """The two queries; None where a query is not one over rows of another. Of a row of figures those that one table adds up to
    have a stage where `every` one has. What is compared with the moment is compared in a stage."""
    moments = moments_of(query)
    if moments and any(test is None for block in query.blocks for test in looks(block)):
        return None
    found = _staged(query, every=every)
    return None if found is not None and any(one in found.over for one in moments) else found


def _staged(query: Query, *, every: bool) -> Staged | None:
    if isinstance(query, SetOperation):
        return _branches(query)
    if not isinstance(query, Block) or query.limited or query.windows or query.distinct_on:
        return None
    if any(passes_json(block) for block in query.blocks) or whole_items(query.tree):
        return None
    if any(one.table.pruned for one in query.all_occurrences):
        return None
    if not query.items:
        return _figures(query, every=every)
    if not query.dialect.types_are_fixed and not all(_compares_alike(item) for item in query.items):
        return None
    if (found := compared(query)) is not None or _asks(query.tree):
        return found
    if query.distinct and query.groups is not None:
        return _distinct(query)
    if not (query.is_aggregated or query.distinct) or _is_needless(query):
        return None
    return _over_derived(query) or _over_rows([query])


def over_stages(query: Query, stages: Sequence[str], catalog: Catalog) -> Query:
    """The query over the rows of its stages, whose names are given. `query` is used up. Raises `Refusal` where it has none."""
    query = with_figures(query, catalog)
    found = staged(query)
    if found is not None and len(found.stages) != len(stages):
        found = staged(query, every=True)
    views = {one.keeps.derived: one for one in catalog.tables.values() if one.kind == "view" and one.keeps}
    if found is None or len(found.stages) != len(stages):
        # The rows of another form of the query are told apart by what a stage does not know.
        raise Refusal(Code.KEY_MISSING, "Nothing tells its rows apart.", instead="key=")
    text = over_rows(found, [views[name] for name in stages], query.dialect)
    lowered = lower_query(text, catalog, query.dialect)
    if found.compared:
        return lowered
    if not isinstance(lowered, Block):
        return lower_query(" UNION ALL ".join(map(_merged, branches_of(lowered))), catalog, query.dialect)
    text = _merged(lowered) if lowered.items else _swapped(lowered, _merged_figures(lowered))
    return lower_query(text, catalog, query.dialect)


def over_table(query: Query, catalog: Catalog) -> Query:
    """A total over a subquery that filters one table, or over the rows of one derived table, as a total over the table, also as a
    figure of a row; any other query as it is."""
    if not isinstance(query, Block) or reads_moment(query) or passes_json(query) or whole_items(query.tree):
        return query
    if query.items:
        return lower_query(_merged(query), catalog, query.dialect) if _is_filtered(query) else query
    swaps = _merged_figures(query) if query.is_row else {}
    return lower_query(_swapped(query, swaps), catalog, query.dialect) if swaps else query


def over_store(query: Query, catalog: Catalog) -> Query:
    """Groups of the rows of one derived table as groups of what is stored of it; any other query as it is."""
    if not isinstance(query, Block) or query.groups is None or len(query.items) != 1:
        return query
    shown = isinstance(query.items[0], Derived) and SHOWN in query.items[0].query.tree.meta
    if not shown or query.limited or query.windows or query.distinct or query.distinct_on or not _is_needless(query):
        return query
    if reads_moment(query) or passes_json(query) or whole_items(query.tree):
        return query
    return lower_query(_merged(query), catalog, query.dialect)


def _asks(select: exp.Select) -> bool:
    """Whether a subquery stands elsewhere than in what says which rows there are."""
    return any(one.find(exp.Select, exp.SetOperation) for name in _TOGETHER for one in _listed(select, name))


def _is_filtered(block: Block) -> bool:
    """Whether it is a total over a subquery that filters one table."""
    total = block.is_aggregated and block.groups is None
    return total and not (block.limited or block.windows or block.distinct) and _is_needless(block)


def _is_needless(block: Block) -> bool:
    """Whether the same can be asked of a table itself, without a stored row for each of its rows: a subquery filters it."""
    inner = block.items[0].query if isinstance(block.items[0], Derived) else None
    if len(block.items) > 1 or block.nested or not isinstance(inner, Block) or reads_moment(block):
        return False
    if SHOWN in inner.tree.meta and any(
        one.find(exp.Distinct) for name in _TOGETHER for one in _listed(block.tree, name)
    ):
        # How often each value is there is counted over a stage, and not over what another declaration stores.
        return False
    computed = (
        inner.is_aggregated or inner.distinct or inner.distinct_on or inner.windows or inner.nested or inner.limited
    )
    return inner.is_flat and len(inner.items) == 1 and not computed


def _compares_alike(item: Item) -> bool:
    """Whether SQLite compares a column of the item as it compares one in which its values are stored."""
    query = item.query if isinstance(item, Derived) else None
    if isinstance(query, SetOperation) and not all(is_uniform(query, place) for place in range(len(query.outputs))):
        return False
    return query is None or not any(_has_collated_end(block) for block in query.blocks)


def _has_collated_end(block: Block) -> bool:
    """Whether it shows a first or last text of a collation, by which it is stored and the query compares it no more."""
    calls = (call for one in block.outputs for call in one.scalar.tree.find_all(exp.Min, exp.Max))
    columns = ((node.table, node.name) for call in calls for node in call.find_all(exp.Column))
    found = (one for column in columns for one in origins_of(block, column) or ())
    return any(one.collation not in (None, "BINARY") for one in found)


def _mixes(block: Block) -> bool:
    """Whether SQLite compares computed columns of queries in FROM, which have no type before they are stored, with what has."""
    if block.dialect.types_are_fixed:
        return False
    listed = (one for name in _TOGETHER for one in _listed(block.tree, name))
    return any(_mixed_in(test, block) for one in listed for test in one.find_all(exp.Predicate, exp.Case))


def _mixed_in(test: exp.Expr, block: Block) -> bool:
    columns = {(node.table, node.name) for node in test.find_all(exp.Column)}
    computed = any(len(set(origins_of(block, column) or ())) != 1 for column in columns)
    return computed and (len(columns) > 1 or test.find(exp.Cast) is not None)


def _over_derived(block: Block) -> Staged | None:
    """The query in FROM as a stage, where it is all that is read."""
    item = block.items[0]
    if len(block.items) > 1 or not isinstance(item, Derived) or item.lateral or block.nested:
        return None
    if SHOWN in item.query.tree.meta or any(is_moment(node) for node in own_nodes(block.tree)):
        return None
    names = [name for name, _ in outputs_of(item.query.tree)]
    if not all(names) or len(set(names)) < len(names) or isinstance(item.query, Block) and not item.query.items:
        return None
    over = block.tree.copy()
    own_items(over)[0].replace(marked_item(item.alias))
    text, alike = text_of(item.query.tree.copy(), block.dialect), unnamed(item.query.tree.copy())
    return Staged((Stage(text, _indexes(over), alike),), render(over, block.dialect))


def _branches(query: SetOperation) -> Staged | None:
    """Groupings over the same rows, put together, with these as their stage."""
    blocks = branches_of(query)
    if query.kind != "union" or query.distinct or query.limited or not blocks:
        return None
    found = [staged(block) for block in blocks]
    made = [one for one in found if one is not None]
    if len(made) < len(blocks) or not all(block.items for block in blocks):
        return None
    inner = [block.items[0] for block in blocks]
    derived = all(_over_derived(block) for block in blocks)
    trees = [one.query.tree.copy() if isinstance(one, Derived) and derived else None for one in inner]
    if len({unnamed(tree or _rows(block)) for tree, block in zip(trees, blocks, strict=True)}) > 1:
        return None
    if not derived:
        return _over_rows(blocks)
    return Staged(made[0].stages, " UNION ALL ".join(one.over for one in made))


def _rows(block: Block) -> exp.Select:
    """The rows that a block takes together, without a column."""
    rows = block.tree.copy()
    for name in (*_TOGETHER, "order"):
        rows.set(name, None)
    rows.set("expressions", [exp.Literal.number(1)])
    return rows


def _figures(block: Block, *, every: bool) -> Staged | None:
    """A row of figures, with a stage for each that is more than what one table adds up to; where `every` one has a stage, that of
    the others is their single row."""
    stages: list[Stage] = []
    swaps: dict[str, str] = {}
    beside: list[Table] = []
    for nested in block.nested:
        inner = nested.query
        figure = nested.form == "scalar" and isinstance(inner, Block) and inner.is_aggregated and inner.groups is None
        if not figure or not isinstance(inner, Block) or not inner.items or not block.is_row:
            return None
        flat = inner.is_flat and len(inner.items) == 1
        if (flat and not (reads_moment(inner) or inner.nested or inner.windows or inner.limited)) or _is_filtered(
            inner
        ):
            if every:
                rows, value = inner.tree.copy(), column_at(ROW, "figure")
                rename_outputs(rows, [value.name])
                stages.append(Stage(text_of(rows, block.dialect)))
                over = exp.Select(expressions=[exp.Max(this=value)])
                over.set("from_", exp.From(this=marked_item(ROW)))
                swaps[nested.text] = f"({numbered(render(over, block.dialect), len(stages), block.dialect)})"
            else:
                beside += (one.table for one in inner.all_occurrences)
            continue
        found = staged(inner)
        if found is None or len(found.stages) > 1:
            return None
        stages += found.stages
        swaps[nested.text] = f"({numbered(found.over, len(stages), block.dialect)})"
    return Staged(tuple(stages), _swapped(block, swaps), tuple(beside)) if stages else None


def _merged_figures(block: Block) -> dict[str, str]:
    """The figures of a row that are totals over subqueries that filter one table, as totals over the table."""
    inner = ((nested.text, nested.query) for nested in block.nested if nested.form == "scalar")
    return {text: f"({_merged(one)})" for text, one in inner if isinstance(one, Block) and _is_filtered(one)}


def _swapped(block: Block, swaps: Mapping[str, str]) -> str:
    """A row of figures with some of them said otherwise."""
    shown = (f"{one.scalar.swapped(swaps)} AS {block.dialect.quote(one.name)}" for one in block.outputs)
    return f"SELECT {', '.join(shown)}"


def _over_rows(blocks: Sequence[Block]) -> Staged | None:
    """The rows that are taken together as a stage, with the columns of theirs that are asked for, whichever block asks: each
    takes the same rows, under aliases of its own."""
    if not all(block.is_aggregated and not _mixes(block) for block in blocks):
        return None
    first, overs = blocks[0], [block.tree.copy() for block in blocks]
    asked: list[tuple[exp.Expression, exp.Expression]] = []
    within: list[exp.Expression | None] = []
    for block, over in zip(blocks, overs, strict=True):
        own, others = [*block.items, *block.calls], [*first.items, *first.calls]
        aliases = {mine.alias: one.alias for mine, one in zip(own, others, strict=True)}
        within.append(_named_as(found, aliases) if (found := _within(block)) is not None else None)
        asked += [(node, _named_as(node, aliases)) for name in _TOGETHER for node in _asked(over, name)]
    values = {render(what, first.dialect): what for _, what in asked}
    names = _named(values)
    rows = _rows(first)
    shown = [aliased(what, names[text]) for text, what in values.items()]
    # Of rows of which no column is asked for there must be one to ask for.
    rows.set("expressions", shown or [aliased(exp.Literal.number(1), "present")])
    if (tests := [exp.Paren(this=one) for one in within if one is not None]) and len(tests) == len(within):
        there = rows.args.get("where")
        every = [exp.Paren(this=exp.or_(*tests, copy=False)), *([exp.Paren(this=there.this.copy())] if there else [])]
        rows.set("where", exp.Where(this=exp.and_(*every, copy=False)))
    for over in overs:
        name_outputs(over)
    for node, what in asked:
        node.replace(column_at(ROW, names[render(what, first.dialect)]))
    for over in overs:
        for name in ("joins", "laterals", "where"):
            over.set(name, None)
        over.set("from_", exp.From(this=marked_item(ROW)))
    indexes = tuple(dict.fromkeys(index for over in overs for index in _indexes(over)))
    text = " UNION ALL ".join(render(over, first.dialect) for over in overs)
    return Staged((Stage(text_of(rows, first.dialect), indexes),), text)


def _distinct(block: Block) -> Staged:
    """The groups as a stage, of which the query shows every different one once."""
    groups = block.tree.copy()
    name_outputs(groups)
    groups.set("distinct", None)
    names = [name for name, _ in outputs_of(groups)]
    over = exp.Select(expressions=[aliased(column_at(ROW, name), name) for name in names], distinct=exp.Distinct())
    over.set("from_", exp.From(this=marked_item(ROW)))
    return Staged((Stage(text_of(groups, block.dialect)),), render(over, block.dialect))


def _asked(select: exp.Select, clause: str) -> list[exp.Expression]:
    """What rows are asked for in a clause of a SELECT, each as often as it stands there: columns, and whether a comparison with
    the moment is true."""
    found = []
    for one in _listed(select, clause):
        for node in one.walk(prune=_is_asked):
            if _is_asked(node):
                found.append(cast(exp.Expression, node))
    return found


def _is_asked(node: exp.Expr) -> bool:
    return isinstance(node, exp.Column) or compared_with_it(node)


def _within(block: Block) -> exp.Expression | None:
    """Which rows count at all, where every aggregate of a total counts those alone that are compared with the moment."""
    listed = [one for name in _TOGETHER for one in _listed(block.tree, name)]
    calls = [node for one in listed for node in one.walk() if is_aggregate(node)]
    filters = [call.parent.expression.this for call in calls if isinstance(call.parent, exp.Filter)]
    if block.groups is not None or not calls or len(filters) < len(calls):
        return None
    if not all(any(map(is_moment, test.walk())) for test in filters):
        return None
    return cast(exp.Expression, exp.or_(*(exp.Paren(this=test.copy()) for test in filters), copy=False))


def _named_as(tree: exp.Expression, aliases: Mapping[str, str]) -> exp.Expression:
    """The expression over items of other aliases."""
    whole = exp.Paren(this=tree.copy())
    for column in list(whole.find_all(exp.Column)):
        column.replace(column_at(aliases[column.table], column.name))
    return cast(exp.Expression, whole.this)


def _listed(select: exp.Select, clause: str) -> list[exp.Expression]:
    """What a clause of a SELECT consists of."""
    value = select.args.get(clause)
    return value if isinstance(value, list) else [value] if value is not None else []


def _named(values: Mapping[str, exp.Expression]) -> dict[str, str]:
    """A name for each value by its text, a column's own where no other one has it."""
    found: dict[str, str] = {}
    for text, value in values.items():
        taken, name = {one.lower() for one in found.values()}, value.name
        plain = isinstance(value, exp.Column) and not name.startswith(("_", "tidemark")) and name.lower() not in taken
        found[text] = name if plain else f"c{len(found) + 1}x"
    return found


def _indexes(over: exp.Select) -> tuple[tuple[str, ...], ...]:
    """The indexes of a stage that the query over it looks up rows by; none where it groups by what is made of columns."""
    group = over.args.get("group")
    terms = list(group.expressions) if group is not None else []
    if not all(isinstance(term, exp.Column) for term in terms):
        return ()
    by = tuple(dict.fromkeys(term.name for term in terms))
    ends = [call.this for call in over.find_all(exp.Min, exp.Max) if not call.expressions]
    wider = [(*by, one.name) for one in ends if isinstance(one, exp.Column) and one.name not in by]
    return tuple(dict.fromkeys(wider)) or ((by,) if by else ())


def _merged(block: Block) -> str:
    """The query over a subquery that shows rows of one table, as a query over the table."""
    item = block.items[0]
    assert isinstance(item, Derived) and isinstance(item.query, Block)
    inner, over = item.query.tree.copy(), block.tree.copy()
    shown = dict(outputs_of(inner))
    name_outputs(over)
    for node in [one for one in own_nodes(over) if isinstance(one, exp.Column) and one.table == item.alias]:
        found = shown[node.name]
        node.replace(found.copy() if isinstance(found, exp.Column) else exp.Paren(this=found.copy()))
    own_items(over)[0].replace(own_items(inner)[0].copy())
    tests = [exp.Paren(this=where.this.copy()) for one in (inner, over) if (where := one.args.get("where")) is not None]
    over.set("where", exp.Where(this=exp.and_(*tests, copy=False)) if tests else None)
    return render(over, block.dialect)
