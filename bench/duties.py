"""How fast the worker's duties are: ticks, the first fill, verification; and how fast the package starts.

Owns: one source of plays by user on either engine. Promises: every duty is measured through the public object
and compared with what the database itself needs for the same query.
"""

from __future__ import annotations

import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psycopg

from bench.budgets import Figure, ratio
from bench.pgbench import spent_us
from bench.writers import SETTINGS
from tests.kit.postgres import running_server
from tidemark import Project, Tidemark

QUERY = "SELECT user_id, count(*) AS n, max(ms) AS most FROM plays GROUP BY user_id"
GROUPS = 20_000
_NUMBERS = "WITH RECURSIVE n (i) AS (SELECT {low} UNION ALL SELECT i + 1 FROM n WHERE i < {high})"


_PAGES = "SELECT (SELECT page_count FROM pragma_page_count) * (SELECT page_size FROM pragma_page_size)"
_RELATIONS = (
    "SELECT sum(pg_total_relation_size(oid)) FROM pg_class "
    "WHERE relnamespace = 'tidemark'::regnamespace AND relkind = 'r'"
)


_OTHERS = (
    "SELECT count(*) FROM pg_stat_activity "
    "WHERE backend_type = 'client backend' AND datname = current_database() AND pid <> pg_backend_pid()"
)
GOING_SECONDS_MAX = 10.0


@dataclass(frozen=True)
class Place:
    """A database with a table of plays, and how to run one statement in it. `spent` is the processor time of us and of backends
    that have ended, in seconds."""

    engine: str
    url: str
    run: Callable[[str], list[tuple[object, ...]]]
    numbers: str
    another: Callable[[], AbstractContextManager[Callable[[str], object]]]
    sizes: str
    spent: Callable[[], float]

    def add_plays(self, low: int, high: int) -> None:
        """Insert the plays numbered `low` to `high` in one statement."""
        self.run(self.plays_text(low, high))

    def our_bytes(self) -> int:
        """How many bytes our storage has."""
        return int(str(self.run(self.sizes)[0][0]))

    def plays_text(self, low: int, high: int) -> str:
        """The statement that inserts the plays numbered `low` to `high`."""
        source = self.numbers.format(low=low, high=high)
        head, _, tail = source.partition("|")
        return f"{head} INSERT INTO plays SELECT i, 1 + (CAST(i AS bigint) * 7919) % {GROUPS}, i % 100000 {tail}"


@contextmanager
def _sqlite() -> Iterator[Place]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.db"
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")

        @contextmanager
        def another() -> Iterator[Callable[[str], object]]:
            # Opened where it is used: a connection belongs to its thread.
            other = sqlite3.connect(path, isolation_level=None, timeout=60.0)
            yield other.execute
            other.close()

        yield Place(
            "SQLite",
            str(path),
            lambda text: connection.execute(text).fetchall(),
            f"{_NUMBERS}|FROM n",
            another,
            _PAGES,
            time.process_time,
        )
        connection.close()


@contextmanager
def _postgres(settings: Mapping[str, str]) -> Iterator[Place]:
    with running_server({**SETTINGS, **settings}) as server, server.fresh_database() as dsn:
        connection = psycopg.connect(dsn, autocommit=True)

        def run(text: str) -> list[tuple[object, ...]]:
            cursor = connection.execute(text)
            return cursor.fetchall() if cursor.description else []

        @contextmanager
        def another() -> Iterator[Callable[[str], object]]:
            with psycopg.connect(dsn, autocommit=True) as other:
                yield other.execute

        def spent() -> float:
            # What a backend has used is known of those that are gone, and on a busy machine they take their time to go.
            deadline = time.monotonic() + GOING_SECONDS_MAX
            while run(_OTHERS) != [(0,)] and time.monotonic() < deadline:
                time.sleep(0.02)
            return (spent_us(server) or 0.0) / 1e6 + time.process_time()

        yield Place("PostgreSQL", dsn, run, "|FROM generate_series({low}, {high}) AS i", another, _RELATIONS, spent)
        connection.close()


def both_places(settings: Mapping[str, str] | None = None) -> tuple[Callable[[], AbstractContextManager[Place]], ...]:
    """What opens a place on each engine; `settings` are the server's, beside those of every part."""
    return _sqlite, partial(_postgres, settings or {})


def seconds_of(work: Callable[[], object]) -> float:
    """How long some work takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def measure(*, rows: int, changes: int, say: Callable[[str], None]) -> list[Figure]:
    """Tick, fill and verification on both engines."""
    found: list[Figure] = []
    for place_of in both_places():
        with place_of() as place:
            place.run("CREATE TABLE plays (id bigint PRIMARY KEY, user_id bigint NOT NULL, ms bigint NOT NULL)")
            place.run("CREATE INDEX plays_user ON plays (user_id, ms)")
            place.add_plays(1, rows)
            place.run("ANALYZE plays")
            project = Project("bench")
            project.derive("totals", key="user_id", query=QUERY, freshness="tick")
            ours = Tidemark(project, place.url)
            scan = seconds_of(lambda place=place: place.run("SELECT count(*), sum(ms) FROM plays"))  # type: ignore[misc]
            grouped = statistics.median(seconds_of(lambda place=place: place.run(QUERY)) for _ in range(3))  # type: ignore[misc]
            written = seconds_of(lambda place=place: place.run(f"CREATE TABLE once AS {QUERY}"))  # type: ignore[misc]
            fill = seconds_of(ours.apply)
            verify = seconds_of(ours.verify)
            place.add_plays(rows + 1, rows + changes)
            tick = seconds_of(ours.tick)
            if place.run(f"SELECT * FROM totals EXCEPT SELECT * FROM ({QUERY}) AS q"):
                raise AssertionError(f"untrue rows after a tick on {place.engine}")
            say(f"{place.engine}: fill {fill:.2f} s, verify {verify:.2f} s, tick {tick:.2f} s")
        million = f"{place.engine}, {rows:,} rows in {GROUPS:,} groups"
        found += [
            Figure(f"{million}: fill with its verification", rows / fill, "rows/s"),
            Figure(
                f"{million}: fill with its verification",
                ratio(fill, scan + written),
                "× one scan and one write",
                1.5,
                at_least=False,
            ),
            Figure(f"{million}: verify", rows / verify, "rows/s", 1_000_000.0),
            Figure(f"{million}: verify", ratio(verify, grouped), "× bare GROUP BY", 1.5, at_least=False),
            Figure(f"{place.engine}, tick of {changes:,} changes", changes / tick, "changes/s", 300_000.0),
        ]
    return found


def start_times(rounds: int) -> list[Figure]:
    """How long the package and its command take to start, the interpreter included."""
    bare = _median_start(["-c", "pass"], rounds)
    note = f"the interpreter alone {bare:.3f} s"
    return [
        Figure("import tidemark", _median_start(["-c", "import tidemark"], rounds), "s", 0.3, False, note),
        Figure("tidemark --help", _median_start(["-m", "tidemark", "--help"], rounds), "s", 0.3, False, note),
    ]


def _median_start(arguments: list[str], rounds: int) -> float:
    command = [sys.executable, *arguments]
    return statistics.median(
        seconds_of(lambda: subprocess.run(command, check=True, capture_output=True)) for _ in range(rounds)
    )
