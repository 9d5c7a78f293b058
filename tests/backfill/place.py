"""A table of songs and a project that migrates it: the ground of the tests of backfills."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tidemark import Project, Tidemark
from tidemark.database.open import open_session
from tidemark.database.session import Session
from tidemark.runtime.clock import Clock

UPPER = "UPDATE songs SET shout = upper(title) WHERE id IN (SELECT id FROM tidemark_batch)"


@dataclass
class Watch:
    """A clock whose time passes only while somebody waits, or when a test says so."""

    seconds: float = 0.0
    rests: list[float] = field(default_factory=list)

    def wait(self, seconds: float) -> None:
        """Let time pass without taking any."""
        self.rests.append(seconds)
        self.seconds += seconds

    @property
    def clock(self) -> Clock:
        """The clock to give to an engine."""
        return self.with_wait(self.wait)

    def with_wait(self, wait: Callable[[float], None]) -> Clock:
        """The same with another way to wait."""
        return Clock(now=lambda: self.seconds, wait=wait, chance=lambda: 0.5)


@dataclass
class Songs:
    """A database with the table ``songs (id, title, shout, tally)`` and what is done to it."""

    url: str
    session: Session
    project: Project

    def add(self, count: int, *, start: int = 1, step: int = 1) -> None:
        """Add songs called ``song N``."""
        with self.session.transaction():
            for number in range(start, start + count * step, step):
                row = {"id": number, "title": f"song {number}"}
                self.session.run("INSERT INTO songs (id, title) VALUES (:id, :title)", row)

    def upper(self, name: str = "shout", **options: Any) -> None:
        """Declare the backfill that fills ``shout``."""
        self.project.backfill(name, table="songs", key="id", sql=UPPER, **options)

    def engine(self, **options: Any) -> Tidemark:
        """The engine, with a clock or a wish to stop."""
        return Tidemark(self.project, self.url, **options)

    def value(self, sql: str) -> Any:
        """The first value of a query."""
        row = self.session.one(sql)
        return None if row is None else row[0]

    def ledger(self, table: str) -> str:
        """The quoted name of a table of the ledger."""
        return f"tidemark._{table}" if self.session.dialect.has_schemas else f"tidemark__{table}"

    def shouted(self) -> int:
        """How many songs have what the backfill gives them."""
        return int(self.value("SELECT count(*) FROM songs WHERE shout = upper(title)"))


@contextlib.contextmanager
def open_songs(url: str) -> Iterator[Songs]:
    """An empty table of songs."""
    session = open_session(url)
    try:
        with session.transaction():
            session.run("CREATE TABLE songs (id INTEGER PRIMARY KEY, title TEXT, shout TEXT, tally INTEGER)")
        yield Songs(url, session, Project("songs"))
    finally:
        session.close()


def stop_after(count: int) -> Callable[[], bool]:
    """A wish to stop that comes when it was asked for that many times."""
    left = [count]

    def stop() -> bool:
        left[0] -= 1
        return left[0] < 0

    return stop
