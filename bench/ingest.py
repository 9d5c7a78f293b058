"""How fast a stream takes history: the whole of soundgraph, from blocks to true rows.

Owns: the ways in which the same generated blocks are taken, and what each costs. Promises: every way ends with everything drained
and compared; an untrue row ends the benchmark. Beside rates by the clock stands processor time, ours and the database's, which
others on the machine disturb less.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
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
from tidemark import Tidemark, iterable, jsonl

TOGETHER = 5_000
HOLD_MS = 500.0
BUDGETS = {"SQLite": 20_000.0, "PostgreSQL": 10_000.0}
Counts = Literal["commit", "tick"]


@dataclass(frozen=True)
class Way:
    """One way to take the blocks. `derived` is None for base tables alone, else the freshness of what can be added up."""

    name: str
    together: int
    derived: Counts | None


WAYS = (
    Way("base tables, a block at a time", 0, None),
    Way("base tables, many blocks at once", TOGETHER, None),
    Way("everything, counts at commit, a block at a time", 0, "commit"),
    Way("everything, counts at commit, many blocks at once", TOGETHER, "commit"),
    Way("everything by ticks, many blocks at once", TOGETHER, "tick"),
)


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
            for way in ways:
                with place_of() as place:
                    if engines and place.engine.lower() not in engines:
                        break
                    costs.append(_take(place, way, blocks))
                    one = costs[-1]
                    say(
                        f"{one.engine}, {one.way}: {one.rate:,.0f}/s, ticks {one.ticking:.1f} of {one.taking + one.ticking:.1f} s"
                    )
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
    cpu, own, begun = place.spent(), time.process_time(), time.perf_counter()
    tally = run_stream(ours)
    taken = time.perf_counter()
    while way.derived and any(report.keys_applied or not report.drained for report in ours.tick()):
        continue
    ended = time.perf_counter()
    spent = place.spent() - cpu, time.process_time() - own
    for report in ours.verify() if way.derived else ():
        if not report.clean:
            raise AssertionError(f"untrue rows of {report.derived} on {place.engine}")
    return Cost(place.engine, way.name, tally.events, taken - begun, ended - taken, *spent)


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
        if one.way == WAYS[-1].name
    ]
