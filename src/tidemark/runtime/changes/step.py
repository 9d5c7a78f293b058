"""A step of a plan: what is wanted of one derived table, and what happens to it.

Owns: `Wanted` and `Step`, as values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from tidemark.contract.script import Capture, Script
from tidemark.runtime.ledger import Installed
from tidemark.runtime.objects.groups import with_groups
from tidemark.runtime.objects.pieces import Finding

Verb = Literal["create", "replace", "rename", "reinstall", "resume", "drop"]


@dataclass(frozen=True)
class Wanted:
    """A declared derived table: its name, its old name, how to compile it for a generation, and what it reads.

    `reads` are the names of other declared ones; `compile` takes the generation and then the script of each of them, and raises
    `Refusal` for what cannot be kept true. `adds_columns` tells that its columns stand in a table that is somebody else's.
    """

    name: str
    was: str | None
    compile: Callable[..., Script]
    reads: tuple[str, ...] = ()
    adds_columns: bool = False

    def over(self, known: Mapping[str, Script]) -> Wanted:
        """The same over what is known of the derived tables that it reads; compiling takes the generation alone."""
        above = [known[name] for name in self.reads]
        return replace(self, compile=lambda generation, **about: self.compile(generation, *above, **about))

    def beside(self, groups: Sequence[Script]) -> Wanted:
        """The same with the columns that other derived tables keep for its rows."""
        return replace(self, compile=lambda *about, **more: with_groups(self.compile(*about, **more), groups))


@dataclass(frozen=True)
class Step:
    """What happens to one derived table.

    `script` is what will be there (None for a drop), `before` the generation that readers see now, `building` one that is
    under way, `obsolete` generations that go. `findings` are the pieces that are not as they should be. `statements` are
    all statements in order, `rows` the estimated size of the largest source, None when unknown. `captures` are those that it
    reads, as they will be. `upkeep` keeps the store meanwhile where `script` fills new columns of it. `overwrites` names columns
    of a table of the user's, whatever stands there now.
    """

    verb: Verb
    derived: str
    reason: str
    script: Script | None = None
    before: Installed | None = None
    building: Installed | None = None
    obsolete: tuple[Installed, ...] = ()
    findings: tuple[Finding, ...] = ()
    statements: tuple[str, ...] = ()
    rows: int | None = None
    replaces: str = ""
    captures: tuple[Capture, ...] = ()
    upkeep: Script | None = None
    overwrites: str = ""

    @property
    def destructive(self) -> bool:
        """Whether rows that readers see now will be gone, which wants ``--allow-drop``."""
        return self.verb == "drop" and any(
            gone.live_at is not None and gone.state != "retired" and not gone.script.supports for gone in self.obsolete
        )

    def as_json(self) -> dict[str, Any]:
        """The step as plain data."""
        return {
            "verb": self.verb,
            "derived": self.derived,
            "reason": self.reason,
            "class": self.script.klass if self.script else None,
            "freshness": self.script.freshness if self.script else None,
            "generation": self.script.generation if self.script else None,
            "rows": self.rows,
            "overwrites": self.overwrites,
            "destructive": self.destructive,
            "pieces": [
                {"name": found.piece.name, "kind": found.piece.kind, "health": found.health} for found in self.findings
            ],
            "statements": list(self.statements),
        }
