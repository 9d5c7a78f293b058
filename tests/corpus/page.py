"""The page that shows what is kept true: ``docs/corpus.md``.

Owns: its text. Promises: every query of the corpus has a line for each engine, with its ratios or the reason of its refusal;
sums at the top are counted from the same findings.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.corpus.measure import FRACTIONS, Finding
from tests.corpus.queries import Query

PAGE = Path(__file__).parents[2] / "docs" / "corpus.md"
TITLES = {"tpch": "TPC-H", "tpcc": "The wholesaler"}
HEAD = "| query | kind | engine | class | freshness | anew, ms | 0.1 % | 1 % | 10 % |\n|---|---|---|---|---|---|---|---|---|\n"

OPENING = """# The corpus

How much Tidemark can carry: {count} queries over two schemas, the 22 of TPC-H with refresh streams and updates, and
{wholesaler} over a wholesaler's tables in the manner of TPC-C. Each is declared, filled, compared both ways with the plain query,
then compared again after batches of inserts, updates of everything (keys and NULLs too) and deletions. The texts are in
[tests/corpus](../tests/corpus); `make test` tries a fixed part of them on each engine.

`python -m tests.corpus --write` makes this page, here from about {size} rows of the wholesaler, five times as many of TPC-H,
and seed {seed}. A ratio is the time of a tick over the time of computing the query anew into a temporary table, after 0.1 %, 1 %
and 10 % of all rows of the database changed; below 1 the tick is cheaper. "Freshness" is the best there is for a query, which it
has without asking; for the ratio those that writers keep are asked for at tick freshness, but for single rows over everything,
which have no tick.
A tick has a fixed cost of some milliseconds for its transactions, so queries that are cheap at this size show ratios far above
1: read them beside "anew", the milliseconds of computing anew, which grow with the data while a tick grows with the change.
Class *global* is upkeep that reads everything and writes what differs, with the declaration's consent;
[below](#what-is-global) is why. Times are seconds of computing, of the worker and of its process on the server, so that what else
the machine does is not in them. A line without
ratios is a single row over everything: writers keep it, and it has no tick.
"""


GLOBAL = """## What is global

In each of these one changed row of a source may make any row of the result come, go or be another one. Where it is every row's
value that changes, no upkeep writes less than the result. Rows that are compared with a threshold or a best value are none of
these: [what the figure moves over](why/compared.md) is computed again.

| query | why |
|---|---|
"""


def table(findings: Sequence[Finding]) -> str:
    """The findings as a table, one line each."""
    return HEAD + "".join(_line(finding) for finding in findings)


def summary(findings: Sequence[Finding]) -> str:
    """Sums by engine: kept true, refused by code, wrong, and the median ratios of each class."""
    lines = ["| engine | kept true | refused | wrong | classes |\n|---|---|---|---|---|\n"]
    for engine in sorted({finding.engine for finding in findings}):
        mine = [finding for finding in findings if finding.engine == engine]
        true = [finding for finding in mine if not finding.code and not finding.wrong]
        refused = Counter(finding.code for finding in mine if finding.code)
        wrong = sum(1 for finding in mine if finding.wrong)
        classes = Counter(finding.klass for finding in true)
        lines.append(f"| {engine} | {len(true)} | {_counts(refused)} | {wrong} | {_counts(classes)} |\n")
    return "".join(lines)


def medians(findings: Sequence[Finding]) -> str:
    """Median ratios by engine and class."""
    lines = ["| engine | class | queries | 0.1 % | 1 % | 10 % |\n|---|---|---|---|---|---|\n"]
    groups = sorted({(f.engine, f.klass) for f in findings if f.ratios and not f.wrong})
    for engine, klass in groups:
        some = [f for f in findings if (f.engine, f.klass) == (engine, klass) and f.ratios and not f.wrong]
        cells = [f"{statistics.median(f.ratios[fraction] for f in some):.2f}" for fraction in FRACTIONS]
        lines.append(f"| {engine} | {klass} | {len(some)} | {' | '.join(cells)} |\n")
    return "".join(lines)


def page(findings: Sequence[Finding], queries: Sequence[Query], size: int, seed: int) -> str:
    """The whole page."""
    wholesaler = sum(1 for query in queries if query.workload == "tpcc")
    parts = [OPENING.format(count=len(queries), wholesaler=wholesaler, size=size, seed=seed)]
    parts += [summary(findings), medians(findings)]
    for workload, title in TITLES.items():
        mine = [finding for finding in findings if finding.query.workload == workload]
        if mine:
            parts += [f"## {title}\n", table(mine)]
    parts.append(global_reasons(queries))
    refused = [finding for finding in findings if finding.code]
    if refused:
        lines = [f"- `{f.query.name}` on {f.engine}: {f.reason}\n" for f in refused]
        parts += ["## What is refused\n", "".join(lines)]
    return "\n".join(parts)


def global_reasons(queries: Sequence[Query]) -> str:
    """What is computed as a whole, and why it must be."""
    return GLOBAL + "".join(f"| {query.name} | {query.consent} |\n" for query in queries if query.consent)


def _line(finding: Finding) -> str:
    query = finding.query
    start = f"| {query.name} | {query.kind} | {finding.engine} "
    if finding.code:
        return f"{start}| refused: {finding.code} | | | | | |\n"
    if finding.wrong:
        return f"{start}| {finding.klass} | {finding.freshness} | WRONG | | | |\n"
    cells = [f"{finding.ratios[fraction]:.2f}" if fraction in finding.ratios else "" for fraction in FRACTIONS]
    anew = f"{finding.anew_ms:.1f}" if finding.ratios else ""
    return f"{start}| {finding.klass} | {finding.freshness} | {anew} | {' | '.join(cells)} |\n"


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{count} {word}" for word, count in sorted(counter.items())) or "none"
