"""Columns that keep the block which completed a row: the same rows whatever the batches, the workers and the kills."""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import pytest

from tests.kit.size import FULL
from tests.streams.dying import EXPIRE, Dead, Dying
from tests.streams.ground import Ledger, block, take_play
from tidemark import Fault, Project, Refusal, Tidemark, event_time, first, iterable, position, ratchet, workshop
from tidemark.database.open import open_session
from tidemark.events import Block, Event
from tidemark.runtime.clock import Clock
from tidemark.streams import Database

QUERY = (
    "SELECT listener, count(*) AS plays, count(*) >= 3 AS done, CAST(NULL AS bigint) AS done_in, "
    "CAST(NULL AS {time}) AS done_at, CAST(NULL AS bigint) AS came_in FROM plays GROUP BY listener"
)
COLUMNS = "listener, plays, CAST(done AS integer), done_in, done_at, came_in"
KEEP = {
    "plays": ratchet(),
    "done": ratchet(),
    "done_in": first(value=position(), when="done"),
    "done_at": first(value=event_time("ledger"), when="done"),
    "came_in": first(value=position()),
}
Rows = list[tuple[Any, ...]]


def declared(blocks: list[dict[str, Any]], settle: str = "block") -> Project:
    project = Project("heard")
    texts = {"sqlite": QUERY.format(time="text"), "postgresql": QUERY.format(time="text")}
    project.derive("crowd", key="listener", query=texts, keep=KEEP, keep_rows=True)
    stream = project.stream("ledger", source=iterable(partial(_after, blocks)), settle=settle)
    stream.on("plays", each="plays")(take_play)

    @stream.on("forget")
    def forget(db: Database, event: Event) -> None:
        db.run("DELETE FROM plays WHERE listener = :listener", {"listener": event.data["listener"]})

    return project


def _after(blocks: list[dict[str, Any]], position: int | None) -> list[dict[str, Any]]:
    return [one for one in blocks if position is None or one["block"] > position]


def drawn(chance: random.Random) -> list[dict[str, Any]]:
    """Random blocks, with holes between them."""
    found = []
    for at in sorted(chance.sample(range(40), 8)):
        made: list[dict[str, Any]] = []
        for _ in range(chance.randint(0, 2)):
            listeners = [chance.randint(1, 4) for _ in range(chance.randint(1, 2))]
            made.append({"type": "plays", "plays": [{"listener": one, "track": 1} for one in listeners]})
            if chance.random() < 0.4:
                made.append({"type": "forget", "listener": chance.randint(1, 4)})
        found.append(block(at, *made))
    return found


def told(blocks: list[dict[str, Any]]) -> Rows:
    """The same in Python: a fold over the states after blocks."""
    heard: dict[int, int] = {}
    kept: dict[int, tuple[Any, ...]] = {}
    for one in blocks:
        for transaction in one["txs"]:
            if transaction["type"] == "forget":
                heard.pop(transaction["listener"], None)
            for play in transaction.get("plays", ()):
                heard[play["listener"]] = heard.get(play["listener"], 0) + 1
        for listener, plays in heard.items():
            most, done, at, came = kept.get(listener, (0, 0, None, one["block"]))
            done, at = (1, one["block"] if at is None else at) if plays >= 3 else (done, at)
            kept[listener] = (max(most, plays), done, at, came)
    time = {None: None} | {one["block"]: str(one["timestamp"]) for one in blocks}
    return [(who, most, done, at, time[at], came) for who, (most, done, at, came) in sorted(kept.items())]


def stored(url: str) -> Rows:
    with contextlib.closing(open_session(url)) as session:
        return session.all(f"SELECT {COLUMNS} FROM crowd ORDER BY listener")


def engine_of(project: Project, url: str) -> Tidemark:
    return Tidemark(project, url, clock=Clock(wait=lambda seconds: None))


@contextlib.contextmanager
def beside(project: Project, url: str) -> Iterator[None]:
    """Another worker ticks all the time."""
    ended, problems = threading.Event(), list[BaseException]()

    def work() -> None:
        other = Tidemark(project, url)
        while not ended.is_set():
            try:
                other.tick()
            except Fault:
                # Somebody else is at it: again.
                continue
            except BaseException as problem:  # noqa: BLE001 - it is raised again by whoever waits.
                problems.append(problem)
                return

    worker = threading.Thread(target=work)
    worker.start()
    try:
        yield
    finally:
        ended.set()
        worker.join()
    assert not problems, problems


@pytest.mark.parametrize("seed", range(6 if FULL else 2))
def test_any_batching_any_kills_and_other_workers_give_the_same_rows(
    ledger: Ledger, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    print(f"seed {seed}")
    chance = random.Random(seed)
    blocks = drawn(chance)
    project = declared(blocks)
    engine = engine_of(project, ledger.url)
    engine.apply()
    opened = workshop.open_session
    with contextlib.nullcontext() if seed % 2 else beside(project, ledger.url):
        while True:
            steps = chance.randint(20, 400)
            monkeypatch.setattr(workshop, "open_session", lambda *a, n=steps, **k: _dying(opened, n, *a, **k))
            with contextlib.suppress(Dead):
                if not engine.stream("ledger").run(chance.choice((1, 3, None))).blocks:
                    break
            monkeypatch.setattr(workshop, "open_session", opened)
            with contextlib.closing(open_session(ledger.url)) as session, session.transaction():
                session.run(EXPIRE[session.dialect.name])
    monkeypatch.setattr(workshop, "open_session", opened)
    assert stored(ledger.url) == told(blocks)
    assert all(report.clean for report in engine.verify())


def _dying(opened: Any, steps: int, *arguments: Any, **more: Any) -> Any:
    session = opened(*arguments, **more)
    # Whoever works beside is not the one that dies.
    return Dying(session, steps) if threading.current_thread() is threading.main_thread() else session


def test_ticks_that_come_too_seldom_date_otherwise(ledger: Ledger) -> None:
    """The mutant of the test above: without settling, states are those at ticks, and the dates are those of the last block."""
    blocks = drawn(random.Random(0))
    engine = engine_of(declared(blocks, "tick"), ledger.url)
    engine.apply()
    engine.stream("ledger").run()
    engine.tick()
    assert {row[5] for row in stored(ledger.url)} == {blocks[-1]["block"]}
    assert all(report.clean for report in engine.verify())


def test_a_row_that_no_block_dated_is_stale_and_repair_dates_it(ledger: Ledger) -> None:
    with ledger.session.transaction():
        ledger.session.script("INSERT INTO plays VALUES (1, 7, NULL), (2, 7, NULL), (3, 7, NULL)")
    engine = engine_of(declared([block(4)]), ledger.url)
    engine.apply()
    assert stored(ledger.url) == [(7, 3, 1, None, None, None)]
    assert all(report.clean and not report.stale for report in engine.verify())
    engine.stream("ledger").run()
    assert stored(ledger.url) == [(7, 3, 1, None, None, None)]
    assert [(report.drift, report.stale) for report in engine.verify()] == [(0, 1)]
    engine.repair()
    assert stored(ledger.url) == [(7, 3, 1, 4, "1004", 4)]
    assert any("done_in is the position of the block of stream ledger" in one for one in engine.verify()[0].notes)


def test_times_of_every_spelling_are_read(ledger: Ledger) -> None:
    """In a column of times they are moments; one that is none leaves what the query says."""
    if ledger.session.dialect.name == "sqlite":
        types = {"text": ("1700000000", "2023-11-14T22:13:20+00:00", "noon", None)}
    else:
        types = {
            "timestamp": ("2023-11-14 22:13:20", "2023-11-14 22:13:20", None, None),
            "timestamptz": ("2023-11-14 22:13:20+00", "2023-11-14 22:13:20+00", None, None),
            "bigint": ("1700000000", None, None, None),
            "text": ("1700000000", "2023-11-14T22:13:20+00:00", "noon", None),
        }
    said = [1700000000, "2023-11-14T22:13:20+00:00", "noon", None]
    blocks: list[dict[str, Any]] = [
        {"block": at, "timestamp": time, "txs": [{"type": "plays", "plays": [{"listener": at, "track": 1}]}]}
        for at, time in enumerate(said)
    ]
    project = declared(blocks)
    for type_ in types:
        query = f"SELECT listener, CAST(NULL AS {type_}) AS at FROM plays GROUP BY listener"
        project.derive(f"at_{type_}", query=query, key="listener", keep={"at": first(value=event_time())})
    engine = engine_of(project, ledger.url)
    engine.apply()
    engine.stream("ledger").run()
    for type_, wanted in types.items():
        rows = ledger.rows(f"SELECT CAST(at AS text) FROM at_{type_} ORDER BY listener")
        assert [row[0] for row in rows] == list(wanted), type_


@pytest.mark.parametrize(
    ("time", "moment"),
    [
        ("0", "1970-01-01 00:00:00.000000"),
        ("1.5", "1970-01-01 00:00:01.500000"),
        ("2024-02-29 12:00:00+02:00", "2024-02-29 10:00:00.000000"),
        ("2023-02-29", None),
        ("99999999999999", None),
        ("", None),
        (None, None),
    ],
)
def test_a_block_says_its_moment_in_one_form(time: str | None, moment: str | None) -> None:
    assert Block(1, time, ()).moment == moment


@pytest.mark.parametrize(
    ("streams", "keep", "message"),
    [
        ((), {"at": first(value=position())}, r"project\.stream"),
        (("a", "b"), {"at": first(value=position())}, "not named.*one of: a, b"),
        (("a",), {"at": first(value=event_time("b"))}, "stream b"),
        (("a",), {"at": first(value=position(), when="plays")}, "can go back"),
        (("a",), {"word": first(value=position())}, "bigint"),
    ],
)
def test_a_moment_that_no_stream_can_say_is_refused(
    ledger: Ledger, streams: tuple[str, ...], keep: Mapping[str, Any], message: str
) -> None:
    if "word" in keep and ledger.session.dialect.name == "sqlite":
        # A column of SQLite holds whatever it is given.
        return
    project = Project("refused")
    query = "SELECT listener, count(*) AS plays, max(at) AS at, 'x' AS word FROM plays GROUP BY listener"
    project.derive("crowd", key="listener", query=query.replace("max(at)", "count(*)"), keep=keep)
    for name in streams:
        project.stream(name, source=iterable(lambda after: ()))
    with pytest.raises(Refusal, match=message):
        Tidemark(project, ledger.url).plan()
