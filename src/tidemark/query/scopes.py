"""Which names can be said in one SELECT.

Owns: `Entry` (an item of FROM by name), `Scope` (those of one SELECT) and SQLite's names of a row's number. Promises: a scope
has an entry for each item of its FROM that was opened, and for no other; `query.resolve` opens them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tidemark.query.using import Merged

ROWIDS = frozenset({"rowid", "oid", "_rowid_"})
"""Names by which SQLite knows the number of a row, where no column has them."""
PLAIN = "Only plain tables and subqueries can stand in FROM."
AT_TABLES = {
    "sample": (
        "TABLESAMPLE reads other rows each time.",
        "a condition that picks rows by a value of theirs, such as id % 10 = 0",
    ),
    "only": (
        "ONLY leaves out rows of tables that inherit from this one.",
        "the table without ONLY, or tables that do not inherit",
    ),
}
"""What may stand at a table and is not kept true: why, and what to write instead."""


@dataclass(frozen=True)
class Entry:
    """One item of FROM: its distinct alias, and its columns, visible name → name; `whole` when these are all of them, `doubled`
    when two have one name, and so stand under none."""

    alias: str
    columns: dict[str, str]
    whole: bool = False
    doubled: bool = False


@dataclass
class Scope:
    """Names visible in one SELECT: an item's name as written (folded) → entry; `padded` ones may be NULLs of an outer join."""

    names: dict[str, Entry] = field(default_factory=dict)
    padded: set[str] = field(default_factory=set)
    merged: Merged | None = None


Scopes = tuple[Scope, ...]
"""The scope at hand, and those around it."""
