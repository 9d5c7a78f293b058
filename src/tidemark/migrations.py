"""Migrations of the user's own: on SQLite, where triggers stand in their way, and made by comparing models with a database.

Owns: `guard`, `include_name`. SQLite lets nobody drop a column that a trigger reads, makes a rebuild of a table fail at the
rename when a trigger elsewhere names it, and drops the triggers of a rebuilt table without a word. Promises: inside a guard no
trigger of ours is there; afterwards, failure or not, those are back that can be, in the same transaction where there is one, and
what may have been missed is written down as a gap, so that `tidemark apply` fills and verifies it. Other engines need no guard.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tidemark.database.sqlite.given import Given, session_of
from tidemark.dialect import POSTGRESQL, SQLITE
from tidemark.runtime.changes.detached import Detached, detach, reattach
from tidemark.runtime.clock import Clock
from tidemark.runtime.duty import Duty
from tidemark.runtime.ledger import Ledger


@contextmanager
def guard(connection: Any) -> Iterator[None]:
    """Let a migration run over `connection`: of ``sqlite3``, of SQLAlchemy (in ``env.py``, around ``run_migrations()``) or of
    Django (around ``call_command("migrate")``). Over a connection to another engine it does nothing.

    Everything inside is one transaction with it, undone when it fails, unless the migration begins or commits transactions
    itself, as Django does. Then the triggers are away until the guard ends, and a process that dies in between leaves a gap
    that `tidemark status` shows.
    """
    session = session_of(connection)
    if session is None or not Ledger(session).exists():
        yield
        return
    ours = not session.in_transaction
    if ours:
        session.begin()
    triggers = detach(Ledger(session))
    if session.begins_itself and ours:
        session.commit()
    others = session.changes_marker()
    written: set[str] = set()
    try:
        with session.watching() as written:
            yield
    except BaseException:
        if ours and session.in_transaction:
            session.rollback()
        raise
    finally:
        alone = session.changes_marker() == others
        _end(session, triggers, written if alone else None, commits=ours)


def include_name(name: str | None, kind: str, parents: Mapping[str, str | None]) -> bool:
    """Whether something is the application's own: for ``context.configure(include_name=…)`` in Alembic's ``env.py``, whose
    ``--autogenerate`` would drop the tables of ours that no model has."""
    if kind == "schema":
        return name != POSTGRESQL.schema
    return kind != "table" or not (name or "").startswith(SQLITE.ours_prefix)


def _end(session: Given, triggers: tuple[Detached, ...], written: set[str] | None, *, commits: bool) -> None:
    if not session.in_transaction:
        # The migration ended its transaction by itself, or it failed and is undone.
        session.begin()
        commits = True
    reattach(Duty(Ledger(session), Clock()), triggers, written)
    if commits:
        session.commit()
