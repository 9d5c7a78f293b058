"""The parts of a feed: which stored columns its aggregates and copies ask for.

Owns: `Parts`, `claim_name` and `summed`. Promises: who asks twice for the same part gets the same column, under a name that
nothing else has.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from tidemark.dialect import Dialect
from tidemark.maintenance.program import Part, RowText, Stored, text
from tidemark.model import OutputColumn


@dataclass
class Parts:
    """Collects the parts of one feed.

    `taken` are names in lower case that are in use already. `spell` tells texts apart: those over one scan are the same whatever
    its alias, and over a join the same column name under two aliases is two columns.
    """

    dialect: Dialect
    taken: set[str]
    made: dict[tuple[str, str, str, str], Part]
    spell: Callable[[RowText], str] = lambda one: one.at("r")

    def add(self, part: Part) -> Stored:
        """The stored column of a part, made if it is new. The name that it has is a hint, without the line before it."""
        needed = part.needed.at("s") if part.needed else ""
        signature = (part.kind, self.spell(part.value), self.spell(part.aggregate), needed)
        if signature not in self.made:
            self.made[signature] = replace(part, name=claim_name(part.name, self.taken))
        return Stored(self.dialect.quote(self.made[signature].name))

    def copy(self, hint: str, described: OutputColumn, value: RowText) -> Stored:
        """The stored column of a value that one row gives."""
        kept = Part(hint, "copied", described.type, value, value)
        return self.add(replace(kept, collation=described.collation, comparable=described.comparable))

    def total(self, hint: str, type_: str, value: RowText) -> Stored:
        """An additive part that sums up what each row contributes."""
        return self.add(Part(hint, "additive", type_, value, summed(value, type_, self.dialect)))

    def count(self, hint: str, condition: RowText | None) -> Stored:
        """An additive part that counts the rows for which `condition` is true."""
        value = text("CASE WHEN ", condition, " THEN 1 ELSE 0 END") if condition else text("1")
        type_ = self.dialect.big_integer
        return self.add(Part(hint, "additive", type_, value, summed(value, type_, self.dialect), unit=True))


def claim_name(hint: str, taken: set[str]) -> str:
    """A name of a hidden column like the hint, one that is not among those `taken` (lower case), and is from now on."""
    name, number = f"_{hint}", 2
    while name.lower() in taken:
        name, number = f"_{hint}_{number}", number + 1
    taken.add(name.lower())
    return name


def summed(value: RowText, type_: str, dialect: Dialect) -> RowText:
    """The aggregate of an additive part over the rows named ``r``."""
    return text("coalesce(sum(", value, f"), 0){dialect.cast(type_)}")
