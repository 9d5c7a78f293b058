"""Asking the same again: what was asked in the last looks goes with the message that begins the next one.

Owns: `Habit`. Promises: an answer is of the snapshot of the look that it is given in, and only to the very text that was sent;
a question becomes a habit when two looks running asked it, and is none any more when one did not. Questions of a habit are
prepared, because to plan them takes longer than to answer them; after `RENEW_SECONDS` they are prepared anew, so that no plan
made for an empty table is kept. After an error nothing is a habit, and after `ERRORS_MAX` of them nothing becomes one again: a
pooler may give each transaction another connection to the server. Talks to nobody itself.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from typing import Any

from tidemark.database.postgres.parameters import in_full
from tidemark.database.session import Parameters

Rows = list[tuple[Any, ...]]
RENEW_SECONDS = 60.0
ERRORS_MAX = 3


class Habit:
    """What the looks of one connection have in common."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._questions: tuple[str, ...] = ()
        self._names: dict[str, str] = {}
        self._before: dict[str, None] = {}
        self._asked: dict[str, None] = {}
        self._answers: dict[str, Rows] = {}
        # A pooler may give a look the connection of another session, which has habits of its own there.
        self._stem = f"tidemark_habit_{secrets.token_hex(4)}"
        self._made = self._errors = 0
        self._since = now()
        self._looking = False

    def begin(self) -> list[str]:
        """A look begins; what to send with its first message: only the questions of the habit give rows."""
        self._looking = self._errors < ERRORS_MAX
        self._asked, self._answers = {}, {}
        is_old = self._now() - self._since >= RENEW_SECONDS
        kept = {text: name for text, name in self._names.items() if text in self._questions and not is_old}
        found = [f"DEALLOCATE {name}" for text, name in self._names.items() if text not in kept]
        self._names, self._since = kept, self._now() if is_old else self._since
        for text in self._questions:
            if text not in self._names:
                self._made += 1
                self._names[text] = f"{self._stem}_{self._made}"
                found.append(f"PREPARE {self._names[text]} AS {text}")
            found.append(f"EXECUTE {self._names[text]}")
        return found

    def take(self, answers: Sequence[Rows]) -> None:
        """What came back, in the order of the questions."""
        self._answers = dict(zip(self._questions, answers, strict=True))

    def answer(self, sql: str, parameters: Parameters | None) -> Rows | None:
        """The answer to a question of a look, None where it has to be asked: it was not foreseen, or nobody looks."""
        if not self._looking or any(type(value) not in (int, str, type(None)) for value in (parameters or {}).values()):
            return None
        text = in_full(sql, parameters or {})
        self._asked[text] = None
        known = self._answers.get(text)
        return None if known is None else list(known)

    def end(self) -> None:
        """The look is over, well or not."""
        if self._looking:
            self._questions = tuple(text for text in self._asked if text in self._before)
            self._before = self._asked
        self._looking = False

    def give_up(self) -> None:
        """The message failed: nothing is a habit, and nothing is prepared any more."""
        self._questions, self._names, self._before = (), {}, {}
        self._errors += 1
