"""Resolved tree → blocks of our relation algebra.

Owns: the translation, clause by clause, and the refusal of clauses that have no node in the algebra. Promises: a block
says everything that its SELECT says, or the query was refused with the place of what is missing.
"""

from __future__ import annotations

from itertools import count
from typing import cast

from sqlglot import exp

from tidemark.dialect import Dialect
from tidemark.errors import Code, Refusal
from tidemark.model import Catalog
from tidemark.query.comparisons import spell_out
from tidemark.query.functions import AGGREGATE, function_name, is_aggregate, mark_aggregates
from tidemark.query.grouping import expand_groupings
from tidemark.query.inline import RECURSION, Inlining, unwrapped
from tidemark.query.listed_rows import move_rows
from tidemark.query.moment import pin
from tidemark.query.parse import parse_tree, place_of, render
from tidemark.query.relation import (
    Aggregate,
    Block,
    Called,
    Derived,
    Item,
    JoinKind,
    Nested,
    Occurrence,
    Output,
    Query,
    Recursion,
    Scalar,
    SetOperation,
)
from tidemark.query.resolve import Resolver
from tidemark.query.trees import bare, inner_queries, own_items, own_nodes

_CLAUSES = {
    "expressions",
    "from_",
    "joins",
    "where",
    "group",
    "having",
    "distinct",
    "limit",
    "offset",
    "order",
    "windows",
}
_SET_CLAUSES = {"this", "expression", "distinct", "limit", "offset", "order"}
_KINDS: dict[str, JoinKind] = {"": "inner", "LEFT": "left", "RIGHT": "right", "FULL": "full"}


def lower_query(text: str, catalog: Catalog, dialect: Dialect, moment: str | None = None) -> Query:
    """The user's query as blocks, whole: what cuts the result is in `query.cut`; with `moment` it reads that text and not the
    clock. Raises `Refusal` with the place."""
    if not catalog.search_path:
        raise Refusal(
            Code.UNKNOWN_TABLE,
            "No schema in the search_path exists: a name means nothing, and a view would be nowhere.",
            instead="SET search_path TO app, public: each schema a name of its own, without quotes around them all",
        )
    tree = parse_tree(text, dialect)
    holder = exp.Subquery(this=tree)
    Inlining(catalog, dialect).visit(holder, {})
    mark_aggregates(holder, {name for name, one in catalog.routines.items() if one.aggregate})
    expand_groupings(holder, catalog, dialect)
    move_rows(holder, catalog, dialect)
    whole = unwrapped(holder)
    whole.pop()
    if moment is not None:
        pin(whole, moment, dialect)
    resolver = Resolver(catalog, dialect)
    if not (isinstance(whole.args.get("distinct"), exp.Distinct) and whole.args["distinct"].args.get("on")):
        whole.set("order", None)
    for clause in ("limit", "offset"):
        whole.set(clause, None)
    resolver.resolve(whole)
    if not dialect.types_are_fixed:
        spell_out(whole, resolver.tables)
    return _Lowering(resolver, dialect).query(whole)


class _Lowering:
    """Carries the resolver through the recursion over queries."""

    def __init__(self, resolver: Resolver, dialect: Dialect) -> None:
        self.resolver = resolver
        self.dialect = dialect
        self.numbers = count(1)
        self.found: dict[int, Recursion] = {}

    def scalar(self, tree: exp.Expr) -> Scalar:
        return Scalar(cast(exp.Expression, tree), self.dialect)

    def query(self, tree: exp.Expression) -> Query:
        """A SELECT or a set operation."""
        tree = unwrapped(tree)
        if isinstance(tree, exp.SetOperation):
            return self._set_operation(tree)
        assert isinstance(tree, exp.Select)
        return self._recursion(tree) if RECURSION in tree.meta else self.block(tree)

    def _recursion(self, tree: exp.Select) -> Recursion:
        number = tree.meta[RECURSION]
        outputs = tuple(self._output(item) for item in tree.expressions)
        self.found[number] = Recursion(outputs, None, tree, self.dialect)
        (cte,) = tree.args["with_"].expressions
        body = self.query(cte.this)
        assert isinstance(body, SetOperation)
        return Recursion(outputs, body, tree, self.dialect)

    def _set_operation(self, tree: exp.SetOperation) -> SetOperation:
        self._check_clauses(tree, _SET_CLAUSES)
        left, right = self.query(tree.this), self.query(tree.expression)
        if len(left.outputs) != len(right.outputs):
            raise Refusal(
                Code.PARSE,
                f"The branches of {tree.key.upper()} have {len(left.outputs)} and {len(right.outputs)} columns.",
                instead="as many columns in each",
                place=place_of(tree, self.dialect),
            )
        limited = bool(tree.args.get("limit") or tree.args.get("offset"))
        return SetOperation(tree.key, not tree.args.get("distinct"), left, right, limited, tree, self.dialect)

    def _check_clauses(self, tree: exp.Expression, known: set[str]) -> None:
        """Refuse clauses without a node in the algebra."""
        for name, value in tree.args.items():
            if value and name not in known:
                node = value if isinstance(value, exp.Expression) else tree
                said = "FOR UPDATE or FOR SHARE" if name == "locks" else name.strip("_").upper()
                raise Refusal(
                    Code.UNSUPPORTED,
                    f"The clause {said} is not kept true.",
                    instead="a query without it, or a derived table for its inner part",
                    place=place_of(node, self.dialect),
                )

    def block(self, select: exp.Select) -> Block:
        """One SELECT as a block."""
        self._check_clauses(select, _CLAUSES)
        number = next(self.numbers)
        select.meta["block"] = number
        distinct = select.args.get("distinct")
        on = distinct.args.get("on") if distinct is not None else None
        having = select.args.get("having")
        return Block(
            items=self._items(select),
            where=self._conjuncts(select.args.get("where")),
            groups=self._groups(select),
            outputs=tuple(self._output(item) for item in select.expressions),
            having=self.scalar(having.this) if having is not None else None,
            distinct=distinct is not None and on is None,
            distinct_on=tuple(self.scalar(item) for item in (on.expressions if on is not None else ())),
            aggregates=self._aggregates(select),
            windows=self._windows(select),
            nested=tuple(self._nested(inner, select) for inner in inner_queries(select)),
            limited=bool(select.args.get("limit") or select.args.get("offset")),
            tree=select,
            dialect=self.dialect,
            number=number,
        )

    def _output(self, item: exp.Expression) -> Output:
        return Output(item.alias if isinstance(item, exp.Alias) else "", self.scalar(item.unalias()))

    def _groups(self, select: exp.Select) -> tuple[Scalar, ...] | None:
        group = select.args.get("group")
        if group is None:
            return None
        extra = [key for key, value in group.args.items() if value and key != "expressions"]
        if extra:
            raise Refusal(
                Code.UNSUPPORTED,
                f"GROUP BY {extra[0].upper()} is not kept true.",
                instead="the columns that it stands for",
                place=place_of(group, self.dialect),
            )
        return tuple(self.scalar(item) for item in group.expressions)

    # -- FROM ---------------------------------------------------------------------------------------------------------

    def _items(self, select: exp.Select) -> tuple[Item, ...]:
        nodes = own_items(select)
        found: list[Item] = []
        joins = [None, *(select.args.get("joins") or [])] if nodes else []
        for node, join in zip(nodes, joins, strict=True):
            kind, on = self._join(join)
            if RECURSION in node.meta:
                found.append(Derived(node.alias, self.found[node.meta[RECURSION]], kind, on))
            elif node.alias in self.resolver.calls:
                opened = self.resolver.calls[node.alias]
                call = self.scalar(node.this)
                types = tuple(render(one, self.dialect) for one in opened.types)
                known = (opened.columns, opened.unique, opened.numbered)
                found.append(Called(node.alias, call, *known, kind, on, types, opened.single))
            elif isinstance(node, exp.Table):
                found.append(Occurrence(node.alias, self.resolver.tables[node.alias], kind, on))
            else:
                found.append(Derived(node.alias, self.query(node.this), kind, on, isinstance(node, exp.Lateral)))
        return tuple(found)

    def _join(self, join: exp.Join | None) -> tuple[JoinKind, tuple[Scalar, ...]]:
        if join is None:
            return "first", ()
        side, kind = join.side.upper(), join.kind.upper()
        if join.method or side not in _KINDS or kind in ("SEMI", "ANTI"):
            words = " ".join(word for word in (join.method, side, kind, "JOIN") if word)
            raise Refusal(
                Code.UNSUPPORTED,
                f"{words.upper()} is not kept true.",
                instead="JOIN … ON or LEFT JOIN … ON",
                place=place_of(join, self.dialect),
            )
        return _KINDS[side], self._conjuncts(join.args.get("on"))

    def _conjuncts(self, clause: exp.Expression | None) -> tuple[Scalar, ...]:
        if clause is None:
            return ()
        pending = [clause.this if isinstance(clause, exp.Where) else clause]
        found: list[Scalar] = []
        while pending:
            node = pending.pop(0)
            conjunct = bare(node)
            if isinstance(conjunct, exp.And):
                pending = [conjunct.this, conjunct.expression, *pending]
            else:
                found.append(self.scalar(node))
        return tuple(found)

    # -- aggregates and windows ---------------------------------------------------------------------------------------

    def _aggregates(self, select: exp.Select) -> tuple[Aggregate, ...]:
        """The distinct aggregate calls of the block, outside of OVER."""
        found: dict[str, Aggregate] = {}
        for node in own_nodes(select):
            if is_aggregate(node):
                whole = whole_call(node)
                if isinstance(whole.parent, exp.Window) and whole.parent.this is whole:
                    continue
                text = render(whole, self.dialect)
                found.setdefault(text, self._aggregate(node, whole, text))
        return tuple(found.values())

    def _aggregate(self, node: exp.Expression, whole: exp.Expression, text: str) -> Aggregate:
        arguments = [node.this] if node.this is not None and not isinstance(node.this, str) else []
        arguments += node.expressions
        # ORDER BY stands around the last argument, and DISTINCT inside of it.
        ordered = any(isinstance(one, exp.Order) for one in arguments)
        arguments = [one.this if isinstance(one, exp.Order) else one for one in arguments]
        distinct = bool(arguments) and isinstance(arguments[0], exp.Distinct)
        if distinct:
            arguments = [*arguments[0].expressions, *arguments[1:]]
        condition = None
        if isinstance(whole, exp.Filter):
            condition = self.scalar(whole.expression.this)
        star = bool(arguments) and isinstance(arguments[0], exp.Star)
        name = function_name(node) or node.key
        if node.meta.get(AGGREGATE):
            name = f"{name} of the user's"
        elif len(arguments) > 1 or ordered:
            name = f"{name} of several arguments"
        first = arguments[0] if arguments and not star else None
        argument = self.scalar(first) if first is not None else None
        others = tuple(self.scalar(one) for one in arguments[1:])
        return Aggregate(name, argument, distinct, condition, text, others)

    def _windows(self, select: exp.Select) -> tuple[tuple[Scalar, ...], ...]:
        """The PARTITION BY of every window that is used."""
        named = {self.resolver.fold(window.this): window for window in select.args.get("windows") or []}
        found = []
        for node in own_nodes(select):
            if isinstance(node, exp.Window) and node.arg_key != "windows":
                partition = list(node.args.get("partition_by") or [])
                base = node.args.get("alias")
                while base is not None:
                    window = named[self.resolver.fold(base)]
                    partition += window.args.get("partition_by") or []
                    base = window.args.get("alias")
                found.append(tuple(self.scalar(item) for item in partition))
        return tuple(found)

    # -- subqueries in scalars ----------------------------------------------------------------------------------------

    def _nested(self, inner: exp.Expression, select: exp.Select) -> Nested:
        query, holder = self.query(inner), inner.parent
        while isinstance(holder, exp.Subquery | exp.Paren) and isinstance(holder.parent, exp.Subquery):
            holder = holder.parent
        item = _item_of(inner, select)
        if isinstance(holder, exp.Exists):
            return Nested("exists", query, (), False, render(holder, self.dialect), item)
        holding = holder.parent if isinstance(holder, exp.Subquery) else holder
        if isinstance(holding, exp.Any | exp.All) or isinstance(holder, exp.Any | exp.All):
            return self._quantified(holder if isinstance(holder, exp.Any | exp.All) else holding, query, item)
        if isinstance(holder, exp.Subquery):
            if isinstance(holding, exp.In) and holding.args.get("query") is holder:
                pairs = self._pairs(holding.this, query)
                return Nested("in", query, pairs, _is_conjunct(holding), render(holding, self.dialect), item)
            return Nested("scalar", query, (), False, render(holder, self.dialect), item)
        if holder is not None and function_name(holder) == "array":
            return Nested("scalar", query, (), False, render(holder, self.dialect), item)
        raise Refusal(
            Code.SUBQUERY_SHAPE,
            "A subquery of this form is not kept true.",
            instead="a scalar subquery, EXISTS or IN",
            place=place_of(inner, self.dialect),
        )

    def _quantified(self, quantifier: exp.Expr | None, query: Query, item: int | None) -> Nested:
        """``x = ANY (…)`` is IN; of other comparisons only the correlation is known."""
        comparison = quantifier.parent if quantifier is not None else None
        assert comparison is not None
        text = render(comparison, self.dialect)
        if isinstance(comparison, exp.EQ) and isinstance(quantifier, exp.Any) and comparison.expression is quantifier:
            return Nested("in", query, self._pairs(comparison.this, query), _is_conjunct(comparison), text, item)
        return Nested("compared", query, (), False, text, item)

    def _pairs(self, operand: exp.Expression, query: Query) -> tuple[tuple[Scalar, Scalar], ...]:
        bare = operand.this if isinstance(operand, exp.Paren) else operand
        sides = bare.expressions if isinstance(bare, exp.Tuple) else [operand]
        if len(sides) != len(query.outputs):
            raise Refusal(
                Code.PARSE,
                "The two sides of IN have different numbers of columns.",
                instead="as many columns on each side",
                place=place_of(operand, self.dialect),
            )
        return tuple((self.scalar(side), output.scalar) for side, output in zip(sides, query.outputs, strict=True))


def whole_call(node: exp.Expression) -> exp.Expression:
    """The call with its schema, its FILTER and its WITHIN GROUP."""
    if isinstance(node.parent, exp.Dot) and node.parent.expression is node:
        node = node.parent
    while isinstance(node.parent, exp.Filter | exp.WithinGroup) and node.parent.this is node:
        node = node.parent
    return node


def _item_of(inner: exp.Expression, select: exp.Select) -> int | None:
    """The place in FROM of the join whose condition holds the node."""
    node: exp.Expr | None = inner
    while node is not None and node.parent is not select:
        node = node.parent
    return 1 + select.args["joins"].index(node) if isinstance(node, exp.Join) else None


def _is_conjunct(node: exp.Expression) -> bool:
    """True when the node is a conjunct of WHERE by itself."""
    parent = node.parent
    while isinstance(parent, exp.And | exp.Paren):
        parent = parent.parent
    return isinstance(parent, exp.Where)
