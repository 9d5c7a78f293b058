"""The shapes of queries by name: one operator kind each, drawn at random over a world.

Owns: the registry `SHAPES` and what all shapes are made of. Promises: a query of a shape has the key that is declared for
it at every state of its sources, and exactly one answer at every state: whatever could tie is ordered to the end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from tests.simulation.queries import Draft, Queries
from tests.simulation.relations import Relation, quote
from tests.simulation.unlike import SHOWN

ALL = ("sqlite", "postgres")
PLAIN = ("int", "text", "bigint", "date", "timestamp", "numeric", *SHOWN)
Draw = Callable[["Parts"], Draft]


@dataclass(frozen=True)
class Shape:
    """A kind of query. `options` are those of its declaration; `engines` those that have the syntax."""

    name: str
    draw: Draw
    engines: tuple[str, ...] = ALL
    options: Mapping[str, Any] = field(default_factory=dict)


SHAPES: dict[str, Shape] = {}


def shape(name: str, *engines: str, **options: Any) -> Callable[[Draw], Draw]:
    """Register a way to draw queries under a name."""

    def register(draw: Draw) -> Draw:
        SHAPES[name] = Shape(name, draw, engines or ALL, MappingProxyType(options))
        return draw

    return register


@dataclass(frozen=True)
class Column:
    """A piece of a select list: an expression and the name of its output."""

    expression: str
    name: str

    @property
    def text(self) -> str:
        """``expression AS "name"``."""
        return f"{self.expression} AS {quote(self.name)}"


def listed(*columns: Column) -> str:
    """A select list."""
    return ", ".join(one.text for one in columns)


class Parts:
    """What shapes are made of, over the world of some queries."""

    def __init__(self, queries: Queries) -> None:
        self.queries = queries
        self.rng = queries.rng
        self.scalars = queries.scalars
        self.postgres = queries.postgres

    def chance(self, probability: float) -> bool:
        """True with that probability."""
        return self.rng.random() < probability

    def name(self) -> str:
        """A new name."""
        return self.queries.names.name()

    def table(self, other_than: Relation | None = None) -> Relation:
        """A table whose primary key identifies its rows for sure. Raises LookupError."""
        found = [one for one in self.queries.world.relations if one.is_identified]
        if not found:
            raise LookupError("no key without NULL")
        others = [one for one in found if one is not other_than]
        return self.rng.choice(others if others and self.chance(0.85) else found)

    def child(self, universe: Relation) -> Relation:
        """A table whose rows can belong to those of another."""
        return self.queries.other_table(universe)

    def link(self, universe: Relation, child: Relation, outer: str, inner: str) -> str:
        """Equalities between the key of one and columns of the other. Raises LookupError."""
        return self.queries.link(universe, child, outer, inner)

    def single_link(self, keyed: Relation, other: Relation, outer: str, inner: str) -> str:
        """The same, met by one row of the first at most. Raises LookupError."""
        return self.queries.single_link(keyed, other, outer, inner)

    def key(self, table: Relation, alias: str) -> list[Column]:
        """The primary key under new names."""
        return [Column(f"{alias}.{quote(name)}", self.name()) for name in table.key]

    def term(self, table: Relation, alias: str, kinds: tuple[str, ...] = PLAIN, plain: float = 0.6) -> Column:
        """An expression over one table under a new name. Raises LookupError."""
        return Column(self.scalars.expression(table, kinds, alias, plain)[0], self.name())

    def terms(self, table: Relation, alias: str, most: int = 2) -> list[Column]:
        """None or some expressions over one table."""
        every = table.kinds
        return [self.term(table, alias, every, 0.5) for _ in range(self.rng.randint(0, most))]

    def column(self, table: Relation, alias: str, kinds: tuple[str, ...] = PLAIN) -> str:
        """A bare column. Raises LookupError."""
        found = table.of_kind(*kinds)
        if not found:
            raise LookupError(kinds)
        return f"{alias}.{self.rng.choice(found).quoted}"

    def aggregate(self, table: Relation, alias: str) -> Column:
        """An aggregate over the rows of a group under a new name."""
        return Column(self.queries.aggregate(table, alias), self.name())

    def where(self, table: Relation, alias: str, probability: float = 0.4) -> str:
        """`` WHERE …`` or nothing."""
        return self.queries.where(table, alias, probability)

    def condition(self, table: Relation, alias: str, probability: float = 0.4) -> str:
        """`` AND …`` or nothing."""
        return f" AND {self.scalars.predicate(table, alias)}" if self.chance(probability) else ""

    def few(self, table: Relation, alias: str) -> str:
        """A condition that few rows pass: products of whole tables only take time."""
        return f"{self.column(table, alias, ('int',))} = {self.rng.randint(0, 3)}"

    def order(self, table: Relation, alias: str) -> str:
        """A total order of the rows of a table."""
        first = self.column(table, alias, ("int", "date", "timestamp", "numeric", "bigint"))
        key = ", ".join(f"{alias}.{quote(name)}" for name in table.key)
        return f"{first} {self.rng.choice(('DESC', 'ASC'))}, {key}"


def draft(query: str, key: list[Column], *tables: Relation) -> Draft:
    """A query with the names of its key."""
    return Draft(query, tuple(one.name for one in key), tables)


def by_sets(
    parts: Parts, by: str, named: list[str], rows: str, figures: Callable[[], list[Column]]
) -> tuple[str, list[Column]]:
    """Figures of rows by sets of columns, and what identifies each."""
    key = [Column(name, parts.name()) for name in (*named, f"grouping({', '.join(named)})")]
    having = f" HAVING count(*) > {parts.rng.randint(0, 2)}" if parts.chance(0.2) else ""
    return f"SELECT {listed(*key, *figures())} FROM {rows} GROUP BY {by}{having}", key


def beside_total(parts: Parts, one: str, rows: str, figures: Callable[[], list[Column]]) -> tuple[str, list[Column]]:
    """Figures of rows by a column and of all of them, and what identifies each."""
    key = [Column(one, parts.name()), Column("1", parts.name())]
    every = figures()
    total = ", ".join(["NULL", "2", *(column.expression for column in every)])
    return f"SELECT {listed(*key, *every)} FROM {rows} GROUP BY {one} UNION ALL SELECT {total} FROM {rows}", key
