"""Values that are counted beside groups: the supports of a join's groups, as rows of the same store.

Owns: `Values` and `Counted`. COUNT(DISTINCT x), MIN and MAX of a group are no sums of changes. But how often x occurs in the
group is one: a grouping by x besides, whose rows stand beside those of the groups, of the same moment. The number of its rows is
COUNT(DISTINCT x), and the first and the last of them, which the store's unique index finds, are MIN and MAX. Promises: what is
counted by value is what the aggregate says over the rows of the join; values are counted where equal ones are also the same.
Supports that writers keep, in a store of their own, are those of `tidemark.maintenance.support`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

from tidemark.dialect import Dialect
from tidemark.maintenance.aggregates import visible_aggregate
from tidemark.maintenance.groupings import AskedParts, Joined, NotBilinear
from tidemark.maintenance.key_types import spelling_of_key
from tidemark.maintenance.program import Part, text
from tidemark.model import OutputColumn
from tidemark.query.cut import HIDDEN_KEY
from tidemark.query.nullable import is_nullable
from tidemark.query.relation import Aggregate, Block, Scalar
from tidemark.query.scalar import whole_number

OF = f"{HIDDEN_KEY}of"
"""The column that tells of which grouping a stored row is: those of the query first, then those that count values."""
VALUE = f"{HIDDEN_KEY}value_"
NULLS_MAX = 16
"""With more sets of columns that are NULL together, rows are not looked for by each of them."""


@dataclass(frozen=True)
class Counted:
    """A grouping that counts the values of the groups of another one. `of` is its number and `main` that of the other one, `join`
    and `groups` what these are made of; `value` is the column that holds the value, `scalar` what computes it in the `block`.
    `count` is the quoted part of the other one that has the number of values, empty where nobody asks, `extremes` are those that
    have the first or the last."""

    of: int
    main: int
    join: Joined
    groups: Joined
    value: str
    scalar: Scalar
    block: Block
    count: str
    extremes: tuple[Part, ...]


@dataclass
class _Value:
    """One that was asked for: a value in the groups of a branch, NULL for rows that do not count."""

    block: Block
    value: Scalar
    column: str
    count: str = ""
    extremes: list[Part] = field(default_factory=list)


class Values:
    """The values that the groups of one query count, collected as its parts are made; none unless they are `wanted`."""

    def __init__(self, dialect: Dialect, *, wanted: bool) -> None:
        self._dialect = dialect
        self._wanted = wanted
        self._made: dict[str, _Value] = {}
        self._columns: dict[tuple[str, str | None], OutputColumn] = {}

    @property
    def columns(self) -> tuple[OutputColumn, ...]:
        """What the key has for them: of which grouping a row is, and a column for the values of each type; nothing where none is
        counted."""
        return (OutputColumn(OF, "integer"), *self._columns.values()) if self._made else ()

    def by_value(self, call: Aggregate, block: Block, parts: AskedParts, argument: OutputColumn) -> str:
        """What readers see of an aggregate over ``s``; empty where it is none that values are counted for.

        Raises `NotBilinear` where equal values may be written in several ways."""
        kept = call.function in ("min", "max") or (call.function == "count" and call.distinct)
        if not self._wanted or not kept or call.others or call.argument is None or call.argument.is_constant:
            return ""
        if argument.composite or spelling_of_key(argument, self._dialect) != "one":
            raise NotBilinear(f"equal values of {call.argument.text} may be written in several ways")
        # It is computed of the rows of which the query computes it, and of no others.
        value = call.argument if call.condition is None else call.argument.where(call.condition)
        column = self._columns.setdefault(
            (argument.type, argument.collation),
            replace(argument, name=f"{VALUE}{len(self._columns) + 1}"),
        )
        found = self._made.setdefault(value.text, _Value(block, value, column.name))
        if call.function == "count":
            counted = text("count(DISTINCT ", call.argument, ")")
            if call.condition is not None:
                counted = text(counted, " FILTER (WHERE ", call.condition, ")")
            # What one row of the join contributes is nothing; what a value does that came or went is added.
            stored = parts.add(Part("values", "additive", self._dialect.big_integer, text("0"), counted, unit=True))
            found.count = stored.quoted
            return f"({stored})"
        own = text(call.condition) if call.condition is not None else None
        sql = visible_aggregate(call, own, parts, argument, call.function)
        made = {f"s.{self._dialect.quote(part.name)}": part for part in parts.made.values()}
        found.extremes += [made[sql]] if made[sql] not in found.extremes else []
        return f"({sql})"

    def keyed(self, join: Joined, number: int) -> Joined:
        """A grouping of the query, of that number, with the columns of the key that are for values."""
        nothing = (None,) * len(self._columns)
        return replace(join, key=(whole_number(number, self._dialect), *join.key, *nothing)) if self._made else join

    def counted(self, mains: Sequence[tuple[int, Block, Joined]], presence: str) -> tuple[Counted, ...]:
        """The groupings that count values; `mains` are those of the query by number, `presence` is the part that counts rows."""
        found: list[Counted] = []
        first = 1 + max(number for number, _, _ in mains)
        for of, one in enumerate(self._made.values(), start=first):
            number, join = next((number, join) for number, block, join in mains if block is one.block)
            own = tuple(one.value if column.name == one.column else None for column in self._columns.values())
            key = (whole_number(of, self._dialect), *join.key[1 : len(join.key) - len(own)], *own)
            counting = Joined(join.scans, join.conditions, key, frozenset({presence}), join.calls)
            asked = one.count, tuple(one.extremes)
            found.append(Counted(of, number, counting, join, one.column, one.value, one.block, *asked))
        return tuple(found)


def nulls_of(names: Sequence[str], joined: Iterable[tuple[Block, Joined]]) -> tuple[frozenset[str], ...]:
    """The sets of columns of the key that are NULL together in rows of the groupings; nothing where there are too many."""
    found: dict[frozenset[str], None] = {}
    for block, join in joined:
        void = {name for name, scalar in zip(names, join.key, strict=True) if scalar is None}
        may = [
            name
            for name, scalar in zip(names, join.key, strict=True)
            if scalar is not None and is_nullable(scalar, block)
        ]
        for size in range(len(may) + 1):
            found.update(dict.fromkeys(frozenset({*void, *some}) for some in combinations(may, size)))
    return tuple(found) if len(found) <= NULLS_MAX else ()
