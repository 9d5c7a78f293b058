"""Which declarations read which: the order in which derived tables of one project are compiled.

Owns: `chain`, the declarations in order, each after those that it reads, and `with_read`, some of them. A query reads a derived
table when it names its public view, itself or through a view of the user's. Promises: a cycle is refused with everything that is
on it; so is reading what is installed but not declared any more, naming everybody who does. Judges nothing else: a query that
cannot be parsed reads nothing here and is refused where it is compiled.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from tidemark.dialect import Dialect
from tidemark.errors import Code, Refusal
from tidemark.model import Catalog, Declaration, Table
from tidemark.query.home import home_of
from tidemark.query.inline import fold
from tidemark.query.nodes import nodes_of
from tidemark.query.parse import read_tree


@dataclass(frozen=True)
class Link:
    """A declaration, and the names of the derived tables that it reads or keeps columns of, in the order of first use."""

    declaration: Declaration
    reads: tuple[str, ...]


def chain(
    declarations: Sequence[Declaration], catalog: Catalog, dialect: Dialect, gone: Mapping[str, str] | None = None
) -> tuple[Link, ...]:
    """The declarations, each after those that it reads; else in the order of declaring.

    `gone` are derived tables that are installed and not declared, with the name that each of them has now, if any. Raises
    `Refusal` (``cycle``, ``upstream-gone``).
    """
    homes = {name: catalog.homes.get(name, next(iter(catalog.search_path), "")) for name in gone or {}}
    homes |= {one.name: home_of(one, catalog) for one in declarations if offers_view(one, declarations)}
    reader = _Reader(catalog, dialect, homes)
    links: dict[str, Link] = {}
    lost: dict[str, list[str]] = {}
    for one in declarations:
        found = tuple(reader.read(one.query_for(dialect.name) or "", frozenset()) | reader.named(one.columns_of or ""))
        for name in found:
            if name in (gone or {}):
                lost.setdefault(name, []).append(one.name)
        links[one.name] = Link(one, tuple(name for name in found if name not in (gone or {})))
    for name, by in lost.items():
        _refuse_lost(name, by, (gone or {})[name])
    ordered: dict[str, Link] = {}
    for name in links:
        _place(name, links, ordered, ())
    return tuple(ordered.values())


def with_read(names: Iterable[str], links: Sequence[Link]) -> tuple[Link, ...]:
    """Those of that name, and what they read, in the same order."""
    wanted = set(names)
    for link in reversed(links):
        wanted |= set(link.reads) if link.declaration.name in wanted else set()
    return tuple(link for link in links if link.declaration.name in wanted)


def offers_view(declaration: Declaration, declarations: Sequence[Declaration]) -> bool:
    """Whether the declaration's name is a view that others can read, and not rows of a table of the user's."""
    others = {one.name for one in declarations}
    return declaration.rows_of is None and (declaration.columns_of is None or declaration.columns_of in others)


def _refuse_lost(name: str, by: Sequence[str], now: str) -> None:
    verb = "reads" if len(by) == 1 else "read"
    if now:
        raise Refusal(
            Code.UPSTREAM_GONE,
            f"{name} is called {now} now, and {', '.join(by)} {verb} it under its old name.",
            instead=f"FROM {now}",
            derived=by[0],
        )
    raise Refusal(
        Code.UPSTREAM_GONE,
        f"{name} is not declared any more, and {', '.join(by)} {verb} it.",
        instead=f"put the declaration of {name} back, or take {', '.join(by)} away with it",
        derived=by[0],
    )


def _place(name: str, links: Mapping[str, Link], ordered: dict[str, Link], way: tuple[str, ...]) -> None:
    if name in ordered:
        return
    if name in way:
        circle = (*way[way.index(name) :], name)
        raise Refusal(
            Code.CYCLE,
            f"{' reads '.join(circle)}: none of them could be computed first.",
            instead="the tables that the other one reads",
            derived=circle[0],
        )
    for read in links[name].reads:
        _place(read, links, ordered, (*way, name))
    ordered[name] = links[name]


class _Reader:
    """Finds derived tables in texts of queries."""

    def __init__(self, catalog: Catalog, dialect: Dialect, homes: Mapping[str, str]) -> None:
        self._catalog = catalog
        self._dialect = dialect
        self._homes = homes
        self._names = {dialect.fold(name): name for name in homes}

    def read(self, query: str, inside: frozenset[str]) -> dict[str, None]:
        """Names of derived tables that a query reads, each once. `inside` are the views that led here."""
        found: dict[str, None] = {}
        for schema, name in named_tables(query, self._dialect):
            table = self._meant(name, schema)
            if isinstance(table, str):
                found[table] = None
            elif table is not None and table.definition is not None and table.label not in inside:
                found.update(self.read(table.definition, inside | {table.label}))
        return found

    def _meant(self, name: str, schema: str) -> Table | str | None:
        """What a query means by a name: a table or view of the user's, or the name of a derived table."""
        known = self._names.get(self._dialect.fold(name))
        if not self._dialect.has_schemas:
            return self._catalog.find(name, schema) or (known if schema in ("", "main") else None)
        for place in (schema,) if schema else self._catalog.search_path:
            table = self._catalog.tables.get((place, name)) or (
                known if known and self._homes[known] == place else None
            )
            if table is not None:
                return table
        return None

    def named(self, name: str) -> dict[str, None]:
        """The derived table of that name, with its schema or without, if there is one."""
        known = self._names.get(self._dialect.fold(name))
        if known is None and "." in name:
            schema, _, bare = name.rpartition(".")
            known = bare if self._homes.get(bare) == schema else None
        return {known: None} if known is not None else {}


def named_tables(query: str, dialect: Dialect) -> list[tuple[str, str]]:
    """(schema, name) of everything that stands in FROM somewhere in the query, as the engine looks it up, but for names that
    the query gives to common table expressions; nothing when it cannot be parsed."""
    try:
        tree = read_tree(query, dialect)
    except (RecursionError, Refusal):
        return []
    found = []
    for node in nodes_of(tree, exp.Table):
        if isinstance(node.this, exp.Identifier):
            name, schema = fold(node.this, dialect), node.args.get("db")
            if schema is not None or name not in set(_given_names(node, dialect)):
                found.append((fold(schema, dialect) if schema is not None else "", name))
    return list(dict.fromkeys(found))


def _given_names(node: exp.Expression, dialect: Dialect) -> Iterator[str]:
    """The names of common table expressions that can be meant at a node."""
    here: exp.Expr | None = node
    while here is not None:
        for with_ in (value for value in here.args.values() if isinstance(value, exp.With)):
            for given in with_.expressions:
                # What stands inside means something else, unless it repeats itself.
                if with_.args.get("recursive") or not _is_inside(node, given):
                    yield fold(given.args["alias"].this, dialect)
        here = here.parent


def _is_inside(node: exp.Expression, around: exp.Expression) -> bool:
    here: exp.Expr | None = node
    while here is not None and here is not around:
        here = here.parent
    return here is around
