"""What a generation gives up that failed before anybody saw it: its triggers on the user's tables.

Owns: `withdraw`, `holds_on` and `is_given_up`. A trigger that computes at commits fails whoever writes a row that it cannot
compute, and of a table that nobody reads nobody should have to know. Promises: only what failed and was never shown gives
anything up; its store and its place in the ledger stay, so that `apply` puts the triggers back and fills it from the first key
on; safe to repeat after a kill. Locks on the user's tables are asked for briefly and again, as for an installation.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from tidemark.contract.script import Piece
from tidemark.runtime.duty import Duty
from tidemark.runtime.ledger import Installed
from tidemark.runtime.objects.captures import drop_captures, drop_group
from tidemark.runtime.objects.install import own_pieces
from tidemark.runtime.objects.pieces import find_pieces, group_pieces, mirror_pieces
from tidemark.runtime.objects.widen import give_back
from tidemark.runtime.progress import Event


def is_given_up(installed: Installed) -> bool:
    """Whether a generation failed before anybody saw it."""
    return installed.state == "failed" and installed.live_at is None


def holds_on(installed: Installed, present: Mapping[str, str]) -> bool:
    """Whether a generation has triggers that it should have given up; `present` is what there is in the database."""
    return is_given_up(installed) and bool(_going(installed, present))


def withdraw(duty: Duty, installed: Installed) -> None:
    """Take the triggers of a generation off the tables that it reads, if it failed and nobody has seen it; and the captures that
    nobody else reads. Where it fills columns in the store of another one, that one keeps its own columns alone again."""
    rows = duty.ledger.derived()
    about = installed.name, installed.generation
    fresh = next((row for row in rows if (row.name, row.generation) == about), None)
    if fresh is None or not is_given_up(fresh):
        return
    if fresh.script.wide.of:
        given = give_back(duty, fresh)
        told = "its new columns were given up before anybody saw them: nobody who writes is held up by them"
        duty.listen(Event(fresh.name, "withdraw", note=told if given else ""))
        return
    others = [row.script for row in rows if row is not fresh]
    own = {piece.name for piece in own_pieces(fresh.script, others)}
    going = [piece for piece in _going(fresh, find_pieces(duty.session, fresh.script)) if piece.name in own]
    for group in group_pieces(duty.session, going, dropping=True):
        duty.write(partial(drop_group, duty, group))
    duty.write(partial(duty.ledger.run, "remove_checkpoints", {"name": fresh.name, "generation": fresh.generation}))
    drop_captures(duty, fresh)
    if going:
        told = "it was given up before anybody saw it: its triggers are gone, and nobody who writes is held up by it"
        duty.listen(Event(fresh.name, "withdraw", note=told))


def _going(installed: Installed, present: Mapping[str, str]) -> list[Piece]:
    script = installed.script
    if script.wide.of:
        # What keeps the store is another one's.
        return []
    if any(piece.name in present for piece in mirror_pieces(script)):
        # It carries rows to a table of the user's already, where they would stand still.
        return []
    triggers = [piece for piece in script.pieces if piece.kind == "trigger" and piece.capture and not piece.public]
    return [piece for piece in reversed(triggers) if piece.name in present]
