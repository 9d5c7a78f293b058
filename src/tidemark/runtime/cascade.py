"""Derived tables that read derived tables: who comes first, who still needs whom.

Owns: the order of installed generations. Promises: what is read comes before what reads it, and else the order that was given
stays; a generation that another one reads is neither removed nor left behind, even when readers of its own have moved on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tidemark.contract.script import Script
from tidemark.runtime.ledger import Installed

Generation = tuple[str, int]


def identity(row: Installed) -> Generation:
    """The name and the number of a generation."""
    return row.name, row.generation


def reads_of(script: Script) -> frozenset[Generation]:
    """The generations of derived tables that a script reads."""
    return frozenset((kept.derived, kept.generation) for kept in script.reads)


def upstream_first(rows: Iterable[Installed]) -> tuple[Installed, ...]:
    """The same rows, each after those that it reads."""
    waiting = {identity(row): row for row in rows}
    placed: dict[Generation, Installed] = {}

    def place(row: Installed) -> None:
        if identity(row) in placed:
            return
        for read in sorted(reads_of(row.script)):
            if read in waiting and read != identity(row):
                place(waiting[read])
        placed[identity(row)] = row

    for row in waiting.values():
        place(row)
    return tuple(placed.values())


def readers(row: Installed, rows: Iterable[Installed]) -> tuple[Installed, ...]:
    """The generations that read this one."""
    return tuple(other for other in rows if identity(row) in reads_of(other.script))


def is_served(row: Installed, rows: Sequence[Installed]) -> bool:
    """Whether what waits for this generation is applied: it is live, or it was and those that read it have not moved on."""
    return row.state == "live" or (row.state == "retired" and any(is_served(one, rows) for one in readers(row, rows)))


def awaits(row: Installed, rows: Iterable[Installed]) -> tuple[str, ...]:
    """Names of what it reads that is not live yet: until it is, there is nothing to fill from."""
    reads = reads_of(row.script)
    return tuple(other.name for other in rows if identity(other) in reads and other.state != "live")


def find_left(rows: Sequence[Installed]) -> tuple[Installed, ...]:
    """Retired generations that nobody reads and a newer one of which is live, readers before what they read."""
    live = {row.name for row in rows if row.state == "live"}
    left: list[Installed] = []
    for row in reversed(upstream_first(rows)):
        if row.state == "retired" and row.name in live and all(other in left for other in readers(row, rows)):
            left.append(row)
    return tuple(left)


def level(row: Installed, rows: Sequence[Installed]) -> int:
    """How many declared tables stand between this one and the user's tables, on the longest way; 0 when it reads none."""
    reads = reads_of(row.script)
    if not reads:
        return 0
    return max((level(one, rows) + (not one.script.supports) for one in rows if identity(one) in reads), default=0)


def everything_read(row: Installed, rows: Sequence[Installed]) -> tuple[Installed, ...]:
    """The generations that this one reads, and those that they read, each once."""
    reads = reads_of(row.script)
    found: dict[Generation, Installed] = {}
    if not reads:
        return ()
    for other in rows:
        if identity(other) in reads:
            found[identity(other)] = other
            found.update((identity(further), further) for further in everything_read(other, rows))
    return tuple(found.values())
