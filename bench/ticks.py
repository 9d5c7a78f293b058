"""What a tick costs, and a backlog that drains while writers go on.

Owns: ticks of a linear query and of a single join, on either engine; the backlog; the week of load. Promises: rates stand beside
the time that the database itself needs to count everything again in the same run; untrue rows stop the benchmark; the longest
transaction of ours is always shown.
"""

from __future__ import annotations

import resource
import statistics
import threading
import time
from collections.abc import Callable

from bench.budgets import Figure, ratio
from bench.duties import GROUPS, QUERY, Place, both_places, seconds_of
from tidemark import Project, Tidemark

JOIN = "SELECT u.id AS user_id, count(p.id) AS n, max(p.ms) AS most FROM users u JOIN plays p ON p.user_id = u.id GROUP BY u.id"
LOOKED_UP = "SELECT p.id AS user_id, p.ms, u.id AS who FROM plays p JOIN users u ON u.id = p.user_id"
"""A row for each play: nothing is added up, so that what a key costs is seen."""
WEEK = 7 * 24 * 120
"""Half minutes of a week."""
TICKS_A_WORKER = 10


def _prepare(place: Place, query: str, rows: int) -> Tidemark:
    place.run("CREATE TABLE plays (id bigint PRIMARY KEY, user_id bigint NOT NULL, ms bigint NOT NULL)")
    place.run("CREATE INDEX plays_user ON plays (user_id, ms)")
    place.run("CREATE TABLE users (id bigint PRIMARY KEY)")
    place.add_plays(1, rows)
    place.run("INSERT INTO users SELECT DISTINCT user_id FROM plays")
    place.run("ANALYZE")
    project = Project("bench")
    project.derive("totals", key="user_id", query=query, freshness="tick")
    ours = Tidemark(project, place.url)
    ours.apply()
    return ours


def check(place: Place, query: str) -> None:
    """Stop when a row is untrue."""
    for left, right in (("SELECT * FROM totals", query), (query, "SELECT * FROM totals")):
        if place.run(f"SELECT * FROM ({left}) AS l EXCEPT SELECT * FROM ({right}) AS r"):
            raise AssertionError(f"untrue rows after a tick on {place.engine}")


def measure(*, rows: int, changes: int, say: Callable[[str], None]) -> list[Figure]:
    """Ticks of both classes on both engines."""
    found: list[Figure] = []
    for name, query in (("linear", QUERY), ("keyed, a group joined", JOIN), ("keyed, a row joined", LOOKED_UP)):
        for place_of in both_places():
            with place_of() as place:
                ours = _prepare(place, query, rows)
                place.add_plays(rows + 1, rows + changes)
                recount = statistics.median(
                    seconds_of(lambda place=place, query=query: place.run(query))  # type: ignore[misc]
                    for _ in range(3)
                )
                spent, begun = place.spent(), time.perf_counter()
                (report,) = ours.tick()
                took = time.perf_counter() - begun
                spent = place.spent() - spent
                check(place, query)
            say(f"{place.engine}, {name}: {took:.2f} s, longest {report.longest_ms:.0f} ms")
            work = f"{place.engine}, {name}: tick of {changes:,} changes to {report.keys_applied:,} keys"
            if name == "linear":
                found.append(Figure(work, changes / took, "changes/s", 300_000.0))
            else:
                found.append(Figure(work, report.keys_applied / took, "keys/s", 30_000.0))
            done = changes if name == "linear" else report.keys_applied
            found.append(Figure(work, done / spent if spent else None, "a second of processor time"))
            found.append(Figure(work, ratio(took, recount), "× counting all again", None))
            found.append(Figure(work, report.longest_ms, "ms, the longest transaction", None))
    return found


def drain(place: Place, *, rows: int, changes: int, query: str, say: Callable[[str], None]) -> list[Figure]:
    """A backlog drains while a writer goes on: how long it takes, and the longest transactions of both."""
    ours = _prepare(place, query, rows)
    for low in range(rows, rows + changes, 100_000):
        place.add_plays(low + 1, min(low + 100_000, rows + changes))
    stop, waits = threading.Event(), [0.0]

    def write() -> None:
        number = rows + changes
        with place.another() as run:
            while not stop.is_set():
                number += 10
                begun = time.perf_counter()
                run(place.plays_text(number - 9, number))
                waits.append(time.perf_counter() - begun)
                stop.wait(0.01)

    writer = threading.Thread(target=write)
    writer.start()
    longest, sealed, begun = 0.0, 0, time.perf_counter()
    try:
        while sealed < changes:
            (report,) = ours.tick()
            longest, sealed = max(longest, report.longest_ms), sealed + report.changes_sealed
        took = time.perf_counter() - begun
    finally:
        stop.set()
        writer.join()
    while not ours.tick()[0].drained:
        continue
    check(place, query)
    waits.sort()
    say(f"{place.engine}: {changes:,} changes in {took:.1f} s, {len(waits):,} writes beside them")
    work = f"{place.engine}, a backlog of {changes:,} changes{', keyed' if query == JOIN else ''}"
    return [
        Figure(work, changes / took, "changes/s"),
        Figure(work, longest, "ms, our longest transaction"),
        Figure(work, waits[int(len(waits) * 0.99)] * 1000, "ms, a writer at the 99th percentile"),
        Figure(work, waits[-1] * 1000, "ms, a writer at worst"),
    ]


def measure_backlogs(*, changes: int, engines: list[str], say: Callable[[str], None]) -> list[Figure]:
    """A backlog of each class on each engine."""
    found: list[Figure] = []
    for query in (QUERY, JOIN):
        for place_of in both_places():
            with place_of() as place:
                if not engines or place.engine.lower() in engines:
                    found += drain(place, rows=100_000, changes=changes, query=query, say=say)
    return found


def live_through(place: Place, *, rounds: int, size: int, say: Callable[[str], None]) -> list[Figure]:
    """A week: new rows, as many that go, and a tick each half minute, a worker now and then. How big what we keep is after each
    tenth of it, and how much memory all of that took."""
    ours = _prepare(place, QUERY, GROUPS)
    sizes, number, began = [], GROUPS, time.perf_counter()
    for turn in range(rounds):
        number += size
        place.add_plays(number - size + 1, number)
        place.run(f"DELETE FROM plays WHERE id <= {number - 5 * size}")
        if turn % TICKS_A_WORKER:
            ours.tick()
        else:
            ours.run(until_idle=True)
        sizes.append(place.our_bytes())
    took = time.perf_counter() - began
    check(place, QUERY)
    tenths = [sizes[min(len(sizes) - 1, len(sizes) * tenth // 10)] for tenth in range(1, 11)]
    say(
        f"{place.engine}: {rounds:,} ticks in {took:.0f} s; bytes after each tenth: {', '.join(f'{one:,}' for one in tenths)}"
    )
    # What ticks is in this process, so that it has had less than that.
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    work = f"{place.engine}, {rounds:,} ticks over {rounds * size:,} new rows, and as many that go"
    return [
        Figure(
            work, ratio(sizes[-1], sizes[len(sizes) // 10]), "× the storage after a tenth of them", 1.5, at_least=False
        ),
        Figure(work, ratio(max(sizes), sizes[len(sizes) // 10]), "× that at most", 2.0, at_least=False),
        Figure(work, megabytes, "MB of memory at most, what measures included", 150.0, at_least=False),
    ]


def measure_week(*, rounds: int, engines: list[str], say: Callable[[str], None]) -> list[Figure]:
    """A week of load on each engine. The server vacuums by itself, and as a week takes minutes here, it looks each second."""
    found: list[Figure] = []
    for place_of in both_places({"autovacuum_naptime": "1s"}):
        with place_of() as place:
            if not engines or place.engine.lower() in engines:
                found += live_through(place, rounds=rounds, size=200, say=say)
    return found
