"""The seam between a simulated case and what keeps its derived tables.

Owns: the protocol `Upkeep` and `Views`, which keeps nothing: its derived tables are plain views, so that generators and
players can be tried by themselves. Promises: players know nothing of Tidemark but this.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from tests.simulation.case import Derived, Duty
from tests.simulation.relations import quote


class Killed(Exception):
    """The connection of a worker was cut on purpose."""


class Upkeep(Protocol):
    """Keeps derived tables for one database."""

    def install(
        self, derived: Sequence[Derived], kill_at: int | None = None, between: Callable[[], None] = lambda: None
    ) -> Sequence[Derived]:
        """Install and fill; the tables that were accepted, with the freshness they have. `between` is done whenever others may
        have the database."""
        ...

    def reinstall(self) -> None:
        """Apply the same declarations again."""
        ...

    def declare(self, derived: Sequence[Derived], duty: Duty, between: Callable[[], None] = lambda: None) -> bool:
        """Apply other declarations; False when that is not finished (killed, or a lock could not be had). `between` is done
        before each transaction."""
        ...

    def suffer(self, duty: Duty) -> bool:
        """Have an accident and apply again; False when there was none."""
        ...

    def shown(self) -> Sequence[Derived]:
        """What readers see now, with its freshness."""
        ...

    def tick(self, duty: Duty | None = None) -> frozenset[str]:
        """Drain everything that is pending, or what the duty says; the names that are drained. Raises `Killed`."""
        ...

    def pending(self, name: str) -> bool:
        """Whether a derived table says that something is not applied yet."""
        ...

    def live(self, name: str) -> str:
        """A SELECT of the rows as of now, what waits included; empty where there is none."""
        ...

    def drift(self, name: str | None = None) -> list[str]:
        """What a verification (of one table or of all) finds, one text per wrong row."""
        ...

    def differing(self) -> list[str]:
        """What a comparison with the queries as they are written finds, one text per wrong row."""
        ...

    def repair(self, name: str | None = None) -> None:
        """Repair what is wrong."""
        ...

    def store(self, name: str) -> str:
        """The quoted name of the table that holds the rows of a derived table."""
        ...

    def take_block(self, position: int) -> None:
        """What a stream would say when it has taken a block at that position."""
        ...

    def uninstall(self) -> None:
        """Remove everything of ours."""
        ...

    def close(self) -> None:
        """Close connections."""
        ...

    @property
    def keeps_rows(self) -> bool:
        """Whether there are stored rows that can be spoiled."""
        ...


class Views:
    """Derived tables that are views: always true, and a check of the harness itself."""

    keeps_rows = False

    def __init__(self, run: Callable[[str], object]) -> None:
        self.run = run
        self.names: list[str] = []
        self.derived: Sequence[Derived] = ()

    def install(
        self, derived: Sequence[Derived], kill_at: int | None = None, between: Callable[[], None] = lambda: None
    ) -> Sequence[Derived]:
        """Create the views."""
        for one in derived:
            self.run(f"CREATE VIEW {quote(one.name)} AS {one.query}")
            self.names.append(one.name)
        self.derived = derived
        return derived

    def reinstall(self) -> None:
        """Nothing to do."""

    def declare(self, derived: Sequence[Derived], duty: Duty, between: Callable[[], None] = lambda: None) -> bool:
        """Other views."""
        self.uninstall()
        self.install(derived)
        return True

    def suffer(self, duty: Duty) -> bool:
        """Nothing can happen to views."""
        return False

    def shown(self) -> Sequence[Derived]:
        """The views."""
        return self.derived

    def tick(self, duty: Duty | None = None) -> frozenset[str]:
        """Nothing is pending."""
        return frozenset(self.names)

    def pending(self, name: str) -> bool:
        """Nothing is."""
        return False

    def live(self, name: str) -> str:
        """A view is always of now."""
        return f"SELECT * FROM {quote(name)}"

    def drift(self, name: str | None = None) -> list[str]:
        """Views cannot drift."""
        return []

    def differing(self) -> list[str]:
        """Views are their queries."""
        return []

    def repair(self, name: str | None = None) -> None:
        """Nothing to do."""

    def store(self, name: str) -> str:
        """The view itself."""
        return quote(name)

    def take_block(self, position: int) -> None:
        """A view remembers nothing."""

    def uninstall(self) -> None:
        """Drop the views."""
        for name in self.names:
            self.run(f"DROP VIEW {quote(name)}")
        self.names = []

    def close(self) -> None:
        """Nothing to close."""
