"""Filling a column while others write and read: one UPDATE, a fixed scheme, one shared connection, and ours in both ways.

``python -m bench --parts backfill``

Owns: what is run against what, and the figures. Promises: open loop, each writer and reader a process of its own; every run has
its own idle time before it, on the same copy, to compare with; the pair of impact and wall time is always shown, and how
many rows were wrong at the end; rows that are wrong after ours stop the benchmark.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.backfill_load import DONE, WAYS
from bench.backfill_place import SCAN, UPDATE, WRONG, Place, connect, postgres_place, sqlite_place
from bench.budgets import Figure, lines_of, ratio, spell
from bench.eta import Listener
from examples.meshscope.crowd import WRITE, Crowd, Span, describe
from tests.kit.postgres import running_server

WRITERS, READERS = 4, 2
ENGINES = ("sqlite", "postgresql")
LOOK_SECONDS = 0.05
RUN_SECONDS_MAX = 900.0
PINNED_WAL_MB = 20.0
SETTINGS = {"max_wal_size": "8GB", "shared_buffers": "512MB", "fsync": "on", "synchronous_commit": "on"}
FASTER = {"ours": 4.0, "derived": 1.0}
"""How many times as fast as the fixed scheme a way has to be. A derived column is verified, too."""
SAID = {
    "once": "one UPDATE",
    "fixed": "5,000 rows + 100 ms",
    "shared": "one connection, one UPDATE",
    "ours": "ours, a backfill",
    "derived": "ours, a derived column",
    "pinned": "ours, a reader pinned",
}

Numbers = dict[str, float | int]


@dataclass
class Run:
    """One backfill under load: seconds, quantiles of writers and readers before it and during it, bytes of log, the relative
    error of the time that was said to be left, reasons for holding back, and rows that were wrong at the end."""

    place: Place
    way: str
    seconds: float
    idle_write: Numbers
    idle_read: Numbers
    write: Numbers
    read: Numbers
    wal: int
    eta_error: float | None
    reasons: tuple[str, ...]
    wrong: int

    @property
    def errors(self) -> int:
        """Statements of the application that failed."""
        return int(self.write["errors"] + self.read["errors"])


@contextmanager
def _pinned(url: str, wanted: bool) -> Iterator[Callable[[], None]]:
    """A reader that keeps its snapshot until the function that is given is called."""
    if not wanted:
        yield lambda: None
        return
    with closing(connect(url)) as connection:
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM parents").fetchall()
        yield connection.rollback


def run(place: Place, way: str, *, rate: float, idle: float, pinned_seconds: float = 0.0) -> Run:
    """One backfill on a fresh copy, with writers and readers around it. Raises RuntimeError when a process ends early."""
    options = ["--rows", str(place.rows), "--rate", str(rate), *(["--sparse"] if place.sparse else [])]
    pinned = way == "pinned"
    with place.copy() as copy, ExitStack() as stack:
        crowd = stack.enter_context(Crowd())
        start = ("bench.backfill_load",)
        load = ["--url", copy.url, *options]
        if way == "shared":
            crowd.start(*start, "shared", *load, "--read-rate", str(2 * rate), "--after", str(idle))
            begun = time.monotonic()
        else:
            derived = ["--derived"] if way == "derived" else []
            for number in range(WRITERS):
                crowd.start(*start, "write", *load, *derived, "--number", str(number))
            for number in range(READERS):
                crowd.start(*start, "read", *load, "--rate", str(2 * rate), "--number", str(number + 1))
            _until(lambda: crowd.has_told(10 * (WRITERS + READERS)))
            begun = time.monotonic()
            time.sleep(idle)
            let_go = stack.enter_context(_pinned(copy.url, pinned))
            limit = ["--wal-mb", str(PINNED_WAL_MB)] if pinned else []
            crowd.start(*start, "do", *load, "--way", "ours" if pinned else way, *limit)
            held_until = time.monotonic() + pinned_seconds
        whole, log = Span("", begun, begun + RUN_SECONDS_MAX), 0
        listener = Listener(copy.url) if way in ("ours", "derived", "pinned") else None

        def ended() -> bool:
            nonlocal log
            log = max(log, copy.wal())
            if listener is not None:
                listener.ask()
            if pinned and time.monotonic() > held_until:
                let_go()
            return bool(crowd.picked(whole, (DONE,))) or not crowd.has_told(0)

        _until(ended, crowd, whole)
        [done] = crowd.picked(whole, (DONE,))
        time.sleep(0.5)
        crowd.end()
        wrong = _wrong(copy.url)
    during = Span("during", done.due, done.due + done.ms / 1000)
    before = Span("idle", done.due - idle, done.due) if way == "shared" else Span("idle", begun, begun + idle)
    idle_write, idle_read, write, read = (
        describe(crowd.picked(span, (name,))) for span in (before, during) for name in (WRITE, "read")
    )
    errors = [one.error for one in listener.told.values()] if listener else []
    reasons = tuple(sorted(listener.reasons)) if listener else ()
    seconds, error = done.ms / 1000, errors[0] if errors else None
    found = Run(place, way, seconds, idle_write, idle_read, write, read, log, error, reasons, wrong)
    if wrong and way not in ("once", "fixed", "shared"):
        raise AssertionError(f"{wrong} rows are wrong after {SAID[way]} on {place.name}")
    return found


def _until(ready: Callable[[], bool], crowd: Crowd | None = None, whole: Span | None = None) -> None:
    end = time.monotonic() + RUN_SECONDS_MAX
    while True:
        try:
            if ready():
                return
        except RuntimeError:
            # Whoever does the backfill ends when it is done.
            if crowd is None or whole is None or not crowd.picked(whole, (DONE,)):
                raise
            return
        if time.monotonic() > end:
            raise TimeoutError(f"more than {RUN_SECONDS_MAX:.0f} s")
        time.sleep(LOOK_SECONDS)


def _wrong(url: str) -> int:
    with closing(connect(url, 60.0)) as connection:
        return int(connection.execute(WRONG).fetchone()[0])


def alone(place: Place) -> dict[str, float]:
    """Seconds without any load: a scan of the children, the one UPDATE, and ours."""
    found = {}
    for name, text in (("scan", SCAN), ("write", UPDATE)):
        with place.copy() as copy, closing(connect(copy.url, 60.0)) as connection:
            begun = time.perf_counter()
            connection.execute(text)
            found[name] = time.perf_counter() - begun
    for way in ("ours", "derived"):
        with place.copy() as copy, Crowd() as crowd:
            options = ("--url", copy.url, "--rows", str(place.rows), *(("--sparse",) if place.sparse else ()))
            crowd.start("bench.backfill_load", "do", *options, "--way", way).wait(RUN_SECONDS_MAX)
            crowd.end()
            [done] = crowd.samples
            found[way] = done.ms / 1000
    return found


def measure(
    *, rows: int, rate: float, idle: float, rounds: int, engines: Sequence[str], say: Callable[[str], None]
) -> tuple[list[Run], list[Figure]]:
    """Everything on the `engines`, or both; ways take turns."""
    runs: list[Run] = []
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="backfill-", dir=Path.cwd()) as folder, ExitStack() as stack:
        server = stack.enter_context(running_server(SETTINGS)) if "postgresql" in (engines or ENGINES) else None
        for sparse in (False, True):
            size = rows // 5 if sparse else rows
            places = [sqlite_place(Path(folder), size, sparse)] if "sqlite" in (engines or ENGINES) else []
            for opened in [*places, *([postgres_place(server, size, sparse)] if server else [])]:
                with opened as place:
                    ways = _ways(place)
                    for number in range(rounds):
                        for way in ways[number % len(ways) :] + ways[: number % len(ways)]:
                            runs.append(run(place, way, rate=rate, idle=idle, pinned_seconds=idle + 2.0))
                            say(f"{place.name}, {SAID[way]}: {runs[-1].seconds:.1f} s")
                    if not sparse:
                        figures += _figures_alone(place, alone(place))
    return runs, figures + _figures(runs)


def _ways(place: Place) -> list[str]:
    if place.sparse:
        return ["ours"]
    return [*WAYS, *(["shared", "pinned"] if place.engine == "SQLite" else [])]


def _figures_alone(place: Place, found: dict[str, float]) -> list[Figure]:
    least = found["scan"] + found["write"]
    return [
        Figure(f"{place.name}: {SAID[way]}, nobody else", ratio(found[way], least), "× scan and UPDATE", 1.5, False)
        for way in ("ours", "derived")
    ]


def _middle(runs: Sequence[Run], value: Callable[[Run], float | None]) -> float | None:
    found = [one for one in map(value, runs) if one is not None]
    return statistics.median(found) if found else None


def _figures(runs: Sequence[Run]) -> list[Figure]:
    by: dict[tuple[str, str], list[Run]] = {}
    for one in runs:
        by.setdefault((one.place.name, one.way), []).append(one)
    found: list[Figure] = []
    for (name, way), mine in by.items():
        if way not in ("ours", "derived", "pinned"):
            continue
        title = f"{name}: {SAID[way]}"
        more_write = _middle(mine, lambda r: r.write["p99"] - r.idle_write["p99"])
        more_read = _middle(mine, lambda r: r.read["p99"] - r.idle_read["p99"])
        found += [
            Figure(f"{title}, writers' p99", more_write, "ms over idle", 50.0, False),
            Figure(f"{title}, readers' p99", more_read, "ms over idle", 10.0, False),
            Figure(f"{title}, readers' p95", _middle(mine, lambda r: r.read["p95"]), "ms", 500.0, False),
            Figure(
                f"{title}, lock had again", _middle(mine, lambda r: r.write["max"]), "ms, the worst write", 200.0, False
            ),
            Figure(f"{title}, errors", float(sum(one.errors for one in mine)), "", 0.0, False),
        ]
        if mine[0].place.engine == "SQLite":
            found.append(Figure(f"{title}, log", max(one.wal for one in mine) / 1e6, "MB", 64 * 1.048576, False))
        if way != "pinned":
            found.append(
                Figure(f"{title}, time left", _middle(mine, lambda r: r.eta_error), "median error", 0.2, False)
            )
        fixed = by.get((name, "fixed"))
        if fixed and way in FASTER:
            faster = ratio(_middle(fixed, lambda r: r.seconds), _middle(mine, lambda r: r.seconds))
            found.append(Figure(f"{title}, wall time", faster, "× as fast as the fixed scheme", FASTER[way]))
            more = ratio(_middle(mine, lambda r: r.write["p99"]), _middle(fixed, lambda r: r.write["p99"]))
            found.append(Figure(f"{title}, writers' p99", more, "× that beside the fixed scheme", 1.0, False))
    return found


def table(runs: Sequence[Run]) -> list[str]:
    """Impact and wall time of every run."""
    titles = (
        "place",
        "way",
        "s",
        "writers idle p99",
        "p50",
        "p95",
        "p99",
        "max",
        "readers idle p99",
        "p50",
        "p95",
        "p99",
        "max",
    )
    rows = []
    for one in runs:
        write, read = (
            [spell(numbers[key]) for key in ("p50", "p95", "p99", "max")] for numbers in (one.write, one.read)
        )
        rows.append(
            (
                one.place.name,
                SAID[one.way],
                spell(one.seconds),
                spell(one.idle_write["p99"]),
                *write,
                spell(one.idle_read["p99"]),
                *read,
                str(one.errors),
                spell(one.wal / 1e6),
                " ".join(one.reasons),
                str(one.wrong),
            )
        )
    return lines_of((*titles, "errors", "log MB", "held back", "wrong"), rows)
