"""People who follow and play: tables, and processors over them whose rows are known another way."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from typing import Any

from tests.findings.place import Place
from tidemark import Batch, Project
from tidemark.processors import Reader

SCHEMA = (
    'CREATE TABLE "pläys" (id bigint NOT NULL PRIMARY KEY, "user" bigint, day bigint NOT NULL)',
    'CREATE INDEX plays_user ON "pläys" ("user")',
    "CREATE TABLE people (id bigint NOT NULL PRIMARY KEY, bio text, verified boolean NOT NULL DEFAULT false)",
    "CREATE TABLE prices (unit bigint NOT NULL)",
    "INSERT INTO prices VALUES (10)",
)
WORD = "poison"
Rows = list[tuple[Any, ...]]


def streaks(db: Reader, batch: Batch) -> Iterator[dict[str, Any]]:
    """Days in a row, one row for each streak of a person, with the length and whether the person has a bio."""
    for who in batch.values("person"):
        bio = db.one("SELECT bio FROM people WHERE id = :who", {"who": who})
        if bio is not None and bio[0] == WORD:
            raise ValueError(f"{who} is poison")
        if bio is not None and bio[0] == "statement":
            db.all("SELECT nothing FROM nowhere")
        days = db.all('SELECT DISTINCT day FROM "pläys" WHERE "user" = :who ORDER BY day', {"who": who})
        told = bool(bio and bio[0])
        yield from (
            {"person": who, "began": day, "days": length, "told": told} for day, length in fold(row[0] for row in days)
        )


def fold(days: Iterable[int]) -> list[tuple[int, int]]:
    """(first day, number of days) of every streak."""
    found: list[tuple[int, int]] = []
    for day in days:
        if found and day == found[-1][0] + found[-1][1]:
            found[-1] = (found[-1][0], found[-1][1] + 1)
        else:
            found.append((day, 1))
    return found


def declared(**options: Any) -> Project:
    """The processor of streaks."""
    project = Project("music")
    reads = {"pläys": "user", "people": "id"}
    columns = {"began": "bigint", "days": "bigint", "told": "boolean"}
    given = {"key": ["person", "began"], "by": "person", "reads": reads, "columns": columns, **options}
    project.processor("streaks", **given)(streaks)
    return project


def stored(place: Place) -> Rows:
    """What readers see."""
    rows = place.rows("SELECT person, began, days, told FROM streaks ORDER BY person, began")
    return [(who, began, days, bool(told)) for who, began, days, told in rows]


def truth(place: Place) -> Rows:
    """What they should see."""
    heard: dict[int, set[int]] = {}
    for who, day in place.rows('SELECT "user", day FROM "pläys"'):
        if who is not None:
            heard.setdefault(who, set()).add(day)
    bios = dict(place.rows("SELECT id, bio FROM people"))
    return [(who, *one, bool(bios.get(who))) for who in sorted(heard) for one in fold(sorted(heard[who]))]


def change(place: Place, chance: random.Random) -> None:
    """One random statement."""
    id_, who, day = chance.randint(1, 12), chance.choice(["NULL", 1, 2, 3]), chance.randint(1, 6)
    bio = chance.choice(["NULL", "''", "'x'"])
    place.run(
        chance.choice(
            [
                f'INSERT INTO "pläys" VALUES ({id_}, {who}, {day}) ON CONFLICT (id) DO UPDATE SET day = {day}',
                f'INSERT INTO "pläys" VALUES ({id_}, {who}, {day}) ON CONFLICT (id) DO UPDATE SET "user" = {who}',
                f'UPDATE "pläys" SET day = day + 1 WHERE day < {day}',
                f'DELETE FROM "pläys" WHERE id = {id_}',
                f"INSERT INTO people (id, bio) VALUES ({chance.randint(1, 3)}, {bio}) ON CONFLICT (id) DO UPDATE SET bio = {bio}",
                f"DELETE FROM people WHERE id = {chance.randint(1, 3)}",
            ]
        )
    )
