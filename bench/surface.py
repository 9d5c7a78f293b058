"""What the operator's surface costs whoever looks: probes beside a writer that never lets go, and pages over many tables.

Owns: databases with many derived tables, a server over one, and asking it. Promises: server, writer and prober are processes of
their own; the writer holds its lock all the time but for the moment of each commit; every answer is waited for and none is left
out: the first one of each rhythm, which nobody can expect, is told beside the others and not among them. `/livez`, which asks
nothing of the database, is asked in turn with `/healthz`: what it takes is the noise of the machine.
"""

from __future__ import annotations

import contextlib
import http.client
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.budgets import Figure, lines_of, spell
from bench.writers import SETTINGS
from tests.kit.chromium import Browser, Missing
from tests.kit.postgres import running_server
from tidemark import Project, Tidemark
from tidemark.database.open import open_session

HELD_SECONDS = 0.02
LIMIT_MS = 10.0
BEGUN_SECONDS = 3.0
OFTEN_SECONDS = 0.02
# Longer than any answer is remembered.
SELDOM_SECONDS = 1.2
WRITER = """
import sys, time
from tidemark.database.open import open_session
session, number = open_session(sys.argv[1]), int(time.time() * 1000)
lock = "LOCK TABLE posts IN EXCLUSIVE MODE" if session.dialect.has_schemas else "SELECT 1"
print("writing", flush=True)
while True:
    number += 1
    with session.transaction():
        session.all(lock) if not session.dialect.has_schemas else session.run(lock)
        session.run("INSERT INTO posts (id, thread_id) VALUES (:id, :thread)", {"id": number, "thread": number % 50})
        time.sleep(float(sys.argv[2]))
"""


@dataclass(frozen=True)
class Probe:
    """How long answers took, in milliseconds, of one path under one condition; `first` is the one before all others."""

    engine: str
    tables: int
    beside: str
    every: float
    path: str
    first: float
    times: tuple[float, ...]

    def quantile(self, share: float) -> float:
        """The time that `share` of the answers did not take longer than."""
        ordered = sorted(self.times)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def many_tables(count: int) -> Project:
    """A project of so many derived tables over one source, half of them at tick freshness."""
    project = Project("many")
    for number in range(count):
        project.derive(
            f"derived_{number:03}",
            key="thread_id",
            query=f"SELECT thread_id, count(*) AS posts, sum(id % {number + 2}) AS rest FROM posts GROUP BY thread_id",
            freshness="tick" if number % 2 else "commit",
        )
    return project


def prepare(url: str, count: int) -> Project:
    """A database with so many derived tables, all live."""
    session, project = open_session(url, create=True), many_tables(count)
    with session.transaction():
        session.script("CREATE TABLE posts (id bigint PRIMARY KEY, thread_id integer NOT NULL)")
        session.script("CREATE INDEX posts_thread ON posts (thread_id)")
    session.close()
    Tidemark(project, url).apply()
    return project


@contextmanager
def _sqlite() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="tidemark-surface-") as folder:
        yield f"sqlite:///{Path(folder) / 'many.db'}"


@contextmanager
def _postgres() -> Iterator[str]:
    with running_server(SETTINGS) as server, server.fresh_database() as dsn:
        yield dsn


PLACES: dict[str, Callable[[], AbstractContextManager[str]]] = {"SQLite": _sqlite, "PostgreSQL": _postgres}


@contextmanager
def _running(arguments: list[str], ready: str) -> Iterator[str]:
    """A process of ours for the length of the block; gives its first line, which contains `ready`."""
    process = subprocess.Popen(
        [sys.executable, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        line = next(line for line in process.stdout or () if ready in line)
        yield line
    finally:
        process.terminate()
        process.wait()


@contextmanager
def serving(url: str) -> Iterator[int]:
    """A server over a database, as the command starts it; gives its port."""
    arguments = ["-m", "tidemark", "serve", "--database", url, "--port", "0"]
    with _running(arguments, "serving http") as line:
        yield int(line.split("http://", 1)[1].split("/", 1)[0].rpartition(":")[2])


def ask_in_turn(port: int, paths: tuple[str, ...], times: int, every: float) -> dict[str, list[float]]:
    """How many milliseconds answers take when one of `paths` after the other is asked for so many times, each `every` seconds."""
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    found: dict[str, list[float]] = {path: [] for path in paths}
    due = time.monotonic()
    for _ in range(times):
        for path in paths:
            due += every / len(paths)
            time.sleep(max(0.0, due - time.monotonic()))
            begun = time.perf_counter()
            line.request("GET", path)
            answer = line.getresponse()
            answer.read()
            found[path].append((time.perf_counter() - begun) * 1000)
            if answer.status != 200:
                raise SystemExit(f"{path} answered {answer.status}")
    line.close()
    return found


def probe(
    engine: str, url: str, count: int, times: tuple[int, int], beside: str, say: Callable[[str], None]
) -> list[Probe]:
    """Probes beside nobody, or beside a writer that never lets go: `times` often, and so seldom that nothing is remembered. The
    first answer of the first rhythm is the first one that the server ever gives, some seconds after it began."""
    found = []
    with contextlib.ExitStack() as stack:
        if beside == "a writer":
            stack.enter_context(_running(["-c", WRITER, url, str(HELD_SECONDS)], "writing"))
        port = stack.enter_context(serving(url))
        time.sleep(BEGUN_SECONDS)
        for every, number in zip((OFTEN_SECONDS, SELDOM_SECONDS), times, strict=True):
            if number:
                say(f"{engine}, {count} derived tables, beside {beside}, {number} times, each {every:g} s")
                answers = ask_in_turn(port, ("/livez", "/healthz"), number + 1, every)
                found += [
                    Probe(engine, count, beside, every, path, first, tuple(times_after))
                    for path, (first, *times_after) in answers.items()
                ]
    return found


def look(engine: str, url: str, count: int, rounds: int) -> list[Figure]:
    """What a page over so many tables costs: the bytes and the time of its status, and when something is painted."""
    found, about = [], f"{engine}, {count} derived tables"
    with serving(url) as port:
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        times, size = [], 0
        for _ in range(rounds):
            # Nothing is remembered for longer than a second.
            time.sleep(1.1)
            begun = time.perf_counter()
            line.request("GET", "/status")
            size = len(line.getresponse().read())
            times.append((time.perf_counter() - begun) * 1000)
        line.close()
        found.append(Figure(f"{about}: /status", size / 1024, "kB"))
        found.append(Figure(f"{about}: /status, nothing remembered", statistics.median(times), "ms"))
        try:
            browser = Browser()
        except Missing:
            return found
        tab = browser.open()
        tab.go(f"http://127.0.0.1:{port}/")
        tab.until("document.querySelectorAll('#tables tbody tr').length > 0")
        paint = tab.run("performance.getEntriesByName('first-contentful-paint')[0].startTime")
        full = tab.run("performance.now()")
        browser.close()
        found.append(Figure(f"{about}: first paint in Chromium", float(paint), "ms"))
        found.append(Figure(f"{about}: every table on the page, at the latest", float(full), "ms"))
    return found


def measure(
    *, often: int, seldom: int, counts: tuple[int, ...], many: int, engines: list[str], say: Callable[[str], None]
) -> tuple[list[Probe], list[Figure]]:
    """Probes and pages on both engines, or on those that are named. Seldom probes take long: those are of the greatest of
    `counts`, beside a writer."""
    probes: list[Probe] = []
    figures: list[Figure] = []
    for engine, place in PLACES.items():
        if engines and engine.lower() not in engines:
            continue
        for count in sorted({*counts, many} - {0}):
            with place() as url:
                say(f"{engine}: {count} derived tables are made")
                prepare(url, count)
                if count in counts:
                    probes += probe(engine, url, count, (often, 0), "nobody", say)
                    probes += probe(engine, url, count, (often, seldom * (count == max(counts))), "a writer", say)
                if count == many:
                    figures += look(engine, url, count, 5)
    return probes, [*figures_of(probes), *figures]


def figures_of(probes: list[Probe]) -> list[Figure]:
    """The budget: a probe that is answered in 10 ms by 99 of 100, while another process holds the writer's lock. The first of a
    rhythm has none: it waits for a look that nobody could begin before."""
    found = []
    for one in probes:
        if one.path == "/healthz" and one.beside == "a writer":
            about = f"{one.engine}, {one.tables} tables: /healthz beside a writer, each {one.every:g} s"
            over = f"{sum(ms > LIMIT_MS for ms in one.times)} of {len(one.times)} took longer"
            found.append(Figure(f"{about}, the first", one.first, "ms"))
            found.append(
                Figure(f"{about}, p99 after it", one.quantile(0.99), "ms", LIMIT_MS, at_least=False, note=over)
            )
    return found


def table(probes: list[Probe]) -> list[str]:
    """The probes, as a table."""
    titles = ("engine", "tables", "beside", "asked each", "of", "first ms", "then", "p50 ms", "p90", "p99", "longest")
    rows = [
        (
            one.engine,
            str(one.tables),
            one.beside,
            f"{one.every:g} s",
            one.path,
            spell(one.first),
            str(len(one.times)),
            *(spell(one.quantile(share)) for share in (0.5, 0.9, 0.99, 1.0)),
        )
        for one in probes
    ]
    return lines_of(titles, rows)
