"""A chain of blocks in tables that nobody puts triggers on, with derived tables over scans of them.

Owns: `Chain`. Promises: every comparison is of bags, both ways, between what readers see and what the declared queries say now.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from tests.findings.place import Connection, connect
from tidemark import Project, Tidemark
from tidemark.database.open import open_session
from tidemark.runtime.ledger import Ledger, Mark
from tidemark.runtime.ticks.seals import TickReport

SCHEMA = (
    "CREATE TABLE plays (id integer NOT NULL PRIMARY KEY, user_id integer NOT NULL, track_id integer, "
    "blocknumber integer NOT NULL)",
    "CREATE INDEX plays_by_block ON plays (blocknumber)",
    "CREATE INDEX plays_by_user ON plays (user_id)",
    "CREATE INDEX plays_by_track ON plays (track_id)",
    "CREATE TABLE tracks (id integer NOT NULL PRIMARY KEY, owner_id integer, title text)",
    "CREATE INDEX tracks_by_owner ON tracks (owner_id)",
)
PLAYED = "SELECT user_id, count(*) AS plays, count(DISTINCT track_id) AS tracks FROM plays GROUP BY user_id"
OWNED = (
    "SELECT t.owner_id, count(*) AS plays FROM plays p JOIN tracks t ON t.id = p.track_id "
    "WHERE t.owner_id IS NOT NULL GROUP BY t.owner_id"
)
QUERIES = {"played": PLAYED, "owned": OWNED}


def declared(marks: Any = "now", **options: Any) -> Project:
    """`played` over the scanned plays alone, `owned` over them and over tracks, which triggers capture."""
    project = Project("chain")
    project.source("plays", capture="scan", watermark="blocknumber", marks=marks, **options)
    for name, query in QUERIES.items():
        project.derive(name, query=query, freshness="tick")
    return project


class Chain:
    """The database at `url`; `user` is a plain client in autocommit mode."""

    def __init__(self, url: str, project: Project | None = None, queries: dict[str, str] | None = None) -> None:
        self.url = url
        self.user = connect(url)
        self.queries = QUERIES if queries is None else queries
        self.opened: list[Connection] = [self.user]
        self.next = 1
        self.run(*SCHEMA)
        self.tidemark = Tidemark(project or declared(), url)

    def run(self, *statements: str) -> None:
        """Run statements as the plain client, each for itself."""
        for statement in statements:
            self.user.execute(statement)

    def client(self) -> Connection:
        """Another connection in autocommit mode."""
        self.opened.append(connect(self.url))
        return self.opened[-1]

    def plays(self, block: int, users: Sequence[int], track: int = 1) -> str:
        """The statement that writes a block with a play of each of some users."""
        rows = []
        for user in users:
            rows.append(f"({self.next}, {user}, {track}, {block})")
            self.next += 1
        return f"INSERT INTO plays VALUES {', '.join(rows)}"

    def differences(self) -> dict[str, Any]:
        """What readers see and should not, and the other way round, by derived table."""
        found = {}
        for name, query in self.queries.items():
            shown, truth = (Counter(self.user.execute(text).fetchall()) for text in (f"SELECT * FROM {name}", query))
            if shown != truth:
                found[name] = {"extra": shown - truth, "missing": truth - shown}
        return found

    def drain(self, *names: str) -> tuple[TickReport, ...]:
        """Tick until nothing is left that can be applied."""
        reports = self.tidemark.tick(*names)
        assert all(report.drained for report in reports)
        return reports

    def settle(self) -> None:
        """Tick, and see that everything is true."""
        self.drain()
        assert not self.differences()

    def mark(self, name: str = "played", source: str = "plays") -> Mark:
        """How far a source is scanned for a derived table."""
        with contextlib.closing(open_session(self.url)) as session:
            ledger = Ledger(session)
            row = next(one for one in reversed(ledger.derived()) if one.name == name)
            return ledger.marks(row.script)[source]

    def at(self, name: str = "played") -> str:
        """The mark as a text."""
        return str(self.mark(name).mark)

    def close(self) -> None:
        """Close every connection."""
        for connection in self.opened:
            connection.close()


@contextlib.contextmanager
def open_chain(url: str, project: Project | None = None, queries: dict[str, str] | None = None) -> Iterator[Chain]:
    """A chain without any block, and nothing installed."""
    made = Chain(url, project, queries)
    try:
        yield made
    finally:
        made.close()
