"""The audit: what operators did, when, who, and how it ended.

Owns: `Action` and writing it down. Promises: a line follows each action at once and says how it ended, also when it was refused
or failed; lines are never changed. They are for people: they hold no secret and decide nothing.
"""

from __future__ import annotations

import getpass
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from tidemark.errors import TidemarkError
from tidemark.runtime.duty import Duty
from tidemark.runtime.ledger import Ledger
from tidemark.telling import tell_problem

T = TypeVar("T")

BOOK = "operators"
WHO_MAX = 200


@dataclass(frozen=True)
class Action:
    """A line of the audit. `about` names what was acted on, `outcome` is ``done`` or what was said instead."""

    id: int
    at: str
    who: str
    action: str
    about: str
    detail: str
    outcome: str


def name_operator() -> str:
    """Who sits at this terminal, as far as the system says."""
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (OSError, KeyError):
        return f"somebody@{socket.gethostname()}"


def record(duty: Duty, who: str, action: str, about: str, detail: str, work: Callable[[], T]) -> T:
    """Do what an operator wants, and write down that and how it ended."""
    try:
        done = work()
    except Exception as problem:
        # What went wrong is what is to be told, whether or not it can be written down.
        with suppress(TidemarkError):
            _write(duty, who, action, about, detail, tell_problem(problem))
        raise
    _write(duty, who, action, about, detail, "done")
    return done


def _write(duty: Duty, who: str, action: str, about: str, detail: str, outcome: str) -> None:
    if not duty.session.is_open() or not duty.ledger.exists():
        return
    line = {"who": who[:WHO_MAX] or "somebody", "action": action, "about": about, "detail": detail, "outcome": outcome}
    duty.unfenced.write(lambda: duty.ledger.book(BOOK).run("add_audit", line))


def list_actions(ledger: Ledger, about: str = "", limit: int = 100) -> list[Action]:
    """What operators did, newest first; about one thing when `about` is not empty."""
    rows = ledger.book(BOOK).all("list_audit", {"about": about, "limit": limit})
    return [Action(int(row[0]), *row[1:]) for row in rows]
