"""Deliberate mistakes in what joins mean: in parentheses, by name, in a star and between branches, and in chains of operators.

Owns: the list `JOINED`, of the same kind as `MISTAKES`, and a case for each: random programs meet them too seldom for a hunt.
Promises: the package is as it was when the hunt ends.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any
from unittest import mock

from sqlglot import exp

from tests.simulation.case import COMPOSED, Case, Engine
from tests.simulation.mutants import Met
from tests.simulation.mutants_keyed import kinds
from tests.simulation.mutants_runtime import Mistake
from tests.simulation.mutants_unlike import compiled
from tidemark.query import naming, readings, resolve
from tidemark.query.using import Merged, Shown


def lost_joins(met: Met) -> AbstractContextManager[Any]:
    """Parentheses around what is joined to a subquery are parentheses around the subquery."""
    original = resolve.unwrapped

    def unwrapped(node: exp.Expr) -> exp.Expression:
        found = original(node)
        while isinstance(found, exp.Subquery) and isinstance(found.this, exp.Query):
            met["changed"] += bool(found.args.get("joins"))
            found = found.this
        return found

    return mock.patch.object(resolve, "unwrapped", unwrapped)


def other_star(met: Met) -> AbstractContextManager[Any]:
    """A star has its columns where the other engine has them."""
    original = Merged._show

    def show(self: Merged, item: Shown, shared: Any) -> None:
        met["changed"] += bool(shared)
        own = self.dialect
        self.dialect = replace(own, merged_come_first=not own.merged_come_first)
        original(self, item, shared)
        self.dialect = own

    return mock.patch.object(Merged, "_show", show)


def same_inside(met: Met) -> AbstractContextManager[Any]:
    """A star has its columns where it has them without parentheses."""

    def put_before(self: Merged, shared: Any) -> None:
        met["changed"] += bool(shared)

    return mock.patch.object(Merged, "_put_before", put_before)


def inside_at_first(met: Met) -> AbstractContextManager[Any]:
    """Parentheses that come first in FROM are parentheses like others."""

    def open_first(select: exp.Select) -> None:
        met["changed"] += isinstance(select.args["from_"].this, exp.Subquery)

    return mock.patch.object(resolve, "open_first", open_first)


def merged_once(met: Met) -> AbstractContextManager[Any]:
    """What was made of two columns in parentheses is not handed out of the parentheses around them."""
    original = Merged.outputs

    def outputs(self: Merged, kept: Any) -> dict[str, exp.Expression]:
        found = original(self, kept)
        less = {key: value for key, value in found.items() if key in kept or not isinstance(value, exp.Column)}
        met["changed"] += less != found
        return less

    return mock.patch.object(Merged, "outputs", outputs)


def last_of_two(met: Met) -> AbstractContextManager[Any]:
    """A name that stands twice on the right is the last one."""
    add = Merged.add

    def of_last(self: Merged, join: exp.Join | None, item: Shown) -> None:
        last = {self.dialect.fold(name): (name, column) for name, column in item.columns}
        met["changed"] += len(last) < len(item.columns)
        add(self, join, replace(item, columns=tuple(last.values())))

    return mock.patch.object(Merged, "add", of_last)


def typed_by_another(met: Met) -> AbstractContextManager[Any]:
    """A text that rows are grouped by has the type of the branch beside it."""

    def take(select: exp.Select, output: exp.Expression, dialect: Any) -> None:
        met["changed"] += 1

    return mock.patch.object(naming, "_take_for_text", take)


def one_negation(met: Met) -> AbstractContextManager[Any]:
    """Behind a second NOT there is no test."""
    original = readings._is_range

    def is_range(side: exp.Expr) -> bool:
        twice = isinstance(side, exp.Paren) and isinstance(side.this, exp.Not) and isinstance(side.this.this, exp.Not)
        met["changed"] += twice
        return not twice and original(side)

    return mock.patch.object(readings, "_is_range", is_range)


def everybodys_parentheses(met: Met) -> AbstractContextManager[Any]:
    """Parentheses that sqlglot puts around what it has read are the user's."""
    original = readings._is_range

    def is_range(side: exp.Expr) -> bool:
        met["changed"] += isinstance(side, exp.Paren) and not side.meta.get("users")
        return not isinstance(side, exp.Paren) and original(side)

    return mock.patch.object(readings, "_is_range", is_range)


def told(engine: Engine, query: str, *fill: str) -> Case:
    """Rows of a query over two tables."""
    case = kinds(engine)
    return replace(case, seed=query, fill=fill or case.fill, derived=(replace(case.derived[0], query=query),))


BOTH: tuple[Engine, ...] = ("sqlite", "postgres")
Q = "(SELECT x, id FROM a) q"
LOST = "SELECT b.y AS v, x AS w FROM b LEFT JOIN ((SELECT x, id AS k FROM a) q JOIN b c ON c.id = x) ON b.id = k"
STAR = f"SELECT y AS v, y AS w, id AS u FROM b UNION ALL SELECT * FROM {Q} JOIN b USING (id)"
INSIDE = f"SELECT * FROM ({Q} JOIN b USING (id)) AS j"
FIRST = f"SELECT * FROM ({Q} JOIN b USING (id)) JOIN (SELECT id AS k FROM a) o ON o.k = q.id"
MERGED = (
    "SELECT c.k, q.x, b.y FROM (SELECT id AS k, id FROM a) c NATURAL LEFT JOIN "
    f"((SELECT y AS z FROM b) o JOIN ({Q} FULL JOIN b USING (id)) ON o.z = q.x)"
)
TWICE = f"SELECT c.k, q.x, b.y FROM (SELECT id AS k, id FROM a) c JOIN ({Q} JOIN b ON b.y = 12 - q.x) USING (id)"
NEGATED = "SELECT a.id AS v FROM a WHERE NOT a.id NOT IN (1, 2) | 2"
FOLLOWED = "SELECT a.id AS v FROM a WHERE a.id <> 1 NOT BETWEEN 0 AND 1 < NOT 1"
TYPED = "SELECT 'a ' AS v, x AS w FROM a GROUP BY 1, 2 UNION ALL SELECT CAST(y AS char(3)), id FROM b"

JOINED: tuple[Mistake, ...] = (
    *(Mistake(one, "joins that are lost", compiled(lost_joins), (COMPOSED,), first=told(one, LOST)) for one in BOTH),
    *(
        Mistake(one, "a star of the other engine", compiled(other_star), (COMPOSED,), first=told(one, STAR))
        for one in BOTH
    ),
    Mistake("sqlite", "a star inside as outside", compiled(same_inside), (COMPOSED,), first=told("sqlite", INSIDE)),
    Mistake("sqlite", "a star at first as inside", compiled(inside_at_first), (COMPOSED,), first=told("sqlite", FIRST)),
    *(
        Mistake(one, "merged in one parenthesis", compiled(merged_once), (COMPOSED,), first=told(one, MERGED))
        for one in BOTH
    ),
    Mistake("sqlite", "the last of two names", compiled(last_of_two), (COMPOSED,), first=told("sqlite", TWICE)),
    Mistake("postgres", "a text of any type", compiled(typed_by_another), (COMPOSED,), first=told("postgres", TYPED)),
    Mistake("sqlite", "one NOT of two", compiled(one_negation), (COMPOSED,), first=told("sqlite", NEGATED)),
    Mistake(
        "sqlite", "parentheses of nobody", compiled(everybodys_parentheses), (COMPOSED,), first=told("sqlite", FOLLOWED)
    ),
)
