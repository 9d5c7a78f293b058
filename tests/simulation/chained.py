"""Operators one after another without parentheses: what stands beside what is for the grammar of the engine to say.

Owns: `Chains`. Promises: what is drawn is valid on its engine, whatever the values; there is no overflow and no division by zero.
"""

from __future__ import annotations

from tests.simulation.relations import Relation
from tests.simulation.scalars import Scalars

COMPARED = ("=", "=", "<>", "<", "<=", ">", ">=")
ADDED = ("+", "-", "*", "&", "|")
SIGNS = ("", "", "", "- ", "+ ", "~ ")

CASTS = ("::boolean", "::int + 1 = 2", "::boolean::text = 'true'")


class Chains:
    """Draws chains over the numbers of one table, its columns under `alias`. Raises LookupError where it has none."""

    def __init__(self, scalars: Scalars, postgres: bool) -> None:
        self.scalars = scalars
        self.rng = scalars.rng
        self.postgres = postgres

    def number(self, table: Relation, alias: str) -> str:
        """Numbers with operators between them."""
        text = self._operand(table, alias)
        for _ in range(self.rng.choice((1, 1, 2, 3))):
            drawn = self.rng.randrange(8)
            if drawn == 0:
                text += f" {self.rng.choice(('/', '%'))} {self.rng.randint(2, 3)}"
            elif drawn == 1:
                text += f" {self.rng.choice(('<<', '>>'))} {self.rng.randint(0, 2)}"
            elif drawn == 2 and self.postgres:
                text += f" # {self._operand(table, alias)}"
            else:
                text += f" {self.rng.choice(ADDED)} {self._operand(table, alias)}"
        if self.postgres and self.rng.random() < 0.1:
            # Its operand goes on to the end of the sum.
            return f"@ {text}"
        return text

    def condition(self, table: Relation, alias: str) -> str:
        """Tests with AND, OR and NOT between them."""
        text = self._test(table, alias)
        for _ in range(self.rng.choice((0, 1, 1, 2))):
            text += f" {self.rng.choice(('AND', 'OR'))} {self._test(table, alias)}"
        return text

    def _operand(self, table: Relation, alias: str) -> str:
        found = table.of_kind("int")
        if not found:
            raise LookupError("no numbers")
        value = self.scalars.reference(self.rng.choice(found), alias)
        if self.rng.random() < 0.25:
            value = str(self.rng.randint(0, 3))
        if self.postgres and self.rng.random() < 0.2:
            value += self.rng.choice(("::bigint", "::int", "::numeric::int"))
        return self.rng.choice(SIGNS) + value

    def _test(self, table: Relation, alias: str) -> str:
        one, two, three = (
            self.number(table, alias) if self.rng.random() < 0.4 else self._operand(table, alias) for _ in range(3)
        )
        negation, compared = self.rng.choice(("", "", "NOT ")), self.rng.choice(COMPARED)
        listed = f"{one} {negation}IN ({two}, {three})"
        between = f"{one} {negation}BETWEEN {two} AND {three}"
        tests = [
            f"{one} {compared} {two}",
            f"{one} {compared} {two}",
            listed,
            between,
            f"{one} IS {negation}NULL",
            f"{one} IS {negation}DISTINCT FROM {two}",
            f"{one} {compared} {two} IS {negation}NULL",
            f"{one} {self.rng.choice(('ISNULL', 'NOTNULL'))}",
        ]
        if self.postgres:
            tests += [
                f"{listed} = (({two} {compared} {three}))",
                f"{between} = TRUE",
                f"FALSE = {listed}",
                f"{one} {compared} {two} IS {negation}{self.rng.choice(('TRUE', 'FALSE', 'UNKNOWN'))}",
                f"{one} {negation}BETWEEN SYMMETRIC {two} AND {three}",
                f"{one} = ANY (ARRAY[{two}, {three}])",
                f"{one} {compared} {two} IS {negation}TRUE{self.rng.choice(CASTS)}",
            ]
        else:
            tests += [
                f"{one} {compared} {two} {self.rng.choice(COMPARED)} {three}",
                f"{one} IS {negation}{two} {compared} {three}",
                f"{one} || {two} {compared} {three}",
                f"{one} == {two} COLLATE NOCASE",
            ]
        return self.rng.choice(("", "", "", "NOT ", "NOT NOT ")) + self.rng.choice(tests)
