"""Names → things: every table of a query found in the catalog, every column given its occurrence.

Owns: scopes, star expansion, the folding of names. Promises: afterwards each table in the tree is schema-qualified with a
distinct alias, and each column is ``"alias"."column"`` with the catalog's own spelling; what cannot be found is refused with
its place. Does not judge whether a query can be kept true.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlglot import exp

from tidemark.dialect import Dialect
from tidemark.errors import Code, Refusal
from tidemark.model import Catalog, Table
from tidemark.query.parse import place_of


@dataclass
class Scope:
    """Names visible in one SELECT: occurrence alias as written (folded) → (distinct alias, table)."""

    names: dict[str, tuple[str, Table]] = field(default_factory=dict)


@dataclass
class Resolver:
    """Resolves one query; `tables` collects distinct alias → table."""

    catalog: Catalog
    dialect: Dialect
    tables: dict[str, Table] = field(default_factory=dict)

    def fold(self, identifier: exp.Expression) -> str:
        """The name as the engine looks it up: PostgreSQL folds unquoted names, SQLite ignores ASCII case."""
        name = str(identifier.name)
        if not self.dialect.has_schemas:
            return ascii_lower(name)
        return name if identifier.args.get("quoted") else ascii_lower(name)

    def resolve(self, select: exp.Select, outer: tuple[Scope, ...] = ()) -> None:
        """Resolve `select` in place, subqueries included."""
        scope = Scope()
        for table in own_tables(select):
            self._open(table, scope)
        scopes = (scope, *outer)
        self._expand_stars(select, scope)
        self._positions(select)
        self._aliases(select, scope)
        for node in own_nodes(select):
            if isinstance(node, exp.Column):
                self._column(node, scopes)
        for inner in inner_selects(select):
            self.resolve(inner, scopes)

    def _open(self, node: exp.Table, scope: Scope) -> None:
        extra = [key for key, value in node.args.items() if value and key not in ("this", "db", "alias")]
        if extra or not isinstance(node.this, exp.Identifier):
            raise Refusal(
                Code.UNSUPPORTED,
                "Only plain tables can stand in FROM for now.",
                instead="a table's name with an alias",
                place=place_of(node, self.dialect),
            )
        table = self._find(node)
        alias_node = node.args.get("alias")
        if alias_node is not None and alias_node.args.get("columns"):
            raise Refusal(
                Code.UNSUPPORTED, "Column aliases in FROM are not supported.", instead="AS in the SELECT list"
            )
        written = self.fold(alias_node.this if alias_node is not None else node.this)
        if written in scope.names:
            raise Refusal(
                Code.UNSUPPORTED,
                f"The name {written} stands twice in FROM.",
                instead="a different alias for each",
                place=place_of(node, self.dialect),
            )
        alias = written
        number = 2
        while alias in self.tables:
            alias = f"{written}_{number}"
            number += 1
        self.tables[alias] = table
        scope.names[written] = (alias, table)
        node.set("this", _named_again(node.this, table.name))
        schema = table.schema if self.dialect.has_schemas else ""
        node.set("db", exp.to_identifier(schema, quoted=True) if schema else None)
        node.set("alias", exp.TableAlias(this=exp.to_identifier(alias, quoted=True)))

    def _find(self, node: exp.Table) -> Table:
        schema = self.fold(node.args["db"]) if node.args.get("db") else ""
        name = self.fold(node.this)
        if not self.dialect.has_schemas:
            schema = ""
            for (_, candidate), table in self.catalog.tables.items():
                if ascii_lower(candidate) == name:
                    return table
        found = self.catalog.find(name, schema)
        if found is None:
            near = sorted(table.label for table in self.catalog.tables.values())[:8]
            raise Refusal(
                Code.UNKNOWN_TABLE,
                f"There is no table {node.name}.",
                instead=f"one of the tables that exist: {', '.join(near)}" if near else "create the table first",
                place=place_of(node, self.dialect),
            )
        return found

    def _expand_stars(self, select: exp.Select, scope: Scope) -> None:
        expanded: list[exp.Expression] = []
        for item in select.expressions:
            if isinstance(item, exp.Star):
                owners = list(scope.names)
            elif isinstance(item, exp.Column) and isinstance(item.this, exp.Star):
                owners = [self.fold(item.args["table"])]
            else:
                expanded.append(item)
                continue
            if isinstance(select.parent, exp.Exists):
                expanded.append(exp.Literal.number(1))
                continue
            for owner in owners:
                if owner not in scope.names:
                    raise self._unknown(item)
                alias, table = scope.names[owner]
                expanded += [_resolved(alias, column.name) for column in table.columns]
        select.set("expressions", expanded)

    def _positions(self, select: exp.Select) -> None:
        """Replace ``GROUP BY 1`` by the first output."""
        group = select.args.get("group")
        if group is None:
            return
        items = []
        for item in group.expressions:
            if isinstance(item, exp.Literal) and not item.is_string:
                position = int(item.name)
                if not 1 <= position <= len(select.expressions):
                    raise Refusal(Code.PARSE, f"GROUP BY {position} is not a position of the SELECT list.")
                item = select.expressions[position - 1].unalias().copy()
            items.append(item)
        group.set("expressions", items)

    def _aliases(self, select: exp.Select, scope: Scope) -> None:
        """Replace names of outputs in GROUP BY, HAVING (and, on SQLite, WHERE) that are no columns of FROM."""
        outputs = {
            self.fold(item.args["alias"]): item.this for item in select.expressions if isinstance(item, exp.Alias)
        }
        if not outputs:
            return
        for part in ("group", "having", "where"):
            clause = select.args.get(part)
            for node in list(clause.find_all(exp.Column)) if clause is not None else []:
                if node.args.get("table") is None and node.find_ancestor(exp.Select) is select:
                    name = self.fold(node.this)
                    known = any(self._named(table, node.this) for _, table in scope.names.values())
                    if not known and name in outputs:
                        node.replace(exp.Paren(this=outputs[name].copy()))

    def _named(self, table: Table, identifier: exp.Expression) -> str | None:
        name = self.fold(identifier)
        if self.dialect.has_schemas:
            return name if table.column(name) is not None else None
        return next((column.name for column in table.columns if ascii_lower(column.name) == name), None)

    def _column(self, node: exp.Column, scopes: tuple[Scope, ...]) -> None:
        if node.meta.get("resolved"):
            return
        owner = node.args.get("table")
        for scope in scopes:
            if owner is not None:
                entry = scope.names.get(self.fold(owner))
                if entry is None:
                    continue
                candidates = [entry]
            else:
                candidates = list(scope.names.values())
            hits = [(alias, found) for alias, table in candidates if (found := self._named(table, node.this))]
            if len(hits) > 1:
                raise Refusal(
                    Code.UNKNOWN_COLUMN,
                    f"The column {node.name} is ambiguous.",
                    instead="the table's alias before it",
                    place=place_of(node, self.dialect),
                )
            if hits:
                alias, name = hits[0]
                node.set("this", _named_again(node.this, name))
                node.set("table", exp.to_identifier(alias, quoted=True))
                node.set("db", None)
                node.set("catalog", None)
                node.meta["resolved"] = True
                return
            if owner is not None:
                break
        raise self._unknown(node)

    def _unknown(self, node: exp.Expression) -> Refusal:
        return Refusal(
            Code.UNKNOWN_COLUMN,
            f"There is no column {node.sql()} in what FROM names.",
            instead="a column of the tables in FROM (text literals take single quotes)",
            place=place_of(node, self.dialect),
        )


def ascii_lower(name: str) -> str:
    """Lower case for A–Z only, as both engines fold names."""
    return "".join(chr(ord(c) + 32) if "A" <= c <= "Z" else c for c in name)


def _named_again(written: exp.Expression, name: str) -> exp.Identifier:
    """The catalog's spelling at the place where the user wrote the name."""
    identifier = exp.Identifier(this=name, quoted=True)
    identifier.meta.update(written.meta)
    return identifier


def _resolved(alias: str, column: str) -> exp.Column:
    node = exp.Column(this=exp.to_identifier(column, quoted=True), table=exp.to_identifier(alias, quoted=True))
    node.meta["resolved"] = True
    return node


def own_tables(select: exp.Select) -> list[exp.Table]:
    """The tables of FROM and JOIN of this SELECT, in order. Anything else in FROM is refused."""
    from_ = select.args.get("from_")
    items = [from_.this] if from_ is not None else []
    items += [join.this for join in select.args.get("joins") or []]
    for item in items:
        if not isinstance(item, exp.Table):
            raise Refusal(
                Code.UNSUPPORTED,
                f"A {item.key} in FROM is not kept true yet.",
                instead="declare the inner query as a derived table of its own",
            )
    return items


def own_nodes(select: exp.Select) -> list[exp.Expression]:
    """Every node of this SELECT that does not belong to a SELECT inside it."""
    return [node for node in _down_to_selects(select) if not (isinstance(node, exp.Select) and node is not select)]


def inner_selects(select: exp.Select) -> list[exp.Select]:
    """The SELECTs directly inside this one."""
    return [node for node in _down_to_selects(select) if isinstance(node, exp.Select) and node is not select]


def _down_to_selects(select: exp.Select) -> list[exp.Expression]:
    nodes = select.walk(prune=lambda node: isinstance(node, exp.Select) and node is not select)
    return [node for node in nodes if isinstance(node, exp.Expression)]
