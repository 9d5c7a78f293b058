"""Names → things: every table of a query found in the catalog, every column given the item of FROM that it comes from.

Owns: scopes, what is opened in FROM, the columns of subqueries and of recursions. Promises: afterwards each table in the
tree is schema-qualified with an alias that is distinct in the whole query, each column is ``"alias"."column"`` with the
catalog's own spelling, each output has its name; what cannot be found is refused with its place. Does not judge whether a
query can be kept true.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace

from sqlglot import exp

from tidemark.dialect import Dialect, ascii_lower
from tidemark.errors import Code, Refusal
from tidemark.model import Catalog, Table
from tidemark.query.called import Call, Opened, call_of, known_function, name_columns, put_in_place
from tidemark.query.columns import Columns
from tidemark.query.inline import OWNER, RECURSION, SCOPE, fold, unwrapped
from tidemark.query.naming import (
    as_written,
    is_of_triggers,
    leave_constants_out,
    name_outputs,
    number_groups,
    order_by_names,
    spell_aliases_out,
    spell_distinct_out,
)
from tidemark.query.parse import place_of
from tidemark.query.scopes import AT_TABLES, PLAIN, Entry, Scope, Scopes
from tidemark.query.trees import (
    aliased,
    inner_queries,
    is_renamed,
    named_again,
    open_first,
    outputs_of,
    own_items,
    own_nodes,
    rename_outputs,
    resolved_column,
    words_of,
)
from tidemark.query.using import Merged, Shown
from tidemark.query.wholerow import name_fields
from tidemark.telling import tell_near


@dataclass
class Resolver:
    """Resolves one query; collects distinct alias → table, alias → function in FROM, every alias and what is WITH itself."""

    catalog: Catalog
    dialect: Dialect
    tables: dict[str, Table] = field(default_factory=dict)
    aliases: set[str] = field(default_factory=set)
    recursions: dict[int, tuple[exp.CTE, str]] = field(default_factory=dict)
    calls: dict[str, Opened] = field(default_factory=dict)
    surroundings: dict[int, Scopes] = field(default_factory=lambda: {0: ()})

    def __post_init__(self) -> None:
        self.columns = Columns(self.dialect, self.tables, self.calls)

    def fold(self, identifier: exp.Expression) -> str:
        """The name as the engine looks it up: PostgreSQL folds unquoted names, SQLite ignores ASCII case."""
        return fold(identifier, self.dialect)

    def resolve(self, query: exp.Expression, outer: Scopes = ()) -> None:
        """Resolve `query` in place, subqueries included."""
        if query.meta.get(SCOPE):
            self.surroundings[query.meta[SCOPE]] = outer
        if isinstance(query, exp.SetOperation):
            for side in (query.this, query.expression):
                if side.meta.get(SCOPE):
                    self.surroundings[side.meta[SCOPE]] = outer
                self.resolve(unwrapped(side), outer)
            order_by_names(query, self.dialect)
        elif isinstance(query, exp.Select) and RECURSION in query.meta:
            self._recursion(query, outer)
        elif isinstance(query, exp.Select):
            self._select(query, outer)
        else:
            raise Refusal(
                Code.UNSUPPORTED,
                f"{query.key.upper()} in the place of a query is not kept true.",
                instead="SELECT … FROM …",
                place=place_of(query, self.dialect),
            )

    def _select(self, select: exp.Select, outer: Scopes, *, inside: bool = False) -> Scope:
        """Resolve a SELECT, or with `inside` one of what is joined in parentheses."""
        open_first(select)
        scope = Scope()
        merged = Merged(self.dialect, self.fold, inside)
        conditions: list[tuple[exp.Join, Scope]] = []
        for item, join in zip(own_items(select), [None, *(select.args.get("joins") or [])], strict=False):
            known = set(scope.names)
            shown = self._open(item, scope, outer)
            if shown is None:
                entries = [scope.names[name] for name in scope.names if name not in known]
                own = [(name, resolved_column(e.alias, real)) for e in entries for name, real in e.columns.items()]
                shown = Shown(own, doubled=any(e.doubled for e in entries))
            padded = {"LEFT": set(scope.names) - known, "RIGHT": known, "FULL": set(scope.names)}
            scope.padded |= padded.get(join.side.upper() if join is not None else "", set())
            merged.add(join, shown)
            if join is not None and join.args.get("on") and not self.dialect.joins_look_ahead:
                so_far = replace(merged, names=dict(merged.names))
                conditions.append((join, Scope(dict(scope.names), scope.padded, so_far)))
        scope.merged = merged
        scopes = (scope, *outer)
        if self.dialect.language.rows_are_values:
            name_fields(select, scopes, self.fold, self.columns.named)
        self.columns.expand_stars(select, scope)
        number_groups(select, self.dialect)
        spell_distinct_out(select, self.dialect)
        spell_aliases_out(
            select, lambda name: any(self.columns.named(e, name) for e in scope.names.values()), self.dialect
        )
        leave_constants_out(select)
        name_outputs(select, self.dialect)
        order_by_names(select, self.dialect)
        for around, seen in (*((join.args["on"], seen) for join, seen in conditions), (select, scope)):
            for node in own_nodes(around):
                if isinstance(node, exp.Column):
                    self.columns.place(node, (seen, *outer))
        for inner in inner_queries(select):
            self.resolve(inner, scopes)
        return scope

    # -- WITH RECURSIVE -----------------------------------------------------------------------------------------------

    def _recursion(self, select: exp.Select, outer: Scopes) -> None:
        """The body first, then the SELECT around it of all columns."""
        (cte,) = select.args["with_"].expressions
        alias = self._free(self.fold(cte.args["alias"].this), {ascii_lower(name) for _, name in self.catalog.tables})
        self.recursions[select.meta[RECURSION]] = (cte, alias)
        body = unwrapped(cte.this)
        self.resolve(body, outer)
        names = self._found_names(cte)
        named = exp.to_identifier(alias, quoted=True)
        columns = [exp.to_identifier(name, quoted=True) for name in names]
        cte.set("this", body)
        cte.set("alias", exp.TableAlias(this=named, columns=columns))
        select.set("from_", exp.From(this=exp.Table(this=named.copy())))
        # No alias before them: what is outside cannot say them, and takes none for one of its own.
        found = [exp.Column(this=exp.to_identifier(name, quoted=True)) for name in names]
        select.set("expressions", [aliased(column, name) for column, name in zip(found, names, strict=True)])

    def _found_names(self, cte: exp.CTE) -> list[str]:
        """The names of a recursion's columns, as far as its first branch was resolved."""
        written = [as_written(one, self.dialect) for one in cte.args["alias"].args.get("columns") or ()]
        own = [name or f"column_{place}" for place, (name, _) in enumerate(outputs_of(unwrapped(cte.this)), start=1)]
        return [*written, *own[len(written) :]]

    def _open_found(self, node: exp.Table, scope: Scope) -> None:
        """What a recursion has found so far, in the FROM of its step."""
        cte, name = self.recursions[node.meta[RECURSION]]
        names = self._found_names(cte)
        alias = node.args.get("alias")
        written = self.fold(alias.this if alias is not None and alias.this is not None else node.this)
        entry = self._enter(node, scope, written, names)
        for own, column in zip(names, (alias.args.get("columns") if alias is not None else None) or (), strict=False):
            entry.columns.pop(own, None)
            entry.columns[self.fold(column)] = own
        node.set("this", exp.to_identifier(name, quoted=True))
        node.set("alias", exp.TableAlias(this=exp.to_identifier(entry.alias, quoted=True)))

    # -- FROM ---------------------------------------------------------------------------------------------------------

    def _open(self, node: exp.Expression, scope: Scope, outer: Scopes) -> Shown | None:
        """Enter an item's names; what it shows, where that is more than the columns of its entry."""
        lateral = isinstance(node, exp.Lateral)
        query = unwrapped(node.this) if isinstance(node, exp.Lateral | exp.Subquery) else None
        if isinstance(node, exp.Subquery) and isinstance(query, exp.Table | exp.Subquery):
            return self._open_joins(node, scope, outer)
        if isinstance(query, exp.Select | exp.SetOperation):
            self._open_query(node, query, scope, (scope, *outer) if lateral else outer)
        elif isinstance(node, exp.Table) and RECURSION in node.meta:
            self._open_found(node, scope)
        elif isinstance(node, exp.Table) and isinstance(node.this, exp.Identifier):
            self._open_table(node, scope)
        elif (call := call_of(node, self.dialect)) is not None:
            self._open_call(node, call, scope, outer)
        else:
            raise Refusal(
                Code.UNSUPPORTED,
                f"{words_of(node)} in FROM is not kept true.",
                instead="a table, or a subquery with an alias",
                place=place_of(node, self.dialect),
            )
        return None

    def _open_joins(self, node: exp.Subquery, scope: Scope, outer: Scopes) -> Shown | None:
        """Joins in parentheses: a subquery of all their columns, whose items keep their names outside, but for an alias of it."""
        if node.args.get("joins"):
            self._refuse_extra(node)
        first = node.this
        joins = first.args.get("joins")
        first.set("joins", None)
        select = exp.Select(expressions=[exp.Star()], from_=exp.From(this=first.copy()), joins=joins)
        inner = self._select(select, outer, inside=True)
        assert inner.merged is not None
        if node.args.get("alias"):
            self._open_query(node, select, scope, outer, inner.merged)
            return None
        every = [(entry.alias, real) for entry in inner.names.values() for real in entry.columns.values()]
        kept = {f"{one[0]}.{one[1]}": resolved_column(*one) for one in every if not self._is_unstable(*one)}
        outputs = inner.merged.outputs(kept)
        select.set("expressions", list(outputs.values()))
        rename_outputs(select, list(outputs))
        alias = self._free("joined")
        for written, entry in inner.names.items():
            if written in scope.names:
                self._refuse_extra(node)
            own = [(shown, f"{entry.alias}.{real}") for shown, real in entry.columns.items()]
            scope.names[written] = Entry(alias, {shown: real for shown, real in own if real in kept})
        node.set("this", select)
        node.set("alias", exp.TableAlias(this=exp.to_identifier(alias, quoted=True)))
        return inner.merged.outside(alias, kept, outputs)

    def _is_unstable(self, alias: str, name: str) -> bool:
        return alias in self.calls and name in self.calls[alias].unstable

    def _open_query(
        self, node: exp.Expression, query: exp.Expression, scope: Scope, seen: Scopes, joined: Merged | None = None
    ) -> None:
        """Enter a subquery, or what is `joined` in parentheses."""
        extra = [key for key, value in node.args.items() if value and key not in ("this", "alias")]
        if extra and not (isinstance(node, exp.Lateral) and set(extra) <= {"view", "outer"}):
            self._refuse_extra(node)
        if node.meta.get(SCOPE):
            self.surroundings[node.meta[SCOPE]] = seen
        owner = query.meta.get(OWNER)
        if joined is None:
            self.resolve(query, seen if owner is None else self.surroundings[owner])
        alias = node.args.get("alias")
        if alias is not None and alias.args.get("columns"):
            rename_outputs(
                query,
                [as_written(column, self.dialect) for column in alias.args["columns"]],
            )
        written = self.fold(alias.this) if alias is not None and alias.this is not None else ""
        names = [name for name, _ in outputs_of(query)]
        doubled = joined is not None and joined.doubled
        entry = self._enter(node, scope, written or "subquery", names, doubled=doubled)
        node.set("this", query if isinstance(node, exp.Subquery) else exp.Subquery(this=query))
        node.set("alias", exp.TableAlias(this=exp.to_identifier(entry.alias, quoted=True)))

    def _open_call(self, node: exp.Expression, call: Call, scope: Scope, outer: Scopes) -> None:
        """A function, whose arguments see what stands left of it."""
        function = known_function(call, node, self.dialect, self.catalog.routines)
        for argument in call.arguments:
            for column in list(argument.find_all(exp.Column)):
                self.columns.place(column, (scope, *outer))
        written = self.fold(call.alias) if call.alias is not None else call.name
        entry = self._enter(node, scope, written, [])
        named = [as_written(column, self.dialect) for column in call.columns]
        opened = self.calls[entry.alias] = name_columns(call, function, written, named, self.dialect)
        # A name that stands twice cannot be said.
        entry.columns.update({name: name for name in opened.columns if opened.columns.count(name) == 1})
        put_in_place(node, call, entry.alias, opened, self.dialect)

    def _open_table(self, node: exp.Table, scope: Scope) -> None:
        extra = [key for key, value in node.args.items() if value and key not in ("this", "db", "alias")]
        if extra:
            self._refuse_extra(node, *AT_TABLES.get(extra[0], ()))
        table = self._find(node)
        alias = node.args.get("alias")
        written = self.fold(alias.this if alias is not None and alias.this is not None else node.this)
        entry = self._enter(node, scope, written, [column.name for column in table.columns])
        for position, column in enumerate((alias.args.get("columns") if alias is not None else None) or ()):
            if position < len(table.columns):
                entry.columns.pop(table.columns[position].name)
                entry.columns[self.fold(column)] = table.columns[position].name
        self.tables[entry.alias] = table
        node.set("this", named_again(node.this, table.name))
        node.set("db", exp.to_identifier(table.schema, quoted=True) if table.schema else None)
        node.set("alias", exp.TableAlias(this=exp.to_identifier(entry.alias, quoted=True)))

    def _refuse_extra(
        self, node: exp.Expression, why: str = PLAIN, instead: str = "a table's name with an alias"
    ) -> None:
        raise Refusal(Code.UNSUPPORTED, why, instead=instead, place=place_of(node, self.dialect))

    def _enter(
        self, node: exp.Expression, scope: Scope, written: str, names: list[str], *, doubled: bool = False
    ) -> Entry:
        if written in scope.names:
            raise Refusal(
                Code.UNSUPPORTED,
                f"The name {written} stands twice in FROM.",
                instead="a different alias for each",
                place=place_of(node, self.dialect),
            )
        alias = self._free(written)
        columns = {name: name for name in names if name and names.count(name) == 1}
        doubled |= len({self.dialect.fold(name) for name in names if name}) < len([name for name in names if name])
        entry = Entry(alias, columns, 0 < len(names) == len(columns) and not is_renamed(node), doubled)
        scope.names[written] = entry
        return entry

    def _free(self, written: str, taken: Collection[str] = ()) -> str:
        """An alias that nothing in the query has, and that is none of the names that are `taken`."""
        alias, number = written, 2
        while alias in self.aliases or alias in taken or is_of_triggers(alias, self.dialect):
            alias, number = f"{written}_{number}", number + 1
        self.aliases.add(alias)
        return alias

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
            near = tell_near(node.name, [table.label for table in self.catalog.tables.values()])
            instead = f"one of the tables that exist: {near}" if near else "create the table first"
            place = place_of(node, self.dialect)
            raise Refusal(Code.UNKNOWN_TABLE, f"There is no table {node.name}.", instead=instead, place=place)
        return found
