"""Rows as of now where sums are added, beside the query itself and beside what ticks have written.

Owns: ``python -m bench.live``. Promises: an untrue row stops it. A time is that of one SELECT of every row, with so many changes
waiting for a tick.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.duties import Place, both_places
from tidemark import Project, Tidemark

QUERIES = {
    "sums": "SELECT category, count(*) AS n, sum(price) AS total, max(price) AS most FROM sales GROUP BY category",
    "total": "SELECT count(*) AS n, sum(price) AS total FROM sales",
}
GROUPS = 20
ROUNDS = 5


@dataclass(frozen=True)
class Measured:
    """Milliseconds of a SELECT of the rows that ticks wrote, of those as of now, and of the query."""

    engine: str
    derived: str
    waiting: int
    written: float
    live: float
    query: float


def measure(rows: int, waiting: Sequence[int], say: Callable[[str], None]) -> list[Measured]:
    """Both queries on both engines, with each number of changes that wait."""
    found = []
    for place_of in both_places():
        with place_of() as place:
            _fill(place, rows)
            project = Project("bench")
            for name, query in QUERIES.items():
                project.derive(name, query=query, freshness="tick", live=True)
            Tidemark(project, place.url).apply()
            there = 0
            for number in waiting:
                _add(place, rows + there, number - there)
                there = number
                for name in QUERIES:
                    found.append(_one(place, name, number))
                    say(str(found[-1]))
    return found


def _fill(place: Place, rows: int) -> None:
    place.run("CREATE TABLE sales (id bigint PRIMARY KEY, category integer NOT NULL, price integer NOT NULL)")
    _add(place, 0, rows)
    place.run("CREATE INDEX sales_by_category ON sales (category)")
    place.run("ANALYZE")


def _add(place: Place, first: int, rows: int) -> None:
    numbers = f"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})"
    place.run(f"INSERT INTO sales {numbers} SELECT {first} + i, i % {GROUPS}, i % 1000 FROM n")


def _one(place: Place, name: str, waiting: int) -> Measured:
    live, query = f"SELECT * FROM {name}_live", QUERIES[name]
    if Counter(place.run(live)) != Counter(place.run(query)):
        raise AssertionError(f"untrue rows on {place.engine}: {name}")
    times = (_median(place, text) for text in (f"SELECT * FROM {name}", live, query))
    return Measured(place.engine, name, waiting, *times)


def _median(place: Place, text: str) -> float:
    taken = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        place.run(text)
        taken.append((time.perf_counter() - begun) * 1000)
    return statistics.median(taken)


def table(measured: Sequence[Measured]) -> list[str]:
    """The figures, one line for each query and number of changes."""
    lines = [
        "| engine | result | changes that wait | what ticks wrote | as of now | the query | query ÷ as of now |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for one in measured:
        times = f"{one.written:.2f} ms | {one.live:.2f} ms | {one.query:.0f} ms | {one.query / one.live:,.0f}"
        lines.append(f"| {one.engine} | {one.derived} | {one.waiting:,} | {times} |")
    return lines


def main() -> int:
    """Measure and print one table."""
    parser = argparse.ArgumentParser(prog="python -m bench.live", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a small table: shows that it runs, proves no ratio")
    rows, waiting = (10_000, (10, 100)) if parser.parse_args().quick else (1_000_000, (10, 1_000, 100_000))
    print("\n".join(table(measure(rows, waiting, lambda text: print(text, file=sys.stderr, flush=True)))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
