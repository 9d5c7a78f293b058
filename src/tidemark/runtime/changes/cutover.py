"""The cutover: readers, memory and events move to a generation that is filled and verified, from the one before.

Owns: `cut_over`. Promises: what the generation before has shown of memory by then is remembered; where rows begin with a
change, those begin in it first that wait for one which the new generation has not seen; where both tell events, each change is
told by exactly one of them, because they part at a moment in which nothing waits for either; events that were told
under a name are known, and wait, under the name that comes after it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial

from tidemark.database.session import blames_data
from tidemark.errors import TidemarkError
from tidemark.runtime.cascade import everything_read, identity, is_served, upstream_first
from tidemark.runtime.changes.carry import carry_memory, renamed
from tidemark.runtime.changes.meanwhile import holding
from tidemark.runtime.duty import Duty
from tidemark.runtime.ledger import Installed
from tidemark.runtime.objects.install import show_rows
from tidemark.runtime.objects.pieces import telling_pieces
from tidemark.runtime.progress import Event
from tidemark.runtime.ticks.apart import begins_with_changes
from tidemark.runtime.ticks.steady import Unsteady, apply_waiting, require_steady
from tidemark.runtime.ticks.tick import tick

REST_SECONDS = 5.0
"""How long a moment is looked for in which nothing waits for either generation. Where others write all the time the older one is
brought up to date last: then nothing is missing, and an event that may come again can come twice."""


def cut_over(duty: Duty, installed: Installed, before: Installed | None) -> Installed:
    """Let readers see a generation instead of `before`, which nobody ticks from here on; give it as it is then.

    Raises `Fault` when asked to stop, or when somebody else is at work on the table under its old name.
    """
    older = before or renamed(duty, installed)
    if older is None:
        return show_rows(duty, installed, before)
    if not (older.script.crosses and installed.script.crosses):
        if begins_with_changes(installed.script):
            _let_begin(duty, older, installed)
        with _alone(duty, older, installed) as mine:
            carry_memory(mine, installed, older, filled=True)
            return show_rows(duty, installed, before)
    waiting = _all_waiting(duty, installed, older)
    began, tried = duty.clock.now(), 0
    while True:
        there = [_apply(duty, row, installed) for row in waiting]
        with _alone(duty, older, installed) as mine:
            carry_memory(mine, installed, older, filled=True)
            rest = () if duty.clock.now() - began > REST_SECONDS else waiting
            try:
                return show_rows(duty, installed, before, partial(_part, duty, older, installed, rest))
            except Unsteady:
                duty.check_stop(f"the cutover of {installed.name}")
        if not all(there):
            duty.wait_for_another_try(tried)
            tried += 1


def _let_begin(duty: Duty, older: Installed, installed: Installed) -> None:
    """Apply what the older generation had not applied when the changes of the new one began to be kept: no other one will.
    Where it cannot be applied, it is what somebody declares another definition for."""
    tried = 0
    try:
        while older.script.tick is not None and not _apply(duty, older, installed):
            duty.check_stop(f"the cutover of {installed.name}")
            duty.wait_for_another_try(tried)
            tried += 1
    except TidemarkError as problem:
        if not blames_data(problem):
            raise
        note = f"rows that wait in it for their first change begin with their next one: {problem}"
        duty.listen(Event(installed.name, "cutover", note=note))


def _part(duty: Duty, older: Installed, installed: Installed, waiting: Sequence[Installed]) -> None:
    """From here on only the new generation tells events, and it knows those that the older one told, in the transaction of the
    cutover. Raises `Unsteady` when something waits for one of the two."""
    if older.name != installed.name:
        # The old name serves its readers for a while.
        for piece in reversed(telling_pieces(older.script)):
            duty.session.script(piece.drop)
        duty.ledger.run("rename_events", {"before": older.name, "after": installed.name})
    require_steady(duty, waiting)


def _all_waiting(duty: Duty, installed: Installed, older: Installed) -> tuple[Installed, ...]:
    """Whatever ticks keep of what both generations read, then the new one, and the older one last."""
    rows = duty.ledger.derived()
    read = {
        identity(one): one for row in (installed, older) for one in everything_read(row, rows) if is_served(one, rows)
    }
    both = [*upstream_first(read.values()), installed, older]
    return tuple(row for row in both if row.script.tick is not None)


def _apply(duty: Duty, row: Installed, installed: Installed) -> bool:
    """Apply what waits for a generation; False when somebody else is at it. What has our name is under our lease."""
    if row.name != installed.name:
        return apply_waiting(duty, row, tick)
    while not tick(duty.in_passing, row.script).drained:
        duty.check_stop(f"the tick of {row.name}")
    return True


def _alone(duty: Duty, older: Installed, installed: Installed) -> AbstractContextManager[Duty]:
    """The duty while nobody ticks the older generation: under another name it has a lease of its own."""
    return nullcontext(duty) if older.name == installed.name else holding(duty, f"keep {older.name}")
