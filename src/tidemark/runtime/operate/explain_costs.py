"""What a derived table costs in words: for writers, for each change that is applied, and what would make it cheaper.

Owns: the formulas and the constants behind them. Promises: a figure is a measurement, named as one, or there is none.
"""

from __future__ import annotations

from dataclasses import dataclass

from tidemark.contract.script import Script

COSTS = {
    "linear": "a constant amount of work for each changed row",
    "bilinear": "work in proportion to a change and the rows that it joins",
    "keyed": "the affected rows are computed again by the query itself, restricted to their keys",
    "global": "the whole result is computed again, and only rows that differ are written",
}
FORMULAS = {
    "linear": "changes x (one addition for each key)",
    "bilinear": "changes x (rows that one of them joins), added to the groups; else as keyed",
    "keyed": "units that changes reach x (rows of one unit)",
    "global": "rows of all sources, for any change",
}


@dataclass(frozen=True)
class WriterMicroseconds:
    """What writers pay: processor time that one writing statement and each of its rows add."""

    statement: float
    row: float


WRITER_MICROSECONDS = {
    ("sqlite", "commit"): WriterMicroseconds(0.0, 4.0),
    ("sqlite", "tick"): WriterMicroseconds(0.0, 3.8),
    ("postgres", "commit"): WriterMicroseconds(160.0, 0.5),
    ("postgres", "tick"): WriterMicroseconds(15.0, 1.2),
}
"""Measured on the machine of docs/benchmarks.md: one count and one sum by group, inserted rows. On PostgreSQL the first number
is one statement with one row, the second each row of a statement with 200,000."""


def writer_microseconds(script: Script) -> WriterMicroseconds | None:
    """What a writer pays for a changed row, as it was measured; None where it was not."""
    if script.tick is None and (script.klass != "linear" or script.freshness == "tick"):
        return None
    return WRITER_MICROSECONDS.get((script.engine, script.freshness))


def formula(script: Script) -> str:
    """The work of applying changes, as a formula in words."""
    found = FORMULAS.get(script.klass, script.klass)
    if script.tick is not None and script.tick.full is not None and script.klass != "global":
        found += "; or the rows of all sources, where the guard finds that less"
    return found


def cost(script: Script) -> str:
    """What applying a change takes."""
    cost = COSTS.get(script.klass, script.klass)
    if script.applier.units != script.applier.key_columns:
        unit = ", ".join(script.applier.units)
        cost += f"; rows with the same {unit} are computed together" if unit else ""
    if not script.applier.indexed:
        cost += "; no index reaches the rows of a key, so recomputing a batch reads the whole source"
    return cost


def writer(script: Script) -> str:
    """What a writer does for it."""
    if script.tick is None:
        count = sum(piece.capture and piece.kind == "trigger" for piece in script.pieces)
        done = "updated" if script.klass == "linear" else "computed again"
        whose = "writer's own transaction" if script.freshness == "commit" else "transactions of those ticks"
        return f"{count} triggers on its sources; the stored rows of the keys are {done} in the {whose}"
    columns = "; ".join(f"{log.source} ({', '.join(log.columns)})" for log in script.logs)
    said = [f"one row in a log for each image of a changed row, shared by all that read the source by ticks: {columns}"]
    said = said if script.logs else []
    return "; ".join([*said, *(f"nothing for {scan.source}, which is scanned" for scan in script.scans)])


def cheaper(script: Script) -> tuple[str, ...]:
    """What would make it cheaper."""
    found = [f"an index: {index.text}" for index in script.missing_indexes if index.names]
    if script.klass == "global":
        found.append("a key by which the query falls apart, so that a change touches some rows and not all")
    elif script.klass == "keyed":
        found.append("a query over one source with counts and sums alone, which is added to and not recomputed")
    elif script.klass == "bilinear":
        found.append("the columns of GROUP BY in the table that changes most, and a query over that table alone")
    if script.freshness == "commit":
        found.append('freshness="tick", where writers only append to a log')
    elif script.tick is not None and len(script.sources) > 1:
        found.append("sampled= for inputs whose changes need not make rows dirty")
    return tuple(found)
