"""A tick of computed rows at work: how far it is, and what it has found out.

Owns: `State`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tidemark.runtime.at_once import Begun, Weighed
from tidemark.runtime.backlog import Backlog
from tidemark.runtime.duty import Duty
from tidemark.runtime.full import Whole
from tidemark.runtime.guard import Choice
from tidemark.runtime.pace import Pace, choose_pace
from tidemark.runtime.portions import Portion
from tidemark.runtime.rival import Rival
from tidemark.runtime.runs import Run
from tidemark.runtime.seals import TickReport, pace_for_logs
from tidemark.script import Script, Tick

ALL_KEYS = 1_000_000_000


@dataclass
class State:
    """A tick at work. `begun` of the units were computed by the transaction that sealed them."""

    duty: Duty
    script: Script
    tick: Tick
    portion: Portion
    unsettled: str = ""
    run: Run | None = None
    changes: int = 0
    keys: int = 0
    written: int = 0
    total: int = 0
    transactions: int = 0
    fresh: bool = False
    sealed: bool = False
    applied: bool = False
    remains: bool = False
    backlog: Backlog | None = None
    choice: Choice | None = None
    waiting: int = 0
    whole: Whole | None = None
    ms: float = 0.0
    unread: str = ""
    begun: int = 0
    seal_pace: Pace = field(init=False)
    logs: Pace = field(init=False)
    pace: Pace = field(init=False)
    rival: Rival = field(init=False)

    def __post_init__(self) -> None:
        self.pace = self.portion.pace
        self.rival = Rival(self.duty, self.script)
        self.seal_pace = choose_pace(self.duty.session.dialect, self.duty.hold_ms).for_sealing()
        self.logs = pace_for_logs(self.duty)
        if not self.script.applier.indexed:
            self.pace.size = ALL_KEYS

    @property
    def longest_ms(self) -> float:
        """The longest hold; nobody waits for what only reads."""
        return max(one.longest_ms for one in (self.pace, self.seal_pace, self.logs))

    def take_over(self, done: Begun | Weighed) -> None:
        """Go on where one transaction has sealed everything, or has found out how to make it true."""
        self.choice = done.choice
        if isinstance(done, Weighed):
            self.waiting = done.changes
            return
        self.run, self.changes, self.total = done.run, done.changes, done.keys + done.units
        self.keys = self.begun = done.keys
        self.written = done.written
        self.transactions, self.ms, self.sealed = 1, done.hold_ms, True
        self.seal_pace.longest_ms = done.hold_ms

    def report(self, drained: bool) -> TickReport:
        counts = self.changes, self.keys, self.written, self.transactions, self.longest_ms
        return TickReport(self.script.name, *counts, drained, self.unsettled)
