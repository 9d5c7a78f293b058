"""A tick at work: how far it is, what it has found out, and the record of it.

Owns: `Working`, what every tick step by step has, and `State`, that of one whose rows are computed. Promises: a run ends with
what was done and why it was done so, and what that cost is where the guard looks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from tidemark.contract.script import Script
from tidemark.contract.tick import Tick
from tidemark.runtime.duty import Duty
from tidemark.runtime.pace import Pace, choose_pace
from tidemark.runtime.runs import Run
from tidemark.runtime.ticks.at_once import Begun
from tidemark.runtime.ticks.backlog import Backlog
from tidemark.runtime.ticks.full import Whole
from tidemark.runtime.ticks.guard import Choice, add_cost
from tidemark.runtime.ticks.portions import Portion
from tidemark.runtime.ticks.rival import Rival
from tidemark.runtime.ticks.seals import TickReport, let_go, pace_for_logs
from tidemark.runtime.ticks.small import Weighed

ALL_KEYS = 1_000_000_000


@dataclass
class Working:
    """What every tick step by step has. `ms` is what it has cost so far, `unread` what is said of a change that cannot be
    read."""

    duty: Duty
    script: Script
    tick: Tick
    portion: Portion
    unsettled: str = ""
    run: Run | None = None
    changes: int = 0
    keys: int = 0
    written: int = 0
    transactions: int = 0
    fresh: bool = False
    remains: bool = False
    choice: Choice | None = None
    waiting: int = 0
    ms: float = 0.0
    unread: str = ""
    logs: Pace = field(init=False)
    pace: Pace = field(init=False)

    def __post_init__(self) -> None:
        self.pace = self.portion.pace
        self.logs = pace_for_logs(self.duty)

    @property
    def paces(self) -> Sequence[Pace]:
        """Those of its writes; nobody waits for what only reads."""
        return self.pace, self.logs

    @property
    def work(self) -> int:
        """How much of it there was, as the guard counts it."""
        return self.changes

    @property
    def longest_ms(self) -> float:
        """The longest hold."""
        return max(one.longest_ms for one in self.paces)

    def consume_more(self) -> None:
        """Let the logs go of what everybody has sealed, in a transaction."""
        self.remains = let_go(self.duty, self.script, self.logs)
        self.transactions += 1

    def end(self, message: str | None) -> None:
        """End the run, if there was anything to record, with why its rows were made true in the way that they were."""
        run, choice = self.run, self.choice
        if run is None:
            return
        if choice is not None and self.unread:
            choice = replace(choice, reason=f"{choice.reason}; {self.unread}")
        run.rows_done, run.rows_written, run.longest_ms = self.keys, self.written, self.longest_ms
        said = "; ".join(part for part in (message, choice.reason if choice else None) if part)

        def write() -> None:
            if choice is not None:
                done = choice.work if choice.way == "full" else self.work
                add_cost(self.duty, self.script, choice, done, self.ms)
            run.end("done", said or None)
            self.portion.remember()

        self.duty.write(write)

    def report(self, drained: bool) -> TickReport:
        counts = self.changes, self.keys, self.written, self.transactions, self.longest_ms
        return TickReport(self.script.name, *counts, drained, self.unsettled)


@dataclass
class State(Working):
    """A tick of computed rows. `begun` of the units were computed by the transaction that sealed them."""

    total: int = 0
    sealed: bool = False
    applied: bool = False
    backlog: Backlog | None = None
    whole: Whole | None = None
    begun: int = 0
    seal_pace: Pace = field(init=False)
    rival: Rival = field(init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.rival = Rival(self.duty, self.script)
        self.seal_pace = choose_pace(self.duty.session.dialect, self.duty.hold_ms).for_sealing()
        if not self.script.applier.indexed:
            self.pace.size = ALL_KEYS

    @property
    def paces(self) -> Sequence[Pace]:
        """Those of its writes."""
        return self.pace, self.seal_pace, self.logs

    @property
    def work(self) -> int:
        """Changes that were followed and units that were computed."""
        return self.changes + self.keys

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
