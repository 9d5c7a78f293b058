"""Resolved tree → block of our relation algebra.

Owns: the translation, clause by clause, and the refusal of clauses that have no node in the algebra yet. Promises: a block
says everything that its SELECT says, or the query was refused with the place of what is missing.
"""

from __future__ import annotations

from typing import cast

from sqlglot import exp

from tidemark.dialect import Dialect
from tidemark.errors import Code, Refusal
from tidemark.model import Catalog
from tidemark.query.functions import function_name, is_aggregate
from tidemark.query.parse import parse_query, place_of, render
from tidemark.query.relation import Aggregate, Block, JoinKind, Nested, Occurrence, Output, Scalar
from tidemark.query.resolve import Resolver, inner_selects, own_nodes, own_tables

_CLAUSES = {"expressions", "from_", "joins", "where", "group", "having", "distinct", "limit", "order"}


def lower_query(text: str, catalog: Catalog, dialect: Dialect) -> Block:
    """The user's query as a block. Raises `Refusal` with the place."""
    tree = parse_query(text, dialect).copy()
    _check_clauses(tree, dialect, nested=False)
    resolver = Resolver(catalog, dialect)
    resolver.resolve(tree)
    return _Lowering(resolver, dialect).block(tree)


def _check_clauses(select: exp.Select, dialect: Dialect, *, nested: bool) -> None:
    """Refuse clauses without a node in the algebra, here and in every subquery."""
    for name, value in select.args.items():
        if value and name not in _CLAUSES:
            node = value if isinstance(value, exp.Expression) else select
            raise Refusal(
                Code.UNSUPPORTED,
                f"The clause {name.strip('_').upper()} is not kept true yet.",
                instead="a query without it, or a derived table for its inner part",
                place=place_of(node, dialect),
            )
    if not nested and (select.args.get("limit") or select.args.get("order")):
        raise Refusal(
            Code.UNSUPPORTED,
            "ORDER BY and LIMIT are not part of a stored result.",
            instead="the query without them; order and cut when you read the derived table",
            place=place_of(select.args.get("order") or select.args["limit"], dialect),
        )
    distinct = select.args.get("distinct")
    if distinct is not None and distinct.args.get("on"):
        raise Refusal(Code.UNSUPPORTED, "DISTINCT ON is not kept true yet.", place=place_of(distinct, dialect))
    for inner in inner_selects(select):
        _check_clauses(inner, dialect, nested=True)


class _Lowering:
    """Carries the resolver through the recursion over nested blocks."""

    def __init__(self, resolver: Resolver, dialect: Dialect) -> None:
        self.resolver = resolver
        self.dialect = dialect

    def scalar(self, tree: exp.Expr) -> Scalar:
        return Scalar(cast(exp.Expression, tree), self.dialect)

    def block(self, select: exp.Select) -> Block:
        """One SELECT as a block."""
        outputs = tuple(self._output(item) for item in select.expressions)
        occurrences = self._occurrences(select)
        where = self._conjuncts(select.args.get("where"))
        group = select.args.get("group")
        groups = None
        if group is not None:
            extra = [key for key, value in group.args.items() if value and key != "expressions"]
            if extra or any(isinstance(g, exp.Rollup | exp.Cube | exp.GroupingSets) for g in group.expressions):
                raise Refusal(
                    Code.UNSUPPORTED,
                    "GROUPING SETS, ROLLUP and CUBE are not kept true yet.",
                    instead="one derived table for each grouping",
                    place=place_of(group, self.dialect),
                )
            groups = tuple(self.scalar(item) for item in group.expressions)
        having = select.args.get("having")
        return Block(
            occurrences=occurrences,
            where=where,
            groups=groups,
            outputs=outputs,
            having=self.scalar(having.this) if having is not None else None,
            distinct=select.args.get("distinct") is not None,
            aggregates=self._aggregates(select),
            nested=tuple(self._nested(inner) for inner in inner_selects(select)),
            limited=bool(select.args.get("limit")),
            tree=select,
            dialect=self.dialect,
        )

    def _output(self, item: exp.Expression) -> Output:
        name = item.alias if isinstance(item, exp.Alias) else item.name if isinstance(item, exp.Column) else ""
        if isinstance(item, exp.Alias):
            name = self.resolver.fold(item.args["alias"]) if self.dialect.has_schemas else name
        return Output(name, self.scalar(item.unalias()))

    def _occurrences(self, select: exp.Select) -> tuple[Occurrence, ...]:
        tables = own_tables(select)
        found: list[Occurrence] = []
        joins = [None, *(select.args.get("joins") or [])] if tables else []
        for node, join in zip(tables, joins, strict=True):
            alias = node.alias
            table = self.resolver.tables[alias]
            kind, on = self._join(join)
            found.append(Occurrence(alias, table, kind, on))
        return tuple(found)

    def _join(self, join: exp.Join | None) -> tuple[JoinKind, tuple[Scalar, ...]]:
        if join is None:
            return "first", ()
        side, kind = join.side.upper(), join.kind.upper()
        if join.args.get("using") or join.method or side in ("RIGHT", "FULL") or kind in ("SEMI", "ANTI"):
            words = " ".join(word for word in (join.method, side, kind, "JOIN") if word)
            using = " … USING" if join.args.get("using") else ""
            raise Refusal(
                Code.UNSUPPORTED,
                f"{words.upper()}{using} is not kept true yet.",
                instead="JOIN … ON or LEFT JOIN … ON",
                place=place_of(join, self.dialect),
            )
        on = self._conjuncts(join.args.get("on"))
        return ("left" if side == "LEFT" else "inner"), on

    def _conjuncts(self, clause: exp.Expression | None) -> tuple[Scalar, ...]:
        if clause is None:
            return ()
        pending = [clause.this if isinstance(clause, exp.Where) else clause]
        found: list[Scalar] = []
        while pending:
            node = pending.pop(0)
            bare = node
            while isinstance(bare, exp.Paren):
                bare = bare.this
            if isinstance(bare, exp.And):
                pending = [bare.this, bare.expression, *pending]
            else:
                found.append(self.scalar(node))
        return tuple(found)

    def _aggregates(self, select: exp.Select) -> tuple[Aggregate, ...]:
        """The distinct aggregate calls of SELECT list and HAVING."""
        found: dict[str, Aggregate] = {}
        for node in own_nodes(select):
            if is_aggregate(node):
                whole = node.parent if isinstance(node.parent, exp.Filter) else node
                text = render(whole, self.dialect)
                found.setdefault(text, self._aggregate(node, whole, text))
        return tuple(found.values())

    def _aggregate(self, node: exp.Expression, whole: exp.Expression, text: str) -> Aggregate:
        arguments = [node.this] if node.this is not None and not isinstance(node.this, str) else []
        arguments += node.expressions
        distinct = bool(arguments) and isinstance(arguments[0], exp.Distinct)
        if distinct:
            arguments = arguments[0].expressions
        condition = None
        if isinstance(whole, exp.Filter):
            condition = self.scalar(whole.expression.this)
        star = bool(arguments) and isinstance(arguments[0], exp.Star)
        name = function_name(node) or node.key
        if len(arguments) > 1 or any(isinstance(a, exp.Order) for a in arguments):
            name = f"{name} of several arguments"
        argument = None if star or not arguments else self.scalar(arguments[0])
        return Aggregate(name, argument, distinct, condition, text)

    def _nested(self, inner: exp.Select) -> Nested:
        holder = inner.parent
        block = self.block(inner)
        if isinstance(holder, exp.Exists):
            return Nested("exists", block, None, False, render(holder, self.dialect))
        if isinstance(holder, exp.Subquery):
            if isinstance(holder.parent, exp.In):
                holding = holder.parent
                match = exp.EQ(this=holding.this.copy(), expression=block.outputs[0].scalar.tree.copy())
                alone = _is_conjunct(holding)
                return Nested("in", block, self.scalar(match), alone, render(holding, self.dialect))
            if isinstance(holder.parent, exp.Any | exp.All):
                raise Refusal(
                    Code.SUBQUERY_SHAPE,
                    "ANY and ALL over a subquery are not kept true yet.",
                    instead="IN or EXISTS",
                    place=place_of(holder, self.dialect),
                )
            return Nested("scalar", block, None, False, render(holder, self.dialect))
        raise Refusal(
            Code.SUBQUERY_SHAPE,
            "A subquery of this form is not kept true yet.",
            instead="a scalar subquery, EXISTS or IN",
            place=place_of(inner, self.dialect),
        )


def _is_conjunct(node: exp.Expression) -> bool:
    """True when the node is a conjunct of WHERE by itself."""
    parent = node.parent
    while isinstance(parent, exp.And | exp.Paren):
        parent = parent.parent
    return isinstance(parent, exp.Where)
