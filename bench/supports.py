"""One more row in a group that counts different values: recomputed by key, and kept in a support.

Owns: ``python -m bench.supports``. Promises: both ways keep the same query over the same rows, one after the other in one run; an
untrue row stops it. A time is that of one committed row until its group is true: with a support the writer's own transaction,
by key the transaction and the tick after it.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.duties import Place, both_places
from tidemark import Project, Tidemark

QUERY = "SELECT user_id, count(DISTINCT ms) AS lengths FROM plays GROUP BY user_id"
VALUES = 5_000
ROUNDS = 7


@dataclass(frozen=True)
class Measured:
    """Milliseconds of one more row in a group of `rows` rows, by both ways, and of the row alone."""

    engine: str
    rows: int
    bare: float
    keyed: float
    support: float


def measure(sizes: Sequence[int], say: Callable[[str], None]) -> list[Measured]:
    """Both ways on both engines, a group of each size in one table."""
    found = []
    for place_of in both_places():
        times: dict[str, list[float]] = {}
        for way in ("bare", "keyed", "support"):
            with place_of() as place:
                _fill(place, sizes)
                times[way] = _one_more(place, sizes, way)
                engine = place.engine
            say(f"{engine}, {way}: {', '.join(f'{one:.2f} ms' for one in times[way])}")
        columns = zip(sizes, times["bare"], times["keyed"], times["support"], strict=True)
        found += [Measured(engine, *one) for one in columns]
    return found


def _fill(place: Place, sizes: Sequence[int]) -> None:
    place.run("CREATE TABLE plays (id bigint PRIMARY KEY, user_id bigint NOT NULL, ms bigint NOT NULL)")
    place.run("CREATE INDEX plays_user ON plays (user_id, ms)")
    first = 0
    for user, size in enumerate(sizes):
        numbers = f"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {size})"
        place.run(f"INSERT INTO plays {numbers} SELECT {first} + i, {user}, i % {VALUES} FROM n")
        first += size
    place.run("ANALYZE")


def _one_more(place: Place, sizes: Sequence[int], way: str) -> list[float]:
    keeper = None
    if way != "bare":
        project = Project("bench")
        project.derive("lengths", query=QUERY, support=way == "support")
        keeper = Tidemark(project, place.url)
        keeper.apply()
    found, number = [], sum(sizes)
    for user, _ in enumerate(sizes):
        taken = []
        for round_ in range(ROUNDS):
            number += 1
            begun = time.perf_counter()
            place.run(f"INSERT INTO plays VALUES ({number}, {user}, {VALUES + round_})")
            if keeper is not None and way == "keyed":
                keeper.tick()
            taken.append((time.perf_counter() - begun) * 1000)
        found.append(statistics.median(taken))
    if keeper is not None and place.run(f"SELECT * FROM ({QUERY}) AS q EXCEPT SELECT * FROM lengths"):
        raise AssertionError(f"untrue rows on {place.engine}, {way}")
    return found


def table(measured: Sequence[Measured]) -> list[str]:
    """The figures, and what a group costs beside the smallest one by the same way."""
    lines = [
        "| engine | rows in the group | row alone | by key, with its tick | with a support | by key ÷ support |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for one in measured:
        ways = f"{one.keyed:.2f} ms | {one.support:.2f} ms | {one.keyed / one.support:.1f}"
        lines.append(f"| {one.engine} | {one.rows:,} | {one.bare:.2f} ms | {ways} |")
    return lines


def main() -> int:
    """Measure and print one table."""
    parser = argparse.ArgumentParser(prog="python -m bench.supports", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small groups: shows that it runs, proves no ratio")
    sizes = (10, 1_000) if parser.parse_args().quick else (10, 10_000, 1_000_000)
    print("\n".join(table(measure(sizes, lambda text: print(text, file=sys.stderr, flush=True)))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
