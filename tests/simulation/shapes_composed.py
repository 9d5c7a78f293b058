"""A shape that is put together: subqueries in subqueries, of joins of every kind and trees of them, groups,
unions, windows, tests of existence and operators without parentheses.

Owns: that entry of `SHAPES`. Promises: as `shapes`, but that there is no key: rows are compared as a bag. Only kinds of values
are drawn whose equal values are the same, so that a query has one answer however deep it goes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from tests.simulation.case import COMPOSED
from tests.simulation.chained import Chains
from tests.simulation.joined import KINDS, Items, Joiner, Side, drawable
from tests.simulation.queries import Draft
from tests.simulation.relations import Field, Relation
from tests.simulation.shapes import Column, Parts, draft, listed, shape

DEPTH = 2
LENGTH_MAX = 1_800
TREES = 0.4
"""So many FROMs are trees of joins."""
CHAINS = 0.2
"""So many tests and numbers are operators without parentheses."""
STARS = 0.3
"""So many trees are shown by ``*``."""
OTHERWISE = {
    "sqlite": {
        "int": ("CAST({} AS TEXT)", "NULL", "'1'"),
        "bigint": ("CAST({} AS TEXT)", "NULL"),
        "text": ("length({})", "NULL", "CAST({} AS BLOB)"),
        "date": ("length({})", "NULL"),
    },
    "postgres": {
        "int": (
            "CAST({} AS smallint)",
            "CAST({} AS bigint)",
            "CAST({} AS numeric)",
            "CAST({} AS double precision)",
            "NULL",
        ),
        "bigint": ("CAST({} AS numeric)", "NULL"),
        "text": ("CAST({} AS varchar(2))", "CAST({} AS char(3))", "NULL"),
        "date": ("CAST({} AS timestamp)", "NULL"),
        "boolean": ("NULL",),
        "document": ("NULL",),
        "moment": ("NULL",),
    },
}
"""What a branch of several may give instead of a value: one of another type, as far as the engine puts them together."""

MADE = ("boolean", "document", "moment")
"""Kinds of columns that branches of PostgreSQL have besides: they are made of others, and nothing around them names them."""
MAKING = 0.4


@dataclass(frozen=True)
class Inner(Relation):
    """A subquery in FROM, as a relation of its columns."""

    text: str = ""

    @property
    def quoted(self) -> str:
        """The subquery in parentheses."""
        return f"({self.text})"


@shape(COMPOSED, allow_global=True)
def _composed(parts: Parts) -> Draft:
    if parts.queries.world.is_unlike:
        raise LookupError("equal values that differ")
    composer = _Composer(parts)
    text, fields = composer.query(parts.rng.choice((0, 1, 1, DEPTH)), whole=True)
    if len(text) > LENGTH_MAX or not fields:
        raise LookupError("too long")
    if parts.chance(0.1) and len(drawable(tuple(fields))) == len(fields):
        text += (
            f" ORDER BY {', '.join(str(place) for place in range(1, len(fields) + 1))} LIMIT {parts.rng.randint(1, 4)}"
        )
    return draft(text, [], *composer.tables)


class _Composer:
    """Composes one query."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.rng = parts.rng
        self.tables: list[Relation] = []
        self.aliases = 0
        self.postgres = parts.postgres
        self.chains = Chains(parts.scalars, parts.postgres)
        self.wholes: dict[str, tuple[Field, ...]] = {}

    def query(self, depth: int, kinds: tuple[str, ...] = (), *, whole: bool = False) -> tuple[str, list[Field]]:
        """A SELECT, or several combined, with its columns; of these `kinds` where they are given. It may be the `whole`."""
        if not depth or not self.parts.chance(0.2):
            return self.block(depth, kinds, starred=not kinds)
        text, fields = self.block(depth - 1, kinds)
        if self.postgres and not kinds and self.parts.chance(MAKING):
            text, fields = self.block(
                depth - 1, (*(one.kind for one in fields if one.kind in KINDS), self.rng.choice(MADE))
            )
        wanted = tuple(field.kind for field in fields)
        # What SQLite compares a column of several types as, around them, is for its planner to choose.
        mixed = (self.postgres or whole) and self.parts.chance(0.4)
        for _ in range(self.rng.choice((1, 1, 1, 2))):
            verb = self.rng.choice(("UNION", "UNION ALL", "EXCEPT", "INTERSECT"))
            text += f" {verb} {self.block(depth - 1, wanted, mixed=mixed)[0]}"
        return text, fields

    def block(
        self, depth: int, kinds: tuple[str, ...], *, starred: bool = False, mixed: bool = False
    ) -> tuple[str, list[Field]]:
        """One SELECT with its columns."""
        if self.parts.chance(TREES):
            side = Joiner(self.parts, lambda: self.leaf(depth), self.equality).tree()
            rows, items = side.text, [*side.items, *([side.bare] if self.parts.chance(0.5) else [])]
            if starred and len(side.named) == len(side.star) and self.parts.chance(STARS):
                where = f" WHERE {self.condition(items)}" if self.parts.chance(0.3) else ""
                return f"SELECT * FROM {rows}{where}", list(side.star)
        else:
            rows, items = self.joined(depth)
        wanted = kinds or tuple(self.rng.choice(KINDS) for _ in range(self.rng.choice((1, 2, 2, 3))))
        where = f" WHERE {self.condition(items)}" if self.parts.chance(0.5) else ""
        if self.parts.chance(0.4):
            columns, group = self.groups(items, wanted)
            return self.select("SELECT", columns, f"{rows}{where}{group}")
        columns = [self.value(items, kind, depth) for kind in wanted]
        if mixed:
            columns = [(self.otherwise(text, kind), kind) for text, kind in columns]
        return self.select(self.rng.choice(("SELECT", "SELECT", "SELECT DISTINCT")), columns, f"{rows}{where}")

    def select(self, verb: str, columns: list[tuple[str, str]], rest: str) -> tuple[str, list[Field]]:
        named = [(Column(text, self.parts.name()), kind) for text, kind in columns]
        fields = [Field(column.name, kind, "") for column, kind in named]
        return f"{verb} {listed(*(column for column, _ in named))} FROM {rest}", fields

    # -- FROM -----------------------------------------------------------------------------------------------------------

    def otherwise(self, text: str, kind: str) -> str:
        """A value, or one of another type."""
        forms = OTHERWISE["postgres" if self.postgres else "sqlite"][kind]
        return self.rng.choice(forms).format(text) if self.parts.chance(0.4) else text

    def relation(self, depth: int) -> Relation:
        """A table, or a subquery, with all its columns."""
        if depth and self.parts.chance(0.5):
            text, fields = self.query(depth - 1)
            return Inner("", tuple(fields), (), text=text)
        table = self.parts.queries.table()
        self.tables.append(table)
        return table

    def leaf(self, depth: int) -> Side:
        """What stands in a tree of joins."""
        text, alias, relation = self.item(max(0, depth - 1))
        return Side(text, ((alias, relation),), self.wholes[alias])

    def item(self, depth: int) -> tuple[str, str, Relation]:
        """What stands in FROM, its alias, and its columns."""
        self.aliases += 1
        alias, relation = f"x{self.aliases}", self.relation(depth)
        self.wholes[alias] = relation.fields
        return f"{relation.quoted} {alias}", alias, replace(relation, fields=drawable(relation.fields))

    def joined(self, depth: int) -> tuple[str, Items]:
        """FROM with one item or several."""
        text, alias, relation = self.item(depth)
        items = [(alias, relation)]
        for _ in range(self.rng.choice((0, 0, 1, 1, 2))):
            other, alias, relation = self.item(max(0, depth - 1))
            on = self.equality(items, [(alias, relation)])
            verb = self.rng.choice(("JOIN", "JOIN", "LEFT JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"))
            if verb != "FULL JOIN" and self.parts.chance(0.2):
                on += f" AND {self.test([*items, (alias, relation)])}"
            text += f" {verb} {other} ON {on}"
            items.append((alias, relation))
        return text, items

    def equality(self, left: Items, right: Items) -> str:
        """Two columns of one kind are equal. Raises LookupError."""
        say = self.parts.scalars.reference
        pairs = [
            (say(one, a), say(other, b))
            for a, mine in left
            for one in mine.fields
            for b, theirs in right
            for other in theirs.fields
            if one.kind == other.kind
        ]
        if not pairs:
            raise LookupError("nothing to join by")
        return " = ".join(self.rng.choice(pairs))

    def called(self, items: Items) -> Items:
        """Those of some items that an alias names: inside of a subquery a name alone may be one of its own."""
        return [one for one in items if one[0]]

    # -- values ---------------------------------------------------------------------------------------------------------

    def term(self, items: Items, kind: str) -> str:
        """An expression of that kind over one item, or a constant where no item has one."""
        if kind in MADE:
            return self.made(items, kind)
        found = [(alias, one) for alias, one in items if one.of_kind(kind)]
        if found and kind == "int" and self.parts.chance(CHAINS):
            alias, relation = self.rng.choice(found)
            return self.chains.number(relation, alias)
        for _ in range(4):
            if found:
                alias, relation = self.rng.choice(found)
                text, got = self.parts.scalars.expression(relation, (kind,), alias, 0.7)
                if got == kind:
                    return text
        return self.parts.scalars.literal(kind)

    def made(self, items: Items, kind: str) -> str:
        """An expression of a kind that no column has."""
        if kind == "boolean":
            return f"({self.test(items)})" if self.parts.chance(0.8) else self.rng.choice(("TRUE", "FALSE"))
        if kind == "moment":
            return f"(CAST({self.term(items, 'date')} AS timestamp) AT TIME ZONE 'UTC')"
        number, text = self.term(items, "int"), self.term(items, "text")
        return self.rng.choice(
            (f"to_jsonb({number})", f"jsonb_build_object('a', {number}, 'b', {text})", "jsonb '[1, null]'")
        )

    def value(self, items: Items, kind: str, depth: int) -> tuple[str, str]:
        """An expression with its kind: over one item, over a window, or of a subquery."""
        if kind in ("int", "bigint", "date") and self.parts.chance(0.12):
            source, inner, found = self.item(0)
            on = self.equality(self.called(items), [(inner, found)])
            return f"(SELECT max({self.term([(inner, found)], kind)}) FROM {source} WHERE {on})", kind
        if kind == "bigint" and depth < DEPTH and self.parts.chance(0.3):
            by = f"PARTITION BY {self.term(items, 'int')}"
            order = f" ORDER BY {self.term(items, 'date')}, {self.term(items, 'int')}"
            call = self.rng.choice(("count(*)", "rank()", "dense_rank()"))
            return f"{call} OVER ({by}{order if 'rank' in call or self.parts.chance(0.4) else ''})", kind
        return self.term(items, kind), kind

    def groups(self, items: Items, wanted: tuple[str, ...]) -> tuple[list[tuple[str, str]], str]:
        """Columns and GROUP BY, by places in the list; without any groups at times."""
        count = self.rng.choice((0, 1, 1, 1, min(2, len(wanted))))
        columns = [(self.term(items, kind), kind) for kind in wanted[:count]]
        columns += [(self.aggregate(items, kind), kind) for kind in wanted[count:]]
        group = f" GROUP BY {', '.join(str(place) for place in range(1, count + 1))}" if count else ""
        if group and self.parts.chance(0.3):
            group += f" HAVING {self.aggregate(items, 'bigint')} {self.rng.choice(('>', '<=', '<>'))} {self.rng.randint(0, 2)}"
        return columns, group

    def aggregate(self, items: Items, kind: str) -> str:
        """An aggregate of that kind."""
        few = f" FILTER (WHERE {self.test(items)})" if self.parts.chance(0.2) else ""
        if kind == "bigint" and self.parts.chance(0.8):
            other = self.term(items, self.rng.choice(KINDS))
            number = self.term(items, "int")
            return self.rng.choice(("count(*)", f"count({other})", f"count(DISTINCT {other})", f"sum({number})")) + few
        if kind == "document":
            return f"to_jsonb(max({self.term(items, 'int')}){few})"
        calls = ("bool_or", "bool_and") if kind == "boolean" else ("max", "min")
        return f"{self.rng.choice(calls)}({self.term(items, kind)}){few}"

    def test(self, items: Items) -> str:
        """A condition over one item. Raises LookupError."""
        alias, relation = self.rng.choice([one for one in items if one[1].fields] or items)
        if not relation.fields:
            raise LookupError("no columns")
        if relation.of_kind("int") and self.parts.chance(CHAINS):
            return self.chains.condition(relation, alias)
        return self.parts.scalars.predicate(relation, alias)

    def condition(self, items: Items) -> str:
        """A condition of WHERE: over one item, of what there is elsewhere, or several together."""
        form = self.rng.randrange(8)
        if form == 0:
            return f"({self.condition(items)} {self.rng.choice(('AND', 'OR'))} {self.condition(items)})"
        if form in (1, 2):
            source, alias, relation = self.item(0)
            more = f" AND {self.test([(alias, relation)])}" if self.parts.chance(0.4) else ""
            word, on = self.rng.choice(("", "NOT ")), self.equality(self.called(items), [(alias, relation)])
            return f"{word}EXISTS (SELECT 1 FROM {source} WHERE {on}{more})"
        if form == 3:
            source, alias, relation = self.item(0)
            mine, theirs = self.equality(self.called(items), [(alias, relation)]).split(" = ")
            word, few = self.rng.choice(("IN", "NOT IN")), self.test([(alias, relation)])
            return f"{mine} {word} (SELECT {theirs} FROM {source} WHERE {few})"
        return self.test(items)
