"""Trees of joins in FROM: in parentheses, by the names that both sides have, with a comma, and under an alias of the whole.

Owns: `Side` and `Joiner`. Promises: what is drawn is valid on its engine; of what a tree shows, columns are drawn whose name
stands there once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

from tests.simulation.relations import Field, Relation, quote
from tests.simulation.shapes import Parts

Items = list[tuple[str, Relation]]
KINDS = ("int", "bigint", "text", "date")
"""Kinds of columns of which equal values are the same."""
VERBS = ("JOIN", "JOIN", "LEFT JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN")
LEAVES_MAX = 4


def drawable(fields: tuple[Field, ...]) -> tuple[Field, ...]:
    """The columns that queries may compare, group and put together: text that ignores case has many spellings."""
    return tuple(one for one in fields if one.kind in KINDS and not one.collate)


@dataclass(frozen=True)
class Side:
    """A part of FROM: its text, what can be named by an alias, and every column that ``*`` shows."""

    text: str
    items: tuple[tuple[str, Relation], ...]
    star: tuple[Field, ...]
    leaves: int = 1
    is_called: bool = False
    """Under an alias of the whole: PostgreSQL has no parentheses around it."""

    @property
    def named(self) -> dict[str, Field]:
        """The columns whose name stands here once."""
        counts = Counter(one.name.lower() for one in self.star)
        return {one.name: one for one in self.star if counts[one.name.lower()] == 1}

    @property
    def bare(self) -> tuple[str, Relation]:
        """The same as an item without an alias, by names alone."""
        return "", Relation("", drawable(tuple(self.named.values())), ())

    @property
    def every(self) -> Items:
        """Whatever a condition may name."""
        return [*self.items, self.bare]


class Joiner:
    """Draws trees of joins; `leaf` draws an item with all its columns, `equality` a condition over columns of two sides."""

    def __init__(self, parts: Parts, leaf: Callable[[], Side], equality: Callable[[Items, Items], str]) -> None:
        self.parts = parts
        self.rng = parts.rng
        self.leaf = leaf
        self.equality = equality
        self.aliases = 0

    def tree(self, leaves: int = LEAVES_MAX) -> Side:
        """Some items joined, at most so many. Raises LookupError."""
        side = self.leaf()
        for _ in range(self.rng.choice((1, 1, 2, 3))):
            if side.leaves >= leaves:
                break
            other = self.leaf()
            if leaves - side.leaves > 1 and self.parts.chance(0.35):
                other = self.in_parentheses(self.tree(leaves - side.leaves))
            side = self._join(side, other)
            if self.parts.chance(0.2):
                side = self.in_parentheses(side)
        return side

    def in_parentheses(self, side: Side) -> Side:
        """The same in parentheses, now and then under a name of its own."""
        if side.leaves == 1 or (side.is_called and self.parts.postgres):
            return side
        if not self.parts.chance(0.3):
            return replace(side, text=f"({side.text})")
        self.aliases += 1
        alias = f"j{self.aliases}"
        whole = Relation("", drawable(tuple(side.named.values())), ())
        text = self.rng.choice((f"({side.text}) AS {alias}", f"(SELECT * FROM {side.text}) {alias}"))
        return Side(text, ((alias, whole),), side.star, side.leaves, is_called=True)

    def _join(self, left: Side, right: Side) -> Side:
        verb, leaves = self.rng.choice(VERBS), left.leaves + right.leaves
        items, star = (*left.items, *right.items), (*left.star, *right.star)
        if self.parts.chance(0.08) and not self.parts.postgres:
            # Of PostgreSQL a comma binds less than any JOIN: there it would be another tree.
            return Side(f"{left.text}, {right.text}", items, star, leaves)
        shared, whole = self._shared(left, right)
        form = self.rng.choice(("using", "using", "natural", "on", "on"))
        if form == "natural" and shared and whole:
            return Side(f"{left.text} NATURAL {verb} {right.text}", items, self._merged(left, right, shared), leaves)
        if form != "on" and shared:
            chosen = self.rng.sample(shared, self.rng.randint(1, min(2, len(shared))))
            text = f"{left.text} {verb} {right.text} USING ({', '.join(map(quote, chosen))})"
            return Side(text, items, self._merged(left, right, chosen), leaves)
        mine, theirs = (self._unlike(*sides) for sides in ((left, right), (right, left)))
        return Side(f"{left.text} {verb} {right.text} ON {self.equality(mine, theirs)}", items, star, leaves)

    def _unlike(self, side: Side, other: Side) -> Items:
        """What a condition may name of a side: a name alone where the other side has none like it."""
        alias, bare = side.bare
        names = {one.name.lower() for one in other.star}
        fields = tuple(one for one in bare.fields if one.name.lower() not in names)
        return [*side.items, (alias, replace(bare, fields=fields))]

    def _shared(self, left: Side, right: Side) -> tuple[list[str], bool]:
        """The names by which two sides can be joined, and whether that are all that both have."""
        both = {one.name.lower() for one in left.star} & {one.name.lower() for one in right.star}
        mine, theirs = left.named, right.named
        shared = [name for name in mine if name in theirs and self._compares(mine[name].kind, theirs[name].kind)]
        return shared, len(shared) == len(both)

    def _compares(self, one: str, other: str) -> bool:
        numbers = ("int", "bigint")
        if one == other or (one in numbers and other in numbers):
            return one != "float"
        return not self.parts.postgres and self.parts.chance(0.3)

    def _merged(self, left: Side, right: Side, names: list[str]) -> tuple[Field, ...]:
        merged = []
        for name in names:
            one, other = left.named[name], right.named[name]
            kind = (
                one.kind if one.kind == other.kind else "bigint" if {one.kind, other.kind} == {"int", "bigint"} else ""
            )
            merged.append(replace(one, kind=kind, collate=one.collate or other.collate))
        rest = [one for one in (*left.star, *right.star) if one.name not in names]
        return (*merged, *rest)
