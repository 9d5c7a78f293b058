"""A small ledger of plays and names: the ground of the tests of streams."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tidemark import Project, Skip, Tidemark, iterable
from tidemark.database.open import open_session
from tidemark.database.session import Session
from tidemark.events import Event
from tidemark.runtime.clock import Clock
from tidemark.streams import Database, Stream

TABLES = (
    "CREATE TABLE plays (track integer NOT NULL, listener integer, at text)",
    "CREATE TABLE names (id integer PRIMARY KEY, name text NOT NULL)",
    "CREATE TABLE heard (track integer PRIMARY KEY, plays integer NOT NULL)",
)
Blocks = list[dict[str, Any]]


@dataclass
class Ledger:
    """A database with `TABLES` and a list of blocks that the stream reads."""

    url: str
    session: Session
    blocks: Blocks = field(default_factory=list)
    project: Project = field(default_factory=lambda: Project("ledger"))

    def stream(self, **options: Any) -> Stream:
        """The stream over `blocks`, with handlers of plays (item by item) and of names."""

        def give(after: int | None) -> Iterable[Mapping[str, Any]]:
            return list(self.blocks)

        self.project = Project("ledger")
        found = self.project.stream("ledger", source=iterable(give), **options)

        @found.on("plays", each="plays")
        def play(db: Database, event: Event) -> None:
            take_play(db, event)

        @found.on("name")
        def name(db: Database, event: Event) -> None:
            text = event.data["name"]
            db.run("INSERT INTO names (id, name) VALUES (:id, :name)", {"id": event.data["id"], "name": text})
            if text == "nobody":
                raise Skip("nobody is no name")

        return found

    def engine(self, clock: Clock | None = None) -> Tidemark:
        """Tidemark over the database; time that somebody waits for passes at once."""
        return Tidemark(self.project, self.url, clock=clock or Clock(wait=lambda seconds: None))

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        return self.session.all(sql)

    def tracks(self) -> list[int]:
        """The tracks that were played, in order."""
        return [row[0] for row in self.rows("SELECT track FROM plays ORDER BY track")]


def take_play(db: Database, event: Event) -> None:
    """Write one play; a track that is no integer is none."""
    track = event.data["track"]
    if not isinstance(track, int):
        raise Skip("track_id_not_integer")
    db.run(
        "INSERT INTO plays (track, listener, at) VALUES (:track, :listener, :at)",
        {"track": track, "listener": event.data.get("listener"), "at": event.time},
    )


@contextlib.contextmanager
def open_ledger(url: str) -> Iterator[Ledger]:
    """An empty ledger on an engine."""
    with contextlib.closing(open_session(url)) as session:
        with session.transaction():
            for text in TABLES:
                session.script(text)
        yield Ledger(url, session)


def plays(*tracks: Any) -> dict[str, Any]:
    """A transaction of plays."""
    return {"type": "plays", "plays": [{"track": track} for track in tracks]}


def name(id_: int, text: Any) -> dict[str, Any]:
    """A transaction that names somebody."""
    return {"type": "name", "id": id_, "name": text}


def block(position: int, *transactions: Any) -> dict[str, Any]:
    """A block."""
    return {"block": position, "timestamp": 1000 + position, "txs": list(transactions)}
