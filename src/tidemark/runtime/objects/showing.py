"""What readers see, put in the place of what they saw.

Owns: `show_pieces`. Promises: readers see the old or the new and never neither, since everything happens in the caller's one
transaction; where the engine can replace a view it is never away, so that views of the user's that read it stay; where it has
to be made again, it has the owner, the rights and the remarks on columns that it had. Locks are asked for briefly.
"""

from __future__ import annotations

from collections.abc import Sequence

from tidemark.contract.script import Piece, Script
from tidemark.runtime.duty import Duty
from tidemark.runtime.objects.pieces import TRIGGER_PATIENCE, creation, set_patience


def show_pieces(duty: Duty, before: Script | None, script: Script) -> None:
    """Create the public pieces of `script`, in the place of those of `before` if there are any."""
    # Whoever reads the view now is waited for so briefly that nobody queues up behind us; then it is tried again.
    set_patience(duty.ledger, TRIGGER_PATIENCE)
    shown = duty.ledger.all("list_shown", {"public": script.public})
    stays = before is not None and bool(duty.session.dialect.view_replacement) and _is_longer(before, script)
    going = [piece for piece in reversed(before.pieces if before is not None else ()) if piece.public]
    duty.session.script(
        *(piece.drop for piece in going if not (stays and piece.kind == "view")),
        *_creation(duty, [piece for piece in script.pieces if piece.public], stays=stays),
        *(statement for column, statement in shown if not column or column in script.columns),
    )


def _creation(duty: Duty, pieces: Sequence[Piece], *, stays: bool) -> list[str]:
    staying = [piece for piece in pieces if stays and piece.kind == "view"]
    # What an interrupted attempt or an older copy left under the name goes first.
    found = creation(duty.session, pieces, [piece.name for piece in pieces if piece not in staying])
    texts, opening = {piece.create for piece in staying}, f"CREATE {duty.session.dialect.view_replacement}VIEW"
    return [text.replace("CREATE VIEW", opening, 1) if text in texts else text for text in found]


def _is_longer(before: Script, script: Script) -> bool:
    """Whether the new view has the columns of the old one first, in order and with their types."""
    if (before.home, before.name) != (script.home, script.name) or _is_joint(before) or _is_joint(script):
        return False
    old, new = ([(one.name, one.type, one.collation) for one in kept.offers[1].columns] for kept in (before, script))
    return new[: len(old)] == old


def _is_joint(script: Script) -> bool:
    """Whether the view shows anything but the derived table's own columns, or there is none."""
    view = next((piece.create for piece in script.pieces if piece.public and piece.kind == "view"), "")
    return len(script.offers) < 2 or not view.endswith(script.offers[1].definition or "")
