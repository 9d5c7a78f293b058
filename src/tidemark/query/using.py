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


@dataclass
class Merged:
    """What unqualified names mean: `left` holds what stands left so far, `names` those that were merged, in order."""

    dialect: Dialect
    fold: Callable[[exp.Expression], str]
    left: dict[str, list[exp.Expression]] = field(default_factory=dict)
    names: dict[str, exp.Expression] = field(default_factory=dict)
    hidden: set[tuple[str, str]] = field(default_factory=set)

    def add(self, join: exp.Join | None, columns: Sequence[tuple[str, exp.Column]]) -> None:
        """Join one more item, whose columns are given with their names; USING and NATURAL become ON."""
        folded = {self.dialect.fold(name): column for name, column in columns}
        shared = self._shared(join, folded) if join is not None else []
        tests = []
        for name in shared:
            if len(self.left.get(name, ())) != 1 or name not in folded:
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
            for one in (left, right):
                if isinstance(one, exp.Column):
                    self.hidden.add((one.table, one.name))
        for name, column in folded.items():
            if name not in shared:
                self.left.setdefault(name, []).append(column)
        if join is not None and (tests or join.args.get("using") or join.method):
            condition: exp.Expression = exp.Boolean(this=True)
            if tests:
                condition = tests[0]
                for test in tests[1:]:
                    condition = exp.And(this=condition, expression=test)
            join.set("using", None)
            join.set("method", None)
            join.set("on", condition)

    def _shared(self, join: exp.Join, folded: Columns) -> list[str]:
        if join.args.get("using"):
            return [self.fold(one) for one in join.args["using"]]
        if join.method.upper() == "NATURAL":
            return [name for name in self.left if name in folded]
        return []
