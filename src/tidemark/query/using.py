"""USING and NATURAL, said as ON.

Owns: the equality of the columns that both sides share, and what their common name means afterwards. Promises: the join's
condition in the tree is the one that the engine would use; a merged name is the left column, the right one after RIGHT JOIN, the
first that is not NULL after FULL JOIN.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlglot import exp

from tidemark.dialect import Dialect
from tidemark.errors import Code, Refusal
from tidemark.query.parse import place_of

Columns = Mapping[str, exp.Expression]
"""Folded visible name → what it is."""


@dataclass(frozen=True)
class Shown:
    """What an item of FROM has under names of its own: each column with its name, the names that were merged inside, and whether
    there are columns that no name tells apart."""

    columns: Sequence[tuple[str, exp.Expression]]
    merged: frozenset[str] = frozenset()
    doubled: bool = False


@dataclass
class Merged:
    """What unqualified names mean: `left` holds what stands left so far, `names` those that were merged, `star` all columns in
    the order of ``*``."""

    dialect: Dialect
    fold: Callable[[exp.Expression], str]
    left: dict[str, list[exp.Expression]] = field(default_factory=dict)
    names: dict[str, exp.Expression] = field(default_factory=dict)
    star: list[tuple[str, exp.Expression]] = field(default_factory=list)
    doubled: bool = False

    def add(self, join: exp.Join | None, item: Shown) -> None:
        """Join one more item; USING and NATURAL become ON."""
        named = [self.dialect.fold(name) for name, _ in item.columns]
        folded = {name: column for name, (_, column) in zip(named, item.columns, strict=True)}
        self.doubled |= item.doubled
        if join is not None and join.method and self.doubled:
            raise Refusal(
                Code.UNKNOWN_COLUMN,
                "NATURAL joins by every name, and one stands twice on a side.",
                instead="ON, with the tables' aliases",
                place=place_of(join, self.dialect),
            )
        shared = self._shared(join, folded) if join is not None else []
        tests = []
        for name in shared:
            if len(self.left.get(name, ())) != 1 or named.count(name) != 1:
                assert join is not None
                raise Refusal(
                    Code.UNKNOWN_COLUMN,
                    f"USING names {name}, which is not once on each side.",
                    instead="ON, with the tables' aliases",
                    place=place_of(join, self.dialect),
                )
            left, right = self.left[name][0], folded[name]
            tests.append(exp.EQ(this=left.copy(), expression=right.copy()))
            side = join.side.upper() if join is not None else ""
            whole: exp.Expression = right if side == "RIGHT" else left
            if side == "FULL":
                whole = exp.Anonymous(this="COALESCE", expressions=[left.copy(), right.copy()])
            self.names[name] = whole
            self.left[name] = [whole]
        self._show(item, shared)
        for name, (_, column) in zip(named, item.columns, strict=True):
            if name not in shared:
                self.left.setdefault(name, []).append(column)
                if name in item.merged:
                    self.names[name] = column
        if join is not None and (tests or join.args.get("using") or join.method):
            condition: exp.Expression = exp.Boolean(this=True)
            if tests:
                condition = tests[0]
                for test in tests[1:]:
                    condition = exp.And(this=condition, expression=test)
            join.set("using", None)
            join.set("method", None)
            join.set("on", condition)

    def _show(self, item: Shown, shared: Sequence[str]) -> None:
        """Put the columns of one more item where ``*`` has them: on PostgreSQL what USING names comes first, while on SQLite it
        stays where it is on the left."""
        of_left = {self.dialect.fold(name): name for name, _ in self.star}
        if self.dialect.merged_come_first:
            first = [(of_left[name], self.names[name]) for name in shared]
            self.star = [*first, *(one for one in self.star if self.dialect.fold(one[0]) not in shared)]
        else:
            kept = [(name, self.dialect.fold(name), column) for name, column in self.star]
            self.star = [(name, self.names[key] if key in shared else column) for name, key, column in kept]
        self.star += [one for one in item.columns if self.dialect.fold(one[0]) not in shared]

    def _shared(self, join: exp.Join, folded: Columns) -> list[str]:
        if join.args.get("using"):
            return [self.fold(one) for one in join.args["using"]]
        if join.method.upper() == "NATURAL":
            return [name for name in dict.fromkeys(self.dialect.fold(one) for one, _ in self.star) if name in folded]
        return []
