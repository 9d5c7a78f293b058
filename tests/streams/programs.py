"""Random programs of streams: blocks with poison in them, and what happens to whoever takes them.

Owns: `blocks_of`, `add_handlers`, `State`, `look` and `play`. Promises: the same seed gives the same blocks; what a run of them
ends with does not depend on how blocks are taken together, on savepoints, or on kills, so that one run is the oracle of another.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.streams.dying import Dead, Dying
from tidemark import Project, Shelf, Skip, iterable
from tidemark.database.open import open_session
from tidemark.errors import Fault
from tidemark.events import Event
from tidemark.runtime.changes.apply import ensure_ledger
from tidemark.runtime.clock import Clock
from tidemark.runtime.duty import Duty
from tidemark.runtime.ledger import Ledger as Book
from tidemark.runtime.streams.account import Account
from tidemark.runtime.streams.ingest import Ingest, retry, skip
from tidemark.streams import Database, Stream

Loose = dict[str, Any]

PLAYS = Shelf("plays", ("track", "listener", "at"))
NAMES = Shelf("names", ("id", "name"))
HEARD = Shelf("heard", ("track", "plays"), ("track",))
BROKEN_HOOK = 5
HALTS_MAX = 40


def blocks_of(rng: random.Random, count: int, poison: float) -> list[Loose]:
    """Blocks over tiny domains: with holes, in part and then whole, delivered again, with transactions that came before. So many
    of the transactions may be of the kinds that fail."""
    blocks: list[Loose] = []
    sent: list[Loose] = []
    position = 0
    for _ in range(count):
        position += rng.choice((1, 1, 1, 3))
        txs = [_transaction(rng, rng.random() < poison) for _ in range(rng.randint(0, 4))]
        if sent and rng.random() < 0.3:
            txs.append(rng.choice(sent))
        whole = {"block": position, "timestamp": 1000 + position, "txs": txs}
        sent += [tx | {"origin": {"block": position, "tx": at}} for at, tx in enumerate(txs) if "origin" not in tx]
        if txs and rng.random() < 0.2:
            blocks.append(whole | {"txs": txs[: rng.randint(0, len(txs) - 1)]})
        blocks.append(whole)
        if rng.random() < 0.25:
            blocks.append(rng.choice(blocks))
    return blocks


def _transaction(rng: random.Random, may_fail: bool) -> Loose:
    kind = rng.choice(("plays", "plays", "name", "name", "put", "odd") if may_fail else ("plays", "plays", "odd"))
    if kind == "plays":
        known: tuple[Any, ...] = (1, 2, 3, 4, 5, "x", None) if may_fail else (1, 2, 3, 4, "x")
        tracks = [rng.choice(known) for _ in range(rng.randint(0, 3))]
        return {"type": "plays", "plays": [{"track": track} for track in tracks]}
    if kind == "odd":
        return {"type": "vote"}
    # A name may be given twice, which no statement can do; a text of None is none, and "late" is seen too late.
    return {"type": kind, "id": rng.randint(1, 9), "name": rng.choice(("one", "two", "late", None, "one"))}


def _add_plays(stream: Stream, many: bool) -> None:
    """Plays, one by one or as many as there are at once; the same of them is refused."""

    def row_of(event: Event) -> Mapping[str, Any]:
        return {"track": event.data["track"], "listener": None, "at": event.time}

    if many:

        @stream.on("plays", each="plays", many=True)
        def plays(db: Database, events: Sequence[Event]) -> Iterable[tuple[Event, str]]:
            db.put_all(PLAYS, [row_of(event) for event in events if event.data["track"] != "x"])
            return [(event, "no track") for event in events if event.data["track"] == "x"]

    else:

        @stream.on("plays", each="plays")
        def play(db: Database, event: Event) -> None:
            if event.data["track"] == "x":
                raise Skip("no track")
            db.put(PLAYS, row_of(event))


def add_handlers(stream: Stream, many: bool = False) -> None:
    """Handlers that write by single statements and many rows at once, and that fail in every way."""
    _add_plays(stream, many)

    @stream.on("name")
    def name(db: Database, event: Event) -> None:
        db.run("INSERT INTO names (id, name) VALUES (:id, :name)", {"id": event.data["id"], "name": event.data["name"]})
        if event.data["name"] == "late":
            raise Skip("too late")

    @stream.on("put")
    def put(db: Database, event: Event) -> None:
        db.put(NAMES, {"id": event.data["id"], "name": event.data["name"]})
        if event.data["name"] == "late":
            raise ValueError("put and regretted")

    @stream.after("plays")
    def heard(db: Database, event: Event) -> None:
        tracks = [play["track"] for play in event.transaction["plays"] if isinstance(play["track"], int)]
        known = dict(db.find(HEARD, ["track"], [(track,) for track in tracks]))
        for track in tracks:
            known[track] = known.get(track, 0) + 1
            db.put(HEARD, {"track": track, "plays": known[track]})
        if BROKEN_HOOK in tracks:
            db.run("INSERT INTO heard (track, plays) VALUES (1, NULL)")

    @stream.after("plays", many=True)
    def counted(db: Database, events: Sequence[Event]) -> None:
        db.run(
            "INSERT INTO heard (track, plays) VALUES (0, :taken) ON CONFLICT (track) DO UPDATE SET plays = heard.plays + :taken",
            {"taken": sum(event.taken for event in events)},
        )


def declare(blocks: Iterable[Loose], many: bool = False, **options: Any) -> Stream:
    """The stream over some blocks; with `many` its plays are handled many at once."""

    def give(after: int | None) -> Iterable[Mapping[str, Any]]:
        return list(blocks)

    stream = Project("programs").stream("ledger", source=iterable(give), **options)
    add_handlers(stream, many)
    return stream


@dataclass(frozen=True)
class State:
    """Everything that a run leaves: rows, evidence, gaps, and what the stream says of itself."""

    rows: tuple[list[Any], ...]
    evidence: list[Any]
    gaps: list[Any]
    said: tuple[Any, ...]


def look(url: str) -> State:
    """The state of a database after a run."""
    queries = (
        "SELECT track, at FROM plays ORDER BY track, at",
        "SELECT id, name FROM names ORDER BY id",
        "SELECT track, plays FROM heard ORDER BY track",
    )
    with contextlib.closing(open_session(url)) as session:
        account = Account(Book(session))
        rows = tuple(session.all(query) for query in queries)
        told = [(one.identity, one.position, one.level, one.kind, one.reason) for one in account.evidence("ledger")]
        gaps = [gap.position for gap in account.gaps("ledger")]
        (one,) = account.statuses()
        said = (
            one.position,
            one.time,
            one.blocks,
            one.events,
            one.skipped,
            one.hook_failures,
            one.state,
            one.quarantined,
        )
        return State(rows, told, gaps, said)


def play(url: str, stream: Stream, rng: random.Random | None = None) -> int:
    """Run a stream to its end, passing over the blocks that halt it; with `rng` it is killed again and again between two
    statements. Gives the number of kills."""
    kills = halts = 0
    while True:
        lives = None if rng is None or kills >= 6 else rng.randint(1, 60)
        with contextlib.closing(open_session(url)) as session:
            ensure_ledger(Duty(Book(session), Clock()), "programs")
            at_work = session if lives is None else Dying(session, lives)
            duty = Duty(Book(at_work), Clock(wait=lambda seconds: None))  # type: ignore[arg-type]
            try:
                Ingest(duty, stream).run()
                return kills
            except Dead:
                kills += 1
            except Fault as halted:
                halts += 1
                if halts > HALTS_MAX or "halted at" not in str(halted):
                    raise
                skip(Duty(Book(session), Clock()), "ledger", None)


def try_again(url: str, stream: Stream) -> tuple[int, ...]:
    """Try again what was quarantined and passed over; what came of it."""
    with contextlib.closing(open_session(url)) as session:
        done = retry(Duty(Book(session), Clock(wait=lambda seconds: None)), stream)
        return done.taken, done.failed, done.blocks_taken, done.blocks_failed
