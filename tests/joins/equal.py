"""The ways of a join beside each other: every query is kept once in each way, through the same random batches.

Owns: a small world of three tables with tiny domains, its queries, random batches, and the comparison. Promises: after each
batch the three stores hold the same rows, hidden state included, and what readers see equals the query; a seed gives the same
batches.
"""

from __future__ import annotations

import contextlib
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from unittest import mock

from tidemark import Project, Tidemark
from tidemark.contract.script import Script
from tidemark.database.open import open_session
from tidemark.database.session import Session
from tidemark.runtime.clock import Clock
from tidemark.runtime.duty import Duty
from tidemark.runtime.ledger import Installed, Ledger
from tidemark.runtime.ticks import at_once, guard, tick
from tidemark.runtime.ticks.guard import Choice, Way

AT_ONCE = "once"
WAYS = ("delta", "keyed", "full", AT_ONCE)
SCHEMA = """
CREATE TABLE a (id integer PRIMARY KEY, x integer, y integer, t text);
CREATE TABLE b (id integer PRIMARY KEY, x integer, z integer, t text);
CREATE TABLE c (id integer PRIMARY KEY, z integer, w integer);
CREATE INDEX a_x ON a (x);
CREATE INDEX b_x ON b (x);
CREATE INDEX b_z ON b (z);
CREATE INDEX c_z ON c (z);
"""
COLUMNS = {"a": ("x", "y", "t"), "b": ("x", "z", "t"), "c": ("z", "w")}
QUERIES = {
    "pairs": "SELECT a.t, count(*) AS n, sum(b.z) AS s, avg(a.y) AS m FROM a JOIN b ON b.x = a.x GROUP BY a.t",
    "chain": "SELECT a.x, c.w, count(*) AS n, sum(a.y + c.w) AS s FROM a JOIN b ON b.x = a.x JOIN c ON c.z = b.z "
    "WHERE a.y IS NOT NULL GROUP BY a.x, c.w",
    "mirror": "SELECT p.x, count(*) AS n, count(q.t) FILTER (WHERE q.y > 0) AS k, sum(q.y) AS s FROM a p JOIN a q ON q.y = p.x "
    "GROUP BY p.x",
    "circle": "SELECT b.t, count(*) AS n, sum(p.y * q.y) AS s FROM a p JOIN b ON b.x = p.x JOIN a q ON q.x = b.z "
    "GROUP BY b.t HAVING count(*) > 1",
    "twins": "SELECT q.x, sum(p.y) AS s, sum(q.y) AS r, count(p.t) AS n, count(q.t) AS k FROM a p JOIN a q ON q.x = p.y "
    "GROUP BY q.x",
    "range": "SELECT b.z, count(a.t) AS n, sum(CASE WHEN a.y > 1 THEN 1 ELSE 0 END) AS s FROM a, b WHERE a.x < b.x AND b.z = a.y "
    "GROUP BY b.z",
    "elements": "SELECT CAST(e.value AS integer) AS v, count(*) AS n, sum(a.x) AS s, count(e.value) AS k FROM a "
    "JOIN b ON b.x = a.x CROSS JOIN [a.y, b.z, a.y] GROUP BY CAST(e.value AS integer)",
    "members": "SELECT b.t, count(*) AS n, sum(a.y) AS s FROM a CROSS JOIN [a.x, a.y, a.x] JOIN b ON b.x = e.value GROUP BY b.t",
    "total": "SELECT count(*) AS n, sum(a.y + b.z) AS s FROM a JOIN b ON b.x = a.x WHERE a.y IS NOT NULL",
    "beside": "SELECT a.t, 1 AS part, count(*) AS n, sum(b.z) AS s FROM a JOIN b ON b.x = a.x GROUP BY a.t "
    "UNION ALL SELECT NULL, 2, count(*), sum(b.z) FROM a JOIN b ON b.x = a.x",
    "figures": "SELECT 'a' AS what, count(*) AS n FROM a UNION ALL SELECT 'b', count(*) FROM b WHERE z > 0 "
    "UNION ALL SELECT 'both', sum(a.y) FROM a JOIN b ON b.x = a.x",
    "row": "SELECT (SELECT sum(a.y) FROM a JOIN b ON b.x = a.x) AS s, (SELECT count(*) FROM b WHERE z > 0) AS n, "
    "(SELECT count(*) + coalesce(sum(p.y), 0) FROM a p JOIN a q ON q.y = p.x) AS m",
    "extremes": "SELECT count(*) AS n, max(a.y) AS m, min(b.t) AS l, count(DISTINCT a.t) AS d, "
    "count(DISTINCT a.t) FILTER (WHERE b.z > 1) AS f FROM a JOIN b ON b.x = a.x",
    "values": "SELECT a.t, max(b.z) - min(b.z) AS m, count(DISTINCT b.t) AS d FROM a JOIN b ON b.x = a.x GROUP BY a.t "
    "HAVING count(*) > 1",
    "sets": "SELECT a.t, 1 AS part, max(b.z) AS m, count(DISTINCT b.t) AS d FROM a JOIN b ON b.x = a.x GROUP BY a.t "
    "UNION ALL SELECT NULL, 2, max(b.z), count(DISTINCT b.t) FROM a JOIN b ON b.x = a.x",
    "best": "SELECT (SELECT max(a.y) FROM a JOIN b ON b.x = a.x) AS s, (SELECT count(DISTINCT z) FROM b WHERE z > 0) AS n, "
    "(SELECT min(p.y) + max(q.x) FROM a p JOIN a q ON q.y = p.x) AS m",
    "matches": "SELECT count(*) AS n, max(a.y) AS m, count(DISTINCT a.t) AS d FROM a WHERE EXISTS (SELECT 1 FROM b "
    "WHERE b.x >= a.x AND b.z >= 0) AND a.y >= 0",
    "matching": "SELECT (SELECT count(*) FROM a WHERE EXISTS (SELECT 1 FROM b JOIN c ON c.z = b.z WHERE b.x = a.x)) AS n, "
    "(SELECT min(b.t) FROM b WHERE b.z IN (SELECT a.y FROM a WHERE a.x > 0)) AS l",
}
SUPPORTED = ("values",)
"""Of these groups values are counted because it is asked for."""


def query_of(name: str, engine: str) -> str:
    """The query on that engine, with a function in the place of values in brackets."""
    function = "json_each(json_array({})) AS e" if engine == "sqlite" else "unnest(ARRAY[{}]) AS e (value)"
    opening, bracket, rest = QUERIES[name].partition("[")
    values, _, closing = rest.partition("]")
    return opening + function.format(values) + closing if bracket else opening


def decree(duty: Duty, script: Script, usual: Way, work: int, word: str) -> Choice:
    """Each copy of a query goes the way that ends its name, where it can."""
    way = script.name.rpartition("_")[2]
    tick_texts = script.tick
    if way == "full" and tick_texts is not None and tick_texts.full is not None:
        return Choice("full", "full: by decree")
    return Choice("delta" if way in ("delta", AT_ONCE) and usual == "delta" else "keyed", "by decree")


def project(names: Sequence[str], engine: str) -> Project:
    """The queries of these names, each once for each way."""
    made = Project("joins")
    for name in names:
        for way in WAYS:
            made.derive(
                f"{name}_{way}", query=query_of(name, engine), freshness="tick", support=name in SUPPORTED or None
            )
    return made


def batch(rng: random.Random, dialect_name: str) -> list[str]:
    """A few statements over one to three of the tables."""
    found = []
    tables = rng.sample(sorted(COLUMNS), rng.choice((1, 1, 1, 2, 2, 3)))
    for _ in range(rng.choice((1, 1, 2, 3, 5))):
        table = rng.choice(tables)
        kind = rng.choice(("insert", "insert", "update", "update", "delete", "move"))
        names = COLUMNS[table]
        if kind == "insert":
            values = ", ".join(_value(rng, name) for name in names)
            first = rng.randint(1, 9)
            found.append(
                f"INSERT INTO {table} (id, {', '.join(names)}) VALUES ({first}, {values}) ON CONFLICT (id) DO UPDATE SET "
                + ", ".join(f"{name} = excluded.{name}" for name in names)
            )
        elif kind == "update":
            name = rng.choice(names)
            found.append(f"UPDATE {table} SET {name} = {_value(rng, name)} WHERE id % {rng.randint(1, 4)} = 0")
        elif kind == "delete":
            found.append(f"DELETE FROM {table} WHERE id % {rng.randint(2, 5)} = {rng.randint(0, 1)}")
        else:
            found.append(
                f"UPDATE {table} SET id = id + 10 WHERE id = {rng.randint(1, 9)} AND NOT EXISTS "
                f"(SELECT 1 FROM {table} AS o WHERE o.id = {table}.id + 10)"
            )
    if dialect_name == "postgres" and rng.random() < 0.01:
        found.append(f"TRUNCATE {rng.choice(tables)}")
    return found


def _value(rng: random.Random, name: str) -> str:
    if rng.random() < 0.15:
        return "NULL"
    return f"'{rng.choice('pqr')}'" if name == "t" else str(rng.randint(0, 3))


@dataclass
class World:
    """The database, with a session of the application's and one of the worker's."""

    user: Session
    duty: Duty
    rows: list[Installed]
    names: Sequence[str]
    met: Counter[str] = field(default_factory=Counter)

    def write(self, statements: list[str]) -> None:
        """One transaction of the application's."""
        with self.user.transaction():
            for text in statements:
                self.user.run(text)

    def tick(self) -> None:
        """Drain every copy: one of each query in one transaction, the others step by step, each in its way."""
        for row in self.rows:
            tick.tick(self.duty, row.script, at_once=row.name.endswith(f"_{AT_ONCE}"))

    def differences(self) -> list[str]:
        """What is not the same, or not true, now."""
        found = []
        for name in self.names:
            truth = Counter(map(repr, self.user.all(query_of(name, self.user.dialect.name))))
            stores = {}
            for way in WAYS:
                shown = Counter(map(repr, self.user.all(f"SELECT * FROM {name}_{way}")))
                script = next(row.script for row in self.rows if row.name == f"{name}_{way}")
                stores[way] = Counter(map(repr, self.user.all(f"SELECT * FROM {script.store}")))
                if shown != truth:
                    found.append(f"{name} by {way}: extra {dict(shown - truth)}, missing {dict(truth - shown)}")
            if len({frozenset(rows.items()) for rows in stores.values()}) > 1:
                found.append(f"{name}: the stores differ: {stores}")
        return found


Mutate = Callable[[Script], Script]


@contextlib.contextmanager
def world(url: str, mutate: Mutate | None = None, names: Sequence[str] = tuple(QUERIES)) -> Iterator[World]:
    """The tables, installed with the queries of these names; `mutate` changes the scripts that ticks follow."""
    with contextlib.ExitStack() as stack:
        user = stack.enter_context(contextlib.closing(open_session(url)))
        with user.transaction():
            user.script(SCHEMA)
        Tidemark(project(names, user.dialect.name), url).apply()
        worker = stack.enter_context(contextlib.closing(open_session(url)))
        duty = Duty(Ledger(worker), Clock(wait=lambda _: None))
        rows = list(duty.ledger.derived())
        if mutate is not None:
            rows = [replace(row, script=mutate(row.script)) for row in rows]
        found = World(user, duty, rows, names)
        stack.enter_context(_counted(found.met))
        yield found


@contextlib.contextmanager
def _counted(met: Counter[str]) -> Iterator[None]:
    """Choices by decree, and a count of the ways that were gone."""
    add_up, seal, join = tick.add_up, tick.seal_at_once, at_once.join

    def counted_sum(*arguments: object) -> object:
        found = add_up(*arguments)  # type: ignore[arg-type]
        met[found[0].why_not.partition("(")[0] or "added"] += 1
        return found

    def counted_seal(*arguments: object) -> object:
        met["at once"] += 1
        return seal(*arguments)  # type: ignore[arg-type]

    def counted_join(*arguments: object) -> object:
        found = join(*arguments)  # type: ignore[arg-type]
        met["added at once"] += 1
        return found

    with (
        mock.patch.object(tick, "choose_for", decree),
        mock.patch.object(guard, "choose_for", decree),
        mock.patch.object(tick, "add_up", counted_sum),
        mock.patch.object(tick, "seal_at_once", counted_seal),
        mock.patch.object(at_once, "join", counted_join),
    ):
        yield


def play(place: World, seed: str, batches: int) -> str:
    """Batches until something differs; what and after how many, or an empty text."""
    rng = random.Random(seed)
    for number in range(1, batches + 1):
        statements = batch(rng, place.user.dialect.name)
        place.write(statements)
        if rng.random() < 0.8:
            place.tick()
            wrong = place.differences()
            if wrong:
                return f"batch {number} of {seed}: {wrong[0]} after {statements}"
    return ""
