"""The same declarations and the same program on both engines: what is stored must be the same.

Owns: a world in the grammar that both engines read alike, and its player. Promises: what the engines define differently is
left out (where NULL is ordered, booleans as a type); booleans count as numbers and decimals as rounded numbers.
"""

from __future__ import annotations

import contextlib
import random
import sqlite3
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg

from tests.simulation.case import Case, Derived, Failure
from tests.simulation.catalogue import draw_derived
from tests.simulation.keeper import Keeper
from tests.simulation.queries import Queries
from tests.simulation.relations import Field, Reference, Relation, quote
from tests.simulation.run import clean
from tests.simulation.statements import Statements
from tests.simulation.tally import Tally
from tests.simulation.wire import Wire
from tests.simulation.worlds import World

SHAPES: tuple[str, ...] = (
    "copy",
    "group",
    "universe",
    "keyed",
    "inner-join",
    "left-join",
    "right-join",
    "full-join",
    "self-join",
    "union",
)
SHAPES += ("exists", "exists-in-exists", "in", "not-in-correlated", "scalar-test", "subquery-in-from", "join-of-groups")
SHAPES += (
    "common-table",
    "group-of-groups",
    "distinct",
    "count-distinct",
    "having",
    "except",
    "intersect",
    "capped-count",
)
SHAPES += ("group-of-union", "fan-out", "grouped-join", "three-joins", "cascade")
CREATE = (
    'CREATE TABLE "owner" ("id" integer NOT NULL PRIMARY KEY, "size" integer, "note" text, "rank" integer NOT NULL)',
    'CREATE TABLE "item" ("code" integer NOT NULL PRIMARY KEY, "owner_id" integer, "level" integer, "kind" text)',
)


def world() -> World:
    """Two tables of numbers and texts, as a world of SQLite (the scalars that it draws are read by both)."""
    owner = Relation(
        "owner",
        (
            Field("id", "int", "integer", not_null=True),
            Field("size", "int", "integer"),
            Field("note", "text", "text"),
            Field("rank", "int", "integer", not_null=True),
        ),
        ("id",),
    )
    item = Relation(
        "item",
        (
            Field("code", "int", "integer", not_null=True),
            Field("owner_id", "int", "integer"),
            Field("level", "int", "integer"),
            Field("kind", "text", "text"),
        ),
        ("code",),
        references=(Reference("owner_id", "owner", "id", ""),),
    )
    taken = frozenset({"owner", "item", *(one.name for table in (owner, item) for one in table.fields)})
    return World("sqlite", (owner, item), CREATE, False, taken)


def program(rng: random.Random, place: World, length: int) -> list[str]:
    """Statements that do the same on both engines, whatever they find. An empty text is a tick."""
    statements = Statements(rng, place)
    drawn: list[str] = []
    while len(drawn) < length:
        draw = rng.choice(
            (statements.insert, statements.insert, statements.update, statements.delete, statements.upsert)
        )
        kind, sql = draw()
        # An UPDATE of a key meets other rows on its way in an order that each engine chooses.
        changes_key = kind.startswith("up") and any(f'"{name}" =' in sql.partition("SET")[2] for name in ("id", "code"))
        # PostgreSQL does not let one statement meet a row twice.
        meets_twice = "DO UPDATE" in sql and "), (" in sql
        if not changes_key and not meets_twice:
            drawn.append(sql)
        if rng.random() < 0.3:
            drawn.append("")
    return drawn


def draw(seed: str, length: int = 60, derived: int = 6) -> Case:
    """Declarations and a program for both engines; statements are kept as `fill`."""
    rng = random.Random(seed)
    place = world()
    queries = Queries(rng, place)
    tables = [one for one in (draw_derived(queries, SHAPES) for _ in range(derived)) if one is not None]
    return Case("sqlite", seed, CREATE, tuple(program(rng, place, length)), ('"owner"', '"item"'), tuple(tables), ())


def plain(value: Any) -> Any:
    """A value as both engines mean it."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, Decimal | float):
        number = round(float(value), 6)
        return int(number) if number == int(number) else number
    return value


def play(case: Case, folder: Path, url: str, tally: Tally) -> int:
    """Play on both engines; the number of comparisons. Raises `Failure` where they store different rows."""
    path = folder / "both.db"
    for old in folder.glob("both.db*"):
        old.unlink()
    compared = 0
    with contextlib.ExitStack() as stack:
        one = stack.enter_context(contextlib.closing(sqlite3.connect(path, isolation_level=None)))
        one.execute("PRAGMA journal_mode = WAL")
        with contextlib.closing(Wire(url)) as wire:
            clean(wire)
        other = stack.enter_context(psycopg.connect(url, autocommit=True))
        for text in case.setup:
            one.execute(text)
            other.execute(text)
        keepers = (Keeper(f"sqlite:///{path}", tally), Keeper(url, tally))
        for keeper in keepers:
            stack.callback(keeper.close)
        shared = _install(keepers, case.derived)
        for text in (*case.fill, ""):
            if not text:
                for keeper in keepers:
                    keeper.tick()
                compared += _compare(case, one, other, shared)
            elif _run(one, text) != _run_there(other, text):
                raise Failure("engines", "", f"one engine took it and the other did not: {text}")
            else:
                tally.transactions["both"] += 1
        for keeper in keepers:
            keeper.uninstall()
    return compared


def _install(keepers: tuple[Keeper, Keeper], derived: Sequence[Derived]) -> list[Derived]:
    """Install what both accept."""
    accepted = [{one.name for one in keeper.install(derived)} for keeper in keepers]
    both = accepted[0] & accepted[1]
    kept = [one for one in derived if one.name in both]
    if accepted[0] != accepted[1]:
        for keeper in keepers:
            keeper.install(kept)
    return kept


def _run(connection: sqlite3.Connection, text: str) -> bool:
    try:
        connection.execute(text)
    except sqlite3.Error:
        return False
    return True


def _run_there(connection: psycopg.Connection[Any], text: str) -> bool:
    try:
        connection.execute(text.encode())
    except psycopg.Error:
        return False
    return True


def _compare(case: Case, one: sqlite3.Connection, other: psycopg.Connection[Any], shared: Sequence[Derived]) -> int:
    for table in shared:
        query = f"SELECT * FROM {quote(table.name)}"
        here = Counter(tuple(map(plain, row)) for row in one.execute(query))
        there = Counter(tuple(map(plain, row)) for row in other.execute(query.encode()).fetchall())
        if here != there:
            detail = f"SQLite has {dict(here - there)}, PostgreSQL {dict(there - here)}\n{table.query}\n{case.seed}"
            raise Failure("engines", table.name, detail)
    return len(shared)
