"""Tidemark as a simulation runs it: the real runtime over a session that can be cut, and a clock that never waits.

Owns: `Keeper`, the `Upkeep` over the package, and `CutSession`. Promises: a kill closes the connection between two
statements; what follows runs in a new session, as a new process would; a refused query is counted under its code.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from tests.simulation.case import Derived, Failure
from tests.simulation.tally import Tally
from tests.simulation.upkeep import Killed
from tidemark.compiler import compile_derived
from tidemark.database.open import open_session
from tidemark.declare import Project
from tidemark.errors import Code, Refusal
from tidemark.model import Catalog, Declaration
from tidemark.runtime.apply import apply_plan, drainer
from tidemark.runtime.clock import Clock
from tidemark.runtime.duty import Duty
from tidemark.runtime.ledger import Installed, Ledger
from tidemark.runtime.plan import Wanted, make_plan
from tidemark.runtime.repair import repair
from tidemark.runtime.tick import tick
from tidemark.runtime.uninstall import uninstall
from tidemark.runtime.verify import verify
from tidemark.script import Script

Mutate = Callable[[Script], Script]
COUNTED = frozenset({"run", "script", "all", "one"})
SCRIPTS: dict[tuple[str, str, str, int], Script] = {}
SCRIPTS_MAX = 200
LEASES = {"sqlite": "tidemark__lease", "postgres": "tidemark._lease"}


class Time:
    """A clock whose waits take no time: they only move it on."""

    def __init__(self) -> None:
        self.skipped = 0.0

    def now(self) -> float:
        """Seconds that only grow."""
        return time.monotonic() + self.skipped

    def wait(self, seconds: float) -> None:
        """Let seconds pass at once."""
        self.skipped += seconds

    def clock(self) -> Clock:
        """The clock as the runtime wants it."""
        return Clock(self.now, self.wait, lambda: 0.5)


class CutSession:
    """A session whose connection is lost before statement number `cut_at`; None = never."""

    def __init__(self, session: Any) -> None:
        self.session = session
        self.cut_at: int | None = None
        self.count = 0
        self.fired = False

    def __getattr__(self, name: str) -> Any:
        if name in COUNTED:
            self.count += 1
            if self.cut_at is not None and self.count >= self.cut_at:
                self.fired = True
                self.session.close()
                raise Killed(f"at statement {self.count}")
        return getattr(self.session, name)


class Keeper:
    """Tidemark over the database at `url`."""

    keeps_rows = True

    def __init__(self, url: str, tally: Tally, mutate: Mutate | None = None) -> None:
        self.url = url
        self.tally = tally
        self.mutate = mutate
        self.time = Time()
        self.declarations: list[Declaration] = []
        self.session: CutSession | None = None
        self.installed: list[Installed] | None = None

    def _open(self) -> Duty:
        if self.session is None:
            self.session = CutSession(open_session(self.url, lock_timeout=0.5))
        return Duty(Ledger(self.session), self.time.clock())

    def _cut(self, work: Callable[[], object], kill_at: int | None) -> None:
        """Do some work; raise `Killed` when the connection was cut in the middle."""
        self._open()
        session = self.session
        assert session is not None
        session.count, session.cut_at = 0, kill_at
        try:
            work()
        except Exception as problem:
            if not session.fired:
                raise
            self.session = None
            self._expire_leases()
            raise Killed(str(problem)) from problem
        finally:
            session.cut_at = None

    def _expire_leases(self) -> None:
        """What the time until a dead worker's leases end would bring."""
        duty = self._open()
        if duty.ledger.exists():
            table = LEASES[duty.session.dialect.name]
            duty.write(partial(duty.session.run, f"UPDATE {table} SET expires = '1970-01-01T00:00:00.000Z'"))

    def compile(self, declaration: Declaration, catalog: Catalog, generation: int) -> Script:
        """The script, changed by the mutant if there is one. Compiled once for the same catalog: cases are cut down often."""
        session = self._open().session
        facts = [replace(table, rows=None) for table in catalog.tables.values()]
        known = (session.dialect.name, repr(facts), repr(replace(declaration, place="")), generation)
        script = SCRIPTS.get(known)
        if script is None:
            if len(SCRIPTS) > SCRIPTS_MAX:
                SCRIPTS.clear()
            script = compile_derived(declaration, catalog, session.dialect, session.describe, generation)
            SCRIPTS[known] = script
        return self.mutate(script) if self.mutate else script

    def install(self, derived: Sequence[Derived], kill_at: int | None = None) -> Sequence[Derived]:
        """Install what is not refused."""
        catalog = self._open().session.catalog()
        accepted: list[Derived] = []
        self.declarations = []
        for one in derived:
            found = self._admit(one, catalog)
            if found is not None:
                accepted.append(found)
        try:
            self._cut(self.reinstall, kill_at)
        except Killed:
            self.tally.duties["killed apply"] += 1
            self.reinstall()
        return accepted

    def _admit(self, one: Derived, catalog: Catalog) -> Derived | None:
        wanted = [one.freshness] if one.freshness == "tick" else [one.freshness, "tick"]
        for freshness in wanted:
            project = Project("simulation")
            try:
                declaration = project.derive(
                    one.name,
                    query=one.query,
                    key=one.key or None,
                    freshness=freshness,  # type: ignore[arg-type]
                )
                script = self.compile(declaration, catalog, 1)
            except Refusal as refusal:
                word = f"{one.family} {freshness} {refusal.code.value}"
                self.tally.refused[word] += 1
                self.tally.examples.setdefault(f"{word}: {refusal.reason[:70]}", one.query)
                if refusal.code is not Code.FRESHNESS:
                    return None
            else:
                self.declarations.append(declaration)
                self.tally.derived[f"{one.family} {script.klass} {script.freshness}"] += 1
                return replace(one, freshness=script.freshness)
        return None

    def reinstall(self) -> None:
        """Plan and apply."""
        duty = self._open()
        self.installed = None
        catalog = duty.session.catalog()
        wanted = [Wanted(one.name, None, partial(self.compile, one, catalog)) for one in self.declarations]
        apply_plan(duty, make_plan(duty.ledger, wanted, catalog), "simulation")
        again = make_plan(duty.ledger, wanted, duty.session.catalog())
        if not again.is_empty:
            reasons = [(step.verb, step.derived, step.reason) for step in again.steps]
            raise Failure("plan not empty", "", f"after apply: {reasons} {again.orphans}")

    def _live(self, name: str | None = None) -> list[Installed]:
        if self.installed is None:
            self.installed = [one for one in self._open().ledger.derived() if one.state == "live"]
        return [one for one in self.installed if name is None or one.name == name]

    def tick(self, kill_at: int | None = None) -> None:
        """Drain every log."""
        self._cut(self._drain, kill_at)

    def _drain(self) -> None:
        duty = self._open()
        for one in self._live():
            while not tick(duty, one.script).drained:
                continue

    def drift(self, name: str | None = None) -> list[str]:
        """Verify; what is found as texts."""
        duty = self._open()
        found: list[str] = []
        for one in self._live(name):
            report = verify(duty, one, drainer(duty, one.script))
            found += [f"{one.name} {wrong}" for wrong in report.findings]
            if report.undecided:
                raise Failure("undecided", one.name, f"{report.undecided} rows")
        return found

    def repair(self, name: str | None = None) -> None:
        """Repair what a verification recorded."""
        duty = self._open()
        for one in self._live(name):
            repair(duty, one)

    def store(self, name: str) -> str:
        """The quoted name of the store of the generation that is live."""
        return self._live(name)[0].script.store

    def uninstall(self) -> None:
        """Remove everything of ours."""
        uninstall(self._open())

    def close(self) -> None:
        """Close the connection."""
        if self.session is not None:
            self.session.session.close()
            self.session = None


def make_keeper(url: str, tally: Tally) -> Keeper:
    """A keeper without any mutant."""
    return Keeper(url, tally)
