"""Random predicates, expressions and values over the columns of one table.

Owns: the scalar grammar that queries and programs share. Promises: no division by zero, no overflow, no volatile or
session-dependent expression; every text is valid on the engine it was drawn for.
"""

from __future__ import annotations

import random

from tests.simulation.case import Engine
from tests.simulation.relations import Field, Relation, quote
from tests.simulation.unlike import CAST, Unlike
from tests.simulation.worlds import World, domains

NUMBERS = ("int", "bigint", "numeric", "float")


class Scalars:
    """Draws scalar SQL for a world."""

    def __init__(self, rng: random.Random, world: World) -> None:
        self.rng = rng
        self.engine: Engine = world.engine
        self.domains = domains(world.engine, world.is_unlike)
        self.unlike = Unlike(rng, world.engine, self.literal) if world.is_unlike else None

    def chance(self, probability: float) -> bool:
        """True with that probability."""
        return self.rng.random() < probability

    def value(self, field: Field, null: float = 0.2) -> str:
        """A literal for a column: one of its domain, or NULL, or DEFAULT's value."""
        if self.chance(null if not field.not_null else 0.02):
            return "NULL"
        return self.literal(field.kind)

    def literal(self, kind: str) -> str:
        """A typed literal of the domain, negative numbers in parentheses."""
        text = self.rng.choice(self.domains[kind])
        if self.engine == "sqlite" and text.endswith(".00"):
            # A numeric column keeps 2.00 as the integer 2; beside a literal 2.0 either could stand for a group.
            text = text[:-3]
        if self.engine == "postgres" and kind in ("timestamp", "date"):
            return f"{kind} {text}"
        if kind in CAST:
            return f"CAST({text} AS {CAST[kind]})"
        return f"({text})" if text.startswith("-") else text

    def predicate(self, table: Relation, alias: str = "", depth: int = 0) -> str:
        """A condition over one table; its columns are prefixed with `alias`."""
        if depth < 2 and self.chance(0.25):
            left, right = self.predicate(table, alias, depth + 1), self.predicate(table, alias, depth + 1)
            return f"({left} {self.rng.choice(('AND', 'AND', 'OR'))} {right})"
        if depth < 2 and self.chance(0.1):
            return f"NOT ({self.predicate(table, alias, depth + 1)})"
        if self.unlike is not None and self.chance(0.4):
            return self.unlike.condition(table, alias)
        field = self.rng.choice(table.fields)
        reference = self.reference(field, alias)
        if field.kind == "boolean" and self.chance(0.7):
            return self.rng.choice((reference, f"NOT {reference}", f"{reference} IS NOT TRUE", f"{reference} IS FALSE"))
        shape = self.rng.randrange(7)
        if shape == 0:
            return f"{reference} IS {self.rng.choice(('NULL', 'NOT NULL'))}"
        if shape == 1:
            return f"{reference} IN ({self.literal(field.kind)}, {self.literal(field.kind)})"
        if shape == 2 and field.kind != "boolean":
            return f"{reference} {self.rng.choice(('<', '<=', '>', '>='))} {self.literal(field.kind)}"
        if shape == 3 and field.kind in ("int", "numeric", "float", "bigint"):
            return f"{reference} BETWEEN 0 AND {self.rng.randint(1, 3)}"
        if shape == 4:
            others = [one for one in table.fields if one.kind == field.kind and one is not field]
            if others:
                return f"{reference} {self.rng.choice(('=', '<>'))} {self.reference(self.rng.choice(others), alias)}"
        return f"{reference} {self.rng.choice(('=', '=', '<>'))} {self.literal(field.kind)}"

    def reference(self, field: Field, alias: str) -> str:
        """The column, prefixed."""
        return f"{quote(alias)}.{field.quoted}" if alias else field.quoted

    def expression(
        self, table: Relation, kinds: tuple[str, ...], alias: str = "", plain: float = 0.5
    ) -> tuple[str, str]:
        """An expression of one of the kinds with its kind; a bare column with probability `plain`. May raise LookupError."""
        fields = table.of_kind(*kinds)
        if not fields:
            raise LookupError(kinds)
        field = self.rng.choice(fields)
        reference = self.reference(field, alias)
        if self.chance(plain):
            return reference, field.kind
        return self._shape(table, field, reference, alias)

    def _shape(self, table: Relation, field: Field, reference: str, alias: str) -> tuple[str, str]:
        kind = field.kind
        literal = self.literal(kind)
        choices = [
            (f"coalesce({reference}, {literal})", kind),
            (f"CASE WHEN {self.predicate(table, alias, 1)} THEN {reference} ELSE {literal} END", kind),
            (f"CASE WHEN {self.predicate(table, alias, 1)} THEN {reference} END", kind),
            (f"nullif({reference}, {literal})", kind),
        ]
        if kind in NUMBERS:
            choices += [(f"{reference} + 1", kind), (f"{reference} * 2", kind), (f"abs({reference})", kind)]
        if kind == "int":
            choices += [(f"CAST({reference} AS text)", "text"), (f"CAST({reference} AS bigint)", "bigint")]
            others = [one for one in table.of_kind("int") if one is not field]
            if others:
                choices.append((f"{reference} - {self.reference(self.rng.choice(others), alias)}", "int"))
        if kind == "text":
            choices += [
                (f"upper({reference})", "text"),
                (f"{reference} || '-x'", "text"),
                (f"length({reference})", "int"),
            ]
        if kind == "timestamp" and self.engine == "postgres":
            choices += [(f"date_trunc('month', {reference})", "timestamp"), (f"CAST({reference} AS date)", "date")]
        if kind in ("timestamp", "date") and self.engine == "sqlite":
            choices += [(f"substr({reference}, 1, 7)", "text"), (f"substr({reference}, 1, 4)", "text")]
        return self.rng.choice(choices)

    def change(self, field: Field) -> str:
        """The right side of an assignment to a column: a value, itself, a toggle or a step inside the domain."""
        shape = self.rng.randrange(6)
        if shape == 0:
            return field.quoted
        if shape == 1 and field.kind == "int":
            return f"({field.quoted} + 1) % 5"
        if shape == 1 and field.kind == "boolean":
            return f"NOT {field.quoted}"
        if shape == 2 and field.kind in ("numeric", "float"):
            return f"{field.quoted} * -1"
        return self.value(field)
