"""Random programs over a source that is scanned: positions that grow, late commits, big positions, kills, new definitions.

Owns: `Chain`, one program in an empty database. Promises: the application keeps the contract of a watermark and nothing more: a
transaction gives positions that are higher than those committed before it began to write. Whenever it is calm, everything is
true after a drained tick; at the end late and deleted rows are found by verification and mended. Beside the scan there may be
notes, in a log, that queries read as numbers and that are none for a while; nobody else writes meanwhile.
"""

from __future__ import annotations

import contextlib
import random
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any
from unittest import mock

import psycopg

from tests.simulation.case import Derived, Duty, Failure
from tests.simulation.keeper import Keeper
from tests.simulation.run import Ground, clean
from tests.simulation.tally import Tally
from tests.simulation.upkeep import Killed
from tests.simulation.wire import Wire
from tidemark.contract.script import Script
from tidemark.database.session import Unacceptable
from tidemark.model import Source

STEPS = 60
SESSIONS = {"sqlite": 1, "postgres": 3}
STATED = Source("pläys", capture="scan", watermark="At", place="here")
SCHEMA = (
    'CREATE TABLE "pläys" (id integer NOT NULL PRIMARY KEY, g integer, v integer, "At" bigint NOT NULL)',
    'CREATE INDEX plays_at ON "pläys" ("At")',
    'CREATE INDEX plays_g ON "pläys" (g)',
    "CREATE TABLE tags (id integer NOT NULL PRIMARY KEY, name text)",
    "CREATE TABLE notes (id integer NOT NULL PRIMARY KEY, g integer NOT NULL, note text)",
    "INSERT INTO notes VALUES (1, 2, '1'), (2, 1, '2'), (3, 2, NULL), (4, 1, '4'), (5, 2, '5')",
)
NUMBER = {"sqlite": "json_extract(n.note, '$')", "postgres": "CAST(n.note AS integer)"}
"""A note as a number, which fails where it is none."""
BARE = ('CREATE TABLE "pläys" (id integer NOT NULL, g integer, v integer, "At" bigint NOT NULL)', *SCHEMA[1:])
GROUPS = 'SELECT g, count(*) AS n, sum(v) AS s, count(DISTINCT v) AS d FROM "pläys" GROUP BY g'
POOL = (
    Derived("groups", GROUPS, ("g",), "tick", "scan"),
    Derived(
        "named",
        'SELECT t.name, count(*) AS n FROM "pläys" p JOIN tags t ON t.id = p.g GROUP BY t.name',
        ("name",),
        "tick",
        "scan",
    ),
    Derived(
        "copied",
        'SELECT p.id, p.v, t.name FROM "pläys" p LEFT JOIN tags t ON t.id = p.g',
        ("id",),
        "tick",
        "scan",
    ),
    Derived(
        "ranked",
        'SELECT p.id, p.g, row_number() OVER (PARTITION BY p.g ORDER BY p.v, p.id) AS place FROM "pläys" p',
        ("id",),
        "tick",
        "scan",
    ),
    Derived(
        "whole", 'SELECT count(*) AS n, max(v) AS top FROM "pläys"', (), "tick", "scan", options={"allow_global": True}
    ),
)
BEGAN = Derived(
    "began",
    'SELECT g, count(*) AS n FROM "pläys" GROUP BY g',
    ("g",),
    "tick",
    "scan",
    options={"keep": {"n": "ratchet"}, "keep_rows": True, "marks": "now", "columns": ["n"]},
)
NOTED = {
    "noted": "SELECT {number} AS k, count(*) AS n FROM notes n GROUP BY {number}",
    "answered": 'SELECT {number} AS k, count(*) AS n FROM "pläys" p JOIN notes n ON n.g = p.g GROUP BY {number}',
}
Mutate = Callable[[Script], Script]


@dataclass
class Writer:
    """A session of the application. `touched` are groups of rows that it has written and not committed."""

    run: Callable[[str], Any]
    close: Callable[[], None]
    number: int
    is_open: bool = False
    touched: set[int | None] = field(default_factory=set)


class Chain:
    """One program, drawn from a seed while it is played."""

    def __init__(self, place: Ground, seed: str, mutate: Mutate | None = None) -> None:
        self.engine = place.engine
        self.chance = random.Random(f"{seed} {place.engine}")
        self.url = _fresh(place)
        self.keeper = Keeper(self.url, Tally(), mutate)
        self.keeper.stated = (STATED,)
        self.writers = [_writer(self.url, number) for number in range(SESSIONS[place.engine])]
        self.touched: set[int | None] = set()
        self.numbers: dict[str, set[int | None]] = {name: set() for name in NOTED}
        self.next = 1
        self.bare = self.chance.random() < 0.15
        self.batch = self.chance.choice((1, 2, 3, 5, 5_000))
        self.derived: list[Derived] = []

    # -- the application ----------------------------------------------------------------------------------------------

    @property
    def is_calm(self) -> bool:
        """Whether no transaction is open."""
        return not any(writer.is_open for writer in self.writers)

    def write(self) -> None:
        """One statement of some session, in a transaction or by itself."""
        writer = self.chance.choice(self.writers)
        if not writer.is_open and self.chance.random() < 0.5:
            writer.run("BEGIN IMMEDIATE" if self.engine == "sqlite" else "BEGIN")
            writer.is_open = True
        if self.chance.random() < 0.15 and writer.number == 0:
            writer.run(self._tag())
        else:
            writer.run(self._change(writer) if self.chance.random() < 0.3 else self._insert(writer))
        if not writer.is_open:
            self._committed(writer)

    def _insert(self, writer: Writer) -> str:
        rows = []
        for _ in range(self.chance.choice((1, 1, 2, 3, 9))):
            group = self.chance.choice((None, 1, 2, 3))
            writer.touched.add(group)
            rows.append(
                f"SELECT {self.next * 10 + writer.number} AS id, {_sql(group)} AS g, {self.chance.randint(0, 3)} AS v"
            )
            self.next += 1
        return f'INSERT INTO "pläys" SELECT x.id, x.g, x.v, p.n FROM ({self._position()}) AS p, ({" UNION ALL ".join(rows)}) AS x'

    def _position(self) -> str:
        if self.engine == "postgres":
            return "SELECT nextval('positions') AS n OFFSET 0"
        return 'SELECT coalesce(max("At"), 0) + 1 AS n FROM "pläys"'

    def _change(self, writer: Writer) -> str:
        # A row keeps its group, and each session has rows of its own, so that nobody waits.
        some = self.chance.randint(1, max(1, self.next - 1)) * 10 + writer.number
        position = "nextval('positions')" if self.engine == "postgres" else '(SELECT max("At") + 1 FROM "pläys")'
        writer.touched |= {group for (group,) in writer.run(f'SELECT g FROM "pläys" WHERE id = {some}').fetchall()}
        return f'UPDATE "pläys" SET v = {self.chance.randint(0, 3)}, "At" = {position} WHERE id = {some}'

    def _tag(self) -> str:
        number, name = self.chance.randint(1, 3), self.chance.choice(("NULL", "'a'", "'b'"))
        if self.chance.random() < 0.3:
            return f"DELETE FROM tags WHERE id = {number}"
        return f"INSERT INTO tags VALUES ({number}, {name}) ON CONFLICT (id) DO UPDATE SET name = excluded.name"

    def end(self, writer: Writer) -> None:
        """End a transaction, one way or another."""
        kind = self.chance.choice(("commit", "commit", "commit", "rollback", "prepare"))
        if kind == "prepare" and self.engine == "postgres":
            name = f"tm_{self.chance.getrandbits(60)}"
            writer.run(f"PREPARE TRANSACTION '{name}'")
            self.tick()
            writer.run(f"COMMIT PREPARED '{name}'")
        else:
            writer.run("ROLLBACK" if kind == "rollback" else "COMMIT")
        writer.is_open = False
        if kind == "rollback":
            writer.touched.clear()
        self._committed(writer)

    def _committed(self, writer: Writer) -> None:
        self.touched |= writer.touched
        for group in writer.touched - {None}:
            self.numbers["answered"] |= self._numbers(f"g = {group}")
        writer.touched.clear()

    def calm(self) -> None:
        """End every transaction."""
        for writer in self.writers:
            if writer.is_open:
                self.end(writer)

    def note(self, number: int, text: str | None) -> None:
        """Write a note, or none, while nobody else writes. What it was and what it is tells of rows, where it is a number."""
        self.calm()
        run, before, group = self.writers[0].run, self._numbers(f"id = {number}"), 1 + number % 2
        run(
            f"DELETE FROM notes WHERE id = {number}"
            if text is None
            else f"INSERT INTO notes VALUES ({number}, {group}, {text}) ON CONFLICT (id) DO UPDATE SET note = excluded.note"
        )
        after = self._numbers(f"id = {number}")
        if before != after:
            self.numbers["noted"] |= before | after
            played = run(f'SELECT 1 FROM "pläys" WHERE g = {group}').fetchall()
            self.numbers["answered"] |= before | after if played else set()

    def _numbers(self, test: str) -> set[int | None]:
        """The numbers that some notes are; nothing of one that is none."""
        found = self.writers[0].run(f"SELECT note FROM notes WHERE {test} AND coalesce(note, '') <> 'x'").fetchall()
        return {None if text is None else int(text) for (text,) in found}

    def mend(self) -> None:
        """Let every note be a number."""
        for (number,) in self.writers[0].run("SELECT id FROM notes WHERE note = 'x' ORDER BY id").fetchall():
            self.note(number, f"'{self.chance.randint(1, 6)}'")

    # -- the keeper ---------------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """A tick, perhaps bounded, perhaps killed."""
        if self.engine == "sqlite":
            # One writer: a worker would wait until it ends.
            self.calm()
        kill = self.chance.randint(1, 60) if self.chance.random() < 0.3 else None
        batches = self.chance.choice((None, 2, 3, 5))
        # What no query can read stands somewhere, perhaps: then nothing is taken for read.
        with contextlib.suppress(Killed, Unacceptable):
            self.keeper.tick(Duty(0.0, "tick", kill, self.chance.choice(("close", "steal")), batches))

    def settle(self, moment: str) -> None:
        """Be calm, drain and compare."""
        self.calm()
        self.mend()
        self.keeper.tick()
        for one in self.derived:
            self._compare(one, moment)

    def _compare(self, one: Derived, moment: str) -> None:
        stored, truth = self._rows(f"SELECT * FROM {one.name}"), self._rows(one.query)
        if one.name in NOTED:
            true, seen, reached = dict(truth.keys()), dict(stored.keys()), self.numbers[one.name]
            # A note alone tells of which row it may be part, played or not.
            wrong = set(seen) - reached - self.numbers["noted"]
            wrong |= {key for key in reached & set(true) if seen.get(key) != true[key]}
            if wrong:
                raise Failure("different", one.name, f"{moment}: {wrong} of {stored}, reached {reached}, true {truth}")
        elif one.name == "began":
            true, seen = dict(truth.keys()), dict(stored.keys())
            wrong = set(seen) ^ self.touched or {key for key in seen if true.get(key, 0) > seen[key]}
            if wrong:
                raise Failure(
                    "different", one.name, f"{moment}: {wrong} of {stored}, touched {self.touched}, true {truth}"
                )
        elif stored != truth:
            raise Failure("different", one.name, f"{moment}: extra {stored - truth}, missing {truth - stored}")

    def _rows(self, query: str) -> Counter[tuple[Any, ...]]:
        return Counter(tuple(row) for row in self.writers[0].run(query).fetchall())

    def redeclare(self) -> None:
        """Another definition of one table: it is built anew while the old one is read."""
        place, one = self.chance.choice([(n, one) for n, one in enumerate(self.derived) if "count(*)" in one.query])
        plain, other = "count(*) AS n", "count(*) + 0 AS n"
        query = one.query.replace(plain, other) if plain in one.query else one.query.replace(other, plain)
        self.derived[place] = replace(one, query=query)
        if self.engine == "sqlite":
            self.calm()
        self.mend()
        # What waits for the older definition is to begin in it.
        self.note(self.chance.randint(1, 5), f"'{self.chance.randint(1, 6)}'")
        kill = self.chance.randint(1, 150) if self.chance.random() < 0.3 else None
        if not self.keeper.declare(self.derived, Duty(0.0, "declare", kill)):
            self.write()
            self.calm()
            self.keeper.reinstall()

    def go_back(self) -> None:
        """The last positions are taken back, as a chain does that is reorganised."""
        self.settle("before going back")
        self.writers[0].run('DELETE FROM "pläys" WHERE "At" >= (SELECT max("At") FROM "pläys")')
        self.settle("after going back")

    # -- the program --------------------------------------------------------------------------------------------------

    def play(self) -> None:
        """Play everything. Raises `Failure`."""
        first = self.writers[0]
        for statement in BARE if self.bare else SCHEMA:
            first.run(statement)
        if self.engine == "postgres":
            first.run("CREATE SEQUENCE positions")
        for _ in range(self.chance.randint(0, 4)):
            first.run(self._insert(first))
        first.touched.clear()
        pool = [one for one in POOL if not self.bare or one.key != ("id",)]
        options = {"keep_rows": True, "marks": "now"}
        noted = [
            Derived(name, query.format(number=NUMBER[self.engine]), ("k",), "tick", "scan", options=options)
            for name, query in NOTED.items()
        ]
        self.derived = [self.chance.choice(pool), BEGAN, self.chance.choice(noted)]
        with mock.patch("tidemark.runtime.ticks.scanning.BATCH_ROWS", self.batch):
            admitted = self.keeper.install(self.derived)
            if len(admitted) != len(self.derived):
                raise Failure("refused", "", str(self.keeper.tally.refused))
            for _ in range(STEPS):
                self._step()
            self.settle("at the end")
            self._lose_and_find()

    def _step(self) -> None:
        pick = self.chance.random()
        open_writers = [writer for writer in self.writers if writer.is_open]
        if pick < 0.1:
            text = self.chance.choice(("NULL", "'1'", "'2'", "'3'", "'x'", "'x'", None))
            self.note(self.chance.randint(1, 5), text)
        elif pick < 0.5:
            self.write()
        elif pick < 0.67 and open_writers:
            self.end(self.chance.choice(open_writers))
        elif pick < 0.88:
            self.tick()
        elif pick < 0.93:
            self.settle("on the way")
        elif pick < 0.96:
            self.go_back()
        else:
            self.redeclare()

    def _lose_and_find(self) -> None:
        """What no scan sees is found by verification, and mended."""
        first = self.writers[0]
        if self.keeper.drift():
            raise Failure("drift", "", "a verification finds rows that are true")
        first.run(f'INSERT INTO "pläys" VALUES ({self.next * 10}, 2, 1, -5)')
        first.run('DELETE FROM "pläys" WHERE id = (SELECT min(id) FROM "pläys" WHERE "At" > 0)')
        self.keeper.tick()
        self.keeper.drift()
        self.keeper.repair()
        for one in self.derived:
            if one.name not in ("began", *NOTED):
                self._compare(one, "after repair")

    def close(self) -> None:
        """Close every connection."""
        self.keeper.close()
        for writer in self.writers:
            writer.close()


def _sql(value: int | None) -> str:
    return "CAST(NULL AS integer)" if value is None else str(value)


def _fresh(place: Ground) -> str:
    if place.engine == "postgres":
        with contextlib.closing(Wire(place.url)) as wire:
            clean(wire)
        return place.url
    for path in place.folder.glob("case.*"):
        path.unlink()
    return f"sqlite:///{place.folder / 'case.db'}"


def _writer(url: str, number: int) -> Writer:
    if url.startswith("sqlite"):
        lite = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
        lite.execute("PRAGMA journal_mode = WAL")
        return Writer(lite.execute, lite.close, number)
    there = psycopg.connect(url, autocommit=True)
    return Writer(lambda text: there.execute(text), there.close, number)


@contextlib.contextmanager
def chain(place: Ground, seed: str, mutate: Mutate | None = None) -> Iterator[Chain]:
    """A program that is ready to be played."""
    made = Chain(place, seed, mutate)
    try:
        yield made
    finally:
        made.close()


def play(place: Ground, seed: str, mutate: Mutate | None = None) -> None:
    """Play the program of a seed. Raises `Failure`, which names the seed."""
    with chain(place, seed, mutate) as made:
        try:
            made.play()
        except Failure as failure:
            raise Failure(failure.kind, failure.derived, f"seed {seed}: {failure.detail}") from failure
