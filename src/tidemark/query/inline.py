"""Names of queries → the queries themselves: WITH and views, put where they are named.

Owns: the replacement of each reference to a CTE or to a view by a subquery, one copy for each reference. Promises: afterwards a
table in the tree is a table of the catalog, what a recursion has found so far, or a name that does not exist. A copy remembers
(`meta`) in which scope its names are to be looked up: a CTE's body sees what surrounds its WITH, a view's body nothing. A
recursion stays a WITH of its own, around one SELECT of all its columns. A copy of a derived table's view remembers which it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import cast

from sqlglot import exp

from tidemark.dialect import Dialect, ascii_lower
from tidemark.errors import Code, Refusal
from tidemark.model import Catalog, Table
from tidemark.query.parse import parse_tree, place_of

OWNER = "owner"
"""On a subquery's query: the number of the query whose surroundings it sees; 0 = nothing."""
SCOPE = "scope"
"""On a query: its number, by which copies refer to it."""
RECURSION = "recursion"
"""On the SELECT around a recursion, and on each table that stands for what it has found: the recursion's number."""
SHOWN = "shown"
"""On the query of a derived table's view: the schema and the name of the view, and its columns' names."""


@dataclass(frozen=True)
class Named:
    """A query with a name: its tree, ready to copy, and its columns' own names."""

    tree: exp.Expression
    columns: tuple[exp.Identifier, ...]


@dataclass(frozen=True)
class Itself:
    """The name of a recursion inside of it."""

    number: int


Known = Mapping[str, Named | Itself]


@dataclass
class Inlining:
    """Walks one query. `fold` gives a name as the engine looks it up; `views` are the labels of those that were found."""

    catalog: Catalog
    dialect: Dialect
    numbers: count[int] = field(default_factory=lambda: count(1))
    open_views: list[str] = field(default_factory=list)
    views: set[str] = field(default_factory=set)

    def fold(self, identifier: exp.Expression) -> str:
        """The name as the engine looks it up."""
        return fold(identifier, self.dialect)

    def visit(self, node: exp.Expression, known: Known) -> None:
        """Replace every reference below `node`."""
        with_ = node.args.get("with_")
        if with_ is not None:
            known = self._define(node, with_, known)
            node.set("with_", None)
        for child in list(node.iter_expressions()):
            if isinstance(child, exp.Table) and isinstance(child.this, exp.Identifier):
                self._table(child, known)
            else:
                self.visit(child, known)

    def _define(self, holder: exp.Expression, with_: exp.With, known: Known) -> Known:
        if with_.args.get("search"):
            raise Refusal(
                Code.UNSUPPORTED,
                "SEARCH and CYCLE are not kept true.",
                instead="columns of the recursion's own for the order and the path",
                place=place_of(with_, self.dialect),
            )
        found = dict(known)
        number = next(self.numbers)
        holder.meta[SCOPE] = number
        for cte in with_.expressions:
            name = self.fold(cte.args["alias"].this)
            body = unwrapped(cte.this)
            if not isinstance(body, exp.Select | exp.SetOperation):
                raise Refusal(
                    Code.NOT_A_QUERY, "A CTE must be a SELECT.", instead="SELECT …", place=place_of(cte, self.dialect)
                )
            if self._recurs(with_, body, name):
                found[name] = self._recursion(cte, body, name, number, found)
                continue
            self.visit(cte, found)
            body = unwrapped(cte.this)
            body.meta.setdefault(OWNER, number)
            found[name] = Named(body, tuple(cte.args["alias"].args.get("columns") or ()))
        return found

    def _recurs(self, with_: exp.With, body: exp.Expression, name: str) -> bool:
        """Whether the body names itself. SQLite wants no RECURSIVE for that."""
        if self.dialect.language.recursion_is_said and not with_.args.get("recursive"):
            return False
        tables = body.find_all(exp.Table)
        return any(
            isinstance(t.this, exp.Identifier) and not t.args.get("db") and self.fold(t.this) == name for t in tables
        )

    def _recursion(self, cte: exp.CTE, body: exp.Expression, name: str, owner: int, known: Known) -> Named:
        if not isinstance(body, exp.Union):
            raise Refusal(
                Code.NOT_A_QUERY,
                f"{name} refers to itself, but is no UNION of a beginning and a step.",
                instead="SELECT … UNION SELECT … FROM the name itself",
                place=place_of(cte, self.dialect),
            )
        beside = [one for one in body.find_all(exp.Table) if self.fold(one.this) != name]
        if (body.args.get("limit") or body.args.get("offset")) and beside:
            # Rows that are made of nothing are found in the same order for ever.
            raise Refusal(
                Code.VOLATILE,
                f"A LIMIT in {name} ends the recursion after whatever rows happen to be found first.",
                instead="a column that counts the steps, and a condition on it",
                place=place_of(cte, self.dialect),
            )
        number = next(self.numbers)
        self.visit(cte, {**known, name: Itself(number)})
        written = cte.args["alias"]
        tree = exp.Select(
            expressions=[exp.Star()],
            from_=exp.From(this=exp.Table(this=written.this.copy())),
            with_=exp.With(expressions=[cte.copy()], recursive=True),
        )
        tree.meta.update({RECURSION: number, OWNER: owner})
        return Named(tree, tuple(written.args.get("columns") or ()))

    def _table(self, table: exp.Table, known: Known) -> None:
        for join in table.args.get("joins") or []:
            self.visit(join, known)
        named = known.get(self.fold(table.this)) if not table.args.get("db") else None
        if isinstance(named, Itself):
            table.meta[RECURSION] = named.number
            return
        named = named or self._view(table)
        if named is None:
            return
        alias = table.args.get("alias")
        written = alias.this if alias is not None and alias.this is not None else table.this
        columns = (alias.args.get("columns") if alias is not None else None) or named.columns
        replacement = exp.Subquery(
            this=named.tree.copy(),
            alias=exp.TableAlias(this=written.copy(), columns=[column.copy() for column in columns]),
            joins=[join.copy() for join in table.args.get("joins") or []] or None,
        )
        table.replace(replacement)

    def _view(self, table: exp.Table) -> Named | None:
        schema = self.fold(table.args["db"]) if table.args.get("db") else ""
        found = self.catalog.find(self.fold(table.this), schema)
        if found is None or found.kind != "view" or found.definition is None:
            return None
        if found.label in self.open_views:
            raise Refusal(Code.SOURCE_KIND, f"The view {found.label} reads itself.", instead="the tables that it reads")
        if found.keeps is None:
            # A derived table that is read says by itself when it becomes another one.
            self.views.add(found.label)
        self.open_views.append(found.label)
        tree = parse_tree(found.definition, self.dialect)
        if found.keeps is not None:
            _show_stored_columns(tree, found, self.catalog)
        holder = exp.Subquery(this=tree)
        self.visit(holder, {})
        self.open_views.pop()
        body = unwrapped(holder)
        body.meta[OWNER] = 0
        if found.keeps is not None:
            body.meta[SHOWN] = (found.schema, found.name, tuple(column.name for column in found.columns))
        return Named(body, tuple(exp.to_identifier(column.name, quoted=True) for column in found.columns))


def _show_stored_columns(select: exp.Expression, view: Table, catalog: Catalog) -> None:
    """Put stored columns in the place of their casts to the types that they have: proofs know columns, and no casts of them."""
    store = next(
        (table for table in catalog.tables.values() if table.keeps == view.keeps and table.kind == "table"), None
    )
    if store is None or not isinstance(select, exp.Select):
        return
    for shown, column in zip(select.expressions, view.columns, strict=True):
        stored = _casted(shown)
        kept = store.column(stored.name) if stored is not None else None
        if stored is not None and kept is not None and kept.type == column.type:
            shown.set("this", stored)


def _casted(shown: exp.Expression) -> exp.Column | None:
    """The column in ``(column)::type AS name``, None where it is another expression."""
    tree = shown.this
    if not isinstance(tree, exp.Cast):
        return None
    inner = tree.this.unnest()
    return inner if isinstance(inner, exp.Column) else None


def fold(identifier: exp.Expression, dialect: Dialect) -> str:
    """The name as the engine looks it up: PostgreSQL folds unquoted names, SQLite ignores ASCII case."""
    name = str(identifier.name)
    return dialect.fold(name) if identifier.args.get("quoted") else ascii_lower(name)


def unwrapped(node: exp.Expr) -> exp.Expression:
    """The query inside parentheses that do nothing: around joins they are an item of FROM."""
    while (
        isinstance(node, exp.Subquery | exp.Paren) and isinstance(node.this, exp.Query) and not node.args.get("joins")
    ):
        node = node.this
    return cast(exp.Expression, node)
