"""Everything this application asks of Tidemark, apart from its progress: add, fill, keep, verify."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass

from examples.meshscope.derived import project
from examples.meshscope.schema import add_columns, connect
from tidemark import Fault, Refusal, Tidemark
from tidemark.errors import Code
from tidemark.runtime.backfill.runner import Orders

TidemarkErrors = (Refusal, Fault)
"""What any function here may raise."""


@dataclass(frozen=True)
class Verdict:
    """What a verification found: rows compared, and how many of them differ from the queries."""

    rows: int
    wrong: int


def upgrade(database: str) -> None:
    """Add the columns that are missing, fill and verify them while others write. Killed, it goes on next time."""
    with closing(connect(database)) as connection:
        add_columns(connection)
    tidemark = Tidemark(project, database)
    decode(tidemark)
    tidemark.apply()


def decode(tidemark: Tidemark) -> None:
    """Decode what came before packets were decoded; what failed at an earlier start is tried again at this one."""
    before = tidemark.backfills("hash_size") if is_installed(tidemark) else ()
    tidemark.backfill("hash_size", Orders(again=any(one.state in ("failed", "quarantined") for one in before)))


def is_installed(tidemark: Tidemark) -> bool:
    """Whether anything of Tidemark is in the database."""
    try:
        tidemark.status()
    except Refusal as problem:
        if problem.code is not Code.NOT_INSTALLED:
            raise
        return False
    return True


def work(database: str) -> None:
    """Tick, and fill what was left unfilled, until interrupted."""
    Tidemark(project, database).run()


def drain(database: str) -> None:
    """Tick until nothing waits."""
    tidemark = Tidemark(project, database)
    while any(report.keys_applied or not report.drained for report in tidemark.tick()):
        pass


def verify(database: str) -> Verdict:
    """Compare every row with the queries."""
    reports = Tidemark(project, database).verify()
    return Verdict(sum(report.keys for report in reports), sum(report.drift for report in reports))
