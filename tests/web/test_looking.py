"""Who looks again and again: what changed is seen, what did not is not read anew, and nobody waits for a look that was due."""

import asyncio
import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.web.conftest import Forum
from tidemark.database.open import open_session
from tidemark.runtime.ledger import Ledger
from tidemark.runtime.objects import gaps
from tidemark.runtime.objects.gaps import LOOK_SECONDS, Eye
from tidemark.runtime.operate.status import read_status, read_status_here
from tidemark.web.cached import Cached

CHANGES = (
    "CREATE TABLE others (id INTEGER PRIMARY KEY)",
    "ALTER TABLE others ADD COLUMN more TEXT",
    "ALTER TABLE others RENAME COLUMN more TO less",
    "CREATE INDEX others_less ON others (less)",
    "CREATE VIEW seen AS SELECT id FROM others",
    "DROP VIEW seen",
    "DROP INDEX others_less",
    "ALTER TABLE others RENAME TO the_others",
    "DROP TABLE the_others",
)
CHANGES_POSTGRES = (
    "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
    "CREATE TRIGGER fires AFTER INSERT ON posts FOR EACH ROW EXECUTE FUNCTION f()",
    "ALTER TABLE posts DISABLE TRIGGER fires",
    "COMMENT ON TRIGGER fires ON posts IS 'it fires'",
    "CREATE OR REPLACE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
    "DROP TRIGGER fires ON posts",
    "DROP FUNCTION f()",
    "CREATE TYPE mood AS ENUM ('glad')",
    "ALTER TYPE mood RENAME TO humour",
    "DROP TYPE humour",
    "ALTER TABLE posts ALTER COLUMN author DROP NOT NULL",
    "ALTER TABLE posts ALTER COLUMN author SET NOT NULL",
    "CREATE TABLE parts (id integer) PARTITION BY LIST (id)",
    "CREATE TABLE part (id integer)",
    "ALTER TABLE parts ATTACH PARTITION part FOR VALUES IN (1)",
    "DROP TABLE parts",
)


def test_the_marker_of_the_schema_tells_of_every_change_and_of_nothing_else(well_forum: Forum) -> None:
    with_schemas = well_forum.session.dialect.has_schemas
    watching = open_session(well_forum.url, role="reader")
    seen = [watching.schema_marker()]
    for change in (*CHANGES, *(CHANGES_POSTGRES if with_schemas else ())):
        well_forum.write(change)
        seen.append(watching.schema_marker())
        assert seen[-1] != seen[-2], change
    well_forum.write("INSERT INTO users (id, name) VALUES (77, 'eve')")
    well_forum.write("DELETE FROM users WHERE id = 77")
    with well_forum.session.transaction():
        well_forum.session.script("CREATE TEMP TABLE passing (id INTEGER PRIMARY KEY, name TEXT DEFAULT 'x')")
    assert watching.schema_marker() == seen[-1]
    well_forum.write("DROP TABLE passing")
    watching.close()


def look_twice(forum: Forum, change: str, *, seconds: float = 0.0) -> tuple[str, str]:
    """What an eye says of the captures before and after a change, and that it says what a new one does."""
    moment = [0.0]
    eye, said = Eye(lambda: moment[0]), []
    with contextlib.closing(open_session(forum.url, role="reader")) as session:
        ledger = Ledger(session)
        for statement in ("", change):
            if statement:
                forum.write(statement)
                moment[0] += seconds
            with session.transaction("read", snapshot=True):
                said.append([(one.name, one.captures) for one in read_status_here(ledger, glance=True, eye=eye)])
        assert said[1] == [(one.name, one.captures) for one in read_status(ledger)]
    return str(said[0]), str(said[1])


def test_an_eye_that_looked_before_sees_what_changed(forum: Forum) -> None:
    names = [name for name in forum.session.installed() if name.endswith("_del") or "delete" in name]
    (trigger, *_) = names
    drop = f'DROP TRIGGER "{trigger}" ON posts' if forum.session.dialect.has_schemas else f'DROP TRIGGER "{trigger}"'
    before, after = look_twice(forum, drop)
    assert "missing" not in before and f"{trigger} missing" in after


def test_what_did_not_change_is_not_looked_at_anew_for_a_minute(
    well_forum: Forum, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []
    real = gaps.look_at_catalog
    monkeypatch.setattr(gaps, "look_at_catalog", lambda *given: looked.append("looked") or real(*given))
    write = "INSERT INTO users (id, name) VALUES (78, 'eve')"
    look_twice(well_forum, write)
    assert len(looked) == 2, "once by the eye, and once by the new one"
    look_twice(well_forum, "DELETE FROM users WHERE id = 78", seconds=LOOK_SECONDS)
    assert len(looked) == 5, "what nobody changed is looked at anew all the same, now and then"


def test_who_asks_when_half_of_the_time_is_over_waits_for_nobody() -> None:
    moment, gate, read = [0.0], threading.Event(), list[float]()

    def look() -> float:
        if read:
            gate.wait(20)
        read.append(moment[0])
        return moment[0]

    async def ask() -> Any:
        with ThreadPoolExecutor(1) as threads:
            cached = Cached(look, threads, seconds=1.0, now=lambda: moment[0])
            assert await cached.get() == 0.0
            moment[0] = 0.4
            assert await cached.get() == 0.0 and cached._flight is None
            moment[0] = 0.6
            assert [await cached.get() for _ in range(3)] == [0.0] * 3, "one reads, nobody waits"
            flight = cached._flight
            gate.set()
            assert flight is not None and await asyncio.wrap_future(flight) == 0.6
            moment[0] = 1.1
            assert await cached.get() == 0.6 and len(read) == 2

    asyncio.run(ask())


def test_a_look_that_was_begun_before_something_was_done_is_not_kept() -> None:
    gate, begun, facts = threading.Event(), threading.Event(), ["before"]

    def look() -> str:
        found = facts[0]
        begun.set()
        gate.wait(20)
        return found

    async def ask() -> None:
        with ThreadPoolExecutor(1) as threads:
            cached = Cached(look, threads, seconds=60.0)
            first = asyncio.create_task(cached.get())
            assert await asyncio.to_thread(begun.wait, 20)
            facts[0] = "after"
            cached.forget()
            gate.set()
            assert await first == "before"
            assert await cached.get() == "after"

    asyncio.run(ask())
