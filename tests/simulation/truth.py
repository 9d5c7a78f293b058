"""``python -m tests.simulation.truth [--add FILE] [--write]``: the page of what was tried, from recorded tallies.

Owns: ``docs/truth.md`` and ``tallies.jsonl``. Promises: every number is a sum over records that a run has written; what was
run less often than the goal says so.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tests.simulation.catalogue import OLD
from tests.simulation.shapes import SHAPES

TALLIES = Path(__file__).parent / "tallies.jsonl"
PAGE = Path(__file__).parents[2] / "docs" / "truth.md"
GOAL = 10_000
ENGINES = ("sqlite", "postgres")
Record = dict[str, Any]

OPENING = f"""# What random programs have tried

Tidemark is run against itself: a random schema over tiny domains, random derived tables of one shape of query, a random
program of transactions (several sessions on PostgreSQL, every isolation level, savepoints, two-phase commits, TRUNCATE,
COPY, REPLACE, cascades), and ticks in between that end early, lose their connection, are ended by the server, lose
their lease to another worker in the middle or see the clock jump, while other declarations are applied. After every
drained tick the stored rows equal the query, compared as bags in both directions by the engine itself; before that
each stored row is a row of some moment since the last drained tick, and a table that is behind says so. Columns with
memory are compared with a fold in Python, step by step, and so are the events of crossings with those steps; where a
definition of such tables takes the place of another (`redefined`), before each transaction of the apply.

    python -m tests.simulation --shape full-join --engine sqlite --seed 1 --batches 10000

runs one shape; with `--steady` one writer is followed by a tick after each transaction and nothing disturbs it, which
makes many more batches in the same time. A failure is cut down and written as a file that replays it. A *batch* is a
tick that found changes, or a commit at commit freshness, followed by a comparison. The goal is {GOAL:,} batches for
each shape and engine. The numbers are sums over all recorded runs; runs that ended with a failure are counted, and
the failure is named below until a later run of the shape is clean.
"""


def read(path: Path) -> list[Record]:
    """The records of a file."""
    return [json.loads(line) for line in path.read_text().splitlines() if line.strip()] if path.exists() else []


def page(records: Sequence[Record]) -> str:
    """The page for these records."""
    lines = [
        OPENING,
        _reached(records),
        "",
        *_totals(records),
        "",
        *_table(records),
        "",
        *_refusals(records),
        "",
        *_runs(records),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _reached(records: Sequence[Record]) -> str:
    """How far the goal is, in a sentence."""
    wanted = [(name, engine) for name in OLD for engine in ENGINES]
    wanted += [(name, engine) for name, one in SHAPES.items() for engine in one.engines]
    made: Counter[tuple[str, str]] = Counter()
    for one in records:
        made[one["shape"], one["engine"]] += one["batches"]
    reached = sum(made[pair] >= GOAL for pair in wanted)
    untried = [f"`{name}` on {engine}" for name, engine in wanted if not made[name, engine]]
    text = f"**{reached} of {len(wanted)} pairs of shape and engine have reached the goal so far.**"
    return text + (f" Without a single batch in the record: {', '.join(untried)}." if untried else "")


def _totals(records: Iterable[Record]) -> list[str]:
    done: dict[str, Counter[str]] = defaultdict(Counter)
    for one in records:
        done[one["engine"]].update(one["duties"])
        done[one["engine"]].update({word: one[word] for word in ("transactions", "batches", "comparisons", "worlds")})
    lines = ["| | SQLite | PostgreSQL |", "|---|---|---|"]
    words = {
        "worlds": "schemas",
        "transactions": "transactions",
        "batches": "batches",
        "comparisons": "comparisons",
        "tick": "ticks asked for",
        "tick bounded": "ended early",
        "tick close": "killed by losing the connection",
        "tick terminate": "ended by the server",
        "thefts": "leases taken over in the middle",
        "tick steal": "of these noticed at the next write",
        "declare": "declarations changed on the way",
        "declare unfinished": "of these killed or kept out by a lock, and resumed",
    }
    for word, text in words.items():
        lines.append(f"| {text} | {' | '.join(f'{done[engine][word]:,}' for engine in ENGINES)} |")
    return lines


def _table(records: Sequence[Record]) -> list[str]:
    lines = [
        "| shape | class and freshness | SQLite: queries | batches | PostgreSQL: queries | batches |",
        "|---|---|---|---|---|---|",
    ]
    for name in (*OLD, *SHAPES):
        cells, classes = [], set()
        for engine in ENGINES:
            mine = [one for one in records if one["shape"] == name and one["engine"] == engine]
            made: Counter[str] = Counter()
            for one in mine:
                made.update(one["derived"])
            classes |= {word.removeprefix(f"{name} ") for word in made}
            batches = sum(one["batches"] for one in mine)
            reached = "" if batches >= GOAL else " (below the goal)" if batches else ""
            wrong = " **failed in its last run**" if mine and mine[-1]["failures"] else ""
            none = name in SHAPES and engine not in SHAPES[name].engines
            cells += ["not its syntax", ""] if none else [f"{made.total():,}", f"{batches:,}{reached}{wrong}"]
        lines.append(f"| `{name}` | {', '.join(sorted(classes)) or 'none accepted'} | {' | '.join(cells)} |")
    return lines


def _refusals(records: Iterable[Record]) -> list[str]:
    found: dict[str, Counter[str]] = defaultdict(Counter)
    # What an earlier version refused says nothing about this one.
    last = {(one["shape"], one["engine"]): one for one in records}
    for one in last.values():
        for word, number in one["refused"].items():
            found[one["shape"]][f"{word.rpartition(' ')[2]} on {one['engine']}"] += number
    lines = ["Queries that were refused instead in the last run of a shape, by code:", ""]
    for name, codes in found.items():
        lines.append(f"- `{name}`: {', '.join(f'{code} {number:,}' for code, number in sorted(codes.items()))}")
    return lines if found else ["No query was refused."]


def _runs(records: Iterable[Record]) -> list[str]:
    runs: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for one in records:
        seed = one["seed"].removesuffix(f"-{one['shape']}")
        runs[one["engine"], seed].append(one)
    lines = ["| engine | seed (then `-shape`) | version | shapes | batches | seconds |", "|---|---|---|---|---|---|"]
    for (engine, seed), mine in runs.items():
        counts = f"{len(mine)} | {sum(one['batches'] for one in mine):,} | {sum(one['seconds'] for one in mine):,.0f}"
        lines.append(f"| {engine} | `{seed}` | {mine[0]['version']} | {counts} |")
    return lines


def main() -> int:
    """Add records, and print or write the page."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.truth", description=__doc__)
    parser.add_argument("--add", type=Path, default=None, help="records of a run, to keep")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    if options.add is not None:
        known = TALLIES.read_text().splitlines() if TALLIES.exists() else []
        new = [line for line in options.add.read_text().splitlines() if line and line not in known]
        TALLIES.write_text("\n".join([*known, *new]) + "\n")
    text = page(read(TALLIES))
    if options.write:
        PAGE.write_text(text)
    else:
        print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
