"""Tidemark's duties in the course of a case, and what must hold after each of them.

Owns: `Attendant`, which the players of both engines share. Promises: after a duty that drained a derived table its rows
equal the query; before that every stored row is one of a moment since it was last drained, and a table that is behind
says so; after a duty that was killed, robbed or put off, what readers see is as true as its freshness promises.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from tests.simulation.accidents import ACCIDENTS
from tests.simulation.beside import in_turn
from tests.simulation.case import UNTOLD, Case, Derived, Duty, Failure, uncut
from tests.simulation.history import History, Rows
from tests.simulation.kept import is_kept, seen
from tests.simulation.memory import Table, is_dated, remembers, strange
from tests.simulation.tally import Tally
from tests.simulation.told import Events, Redefining, crossed, crosses, events, in_haste
from tests.simulation.upkeep import Killed, Upkeep

EVERY = ("commit", "tick")


class Comparison(Protocol):
    """How a player compares on its engine. `ledger` is how names of ledger tables begin."""

    ledger: str

    def ask(self, sql: str) -> Sequence[Sequence[Any]]:
        """The rows of a query."""
        ...

    def prepare(self, derived: Sequence[Derived]) -> None:
        """Derived tables to compare from now on."""
        ...

    def check(self, freshnesses: tuple[str, ...], moment: str) -> None:
        """Compare every derived table of these freshnesses with its query. Raises `Failure`."""
        ...

    def stored(self, one: Derived) -> Rows:
        """The rows that readers see, by key."""
        ...

    def truth(self, one: Derived) -> Rows:
        """The query's rows, by key."""
        ...

    def of(self, one: Derived, query: str) -> Rows:
        """The rows of a SELECT with the columns of a derived table, by key."""
        ...

    def values(self, one: Derived, source: str) -> Table:
        """The values of the columns that are no key, by key, of the stored rows or of a query in parentheses."""
        ...


@dataclass
class Attendant:
    """Does the duties of one case. `calm` tells whether no session has a transaction open."""

    case: Case
    upkeep: Upkeep
    tally: Tally
    compare: Comparison
    calm: Callable[[], bool]
    derived: list[Derived] = field(default_factory=list)
    declared: list[Derived] = field(default_factory=list)
    unfinished: bool = False
    history: History = field(default_factory=History)
    kept: dict[str, Table] = field(default_factory=dict)
    block: int | None = None
    between: Callable[[], None] = lambda: None
    """What somebody does while the first installation lets others have the database."""
    write: Callable[[str], object] = lambda sql: None
    """What an application does that has no transaction open."""
    told: dict[str, Events] = field(default_factory=dict)
    went_on: Callable[[], bool] = lambda: False
    """Whether an application that waited when the duty began has gone on since."""

    def install(self) -> None:
        """Install for the first time, and compare."""
        self.derived = list(self.upkeep.install(self.case.derived, self.case.install_kill_at, self.between))
        self.declared = list(self.derived)
        self.compare.prepare(self.plain())
        self.compare.check(("commit",), "after installation")
        if self.case.beside:
            self.upkeep.tick()
            # Rows with memory moved by many steps while somebody wrote: the steps that are followed begin with what they are now.
            self._begin()
        self._remember()
        self._drained(EVERY, "after installation")

    def do(self, duty: Duty) -> None:
        """Do one duty. Raises `Failure`."""
        if duty.what.startswith("mark "):
            self.tally.mark(duty.what)
            return
        self.tally.duties[duty.what] += 1
        self._take_block()
        self._remember()
        if self.unfinished and self.calm():
            self._finish_declaring()
        if duty.what == "verify":
            self._verify()
        elif duty.what == "apply":
            self.upkeep.reinstall()
            self.compare.check(("commit",), "after a second apply")
        elif duty.what == "declare":
            self._declare(duty)
        elif duty.what in ACCIDENTS:
            self._suffer(duty)
        else:
            self._tick(duty)

    def finish(self) -> None:
        """Bring everything to its end, and compare."""
        if self.unfinished:
            self._finish_declaring()
        self._take_block()
        self._remember()
        self.upkeep.tick()
        self._drained(EVERY, "at the end")

    def _take_block(self) -> None:
        """A stream has taken one more block, where anybody wants to know of that."""
        if any(is_dated(one) for one in self.derived):
            self.block = 1 if self.block is None else self.block + 1
            self.upkeep.take_block(self.block)

    def expect_no_drift(self, moment: str) -> None:
        """A verification must find nothing."""
        found = self.upkeep.drift()
        if found:
            raise Failure("false drift", "", f"{moment}: {found[:5]}")
        differing = self.upkeep.differing()
        if differing:
            raise Failure("false difference", "", f"{moment}: {differing[:5]}")

    def _verify(self) -> None:
        self.upkeep.tick()
        self._drained(EVERY, "before a verification")
        self.expect_no_drift("in the middle")

    def _tick(self, duty: Duty) -> None:
        try:
            drained = self.upkeep.tick(duty)
        except Killed:
            self.tally.duties[f"tick {duty.how}"] += 1
            self.compare.check(("commit",), "after a killed tick")
            self._behind(frozenset(), f"after the killed tick at {duty.at}")
            return
        if drained >= {one.name for one in self.derived if one.freshness == "tick"} and not self.went_on():
            self._drained(EVERY, f"after the tick at {duty.at}")
            return
        self.tally.duties["tick bounded"] += 1
        self.compare.check(("commit",), f"after the bounded tick at {duty.at}")
        self._behind(drained, f"after the bounded tick at {duty.at}")

    def plain(self) -> list[Derived]:
        """Derived tables without memory: their rows are those of their queries."""
        return [one for one in self.derived if not remembers(one)]

    def _followed(self) -> list[Derived]:
        """Those whose rows are followed step by step."""
        return [one for one in self.derived if remembers(one) or crosses(one)]

    def _begin(self) -> None:
        """Follow from here on."""
        self.kept = {one.name: self.compare.values(one, seen(one)) for one in self._followed()}
        self.told = {one.name: events(self.compare, one.name) for one in self._followed() if crosses(one)}

    def _ticking(self) -> list[Derived]:
        return [one for one in self.plain() if one.freshness == "tick"]

    def _fold(self, drained: frozenset[str], moment: str) -> None:
        """Rows with memory moved by at most one step, and by exactly one where everything is drained; their steps were told."""
        for one in self._followed():
            truth, after = self.compare.values(one, f"({one.query})"), self.compare.values(one, seen(one))
            self.tally.comparisons[f"{one.family} fold"] += 1
            before = self.kept.get(one.name, {})
            wrong = strange(one, before, after, truth, one.name in drained, self.block) if remembers(one) else ""
            if wrong:
                raise Failure("memory", one.name, f"{moment}: {wrong} for {one.options}\n{one.query}")
            if crosses(one):
                self._told(one, before, after, moment)
            self.kept[one.name] = after

    def _told(self, one: Derived, before: Table, after: Table, moment: str) -> None:
        """The steps of a table gave their events; of a first filling there are none. Rows without memory may have made several
        steps, where ticks end early."""
        found, told = events(self.compare, one.name), self.told.get(one.name)
        wanted = found if told is None else told + crossed(one, before, after, told)
        certain = (remembers(one) or self.case.steady) and not self.went_on()
        self.told[one.name] = found
        if (certain and found != wanted) or (told is None and found and not self.case.beside):
            wrong = f"too many {dict(found - wanted)}, missing {dict(wanted - found)}"
            raise Failure(
                "events", one.name, f"{moment}: {wrong}, from {before} to {after}\n{one.options}\n{one.query}"
            )

    def _remember(self) -> None:
        if self.case.steady:
            return
        for one in self._ticking():
            truth = self.compare.truth(one)
            self.history.remember(one.name, self._kept(one))
            query = self.upkeep.live(one.name)
            if query:
                self.tally.comparisons[f"{one.family} as of now"] += 1
                now = self.compare.of(one, query)
                if now != truth:
                    raise Failure("as of now", one.name, f"{dict(now)} instead of {dict(truth)}\n{one.query}\n{query}")

    def _drained(self, freshnesses: tuple[str, ...], moment: str) -> None:
        """Everything is applied: the rows are those of the query."""
        self.compare.check(freshnesses, moment)
        self._fold(frozenset(one.name for one in self.derived), moment)
        for one in self._ticking() if not self.case.steady else ():
            self._settle(one)

    def _settle(self, one: Derived) -> None:
        self.history.settle(one.name, self._kept(one))
        if self.went_on():
            self.history.doubt(one.name)

    def _kept(self, one: Derived) -> Rows:
        """The rows that are kept, of which readers may see the first."""
        return self.compare.of(one, uncut(one) or one.query)

    def _behind(self, drained: frozenset[str], moment: str) -> None:
        """Some tables may be behind: their rows are those of earlier moments, and they say that they are behind."""
        self._fold(drained, moment)
        for one in self._ticking():
            stored, truth = self.compare.stored(one), self.compare.truth(one)
            self.tally.comparisons[f"{one.family} between"] += 1
            self.history.remember(one.name, self._kept(one))
            if self.went_on() or self.case.steady:
                self.history.doubt(one.name)
            # Where spellings of one key are one key, only the engine can tell which rows belong together. What a reader of
            # derived tables sees can change within a duty, so the moments of duties are not all there are. A row of the
            # application's own comes and goes at once, and its columns follow.
            # Of rows that nothing identifies, some may be as of one moment and some as of another.
            blind = one.fold or one.family in UNTOLD or one.options.get("reads") or "columns_of" in one.options
            unknown = "" if blind else self.history.strange(one.name, stored, cut=bool(uncut(one)))
            if unknown:
                raise Failure("strange", one.name, f"{moment}: {unknown}\n{one.query}")
            if stored == truth:
                continue
            detail = f"{moment}: {dict(stored)} instead of {dict(truth)}\n{one.query}"
            # What an application wrote after the table's turn, and before this look at it, waits for the next one.
            if one.name in drained and not self.went_on():
                raise Failure("mismatch", one.name, detail)
            if not self.upkeep.pending(one.name):
                raise Failure("dishonest", one.name, f"nothing is said to be pending {detail}")
        for one in self._ticking():
            if one.name in drained:
                self._settle(one)

    def _suffer(self, duty: Duty) -> None:
        """Something happens to the database; after another apply everything is true again."""
        suffered = self.calm() and not self.unfinished and self.upkeep.suffer(duty)
        self.tally.duties[f"{duty.what} {'suffered' if suffered else 'spared'}"] += 1
        if suffered:
            for one in self.derived:
                self.history.forget(one.name)
            # What was written meanwhile waits like anything else.
            self.upkeep.tick()
            self._show(f"after the accident at {duty.at}")
            self._drained(EVERY, f"after the accident at {duty.at}")

    def _declare(self, duty: Duty) -> None:
        """Take one declaration in or out, and apply."""
        wanted = [one for one in self.declared if one.name != duty.table]
        if duty.declare is not None:
            new = self.case.later[duty.declare]
            wanted = [one for one in wanted if one.name != new.name] + [new]
        self.declared = wanted
        done = self._redeclare(duty)
        self.tally.duties["declare finished" if done else "declare unfinished"] += 1
        self._show(f"after the declaration at {duty.at}")

    def _redeclare(self, duty: Duty) -> bool:
        """Apply what is declared, and look on where a table with thresholds changes its definition."""
        named = {one.name: one for one in self.derived if "plan" in one.options}
        changed = [
            one for one in self.declared if one.name in named and named[one.name] != one and one.options.get("plan")
        ]
        write = in_turn(duty.sql, lambda text: self.write(text) if text else None)
        alone = not any(duty.sql) and self.calm() and not self.unfinished
        looks = [Redefining(self.compare, named[one.name], one, alone=alone) for one in changed]

        def between() -> None:
            for one in looks:
                one.look()
            write()
            for one in looks:
                one.think()

        with in_haste():
            self.unfinished = not self.upkeep.declare(self.declared, duty, between)
        for one in looks:
            one.look()
        return not self.unfinished

    def _finish_declaring(self) -> None:
        self._redeclare(Duty(0.0, "declare"))
        if self.unfinished:
            raise Failure("unfinished", "", "an apply that was interrupted did not end although nobody is in its way")
        self.tally.duties["declare resumed"] += 1
        self._show("after an apply that was resumed")

    def _show(self, moment: str) -> None:
        """Compare what readers see after an apply, finished or not."""
        before = {(one.name, one.query) for one in self.derived}
        # The rows of a new definition of columns in the application's own table appear there as they are filled.
        self.derived = [one for one in self.upkeep.shown() if not (self.unfinished and is_kept([one]))]
        for one in self.derived:
            if (one.name, one.query) not in before:
                self.history.forget(one.name)
        self.compare.prepare(self.plain())
        # Where a new generation begins is its own affair; from here on every step is looked at.
        self._begin()
        self._remember()
        self.compare.check(("commit",), moment)
        self._behind(frozenset(), moment)
