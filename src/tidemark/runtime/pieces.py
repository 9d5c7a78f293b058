"""Objects of a script against objects in the database: what is there, what is not, and the order of creating and dropping.

Owns: `Finding` and the grouping of pieces into transactions. Promises: what is compared is the fingerprint that the catalog
shows now, never what we remember to have installed; an object that another script also needs is neither created twice nor
dropped under it; triggers on one table come and go in one transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from tidemark.database.session import Session
from tidemark.runtime.ledger import Ledger
from tidemark.script import Piece, Script

Health = Literal["installed", "outdated", "missing", "disabled"]

# Losing one of these loses rows or changes that nothing can bring back but computing everything again.
HOLDERS = frozenset({"table", "type"})
TRIGGER_PATIENCE = "100ms"
PLAIN_PATIENCE = "2s"


@dataclass(frozen=True)
class Finding:
    """A piece and how the database has it."""

    piece: Piece
    health: Health


def inspect_pieces(script: Script, present: Mapping[str, str], *, public: bool) -> tuple[Finding, ...]:
    """How the database has each piece of a script; without the public ones when they are not created yet."""
    return tuple(
        Finding(piece, _health(piece, present.get(piece.name))) for piece in script.pieces if public or not piece.public
    )


def _health(piece: Piece, fingerprint: str | None) -> Health:
    if fingerprint is None:
        return "missing"
    if fingerprint == "disabled":
        return "disabled"
    return "installed" if fingerprint == piece.fingerprint else "outdated"


def is_gap(finding: Finding) -> bool:
    """Whether changes may have been missed, or a reader misled, while the piece was not as it should be."""
    return finding.health != "installed" and finding.piece.kind in ("trigger", "function") and not finding.piece.public


def loses_rows(finding: Finding) -> bool:
    """Whether rows or changes are lost with the piece."""
    return finding.health != "installed" and finding.piece.kind in HOLDERS


def creation(session: Session, piece: Piece, *, replace: bool = False) -> list[str]:
    """The statements that create a piece and put its fingerprint on it."""
    mark = session.mark(piece.kind, piece.name, piece.on, piece.fingerprint)
    return [*([piece.drop] if replace else []), piece.create, *([mark] if mark else [])]


def group_pieces(session: Session, pieces: Sequence[Piece]) -> list[list[Piece]]:
    """Pieces by transaction: all in one where writers wait in line anyway, else one for each table with triggers.

    Creating a trigger waits for every writer of its table and makes later ones wait behind it, so no transaction holds more
    than one such lock, and none for longer than it takes.
    """
    if session.dialect.writers_wait_in_line:
        return [list(pieces)] if pieces else []
    groups = groupby(pieces, key=lambda piece: piece.on if piece.kind == "trigger" and piece.capture else "")
    return [list(group) for _, group in groups]


def patience(pieces: Iterable[Piece]) -> str:
    """How long a transaction with these pieces may wait for a lock before it gives way and tries again."""
    return TRIGGER_PATIENCE if any(piece.kind == "trigger" for piece in pieces) else PLAIN_PATIENCE


def set_patience(ledger: Ledger, how_long: str) -> None:
    """Bound the waits for locks of the caller's transaction."""
    ledger.value("set_patience", {"patience": how_long})


def names_of(scripts: Iterable[Script]) -> frozenset[str]:
    """The names of every piece of some scripts."""
    return frozenset(piece.name for script in scripts for piece in script.pieces)
