"""How much one transaction of a tick takes at first, remembered from one tick to the next.

Owns: the *portion* of each generation: how many units a transaction computes, and whether few changes were found to reach many.
Promises: where nothing is known yet, few are taken; a long hold cuts the portion of every later tick, in whatever process, and
short ones let it grow again, to what is usual and no further; a unit that takes long by itself is computed alone; where changes
reach far they are followed by reading alone, of which nobody waits. A portion decides about time and never about rows: one that
is lost makes a transaction long once.
"""

from __future__ import annotations

from dataclasses import dataclass

from tidemark.contract.script import Script
from tidemark.runtime.duty import Duty
from tidemark.runtime.pace import ROWS_FEW, Pace

FIRST_UNITS = 100
"""What is taken before anything was measured, of units that are computed. Adding to a row reads nothing but that row."""
FIRST_MS = 100.0
"""Where a transaction aims at more than this, it takes as many more."""
HUGE_MS = 250.0
"""What a unit takes that is computed alone. However busy the machine, no transaction takes so long for each unit by itself."""
FAR = 10
"""A change reaches far when it reaches more units than these, and all together more than a transaction takes."""


@dataclass
class Portion:
    """The portion of a generation. `pace` begins with it, and `adapts` unless its size is fixed; `usual` units are taken where
    nothing takes long. `huge` tells that units are computed alone, `far` that few changes reach many. `known` is what the ledger
    says."""

    duty: Duty
    script: Script
    pace: Pace
    usual: int
    adapts: bool
    huge: bool
    far: bool
    known: tuple[int, bool]

    def learn(self, units: int, hold_ms: float) -> None:
        """Learn from a transaction that computed some units and held its locks for so long."""
        self.pace.record(units, hold_ms)
        if not units:
            return
        was_huge, self.huge = self.huge, self.adapts and hold_ms >= HUGE_MS * units
        if self.huge:
            self.pace.size = 1
        elif was_huge:
            self.pace.size = min(ROWS_FEW, self.usual)

    def most_for(self, changes: int) -> int:
        """The most units that so many changes reach and do not reach far."""
        return max(self.usual, FAR * changes)

    def reached(self, changes: int, units: int) -> None:
        """Learn how many units so many changes have reached."""
        self.far = units > self.most_for(changes)

    @property
    def now(self) -> tuple[int, bool]:
        """What is to be remembered: so few units that any transaction takes as long are no portion, unless each is huge."""
        units = 1 if self.huge else max(min(self.pace.size, self.usual), min(ROWS_FEW, self.usual))
        return units, self.far

    def remember(self) -> None:
        """Write down what is not known yet, in the caller's transaction."""
        if self.now != self.known:
            about = {"name": self.script.name, "generation": self.script.generation}
            self.duty.ledger.run("set_portion", {**about, "portion": self.now[0], "far": int(self.far)})
            self.known = self.now


def recall(duty: Duty, script: Script, pace: Pace) -> Portion:
    """The portion of a generation as the ledger has it."""
    rows = duty.ledger.all("read_portion", {"name": script.name, "generation": script.generation})
    return begin(duty, script, pace, *(rows[0] if rows else (None, 0)))


def begin(duty: Duty, script: Script, pace: Pace, units: int | None, far: int) -> Portion:
    """The same where somebody has read the ledger already. Where each transaction reads the whole source, however many units it
    computes, it takes as many as ever."""
    usual, adapts = pace.size, pace.size_min < pace.size_max and script.applier.indexed
    if adapts:
        pace.size, pace.size_min = min(usual, _first_units(script, pace, usual) if units is None else units), 1
    return Portion(duty, script, pace, usual, adapts, pace.size == 1 < usual, bool(far), (pace.size, bool(far)))


def _first_units(script: Script, pace: Pace, usual: int) -> int:
    deltas = script.tick.deltas if script.tick else None
    return usual if deltas is not None and not deltas.flag else int(FIRST_UNITS * max(1.0, pace.target_ms / FIRST_MS))
