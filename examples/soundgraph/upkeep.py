"""Everything this application asks of Tidemark, in one place: install, drain, look, verify, repair."""

from __future__ import annotations

from tidemark import Fault, Refusal, Tidemark

from examples.soundgraph.derived import project

TidemarkErrors = (Refusal, Fault)
"""What any function here may raise, besides what the drivers do."""


def install(database: str) -> None:
    """Installs and fills the derived tables that are missing or changed. A second call does nothing."""
    Tidemark(project, database).apply()


def drain(database: str) -> None:
    """Applies what waits for derived tables that are kept at tick freshness."""
    tidemark = Tidemark(project, database)
    while not all(report.drained for report in tidemark.tick()):
        pass


def describe(database: str) -> str:
    """One line per derived table: its state, class and freshness."""
    return "\n".join(
        f"{status.name:<24} {status.state}, {status.klass}, true at every {status.freshness}"
        for status in Tidemark(project, database).status()
    )
