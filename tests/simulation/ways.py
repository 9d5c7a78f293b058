"""Ways by decree: small tables never give the cost guard a reason to leave the usual way, so a case says which way is gone.

Owns: `ways_of`. Promises: within the block every tick goes the way that is named, where its table has it: ``full`` always, or
``turns``, one after another; no name leaves the guard alone.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from itertools import count
from unittest import mock

from tidemark.runtime import guard
from tidemark.runtime.duty import Duty
from tidemark.runtime.guard import Choice, Way
from tidemark.script import Script

WAYS = ("", "", "full", "turns")


@contextlib.contextmanager
def ways_of(way: str) -> Iterator[None]:
    """Choices by decree for the length of the block."""
    if not way:
        yield
        return
    decide, turns = guard.choose_for, count()

    def choose(duty: Duty, script: Script, usual: Way, work: int, word: str) -> Choice:
        if script.tick is None or script.tick.full is None or (way == "turns" and next(turns) % 2):
            return decide(duty, script, usual, work, word)
        return Choice("full", "full: by decree", 1.0)

    rooms = [room for name, room in sys.modules.items() if name.startswith("tidemark.runtime.")]
    with contextlib.ExitStack() as stack:
        for room in rooms:
            if hasattr(room, "choose_for"):
                stack.enter_context(mock.patch.object(room, "choose_for", choose))
        yield
