"""Objects of a script against objects in the database: what is there, what is not, and the order of creating and dropping.

Owns: `Finding` and the grouping of pieces into transactions. Promises: what is compared is the fingerprint that the catalog
shows now, never what we remember to have installed; an object that another script also needs is neither created twice nor
dropped under it; triggers on one table come and go in one transaction.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from tidemark.contract.script import Capture, Piece, Script
from tidemark.database.session import Session
from tidemark.runtime.ledger import Ledger

Health = Literal["installed", "outdated", "missing", "disabled"]

# Losing one of these loses rows or changes that nothing can bring back but computing everything again.
HOLDERS = frozenset({"table", "type"})
TELLING = re.compile(r"(tidemark[._])?_crossing_")
TRIGGER_PATIENCE = "100ms"
PLAIN_PATIENCE = "2s"


@dataclass(frozen=True)
class Finding:
    """A piece and how the database has it."""

    piece: Piece
    health: Health


def find_pieces(session: Session, *parts: Script | Capture) -> Mapping[str, str]:
    """What is there of the pieces of scripts and captures, as `Session.installed` tells it."""
    return session.installed(names_of(parts))


def inspect_pieces(script: Script | Capture, present: Mapping[str, str], *, public: bool) -> tuple[Finding, ...]:
    """How the database has each piece of a script; without the public ones when they are not created yet."""
    return tuple(
        Finding(piece, _health(piece, present.get(piece.name))) for piece in script.pieces if public or not piece.public
    )


def with_functions(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """The same, where with a trigger its function is outdated, too: a table that took another one's name left it the trigger, and
    from there it goes with what it calls."""
    called = {
        f"tidemark.{one.piece.name}" for one in findings if one.piece.kind == "trigger" and one.health == "outdated"
    }
    return tuple(
        replace(one, health="outdated") if one.piece.kind == "function" and one.piece.name in called else one
        for one in findings
    )


def _health(piece: Piece, fingerprint: str | None) -> Health:
    if piece.kind == "step":
        # A step leaves no object of its own behind: it is done with the objects around it.
        return "installed"
    if fingerprint is None:
        return "missing"
    if fingerprint == "disabled":
        return "disabled"
    return "installed" if fingerprint == piece.fingerprint else "outdated"


def is_gap(script: Script, finding: Finding) -> bool:
    """Whether changes may have been missed while the piece was not as it should be.

    What guards a view only guards it; where rows are shown in a table of the user's, public triggers carry them there.
    """
    guards = finding.piece.public and finding.piece not in mirror_pieces(script)
    return finding.health != "installed" and finding.piece.kind in ("trigger", "function") and not guards


def mirror_pieces(script: Script) -> list[Piece]:
    """What carries the rows of a script to a table of the user's; nothing where readers see a view."""
    telling = telling_pieces(script)
    public = [piece for piece in script.pieces if piece.public and piece not in telling]
    return [] if any(piece.kind == "view" for piece in public) else public


def telling_pieces(script: Script) -> list[Piece]:
    """What writes events when rows of a script reach thresholds. Nobody but the generation that readers see tells any."""
    return [piece for piece in script.pieces if piece.public and TELLING.match(piece.name)]


def loses_rows(finding: Finding) -> bool:
    """Whether rows or changes are lost with the piece."""
    return finding.health != "installed" and finding.piece.kind in HOLDERS


def creation(session: Session, pieces: Sequence[Piece], anew: Collection[str] = ()) -> list[str]:
    """The statements that create pieces, some of them in the place of what bears their name, and put their fingerprints on
    them."""
    found: list[str] = []
    for piece in pieces:
        found += [piece.drop] if piece.name in anew and piece.kind != "step" else []
        found.append(piece.create)
    return found + marks(session, pieces)


def marks(session: Session, pieces: Iterable[Piece]) -> list[str]:
    """The statements that complete pieces that are there, if there have to be any."""
    mark = session.mark([piece for piece in pieces if piece.kind != "step"])
    return [mark] if mark else []


def group_pieces(session: Session, pieces: Sequence[Piece], *, dropping: bool = False) -> list[list[Piece]]:
    """Pieces by transaction: all in one where writers wait in line anyway, else one for each table with triggers.

    Creating a trigger waits for every writer of its table and makes later ones wait behind it, so no transaction holds more
    than one such lock, and none for longer than it takes. What triggers use is there before the first and goes after the last.
    """
    if session.dialect.writers_wait_in_line:
        return [list(pieces)] if pieces else []
    plain = [piece for piece in pieces if not _hangs(piece)]
    hanging: dict[str, list[Piece]] = {}
    for piece in pieces:
        if _hangs(piece):
            hanging.setdefault(piece.on, []).append(piece)
    groups = [*hanging.values(), plain] if dropping else [plain, *hanging.values()]
    return [group for group in groups if group]


def _hangs(piece: Piece) -> bool:
    """Whether a piece is installed on a table of the user's."""
    return piece.capture and piece.kind in ("trigger", "step") and bool(piece.on)


def wanting(script: Script | Capture, findings: Sequence[Finding]) -> list[Piece]:
    """The pieces to create for what is not as it should be, in order: steps are done again with whatever is created."""
    wrong = {finding.piece.name for finding in findings if finding.health != "installed"}
    sides = {piece.public for piece in script.pieces if piece.name in wrong}
    return [piece for piece in script.pieces if piece.name in wrong or (piece.kind == "step" and piece.public in sides)]


def patience(pieces: Iterable[Piece]) -> str:
    """How long a transaction with these pieces may wait for a lock before it gives way and tries again."""
    return TRIGGER_PATIENCE if any(piece.kind == "trigger" for piece in pieces) else PLAIN_PATIENCE


def set_patience(ledger: Ledger, how_long: str) -> None:
    """Bound the waits for locks of the caller's transaction."""
    ledger.value("set_patience", {"patience": how_long})


def names_of(scripts: Iterable[Script | Capture]) -> frozenset[str]:
    """The names of every piece of some scripts."""
    return frozenset(piece.name for script in scripts for piece in script.pieces)
