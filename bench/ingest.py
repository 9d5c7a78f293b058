"""How fast a stream takes history: the whole of soundgraph, from blocks to true rows.

Owns: the ways in which the same generated blocks are taken, and what each costs. Promises: every way ends with everything drained
and compared; an untrue row ends the benchmark. Beside rates by the clock stands processor time, ours and the database's, which
others on the machine disturb less.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from bench.budgets import Figure, lines_of, spell
from bench.duties import Place, both_places
from examples.soundgraph import generator
from examples.soundgraph.derived import make_project
from examples.soundgraph.indexer import run_stream
from examples.soundgraph.stores import open_store
from tidemark import Project, Tidemark, iterable, jsonl

TOGETHER = 5_000
HOLD_MS = 500.0
BUDGETS = {"SQLite": 20_000.0, "PostgreSQL": 10_000.0}
Counts = Literal["commit", "tick"]


@dataclass(frozen=True)
class Way:
    """One way to take the blocks. `derived` is None for base tables alone, else the freshness of what can be added up; `beside` =
    a worker ticks meanwhile, a process of its own."""

    name: str
    together: int
    derived: Counts | None
    beside: bool = False


WAYS = (
    Way("base tables, a block at a time", 0, None),
    Way("base tables, many blocks at once", TOGETHER, None),
    Way("everything, counts at commit, a block at a time", 0, "commit"),
    Way("everything, counts at commit, many blocks at once", TOGETHER, "commit"),
    Way("everything by ticks, many blocks at once", TOGETHER, "tick"),
    Way("everything by ticks of a worker beside, many blocks at once", TOGETHER, "tick", beside=True),
)
_ROOT = Path(__file__).resolve().parents[1]
_BESIDE = """
import sys, threading, time
from bench.ingest import HOLD_MS, open_project
from tidemark import Tidemark

ended = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
ours = Tidemark(open_project("tick"), sys.argv[1], hold_ms=HOLD_MS)
ours.tick()
print("begun", time.process_time(), flush=True)
while True:
    was_ended = ended.is_set()
    idle = not any(report.keys_applied or not report.drained for report in ours.tick())
    if idle and was_ended:
        break
    if idle:
        ended.wait(0.1)
print("drained", time.process_time(), flush=True)
"""
"""A worker that has read its scripts, and ticks until nothing comes any more and nothing is left. It tells its processor time."""


@dataclass(frozen=True)
class Cost:
    """Events taken, seconds of taking and of ticking, and processor seconds of both; `ours` is that of this process alone."""

    engine: str
    way: str
    events: int
    taking: float
    ticking: float
    cpu: float
    ours: float

    @property
    def rate(self) -> float:
        """Events a second, with everything true."""
        return self.events / (self.taking + self.ticking)


def measure(
    *, events: int, engines: list[str], ways: tuple[Way, ...] = WAYS, say: Callable[[str], None]
) -> tuple[list[Cost], list[Figure]]:
    """Every way on every engine, over the same blocks."""
    costs: list[Cost] = []
    with tempfile.TemporaryDirectory() as folder:
        blocks = Path(folder) / "blocks.jsonl.gz"
        generator.write(events, 1, blocks, None)
        for place_of in both_places():
            # Nothing is deleted before all are done: ext4 looks for minutes past every file that went, for each that comes.
            with ExitStack() as places:
                for way in ways:
                    place = places.enter_context(place_of())
                    if engines and place.engine.lower() not in engines:
                        break
                    one = _take(place, way, blocks)
                    costs.append(one)
                    seconds = one.taking + one.ticking
                    say(f"{one.engine}, {one.way}: {one.rate:,.0f}/s, ticks {one.ticking:.1f} of {seconds:.1f} s")
    return costs, _figures(costs)


def _take(place: Place, way: Way, blocks: Path) -> Cost:
    with closing(open_store(place.url)) as store:
        store.create_schema()
    wanted = None if way.derived else ()
    source = iterable(lambda _: _loose(blocks))
    project = make_project(wanted=wanted, source=source, counts=way.derived or "commit", together=way.together)
    ours = Tidemark(project, place.url, hold_ms=HOLD_MS)
    if way.derived:
        ours.apply()
    cpu, own = place.spent(), time.process_time()
    with _worker_beside(place.url) if way.beside else nullcontext() as drained:
        begun = time.perf_counter()
        tally = run_stream(ours)
        taken = time.perf_counter()
        beside = drained() if drained is not None else 0.0
        while way.derived and not way.beside and _has_ticked(ours):
            continue
        ended = time.perf_counter()
    spent = place.spent() - cpu + beside, time.process_time() - own + beside
    if way.beside and _has_ticked(ours):
        raise AssertionError(f"the worker beside left something on {place.engine}")
    for report in ours.verify() if way.derived else ():
        if not report.clean:
            raise AssertionError(f"untrue rows of {report.derived} on {place.engine}")
    return Cost(place.engine, way.name, tally.events, taken - begun, ended - taken, *spent)


def _has_ticked(ours: Tidemark) -> bool:
    """Tick every table; whether anything waited."""
    return any(report.keys_applied or not report.drained for report in ours.tick())


def open_project(counts: Counts) -> Project:
    """Everything that is kept, without blocks."""
    return make_project(source=iterable(lambda _: ()), counts=counts)


@contextmanager
def _worker_beside(url: str) -> Iterator[Callable[[], float]]:
    """A worker beside, which has begun; what waits until it has done everything, and tells the processor seconds that took."""
    environment = {**os.environ, "PYTHONPATH": f"{_ROOT}{os.pathsep}{_ROOT / 'src'}"}
    command = [sys.executable, "-c", _BESIDE, url]
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as worker:
        before = _told(worker, "begun")

        def drained() -> float:
            if worker.stdin is not None:
                worker.stdin.close()
            return _told(worker, "drained") - before

        yield drained
    if worker.returncode:
        raise AssertionError(f"the worker beside ended with {worker.returncode}")


def _told(worker: subprocess.Popen[bytes], word: str) -> float:
    """The processor seconds that a worker tells behind a word."""
    line = worker.stdout.readline().decode().split() if worker.stdout is not None else []
    if line[:1] != [word]:
        raise AssertionError(f"the worker beside never was as far as this: {word}")
    return float(line[1])


def _loose(blocks: Path) -> Iterator[Mapping[str, Any]]:
    return islice(jsonl(blocks).blocks(None), None)


def table(costs: list[Cost]) -> list[str]:
    """The one table."""
    titles = (
        "engine",
        "what is kept",
        "events/s",
        "of it taking",
        "of it ticks",
        "processor µs an event",
        "of it ours",
    )
    rows = [
        (
            one.engine,
            one.way,
            spell(one.rate),
            f"{one.taking / (one.taking + one.ticking):.0%}",
            f"{one.ticking / (one.taking + one.ticking):.0%}",
            spell(one.cpu / one.events * 1e6),
            spell(one.ours / one.events * 1e6),
        )
        for one in costs
    ]
    return lines_of(titles, rows)


def _figures(costs: list[Cost]) -> list[Figure]:
    return [
        Figure(f"{one.engine}, ingest, {one.way}", one.rate, "events/s", BUDGETS[one.engine])
        for one in costs
        if one.way in (WAYS[-2].name, WAYS[-1].name)
    ]
