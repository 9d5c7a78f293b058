"""The conversion of a ledger: what an older version keeps becomes what this one keeps.

Owns: `convert_ledger`. Promises: one transaction, so that a kill at any instant leaves the old ledger or the new one; at its
moment nobody is in a transaction under a lease, and nobody has a lease after it, so that no worker of the older version does
anything any more. Writers of the application go on: what they fire is SQL in their database, which serves before and after.
Remaking derived tables whose stored texts are not what this version makes is for the plan that comes after it.
"""

from __future__ import annotations

from functools import partial

from tidemark.runtime.duty import Duty
from tidemark.runtime.ledger import SHAPE
from tidemark.runtime.objects.pieces import TRIGGER_PATIENCE, set_patience
from tidemark.runtime.progress import Event
from tidemark.runtime.runs import add_named_run


def convert_ledger(duty: Duty) -> tuple[str, ...]:
    """Convert a ledger of an older shape; the shapes before and after, nothing when it was this version's or there is none.

    Raises `Fault` for one that cannot be converted.
    """
    if duty.ledger.shape() in (None, SHAPE):
        return ()
    shapes = duty.write(partial(_convert, duty)).value
    if shapes:
        duty.listen(Event("", "convert", note=_tell(shapes)))
    return shapes


def _convert(duty: Duty) -> tuple[str, ...]:
    ledger = duty.ledger
    set_patience(ledger, TRIGGER_PATIENCE)
    ledger.lock()
    shape = str(ledger.shape())
    if shape == SHAPE:
        # Another process was first.
        return ()
    ledger.session.script(*ledger.conversion(shape))
    ledger.run("set_meta", {"key": "shape", "value": SHAPE})
    said = _tell((shape, SHAPE))
    add_named_run(duty, "convert", "", 0, None, said).end("done", said)
    return shape, SHAPE


def _tell(shapes: tuple[str, ...]) -> str:
    return f"the ledger was converted from shape {shapes[0]} to shape {shapes[1]}"
