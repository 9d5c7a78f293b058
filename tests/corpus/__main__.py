"""``python -m tests.corpus`` measures the corpus and prints one table; with ``--write`` it makes ``docs/corpus.md``."""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from tests.corpus import refusals
from tests.corpus.ground import ENGINES, MakeGround, filled_postgres, filled_sqlite
from tests.corpus.measure import Finding, admit, measure, plot, remember, remembered
from tests.corpus.page import PAGE, medians, page, summary, table
from tests.corpus.queries import WORKLOADS, Query, queries
from tests.corpus.rows import Rows
from tests.corpus.workloads import generate
from tests.kit.postgres import running_server

# TPC-H has few queries, so there is time for more rows.
LARGER = {"tpch": 5, "tpcc": 1}
Fill = Callable[[str, Rows], MakeGround]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.corpus", description=__doc__)
    parser.add_argument("--engine", choices=["sqlite", "postgres", "both"], default="both")
    parser.add_argument("--only", default="", help="part of a query's name, its kind, or tpch or tpcc")
    parser.add_argument("--scale", type=int, default=20_000, help="rows of the wholesaler's database, about")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--admit", action="store_true", help="only classes and refusals")
    parser.add_argument(
        "--keep", type=Path, help="a file of findings; what it has of true queries is not measured again"
    )
    parser.add_argument("--list", action="store_true", help="write refused.txt anew, for both engines and all queries")
    parser.add_argument("--write", action="store_true", help="make docs/corpus.md")
    return parser.parse_args()


def _chosen(only: str) -> list[Query]:
    return [query for query in queries() if only in query.name or only in (query.kind, query.workload)]


def _findings(engine: str, make: Fill, chosen: list[Query], arguments: argparse.Namespace) -> Iterator[Finding]:
    known = remembered(arguments.keep, engine, chosen, arguments.admit) if arguments.keep else []
    yield from known
    done = {finding.query.name for finding in known}
    for workload in WORKLOADS:
        some = [query for query in chosen if query.workload == workload and query.name not in done]
        size = arguments.scale * LARGER[workload]
        if some:
            filled = make(workload, generate(workload, size, arguments.seed))
            course = plot(filled, workload, size, arguments.seed)
            for finding in (admit if arguments.admit else measure)(course, some):
                if arguments.keep:
                    remember(arguments.keep, finding)
                yield finding


@contextlib.contextmanager
def _engine(engine: str) -> Iterator[Fill]:
    """What makes filled databases on that engine."""
    if engine == "sqlite":
        with tempfile.TemporaryDirectory() as folder:
            yield partial(filled_sqlite, Path(folder))
    else:
        with running_server() as server:
            yield partial(filled_postgres, server)


def main() -> int:
    """Measure, print, write; 1 when anything was wrong."""
    arguments = _arguments()
    chosen = _chosen(arguments.only)
    wanted = ENGINES if arguments.engine == "both" else (arguments.engine.replace("postgres", "postgresql"),)
    findings: list[Finding] = []
    for engine in wanted:
        with _engine(engine) as make:
            for number, finding in enumerate(_findings(engine, make, chosen, arguments), start=1):
                findings.append(finding)
                verdict = finding.code or finding.wrong or finding.klass
                print(f"{number}/{len(chosen)} {engine} {finding.query.name}: {verdict}", file=sys.stderr, flush=True)
    findings.sort(key=lambda finding: chosen.index(finding.query))
    print(table(findings), summary(findings), medians(findings), sep="\n")
    for finding in findings:
        if finding.wrong:
            print(f"WRONG {finding.engine} {finding.query.name} {finding.wrong}")
    if arguments.list:
        refusals.write((f.engine, f.query.name, f.code) for f in findings if f.code)
    if arguments.write:
        PAGE.write_text(page(findings, queries(), arguments.scale, arguments.seed), encoding="utf-8")
    return int(any(finding.wrong for finding in findings))


sys.exit(main())
