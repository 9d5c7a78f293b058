"""Who looks again and again asks in one message what it asked before, and whoever comes regularly waits for no look."""

import asyncio
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace

import pytest
from starlette.requests import Request

from tests.web.conftest import Forum
from tidemark.database.open import open_session
from tidemark.database.postgres import habit as postgres_habit
from tidemark.database.postgres.session import PostgresSession
from tidemark.runtime.ledger import Ledger
from tidemark.runtime.operate.onlooker import Onlooker
from tidemark.runtime.operate.overview import Overview, read_overview
from tidemark.web.cached import EXPECTED_SECONDS_MAX, NAMES_MAX, Cached
from tidemark.web.house import House, Wanted, name_prober


@contextmanager
def looking(forum: Forum) -> Iterator[Onlooker]:
    """Somebody who looked so often that everything is a habit."""
    eye = forum.tidemark.onlooker()
    with closing(eye):
        for _ in range(3):
            forum.write("UPDATE users SET name = name")
            eye.overview()
        yield eye


def read_anew(forum: Forum) -> Overview:
    """What somebody sees who never looked before."""
    with closing(open_session(forum.url, role="reader")) as session:
        return read_overview(Ledger(session))


def timeless(view: Overview) -> Overview:
    """An overview without what passes by itself."""
    sentence = re.sub(r" as of .+? ago", "", view.verdict.sentence.partition(";")[0]).removesuffix(".")
    return replace(view, at="", verdict=replace(view.verdict, sentence=sentence))


def test_what_is_a_habit_is_asked_in_one_message(well_forum: Forum, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    real = PostgresSession._send
    monkeypatch.setattr(PostgresSession, "_send", lambda self, sql, *given: sent.append(sql) or real(self, sql, *given))
    with looking(well_forum) as eye:
        well_forum.write("UPDATE users SET name = name")
        sent.clear()
        view = eye.overview()
        assert [one.partition(";")[0].split()[0] for one in sent] == (
            ["SELECT", "BEGIN", "COMMIT"] if well_forum.session.dialect.has_schemas else []
        )
        assert not [one for one in sent if "PREPARE" in one], "what was prepared stays prepared"
    assert timeless(view) == timeless(read_anew(well_forum))


def test_what_is_asked_under_another_path_is_no_habit(pg_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    with closing(open_session(pg_database)) as session:
        assert isinstance(session, PostgresSession)
        send = session._send
        monkeypatch.setattr(session, "_send", lambda sql, given=None: (sent.append(sql), send(sql, given))[1])
        for _ in range(4):
            sent.clear()
            with session.transaction("look"):
                session.now()
                session.installed()
    assert "EXECUTE tidemark_habit" in sent[0] and "tidemark_kept" not in sent[0]
    assert any(text.startswith("EXECUTE tidemark_kept") for text in sent[1:])


def test_whoever_has_habits_sees_what_changed(forum: Forum) -> None:
    changes = (
        "INSERT INTO posts (id, thread_id, author) VALUES (4, 4, 1)",
        f"UPDATE {forum.ledger('derived')} SET state = 'paused' WHERE name = 'thread_posts'",
        "ALTER TABLE users ADD COLUMN more TEXT",
        f"UPDATE {forum.ledger('checkpoint')} SET source = 'nothing' WHERE derived = 'post_authors' AND source = 'posts'",
        "DROP VIEW post_authors" + (" CASCADE" if forum.session.dialect.has_schemas else ""),
        f"DELETE FROM {forum.ledger('derived')} WHERE name = 'thread_sizes'",
    )
    with looking(forum) as eye:
        seen = [timeless(eye.overview())]
        for change in changes:
            forum.write(change)
            seen.append(timeless(eye.overview()))
            assert seen[-1] == timeless(read_anew(forum)), change
            assert seen[-1] != seen[-2] or "users" in change, change


def test_what_is_gone_is_told_by_whoever_has_habits(forum: Forum) -> None:
    with looking(forum) as eye:
        forum.tidemark.uninstall()
        gone = eye.overview()
        assert not gone.installed and gone.tables == () and gone.verdict.level == "fail"
        forum.tidemark.apply()
        assert eye.overview().verdict.level == "pass"


def forget_all(session: PostgresSession) -> None:
    """What a pooler does: the next transaction has another connection to the server."""
    session._connection.execute("DEALLOCATE ALL")


def grow_old(session: PostgresSession) -> None:
    """So much time passes that plans are made anew."""
    session._habit._since -= postgres_habit.RENEW_SECONDS


@pytest.mark.parametrize("happens", [forget_all, grow_old])
def test_what_was_prepared_may_be_lost_or_old(well_forum: Forum, happens: Callable[[PostgresSession], None]) -> None:
    with looking(well_forum) as eye:
        assert eye._duty is not None
        session = eye._duty.session
        for round_ in range(postgres_habit.ERRORS_MAX + 2):
            if isinstance(session, PostgresSession):
                happens(session)
            well_forum.write("INSERT INTO posts (id, thread_id, author) VALUES (:id, 7, 1)", id=700 + round_)
            for _ in range(3):
                seen = eye.overview()
                well_forum.write("UPDATE users SET name = name")
            assert timeless(seen) == timeless(read_anew(well_forum))
        if isinstance(session, PostgresSession):
            prepared = session._connection.execute("SELECT FROM pg_prepared_statements WHERE name ~ 'habit'").fetchall()
            lost = happens is forget_all
            assert len(prepared) == (0 if lost else len(session._habit._questions)), "nothing is left behind"
            assert session._habit._errors == (postgres_habit.ERRORS_MAX if lost else 0)
    well_forum.write("DELETE FROM posts WHERE id >= 700")
    well_forum.tidemark.tick()


def test_a_look_writes_nothing(well_forum: Forum) -> None:
    session = open_session(well_forum.url, role="reader")
    with session.transaction("look"):
        before = session.all("SELECT count(*) FROM posts")
        well_forum.write("INSERT INTO posts (id, thread_id, author) VALUES (800, 8, 1)")
        assert session.all("SELECT count(*) FROM posts") == before, "it is of one moment"
    with session.transaction("look"):
        assert session.all("SELECT count(*) FROM posts") != before
    with pytest.raises(Exception, match=r"read.?only|query_only"), session.transaction("look"):
        session.run("DELETE FROM posts WHERE id = 800")
    session.close()
    well_forum.write("DELETE FROM posts WHERE id = 800")
    well_forum.tidemark.tick()


def probe_of(path: str, host: str, agent: str) -> str:
    """The name of whoever probes like that."""
    headers = [(b"user-agent", agent.encode())]
    return name_prober(
        Request({"type": "http", "path": path, "headers": headers, "client": (host, 1), "query_string": b""})
    )


def test_two_who_probe_the_same_are_expected_each_in_its_own_rhythm() -> None:
    moment, expected = [0.0], list[float]()
    left, right = probe_of("/healthz", "10.0.0.1", "probe"), probe_of("/healthz", "10.0.0.2", "probe")
    assert len({left, right, probe_of("/readyz", "10.0.0.1", "probe"), probe_of("/healthz", "10.0.0.1", "other")}) == 4

    async def ask() -> None:
        with ThreadPoolExecutor(1) as threads:
            cached = Cached(
                lambda: "read", threads, now=lambda: moment[0], later=lambda seconds, call: expected.append(seconds)
            )
            for at, who in ((10.0, left), (13.0, right), (20.0, left), (23.0, right)):
                moment[0] = at
                await cached.get(who)
            assert expected == [9.6, 9.6]
            for number in range(NAMES_MAX):
                await cached.get(f"made up {number}")
            moment[0] = 30.0
            await cached.get(left)
            assert len(expected) == 2 and len(cached._came) == NAMES_MAX, "names that are made up take no room"

    asyncio.run(ask())


def test_a_server_looks_once_before_anybody_asks(well_forum: Forum) -> None:
    house = House(well_forum.tidemark, Wanted({}), seconds=60.0)
    house.look_ahead()
    assert asyncio.run(house.overview()).installed and house.readings == 1
    house.close()


def test_whoever_comes_regularly_waits_for_no_look() -> None:
    moment, expected, read = [0.0], list[tuple[float, Callable[[], None]]](), list[float]()

    async def come(cached: Cached[float], at: float, who: str = "probe") -> float:
        moment[0] = at
        found = await cached.get(who)
        if cached._flight is not None:
            await asyncio.wrap_future(cached._flight)
        return found

    async def ask() -> None:
        with ThreadPoolExecutor(1) as threads:
            cached = Cached(
                lambda: read.append(moment[0]) or moment[0],
                threads,
                now=lambda: moment[0],
                later=lambda seconds, call: expected.append((seconds, call)),
            )
            assert await come(cached, 10.0) == 10.0 and not expected, "nobody knows when it comes again"
            assert await come(cached, 25.0) == 25.0 and [wait for wait, _ in expected] == [14.6]
            moment[0] = 39.6
            expected[0][1]()
            assert cached._flight is not None
            await asyncio.wrap_future(cached._flight)
            assert await come(cached, 40.0) == 39.6 and read == [10.0, 25.0, 39.6], "one reading for each time it comes"
            expected[1][1]()
            assert cached._flight is None, "what is young is not read anew"
            assert await come(cached, 40.3, "") == 39.6 and len(expected) == 2, "who has no name is not expected"
            await come(cached, 40.4 + EXPECTED_SECONDS_MAX)
            assert len(expected) == 2, "nor is who comes hardly ever"
            await come(cached, 130.0)
            cached.close()
            moment[0] = 200.0
            expected[-1][1]()
            assert cached._flight is None, "nor when it is over"

    asyncio.run(ask())


def test_a_value_is_as_old_as_its_reading() -> None:
    moment = [0.0]

    def read() -> float:
        moment[0] += 0.75
        return moment[0]

    async def ask() -> None:
        with ThreadPoolExecutor(1) as threads:
            cached = Cached(read, threads, now=lambda: moment[0])
            assert await cached.get() == 0.75
            moment[0] = 1.125
            assert await cached.get() == 1.875, "it was read from the first moment on"

    asyncio.run(ask())
