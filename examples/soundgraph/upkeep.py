"""Everything this application asks of Tidemark, in one place: install, drain, look, verify, repair."""

from __future__ import annotations

from dataclasses import dataclass

from examples.soundgraph.derived import project
from tidemark import Fault, Refusal, Tidemark

HOLD_MS = 250.0
"""How long ticks may hold the writers' lock between blocks, where nobody else writes."""

TidemarkErrors = (Refusal, Fault)
"""What any function here may raise."""


@dataclass(frozen=True)
class Verdict:
    """What a verification found: columns compared and how many of them are true in every row, rows compared, and one
    sentence for each wrong row."""

    columns: int
    true_columns: int
    rows: int
    wrong: tuple[str, ...]


def install(database: str) -> None:
    """Installs and fills the derived tables that are missing or changed. A second call does nothing."""
    Tidemark(project, database).apply()


def drain(database: str) -> None:
    """Ticks until nothing waits: what one derived table writes may be what another reads. Whoever ingests waits meanwhile."""
    tidemark = Tidemark(project, database, hold_ms=HOLD_MS)
    while any(report.keys_applied or not report.drained for report in tidemark.tick()):
        pass


def deliver(database: str) -> int:
    """Hands every crossing that waits to its handler: milestones, and notices of rewards. Returns how many."""
    report = Tidemark(project, database).deliver()
    if report.failed:
        raise Fault(f"{report.failed} events of crossings could not be handled; see `tidemark outbox list`")
    return report.delivered


def describe(database: str) -> str:
    """One line per derived table: its state, class and freshness."""
    return "\n".join(
        f"{status.name:<24} {status.state}, {status.klass}, true at every {status.freshness}"
        for status in Tidemark(project, database).status()
    )


def storage(database: str, name: str, column: str) -> tuple[str, str]:
    """The table, quoted for SQL, and the column in it where a column of a derived table that was installed once is kept."""
    [script] = Tidemark(project, database).sql(name)
    hidden = f"_{column}"
    return script.store, hidden if hidden in script.applier.compared_columns else column


def verify(database: str, *names: str) -> Verdict:
    """Compares every key of these derived tables, or of all, with the declared queries."""
    tidemark = Tidemark(project, database)
    declared = {script.name: set(script.columns) - set(script.key) for script in tidemark.sql(*names)}
    columns = true_columns = rows = 0
    wrong: list[str] = []
    for report in tidemark.verify(*names):
        shown = declared[report.derived]
        untrue: set[str] = set()
        for finding in report.findings:
            row = f"{report.derived}, " + ", ".join(
                f"{column} {value}" for column, value in zip(report.key_columns, finding.key, strict=True)
            )
            if finding.stored is None or finding.truth is None:
                untrue |= shown
                wrong.append(f"{row}: the row is {finding.kind}")
                continue
            values = zip(report.columns, finding.stored, finding.truth, strict=True)
            differing = [(name, stored, truth) for name, stored, truth in values if stored != truth and name in shown]
            untrue |= {name for name, _, _ in differing}
            wrong += [f"{row}: {name} is {stored}, but {truth} is true" for name, stored, truth in differing]
            if not differing:
                wrong.append(f"{row}: what is kept behind the row differs")
        columns += len(shown)
        # A finding that no shown column explains is still a table that is not true.
        true_columns += 0 if report.drift and not untrue else len(shown) - len(untrue)
        rows += report.keys
    return Verdict(columns, true_columns, rows, tuple(wrong))


def repair(database: str, *names: str) -> int:
    """Mends every row that verification finds wrong; returns how many."""
    return sum(report.rows_written for report in Tidemark(project, database).repair(*names))
