"""Tables with memory and thresholds whose definitions change: the shape ``redefined``, and what a change makes of one.

Owns: `draw_again` and `redefining`. Promises: the same name of a column always has the same type, and a name that a renaming has
left is never taken again, so that what both definitions know under a name is one thing.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.simulation.case import Derived, Duty, Transaction
from tests.simulation.queries import Draft, Queries
from tests.simulation.relations import Relation
from tests.simulation.shapes import Column, Parts, listed, shape
from tests.simulation.statements import Statements
from tests.simulation.worlds import World

FAMILY = "redefined"
KINDS = {
    "rows": ("count(*)", "count({0})", "count(DISTINCT {0})"),
    "value": ("max({0})", "max({0})", "min({0})", "sum({0})"),
    "done": ("count(*) > 1", "count(*) > 2", "count({0}) > 1"),
}
THRESHOLDS = (0, 1, 2, 3, 5, 8)
EVERY = 8
"""In steady programs one of so many transactions is followed by a change of a definition."""
MOMENTS = 60
"""Between so many transactions of an apply somebody may write."""
APART = frozenset({"copy", "schema-change"})
Plan = dict[str, Any]


@shape(FAMILY)
def _redefined(parts: Parts) -> Draft:
    table = parts.queries.table()
    by, key = parts.column(table, "g", ("int",)), parts.name()
    plan: Plan = {"table": table.name, "by": by, "where": parts.where(table, "g", 0.4), "columns": [], "used": [key]}
    plan |= {"keep": {}, "keep_rows": False, "crossings": {}, "remembers": parts.chance(0.75)}
    for kind in ("done", "rows", "value"):
        _add(parts, table, plan, kind)
    plan["keep_rows"] = plan["remembers"] and parts.chance(0.4)
    if not plan["crossings"]:
        _threshold(parts, plan, plan["columns"][1][0])
    return _draft(plan, key, table)


def _draft(plan: Plan, key: str, table: Relation) -> Draft:
    columns = [Column(text, name) for name, _, text in plan["columns"]]
    query = (
        f"SELECT {listed(Column(plan['by'], key), *columns)} FROM {table.quoted} g{plan['where']} GROUP BY {plan['by']}"
    )
    options = {name: plan[name] for name in ("keep", "keep_rows", "crossings") if plan[name]}
    options |= {"columns": [one.name for one in columns], "plan": plan}
    return Draft(query, (key,), (table,), options)


def _add(parts: Parts, table: Relation, plan: Plan, kind: str) -> None:
    name = next(name for name in iter(parts.name, "") if name.lower() not in plan["used"])
    plan["used"].append(name.lower())
    plan["columns"].append([name, kind, _expression(parts, table, kind)])
    _remember(parts, plan, name)
    if kind != "done" and parts.chance(0.6):
        _threshold(parts, plan, name)


def _expression(parts: Parts, table: Relation, kind: str) -> str:
    text = parts.rng.choice(KINDS[kind]).format(parts.column(table, "g", ("int",)))
    return text if kind == "done" else f"CAST({text} AS bigint)"


def _remember(parts: Parts, plan: Plan, name: str) -> None:
    """Another memory of a column, or none; what others are frozen by never goes back."""
    done = next(name for name, kind, _ in plan["columns"] if kind == "done")
    word = "ratchet" if name == done else parts.rng.choice(("ratchet", "ratchet", "first", f"first when {done}", ""))
    plan["keep"].pop(name, None)
    if plan["remembers"] and word:
        plan["keep"][name] = word


def _threshold(parts: Parts, plan: Plan, name: str) -> None:
    at = sorted(parts.rng.sample(THRESHOLDS, parts.rng.choice((1, 2, 3))))
    plan["crossings"][name] = {"at": at, "again": parts.chance(0.5)}


def _drop(parts: Parts, table: Relation, plan: Plan) -> None:
    columns = [one for one in plan["columns"] if one[1] != "done"]
    if len(columns) > 1:
        gone = parts.rng.choice(columns)
        plan["columns"].remove(gone)
        plan["keep"].pop(gone[0], None)
        plan["crossings"].pop(gone[0], None)


def _rename(parts: Parts, table: Relation, plan: Plan) -> None:
    column = parts.rng.choice([one for one in plan["columns"] if one[1] != "done"])
    before, column[0] = column[0], next(name for name in iter(parts.name, "") if name.lower() not in plan["used"])
    plan["used"].append(column[0].lower())
    for told in (plan["keep"], plan["crossings"]):
        if before in told:
            told[column[0]] = told.pop(before)


def _express(parts: Parts, table: Relation, plan: Plan) -> None:
    column = parts.rng.choice(plan["columns"])
    column[2] = _expression(parts, table, column[1])


def _widen(parts: Parts, table: Relation, plan: Plan) -> None:
    _add(parts, table, plan, parts.rng.choice(("rows", "value")))


def _restrict(parts: Parts, table: Relation, plan: Plan) -> None:
    plan["where"] = parts.where(table, "g", 0.5)


def _remember_otherwise(parts: Parts, table: Relation, plan: Plan) -> None:
    _remember(parts, plan, parts.rng.choice(plan["columns"])[0])


def _cross_otherwise(parts: Parts, table: Relation, plan: Plan) -> None:
    _threshold(parts, plan, parts.rng.choice([one for one in plan["columns"] if one[1] != "done"])[0])


CHANGES: tuple[Callable[[Parts, Relation, Plan], None], ...] = (
    _widen,
    _drop,
    _rename,
    _express,
    _restrict,
    _remember_otherwise,
    _cross_otherwise,
)


def draw_again(rng: random.Random, world: World, one: Derived) -> Derived:
    """The same table with one or some changes of its definition."""
    parts = Parts(Queries(rng, world))
    plan: Plan = json.loads(json.dumps(one.options["plan"]))
    table = next(table for table in world.relations if table.name == plan["table"])
    for change in rng.sample(CHANGES, rng.choice((1, 1, 2, 3))):
        change(parts, table, plan)
    made = _draft(plan, one.key[0], table)
    return replace(one, query=made.query, options=made.options)


def _written(rng: random.Random, statements: Statements, share: float) -> str:
    """What somebody writes between two transactions of ours: mostly nothing."""
    kind, text = statements.draw() if rng.random() < share else ("", "")
    return "" if kind in APART else text


def redefining(
    rng: random.Random,
    world: World,
    tables: tuple[Derived, ...],
    statements: Statements,
    program: tuple[Transaction, ...],
) -> tuple[tuple[Derived, ...], tuple[Duty, ...]]:
    """Definitions that come later, and when. What the transaction before has changed waits then; in some cases somebody writes
    between our transactions."""
    now = {one.name: one for one in tables if one.family == FAMILY}
    later: list[Derived] = []
    duties: list[Duty] = []
    for transaction in program if now else ():
        if rng.random() >= 1 / EVERY:
            continue
        one = draw_again(rng, world, now[rng.choice(sorted(now))])
        now[one.name] = one
        end = transaction.end_at if transaction.begin else max(part.at for part in transaction.statements)
        share = rng.choice((0.0, 0.0, 0.1, 0.3))
        sql = tuple(_written(rng, statements, share) for _ in range(MOMENTS if share else 0))
        duties.append(Duty(round(end + 5e-6, 7), "declare", declare=len(later), sql=sql))
        later.append(one)
    return tuple(later), tuple(duties)
