"""A savepoint around the user's own code.

Owns: `undoing`. Promises: what was written inside is undone when something is raised, so that a statement which failed does not
poison the transaction; a transaction that the database gave up is never taken for one that goes on.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tidemark.database.session import Conflict, Session
from tidemark.errors import Fault
from tidemark.runtime.lease import Lost


class Gone(Fault):
    """The database gave up the whole transaction, so that nothing of it can be kept."""


@contextmanager
def undoing(session: Session, name: str) -> Iterator[None]:
    """What is written inside is undone when something is raised, and only then. Raises `Gone` when that cannot be."""
    session.script(f"SAVEPOINT {name}")
    try:
        yield
    except (Conflict, Lost, Gone):
        raise
    except BaseException as problem:
        _undo(session, name, problem)
        raise
    session.script(f"RELEASE {name}")


def _undo(session: Session, name: str, problem: BaseException) -> None:
    try:
        session.script(f"ROLLBACK TO {name}")
        session.script(f"RELEASE {name}")
    except Exception as lost:
        cause = f"the database gave up the transaction: {name_problem(problem)}"
        raise Gone(cause, left_behind="nothing of this transaction was kept") from lost


def name_problem(problem: BaseException) -> str:
    """An error as one line of evidence."""
    text = " ".join(str(problem).split())
    return f"{type(problem).__name__}: {text}" if text else type(problem).__name__
