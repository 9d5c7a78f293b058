"""What a small tick and an idle worker cost, and how long a commit waits until its row is true.

Owns: ``python -m bench.lag``, also the part ``lag`` of the benchmark. Promises: a real worker, on its own connections, keeps one
derived table or fifty over one source; a lag is the time from a commit until a reader sees the row in every one of them;
statements are those that the worker sent, counted where it sends them; an untrue row stops it.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from bench.budgets import Figure, budget_table
from bench.duties import QUERY, Place, both_places
from tidemark import Project, Tidemark
from tidemark.database.postgres.session import PostgresSession
from tidemark.database.sqlite.session import SqliteSession

JOIN = (
    "SELECT u.id AS user_id, count(p.id) AS n, max(p.ms * 2) AS most "
    "FROM users u JOIN plays p ON p.user_id = u.id GROUP BY u.id"
)
QUERIES = {"linear": QUERY, "keyed": JOIN}
ROWS = 20_000
IDLE_SECONDS = 3.0
GIVE_UP_SECONDS = 60.0


class Counter:
    """How many statements were sent."""

    def __init__(self) -> None:
        self.sent = 0


@contextmanager
def counting() -> Iterator[Counter]:
    """Count what sessions of ours send while this is open."""
    counter, kept = Counter(), dict[Any, Callable[..., Any]]()
    kinds: tuple[Any, ...] = (PostgresSession, SqliteSession)
    for kind in kinds:
        kept[kind] = original = kind._execute

        def execute(self: Any, *about: Any, _original: Callable[..., Any] = original) -> Any:
            counter.sent += 1
            return _original(self, *about)

        kind._execute = execute
    try:
        yield counter
    finally:
        for kind, original in kept.items():
            kind._execute = original


def _prepare(place: Place, query: str, tables: int) -> Project:
    place.run("CREATE TABLE plays (id bigint PRIMARY KEY, user_id bigint NOT NULL, ms bigint NOT NULL)")
    place.run("CREATE INDEX plays_user ON plays (user_id, ms)")
    place.run("CREATE TABLE users (id bigint PRIMARY KEY)")
    place.add_plays(1, ROWS)
    place.run("INSERT INTO users SELECT DISTINCT user_id FROM plays")
    place.run("ANALYZE")
    project = Project("bench")
    for number in range(tables):
        project.derive(f"totals_{number}", key="user_id", query=query, freshness="tick")
    Tidemark(project, place.url).apply()
    return project


def _lag(place: Place, tables: int, number: int) -> float:
    """Milliseconds from a commit until every derived table has its row."""
    place.add_plays(number, number)
    user = place.run(f"SELECT user_id FROM plays WHERE id = {number}")[0][0]
    true = place.run(f"SELECT count(*) FROM plays WHERE user_id = {user}")[0][0]
    begun = time.perf_counter()
    for table in range(tables):
        while place.run(f"SELECT n FROM totals_{table} WHERE user_id = {user}") != [(true,)]:
            if time.perf_counter() - begun > GIVE_UP_SECONDS:
                raise AssertionError(f"an untrue row on {place.engine} after {GIVE_UP_SECONDS:.0f} s")
            time.sleep(0.001)
    return (time.perf_counter() - begun) * 1000


def measure(*, rounds: int, say: Callable[[str], None], tables: tuple[int, ...] = (1, 50)) -> list[Figure]:
    """Lags, statements and what an idle worker costs, on both engines."""
    found: list[Figure] = []
    for name, query in QUERIES.items():
        for count in tables:
            for place_of in both_places():
                with place_of() as place, counting() as counter:
                    found += _measure_one(place, _prepare(place, query, count), count, name, rounds, counter)
                    say(f"{place.engine}, {count} {name}: {found[-5].value or 0:.0f} ms")
    return found


def _measure_one(place: Place, project: Project, tables: int, name: str, rounds: int, counter: Counter) -> list[Figure]:
    stop = threading.Event()
    worker = threading.Thread(target=Tidemark(project, place.url, stop=stop.is_set).run)
    worker.start()
    lags, number = [], ROWS
    try:
        for _ in range(3):
            number += 1
            _lag(place, tables, number)
        time.sleep(1.0)
        sent, spent = counter.sent, time.process_time()
        time.sleep(IDLE_SECONDS)
        sent, spent = counter.sent - sent, time.process_time() - spent
        before = counter.sent
        for _ in range(rounds):
            number += 1
            lags.append(_lag(place, tables, number))
            # Neither at once after a tick nor in step with the worker's looks.
            time.sleep(0.3 + 0.013 * (number % 7))
        looks = sent / IDLE_SECONDS * 0.34 * rounds
        each = (counter.sent - before - looks) / rounds / tables
    finally:
        stop.set()
        worker.join()
    work = f"{place.engine}, {tables} {name}"
    return [
        Figure(f"{work}: from a commit to its row in every table, median", statistics.median(lags), "ms", 250.0, False),
        Figure(f"{work}: at worst of {rounds}", max(lags), "ms"),
        Figure(f"{work}: statements for a table that changed, about", each, "statements"),
        Figure(f"{work}: an idle worker", sent / IDLE_SECONDS, "statements/s"),
        Figure(f"{work}: an idle worker's processor", 100 * spent / IDLE_SECONDS, "% of one"),
    ]


def main() -> int:
    """``python -m bench.lag``."""
    parser = argparse.ArgumentParser(prog="python -m bench.lag", description=main.__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="commits whose lag is measured")
    parser.add_argument("--tables", default="1,50", help="numbers of derived tables, with commas")
    options = parser.parse_args()
    tables = tuple(int(one) for one in options.tables.split(","))
    print(
        "\n".join(
            budget_table(measure(rounds=options.rounds, say=lambda text: print(text, file=sys.stderr), tables=tables))
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
