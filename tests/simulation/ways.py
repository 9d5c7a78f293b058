"""Ways by decree: small tables never give the cost guard a reason to leave the usual way, so a case says which way is gone.

Owns: `ways_of`. Promises: within the block every tick goes the way that is named, where its table has it: ``full`` or ``keyed``
always, or ``turns``, one after another; no name leaves the guard alone, which adds where it can.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from itertools import cycle
from unittest import mock

from tidemark.runtime import guard
from tidemark.runtime.duty import Duty
from tidemark.runtime.guard import Choice, Way
from tidemark.script import Script

WAYS = ("", "", "", "keyed", "full", "turns")


@contextlib.contextmanager
def ways_of(way: str) -> Iterator[None]:
    """Choices by decree for the length of the block."""
    if not way:
        yield
        return
    decide, turns = guard.choose_for, cycle(("", "full", "", "", "keyed", ""))

    def choose(duty: Duty, script: Script, usual: Way, work: int, word: str) -> Choice:
        wanted = next(turns) if way == "turns" else way
        tick = script.tick
        if wanted == "full" and tick is not None and tick.full is not None:
            return Choice("full", "full: by decree", 1.0)
        if wanted == "keyed" and tick is not None and tick.products is not None:
            return Choice("keyed", "keyed: by decree", 1.0)
        return decide(duty, script, usual, work, word)

    rooms = [room for name, room in sys.modules.items() if name.startswith("tidemark.runtime.")]
    with contextlib.ExitStack() as stack:
        for room in rooms:
            if hasattr(room, "choose_for"):
                stack.enter_context(mock.patch.object(room, "choose_for", choose))
        yield
