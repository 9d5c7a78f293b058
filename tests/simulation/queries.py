"""Random queries of the supported grammar, with their key.

Owns: the five families ``copy``, ``group``, ``total``, ``universe`` and ``keyed``. Promises: every query has the key that is
declared for it, at every state of its sources; the other shapes are made of the same parts.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.simulation import unlike
from tests.simulation.case import Derived
from tests.simulation.relations import Field, Relation, quote
from tests.simulation.scalars import NUMBERS, Scalars
from tests.simulation.worlds import Builder, World


@dataclass(frozen=True)
class Draft:
    """A query before it has a name; `options` are those of its declaration."""

    query: str
    key: tuple[str, ...]
    tables: tuple[Relation, ...]
    options: Mapping[str, Any] = field(default_factory=dict)


class Queries:
    """Draws queries over one world."""

    def __init__(self, rng: random.Random, world: World) -> None:
        self.rng = rng
        self.world = world
        self.scalars = Scalars(rng, world)
        self.names = Builder(rng, world.engine, is_unlike=False)
        self.names.taken |= world.taken
        self.postgres = world.engine == "postgres"
        self.offered: list[Derived] = []

    def draft(self, family: str) -> Draft:
        """A query of one of the five families. Raises LookupError when this world has no table for it."""
        found: Draft = getattr(self, f"_{family}")()
        return found

    def table(self) -> Relation:
        """Any table."""
        return self.rng.choice(self.world.relations)

    def other_table(self, table: Relation) -> Relation:
        """Mostly another table than this one, one that refers to it if there is any."""
        others = [one for one in self.world.relations if one is not table]
        children = [one for one in others if any(link.parent == table.name for link in one.references)]
        if not others or self.scalars.chance(0.15):
            return table
        return self.rng.choice(children if children and self.scalars.chance(0.7) else others)

    def keyed_table(self) -> Relation:
        """A table whose primary key identifies its rows. Raises LookupError when there is none."""
        tables = [table for table in self.world.relations if table.is_identified]
        if not tables:
            raise LookupError("no primary key")
        return self.rng.choice(tables)

    def output(self) -> str:
        """A new name for an output column, quoted."""
        return quote(self.names.name())

    def where(self, table: Relation, alias: str = "", probability: float = 0.5) -> str:
        """`` WHERE …`` or nothing."""
        return f" WHERE {self.scalars.predicate(table, alias)}" if self.scalars.chance(probability) else ""

    def _copy(self) -> Draft:
        table = self.keyed_table()
        columns: list[str] = []
        key: list[str] = []
        for name in table.key:
            if self.scalars.chance(0.3):
                renamed = self.names.name()
                columns.append(f"{quote(name)} AS {quote(renamed)}")
                key.append(renamed)
            else:
                columns.append(quote(name))
                key.append(name)
        for _ in range(self.rng.randint(0, 4)):
            expression, _kind = self.scalars.expression(table, table.kinds)
            columns.append(f"{expression} AS {self.output()}")
        query = f"SELECT {', '.join(columns)} FROM {table.quoted}{self.where(table, probability=0.7)}"
        return Draft(query, tuple(key), (table,))

    def _group(self) -> Draft:
        table = self.table()
        alias = "g" if self.scalars.chance(0.3) else ""
        terms: list[str] = []
        keys: list[str] = []
        for _ in range(self.rng.choice((1, 1, 2))):
            kinds = ("int", "text", "bigint", "boolean", "date", "timestamp", "numeric", *unlike.SHOWN)
            expression, _kind = self.scalars.expression(table, kinds, alias, plain=0.7)
            if expression not in terms:
                terms.append(expression)
                keys.append(self.names.name())
        columns = [f"{term} AS {quote(key)}" for term, key in zip(terms, keys, strict=True)]
        columns += [f"{self.aggregate(table, alias)} AS {self.output()}" for _ in range(self.rng.randint(1, 4))]
        having = f" HAVING {self.aggregate(table, alias)} IS NOT NULL" if self.scalars.chance(0.06) else ""
        source = f"{table.quoted} {alias}".rstrip()
        query = (
            f"SELECT {', '.join(columns)} FROM {source}{self.where(table, alias)} GROUP BY {', '.join(terms)}{having}"
        )
        return Draft(query, tuple(keys), (table,))

    def _total(self) -> Draft:
        table = self.table()
        columns = [f"{self.aggregate(table)} AS {self.output()}" for _ in range(self.rng.randint(1, 4))]
        return Draft(f"SELECT {', '.join(columns)} FROM {table.quoted}{self.where(table)}", (), (table,))

    def aggregate(self, table: Relation, alias: str = "") -> str:
        """An aggregate expression over the rows of a group."""
        found = self._aggregate(table, alias)
        own = random.Random(f"{found} {self.rng.getstate()[1][-1]}")
        # By a generator of its own, so that the rest of a program stays as it is.
        if self.postgres or not self.world.is_unlike or own.random() > unlike.COLLATED:
            return found
        values = unlike.DOMAINS["sqlite"]["any"] + unlike.DOMAINS["sqlite"]["text"]
        return f"(({found}) {own.choice(unlike.COMPARISONS)} {own.choice(values)})"

    def _aggregate(self, table: Relation, alias: str) -> str:
        plain = self._simple_aggregate(table, alias)
        shape = self.rng.randrange(10)
        if shape == 0:
            return f"count(*) > {self.rng.randint(0, 2)}"
        if shape == 1:
            return f"coalesce({self._number(table, alias, 'sum')}, 0)"
        if shape == 2:
            return f"{self._number(table, alias, 'sum')} + count(*)"
        if shape == 3:
            return f"{self._number(table, alias, 'max')} - {self._number(table, alias, 'min')}"
        return plain

    def _simple_aggregate(self, table: Relation, alias: str) -> str:
        scalars = self.scalars
        every = table.kinds
        ordered = tuple(kind for kind in every if kind not in unlike.UNORDERED)
        shapes = ["count(*)", "filter", "case", "count", "sum", "sum", "avg", "min", "max", "max"]
        shapes += ["bool", "bool"] if self.postgres else ["total"]
        shape = self.rng.choice(shapes)
        if shape == "count(*)":
            return "count(*)"
        if shape == "filter":
            inner = "count(*)" if scalars.chance(0.5) else self._number(table, alias, self.rng.choice(("sum", "max")))
            return f"{inner} FILTER (WHERE {scalars.predicate(table, alias)})"
        if shape == "case":
            condition = scalars.predicate(table, alias)
            return (
                f"sum(CASE WHEN {condition} THEN {self.rng.choice(('1', '2'))} {self.rng.choice(('ELSE 0 ', ''))}END)"
            )
        if shape == "count":
            return f"count({scalars.expression(table, every, alias)[0]})"
        if shape in ("min", "max"):
            return f"{shape}({scalars.expression(table, ordered, alias, plain=0.7)[0]})"
        if shape == "bool":
            return f"{self.rng.choice(('bool_or', 'bool_and'))}({scalars.predicate(table, alias)})"
        return self._number(table, alias, shape)

    def _number(self, table: Relation, alias: str, function: str) -> str:
        return f"{function}({self._numeric(table, alias)})"

    def _numeric(self, table: Relation, alias: str) -> str:
        expression, kind = self.scalars.expression(table, NUMBERS, alias, plain=0.7)
        if kind == "text":
            return f"length({expression})"
        return expression

    def _universe(self) -> Draft:
        universe = self.keyed_table()
        key = list(universe.key)
        columns = [f"u.{quote(name)}" for name in key]
        copied = [one for one in universe.fields if one.name not in key]
        for one in self.rng.sample(copied, min(len(copied), self.rng.choice((0, 0, 1, 2)))):
            columns.append(f"u.{one.quoted} AS {self.output()}")
        tables = [universe]
        for _ in range(self.rng.randint(1, 4)):
            child, column = self.correlated(universe)
            tables.append(child)
            columns.append(f"{column} AS {self.output()}")
        query = f"SELECT {', '.join(columns)} FROM {universe.quoted} u{self.where(universe, 'u', 0.35)}"
        return Draft(query, tuple(key), tuple(tables))

    def link(self, universe: Relation, child: Relation, outer: str, inner: str, single: bool = False) -> str:
        """Equalities that tie a child to each column of the universe's key, one that a row of the child meets once where it is
        `single`. Raises LookupError."""
        terms = []
        for name in universe.key:
            wanted = universe.field(name)
            known = [one.field for one in child.references if one.parent == universe.name]
            fields = self.partners(wanted, child, single)
            if not fields:
                raise LookupError("nothing to correlate")
            chosen = self.rng.choice([one for one in fields if one.name in known] or fields)
            side = f"{inner}.{chosen.quoted}"
            if self.world.is_unlike and not (single or self.postgres) and self.scalars.chance(0.15):
                side = self.rng.choice((f"CAST({side} AS {self.rng.choice(unlike.SQLITE_CASTS)})", f"+{side}"))
            terms.append(f"{side} = {outer}.{wanted.quoted}")
        return " AND ".join(terms)

    def single_link(self, keyed: Relation, other: Relation, outer: str, inner: str) -> str:
        """The same with the key on the left: SQLite compares as the left side does, and where that ignores case, a key that
        does not could be met twice."""
        terms = self.link(keyed, other, outer, inner, single=True).split(" AND ")
        return " AND ".join(" = ".join(reversed(term.split(" = "))) for term in terms)

    def partners(self, wanted: Field, child: Relation, single: bool) -> list[Field]:
        """Columns of a table that are of one kind with another, or of one that is compared with it."""
        engine = self.world.engine
        if self.world.is_unlike and self.scalars.chance(0.5):
            found = unlike.partners(engine, wanted, child.fields)
        else:
            found = [one for one in child.fields if one.kind == wanted.kind]
        if not single or not self.world.is_unlike:
            return found
        return [one for one in found if unlike.meets_one(engine, wanted, one)]

    def correlated(self, universe: Relation) -> tuple[Relation, str]:
        child = self.other_table(universe) if self.scalars.chance(0.7) else self.table()
        condition = self.link(universe, child, "u", "f")
        if self.scalars.chance(0.5):
            condition += f" AND {self.scalars.predicate(child, 'f')}"
        source = f"FROM {child.quoted} f WHERE {condition}"
        shape = self.rng.randrange(8)
        if shape == 0:
            return child, f"EXISTS (SELECT 1 {source})"
        if shape == 1:
            return child, f"NOT EXISTS (SELECT 1 {source})"
        if shape == 2:
            expression, kind = self.scalars.expression(
                child, ("int", "bigint", "timestamp", "date", "text"), "f", plain=0.8
            )
            return child, f"coalesce((SELECT max({expression}) {source}), {self.scalars.literal(kind)})"
        if shape == 3:
            return child, f"coalesce((SELECT sum({self._numeric(child, 'f')}) {source}), 0)"
        if shape in (4, 5):
            return child, f"(SELECT count(*) {source})"
        return child, f"(SELECT {self._simple_aggregate(child, 'f')} {source})"

    def _keyed(self) -> Draft:
        shapes = (self._join, self._left_join, self._filtered, self._distinct, self._grouped_join)
        return self.rng.choice(shapes)()

    def _pair(self) -> tuple[Relation, Relation, str]:
        """A table, a table with a key, and the equality of one column with that key."""
        right = self.keyed_table()
        left = self.other_table(right)
        return left, right, self.single_link(right, left, "b", "a")

    def _join(self) -> Draft:
        left, right, link = self._pair()
        if not left.is_identified:
            raise LookupError("no key")
        key = [self.names.name() for _ in left.key]
        columns = [f"a.{quote(name)} AS {quote(new)}" for name, new in zip(left.key, key, strict=True)]
        columns.append(f"{self.scalars.expression(right, right.kinds, 'b')[0]} AS {self.output()}")
        columns.append(f"{self.scalars.expression(left, left.kinds, 'a')[0]} AS {self.output()}")
        where = self.where(self.rng.choice((left, right)), "", 0.0)
        if self.scalars.chance(0.5):
            side, alias = self.rng.choice(((left, "a"), (right, "b")))
            where = self.where(side, alias, 1.0)
        query = f"SELECT {', '.join(columns)} FROM {left.quoted} a JOIN {right.quoted} b ON {link}{where}"
        return Draft(query, tuple(key), (left, right))

    def _left_join(self) -> Draft:
        draft = self._join()
        return Draft(draft.query.replace(" a JOIN ", " a LEFT JOIN ", 1), draft.key, draft.tables)

    def _filtered(self) -> Draft:
        universe = self.keyed_table()
        child = self.other_table(universe)
        condition = self.link(universe, child, "u", "f")
        if len(universe.key) == 1 and self.scalars.chance(0.4):
            inner = condition.split(" = ")[0]
            test = f"u.{quote(universe.key[0])} IN (SELECT {inner} FROM {child.quoted} f{self.where(child, 'f')})"
        else:
            extra = f" AND {self.scalars.predicate(child, 'f')}" if self.scalars.chance(0.5) else ""
            negation = self.rng.choice(("", "NOT "))
            test = f"{negation}EXISTS (SELECT 1 FROM {child.quoted} f WHERE {condition}{extra})"
        columns = [f"u.{quote(name)}" for name in universe.key]
        other = self.scalars.expression(universe, universe.kinds, "u")[0]
        query = f"SELECT {', '.join(columns)}, {other} AS {self.output()} FROM {universe.quoted} u WHERE {test}"
        return Draft(query, universe.key, (universe, child))

    def _distinct(self) -> Draft:
        table = self.table()
        kinds = table.kinds
        term = self.scalars.expression(table, ("int", "text"), plain=0.9)[0]
        key = self.names.name()
        columns = [
            f"{term} AS {quote(key)}",
            f"count(DISTINCT {self.scalars.expression(table, kinds)[0]}) AS {self.output()}",
        ]
        columns.append(f"{self.aggregate(table)} AS {self.output()}")
        query = f"SELECT {', '.join(columns)} FROM {table.quoted}{self.where(table)} GROUP BY {term}"
        return Draft(query, (key,), (table,))

    def _grouped_join(self) -> Draft:
        left, right, link = self._pair()
        side, alias = self.rng.choice(((left, "a"), (right, "b")))
        term = self.scalars.expression(side, ("int", "text"), alias, plain=0.9)[0]
        other, name = (right, "b") if alias == "a" else (left, "a")
        key = self.names.name()
        columns = [f"{term} AS {quote(key)}", f"{self.aggregate(other, name)} AS {self.output()}"]
        columns.append(f"{self.aggregate(side, alias)} AS {self.output()}")
        where = self.where(left, "a")
        join = self.rng.choice(("JOIN", "JOIN", "LEFT JOIN"))
        source = f"{left.quoted} a {join} {right.quoted} b ON {link}"
        return Draft(f"SELECT {', '.join(columns)} FROM {source}{where} GROUP BY {term}", (key,), (left, right))
