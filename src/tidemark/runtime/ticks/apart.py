"""Changes that are followed apart from each other where together they cannot be read.

Owns: the two ways to follow the changes of a slice, and for which tables the second is wanted. Promises: where rows begin with
the first change that reaches them nothing else tells of these, so each change is followed that can be read, however many beside
it cannot: a slice is halved until what fails is one change and one way. One that fails alone begins nothing: while it stood, the
query had no rows. That it does not stand any more is asked of the query itself, in the same moment: a change may also fail for a
row that it joins, and what else it joins would be lost.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tidemark.contract.script import Script
from tidemark.database.session import Session, blames_data
from tidemark.errors import TidemarkError
from tidemark.runtime.duty import Duty
from tidemark.runtime.savepoints import undoing

ROWS = 500
"""So many changes are followed apart in a transaction: one by one, if none of them can be read."""
COPY = "tidemark_apart"
Follow = Callable[[Session, str, Sequence[str]], object]
"""Runs the statements that follow the changes in a slice, a temporary table."""


def begins_with_changes(script: Script) -> bool:
    """Whether rows are stored from the first change on that reaches them."""
    carry, tick = script.applier.carry, script.tick
    # Elsewhere everything is what is stored and what the query has.
    return carry is not None and carry.rows and tick is not None and len(tick.everything) == 1


def require_readable(duty: Duty, script: Script) -> None:
    """Evaluate the query, every column of every row, in the caller's transaction. Raises what the engine says of a value that
    stands in the sources now."""
    counted = ", ".join(f"count({duty.session.dialect.quote(name)})" for name in script.columns)
    duty.session.all(f"SELECT {counted} FROM ({script.truth}) AS tidemark_now")


def follow_together(session: Session, _: str, statements: Sequence[str]) -> None:
    """Follow all changes of a slice at once."""
    session.run_all(statements)


def follow_apart(session: Session, slice_: str, statements: Sequence[str]) -> None:
    """Follow every change of a slice that can be read, by each of the statements that can read it."""
    copy = session.dialect.temporary_prefix + session.dialect.quote(COPY)
    session.script(f"DROP TABLE IF EXISTS {copy}", f"CREATE TEMP TABLE {copy} AS SELECT * FROM {slice_}")
    ((total,),) = session.all(f"SELECT count(*) FROM {copy}")

    def take(low: int, high: int) -> None:
        place = session.dialect.row_place
        session.run(f"DELETE FROM {slice_}")
        session.run(f"INSERT INTO {slice_} SELECT * FROM {copy} ORDER BY {place} LIMIT {high - low} OFFSET {low}")

    def follow(statement: str, low: int, high: int) -> None:
        take(low, high)
        try:
            with undoing(session, COPY):
                session.run(statement)
        except TidemarkError as problem:
            if not blames_data(problem):
                raise
            for one, other in halves(low, high):
                follow(statement, one, other)

    for statement in statements if total else ():
        follow(statement, 0, int(total))
    take(0, int(total))
    session.script(f"DROP TABLE {copy}")


def halves(low: int, high: int) -> tuple[tuple[int, int], ...]:
    """The two halves of the places after the one up to the other; none of a single place."""
    middle = (low + high) // 2
    return ((low, middle), (middle, high)) if high - low > 1 else ()
