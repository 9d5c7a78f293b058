"""``python -m bench``: ratios against the bare table, hand-written triggers and counting again, with the budgets beside."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from pathlib import Path

from bench import backfill, big, crew, duties, eta, fills, ingest, lag, many, sqlite_rows, surface, ticks, writers
from bench.budgets import Figure, budget_table

PARTS = ("start", "sqlite", "duties", "ticks", "lag", "postgres", "backfill")
LONG = ("backlog", "week", "big", "surface", "ingest", "fills", "crew", "eta", "many")


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round: shows that it runs, proves no ratio")
    parser.add_argument(
        "--parts",
        default=",".join(PARTS),
        help=f"which parts to measure, with commas (default: {','.join(PARTS)}; besides: {','.join(LONG)})",
    )
    parser.add_argument(
        "--only", default="", help="only PostgreSQL workloads whose name contains one of these, with semicolons"
    )
    parser.add_argument(
        "--rounds",
        type=int,
        default=None,
        help="rounds of PostgreSQL workloads, of fills and of crew (default 3), of each backfill (default 1), and of the week",
    )
    parser.add_argument(
        "--rows",
        type=int,
        default=None,
        help="rows of the table that backfills fill (default 150,000), and of the source of fills (default 1,000,000)",
    )
    parser.add_argument("--scale", default="0.004,0.04", help="scales of the big database, with commas, ascending")
    parser.add_argument(
        "--engines",
        default="",
        help="for backfill, fills, big, backlog, week, ingest, surface and many: sqlite, postgresql or both (default)",
    )
    parser.add_argument("--changes", type=int, default=1_000_000, help="changes in the backlog")
    parser.add_argument("--events", type=int, default=100_000, help="events that streams take")
    parser.add_argument(
        "--observations", type=int, default=15_000_000, help="of meshscope, for eta (default 15,000,000)"
    )
    parser.add_argument("--seconds", type=float, default=1.0, help="length of one run of pgbench")
    parser.add_argument("--out", type=Path, default=None, help="also write the tables to this file")
    return parser.parse_args()


def say(text: str) -> None:
    """Progress, on stderr."""
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    """Measure and print. The exit code says only that measuring worked: budgets are read, not enforced."""
    options, begun = arguments(), time.monotonic()
    parts, engines = options.parts.split(","), [engine for engine in options.engines.split(",") if engine]
    tables, figures = list[list[str]](), list[Figure]()
    if "start" in parts:
        figures += duties.start_times(3 if options.quick else 9)
    if "sqlite" in parts:
        rows = sqlite_rows.measure(rounds=1 if options.quick else 5, rows=5_000 if options.quick else 20_000, say=say)
        tables.append(sqlite_rows.table(rows))
        figures += sqlite_rows.figures(rows)
    size, changes = (100_000, 50_000) if options.quick else (1_000_000, 300_000)
    if "duties" in parts:
        figures += duties.measure(rows=size, changes=changes, say=say)
    if "ticks" in parts:
        figures += ticks.measure(rows=size, changes=changes, say=say)
    if "lag" in parts:
        figures += lag.measure(rounds=3 if options.quick else 15, say=say)
    if "backlog" in parts:
        figures += ticks.measure_backlogs(changes=options.changes, engines=engines, say=say)
    if "week" in parts:
        figures += ticks.measure_week(rounds=options.rounds or ticks.WEEK, engines=engines, say=say)
    if "big" in parts:
        figures += big.measure(scales=[float(one) for one in options.scale.split(",")], engines=engines, say=say)
    if "ingest" in parts:
        costs, found = ingest.measure(events=options.events, engines=engines, say=say)
        tables.append(ingest.table(costs))
        figures += found
    if "postgres" in parts:
        measured = writers.measure(
            rounds=options.rounds or (1 if options.quick else 3),
            seconds=options.seconds,
            quick=options.quick,
            only=[word for word in options.only.split(";") if word],
            say=say,
        )
        tables.append(writers.table(measured))
        figures += writers.figures(measured)
    if "backfill" in parts:
        size, idle = (6_000, 2.0) if options.quick else (150_000, 5.0)
        runs, found = backfill.measure(
            rows=options.rows or size, rate=25.0, idle=idle, rounds=options.rounds or 1, engines=engines, say=say
        )
        tables.append(backfill.table(runs))
        figures += found
    size, rounds = (100_000, 1) if options.quick else (1_000_000, 3)
    if "fills" in parts:
        figures += fills.measure(rows=options.rows or size, rounds=options.rounds or rounds, engines=engines, say=say)
    if "crew" in parts:
        figures += crew.measure(rows=options.rows or size, rounds=options.rounds or rounds, say=say)
    if "eta" in parts:
        figures += eta.measure(observations=100_000 if options.quick else options.observations, say=say)
    if "surface" in parts:
        probes, found = surface.measure(
            often=100 if options.quick else 400,
            seldom=10 if options.quick else 150,
            counts=(5, 40),
            many=0 if options.quick else 500,
            engines=engines,
            say=say,
        )
        tables.append(surface.table(probes))
        figures += found
    if "many" in parts:
        tables.append(many.table(many.measure(count=20 if options.quick else 400, engines=engines, say=say)))
    tables.append(budget_table(figures))
    tell(tables, time.monotonic() - begun, options.out)
    return 0


def tell(tables: list[list[str]], seconds: float, out: Path | None) -> None:
    """Print the tables, and write them where that is wanted."""
    head = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    text = "\n\n".join([f"{head}, {seconds:.0f} s", *("\n".join(lines) for lines in tables)])
    print(text)
    if out:
        out.write_text(text + "\n")


if __name__ == "__main__":
    sys.exit(main())
