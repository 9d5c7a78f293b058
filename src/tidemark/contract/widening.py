"""How a script stands to one with fewer columns in the same store.

Owns: `Wide`. Promises: a frozen value in the ledger's own words, so that a kill in the middle of a widening is continued.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Wide:
    """`added` are the definitions of columns that the store got after it was made, in order.

    While such columns are filled there are two scripts over the store: the one that keeps it, with the names of the columns that
    nobody sees yet in `unfilled`, and the one that fills them, where `of` is the generation whose store that is, 0 elsewhere.
    `locks` are statements after which no writer of the sources is under way. `session` is in the names of what the script has in
    a session, where another one over the store may have been at work.
    """

    added: tuple[str, ...] = ()
    unfilled: tuple[str, ...] = ()
    of: int = 0
    locks: tuple[str, ...] = ()
    session: str = ""


NOT_WIDENED = Wide()
