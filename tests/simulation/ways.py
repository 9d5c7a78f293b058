"""Ways by decree: small tables never give the cost guard a reason to leave the usual way, so a case says which way is gone.

Owns: `ways_of`. Promises: within the block every tick goes the way that is named, where its table has it: ``full`` or ``keyed``
always, or ``turns``, one after another, or ``left``, its own for some steps and then the whole result; no name leaves the guard
alone, which adds where it can.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from itertools import cycle
from unittest import mock

from tidemark.contract.script import Script
from tidemark.runtime.duty import Duty
from tidemark.runtime.ticks import guard, rival
from tidemark.runtime.ticks.guard import Choice, Way

WAYS = ("", "", "", "keyed", "full", "turns", "left")


def _in_turn() -> Callable[..., Choice | None]:
    """What leaves the way that a tick goes when it is asked for the second time, for the third, the first, and so on."""
    asked = cycle((False, True, False, False, True, True))

    def outruns(one: rival.Rival, way: Way, *_: object) -> Choice | None:
        tick = one.script.tick
        leaves = way != "full" and tick is not None and tick.full is not None and next(asked)
        return Choice("full", f"full: {way} was left by decree", 1.0) if leaves else None

    return outruns


@contextlib.contextmanager
def ways_of(way: str) -> Iterator[None]:
    """Choices by decree for the length of the block."""
    if not way:
        yield
        return
    if way == "left":
        with mock.patch.object(rival.Rival, "outruns", _in_turn()):
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
