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
from tidemark.query.trees import resolved_column

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
    the order of ``*``, those of the last item from `last` on; what is `inside` is joined in parentheses."""

    dialect: Dialect
    fold: Callable[[exp.Expression], str]
    inside: bool = False
    left: dict[str, list[exp.Expression]] = field(default_factory=dict)
    names: dict[str, exp.Expression] = field(default_factory=dict)
    star: list[tuple[str, exp.Expression]] = field(default_factory=list)
    doubled: bool = False
    last: int = 0
    before: set[str] = field(default_factory=set)

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

    def outputs(self, kept: Columns) -> dict[str, exp.Expression]:
        """What is handed out of parentheses: the columns that are `kept` by their keys, and what was merged of several."""
        made = {f".{name}": whole.copy() for name, whole in self.names.items() if _key_of(whole) not in kept}
        return {**kept, **made}

    def outside(self, alias: str, kept: Columns, outputs: Columns) -> Shown:
        """What parentheses show where they are called by an alias."""
        own = [(name, _key_of(column), f".{self.dialect.fold(name)}") for name, column in self.star]
        keys = [(name, key if key in kept else merged) for name, key, merged in own]
        shown = [(name, resolved_column(alias, key)) for name, key in keys if key in outputs]
        return Shown(shown, frozenset(self.names), self.doubled)

    def _show(self, item: Shown, shared: Sequence[str]) -> None:
        """Put the columns of one more item where ``*`` has them: on PostgreSQL what USING names comes first, while on SQLite it
        stays where it is on the left, or inside of parentheses before the item that comes before."""
        of_left = {self.dialect.fold(name): name for name, _ in self.star}
        if self.dialect.merged_come_first:
            first = [(of_left[name], self.names[name]) for name in shared]
            self.star = [*first, *(one for one in self.star if self.dialect.fold(one[0]) not in shared)]
        else:
            kept = [(name, self.dialect.fold(name), column) for name, column in self.star]
            self.star = [(name, self.names[key] if key in shared else column) for name, key, column in kept]
            if self.inside:
                self._put_before(shared)
        self.last = len(self.star)
        self.star += [one for one in item.columns if self.dialect.fold(one[0]) not in shared]

    def _put_before(self, shared: Sequence[str]) -> None:
        """Put what USING names before the item that comes before: SQLite shows what is of an item before that one twice."""
        mine = {self.dialect.fold(name): (name, column) for name, column in self.star[self.last :]}
        first = [mine[name] for name in shared if name in mine]
        self.doubled |= any(name not in mine and name not in self.before for name in shared)
        self.before |= set(shared)
        self.star = [*self.star[: self.last], *first, *(one for one in self.star[self.last :] if one not in first)]

    def _shared(self, join: exp.Join, folded: Columns) -> list[str]:
        if join.args.get("using"):
            return [self.fold(one) for one in join.args["using"]]
        if join.method.upper() == "NATURAL":
            return [name for name in dict.fromkeys(self.dialect.fold(one) for one, _ in self.star) if name in folded]
        return []


def no_star(star: exp.Expression, dialect: Dialect) -> Refusal:
    """What is said of a star over columns that no name tells apart."""
    return Refusal(
        Code.UNKNOWN_COLUMN,
        "A star stands for two columns of one name that are of one item.",
        instead="the columns, each under a name of its own",
        place=place_of(star, dialect),
    )


def _key_of(column: exp.Expression) -> str:
    """The key in parentheses of what is a column there; of anything else none."""
    return f"{column.table}.{column.name}" if isinstance(column, exp.Column) else ""
