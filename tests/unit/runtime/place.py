"""A database with posts, a duty to work on it, and a user's session beside it."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from tests.unit.runtime.handmade import SOURCE, capture_posts, count_posts
from tidemark.contract.script import Piece, Script
from tidemark.database.open import open_session
from tidemark.database.session import Session
from tidemark.runtime.changes.apply import ApplyReport, apply_plan
from tidemark.runtime.changes.plan import InstallPlan, make_plan
from tidemark.runtime.changes.step import Wanted
from tidemark.runtime.clock import Clock
from tidemark.runtime.duty import Duty
from tidemark.runtime.lease import take_lease
from tidemark.runtime.ledger import Installed, Ledger
from tidemark.runtime.progress import Listener, ignore


@dataclass
class Time:
    """A clock that stands still but for the waits, which are remembered."""

    seconds: float = 0.0
    waits: list[float] = field(default_factory=list)

    def clock(self) -> Clock:
        return Clock(now=lambda: self.seconds, wait=self.wait, chance=lambda: 0.5)

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.seconds += seconds


@dataclass
class World:
    """One database: `user` writes posts, `duty` works."""

    url: str
    user: Session
    duty: Duty
    time: Time

    def write(self, sql: str) -> None:
        """The user writes, in a transaction of their own."""
        with self.user.transaction():
            self.user.run(sql)

    def posts(self, *rows: tuple[int, int, int]) -> None:
        """The user adds posts: id, thread, score."""
        values = ", ".join(str(row) for row in rows)
        self.write(f"INSERT INTO posts (id, thread_id, score) VALUES {values}")

    def script(
        self, freshness: str = "tick", score_min: int = 0, name: str = "thread_stats", generation: int = 1
    ) -> Script:
        return count_posts(self.duty.session.dialect, name, generation, freshness, score_min)

    def wanted(
        self, freshness: str = "tick", score_min: int = 0, name: str = "thread_stats", was: str | None = None
    ) -> Wanted:
        return Wanted(name, was, lambda generation, session="": self.script(freshness, score_min, name, generation))

    def plan(self, *wanted: Wanted) -> InstallPlan:
        return make_plan(
            self.duty.ledger,
            wanted,
            self.duty.session.catalog(),
            partial(capture_posts, self.duty.session.dialect),
        )

    def apply(self, *wanted: Wanted, listen: Listener = ignore, **options: Any) -> ApplyReport:
        return apply_plan(replace(self.duty, listen=listen), self.plan(*wanted), "epoch", **options)

    def row(self, name: str = "thread_stats") -> Installed:
        return next(row for row in self.duty.ledger.derived() if row.name == name)

    def leased(self, name: str = "thread_stats", holder: str = "test") -> Duty:
        lease = take_lease(self.duty.ledger, self.duty.clock, f"keep {name}", holder, 0.0)
        return Duty(self.duty.ledger, self.duty.clock, lease, self.duty.stop)

    def shown(self, name: str = "thread_stats") -> list[tuple[Any, ...]]:
        return sorted(self.user.all(f"SELECT * FROM {name}"))

    def truth(self, score_min: int = 0) -> list[tuple[Any, ...]]:
        return sorted(
            self.user.all(f"SELECT thread_id, count(*) FROM posts WHERE score >= {score_min} GROUP BY thread_id")
        )

    def trigger(self, freshness: str) -> Piece:
        """A trigger that keeps thread_stats: its own, or of the capture that it reads."""
        pieces = self.script(freshness).pieces if freshness == "commit" else self.row().captures[0].pieces
        return next(piece for piece in pieces if piece.kind == "trigger")

    def store(self, name: str = "thread_stats") -> str:
        return self.row(name).script.store


@contextlib.contextmanager
def open_world(url: str, stop: Callable[[], bool] = lambda: False) -> Iterator[World]:
    """A world with a hundred posts in ten threads."""
    with (
        contextlib.closing(open_session(url, lock_timeout=0.2)) as user,
        contextlib.closing(open_session(url, lock_timeout=0.2)) as ours,
    ):
        time = Time()
        world = World(url, user, Duty(Ledger(ours), time.clock(), None, stop), time)
        world.write(SOURCE)
        world.posts(*((number, number % 10, number % 7) for number in range(1, 101)))
        yield world
