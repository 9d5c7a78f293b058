"""Tidemark as a simulation runs it: the real runtime over a session that can be disturbed, and a clock that never waits.

Owns: `Keeper`, the `Upkeep` over the package. Promises: every tick holds the lease of its derived table, as a worker's
does; after a kill what follows runs in a new session, as a new process would; a refused query is counted under its code.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from tests.simulation import retained
from tests.simulation.accidents import ACCIDENTS
from tests.simulation.beneath import as_kept, differing, is_out
from tests.simulation.beside import expect_no_repair, nobody_seen
from tests.simulation.case import Derived, Failure
from tests.simulation.case import Duty as Order
from tests.simulation.compiled import SCRIPTS, compile_once
from tests.simulation.interventions import Act, WatchedSession, close, expire, never, nothing, terminate
from tests.simulation.memory import take_block
from tests.simulation.processors import declare
from tests.simulation.tally import Tally
from tests.simulation.time import Time
from tests.simulation.upkeep import Killed
from tidemark.compiler import stages, supports
from tidemark.contract.script import Capture, Script
from tidemark.database.open import open_session
from tidemark.database.session import Conflict, Unacceptable
from tidemark.declare import Project
from tidemark.errors import Code, Fault, Refusal
from tidemark.model import Catalog, Declaration, Source, Table
from tidemark.processors import Function
from tidemark.query.cascade import Link, chain, with_read
from tidemark.render.captures import capture
from tidemark.runtime.cascade import is_served, upstream_first
from tidemark.runtime.changes.apply import apply_plan, drainer
from tidemark.runtime.changes.apply_through import apply_through
from tidemark.runtime.changes.plan import InstallPlan, make_plan
from tidemark.runtime.changes.step import Wanted
from tidemark.runtime.changes.uninstall import uninstall
from tidemark.runtime.duty import Crew, Duty
from tidemark.runtime.lease import TERM_SECONDS, Lost, name_holder, take_lease
from tidemark.runtime.ledger import Installed, Ledger
from tidemark.runtime.ticks.tick import has_work, tick
from tidemark.runtime.truth.repair import repair
from tidemark.runtime.truth.verify import verify

T = TypeVar("T")
Mutate = Callable[[Script], Script]
LOCK_SECONDS, THEFT_SECONDS = 0.5, 0.02
HASTE = 20.0


class Keeper:
    """Tidemark over the database at `url`."""

    keeps_rows = True

    def __init__(self, url: str, tally: Tally, mutate: Mutate | None = None) -> None:
        self.url = url
        self.tally = tally
        self.mutate = mutate
        self.time = Time()
        self.holder = name_holder()
        self.held = ""
        self.declared: list[Declaration] = []
        self.links: list[Link] = []
        self.meanings: dict[tuple[str, str], Derived] = {}
        self.admitted: dict[str, Derived] = {}
        self.session: WatchedSession | None = None
        self.installed: list[Installed] | None = None
        self.ticks = 0
        self.rng = random.Random("ticks")
        self.stated: tuple[Source, ...] = ()
        self.functions: dict[tuple[str, str], Function] = {}
        self.between: Callable[[], None] = nothing
        self.workers = 1

    def _open(self) -> Duty:
        if self.session is None:
            self.session = WatchedSession(open_session(self.url, lock_timeout=LOCK_SECONDS), lambda: self.between())
        duty = Duty(Ledger(self.session), self.time.clock(), functions=self.functions)
        duty.crew = Crew(self.workers, self._connect)
        return duty

    def _connect(self) -> Duty:
        """Another session, to fill beside the first."""
        ledger = Ledger(open_session(self.url, lock_timeout=LOCK_SECONDS))
        return Duty(ledger, self.time.clock(), functions=self.functions)

    def _watch(self) -> WatchedSession:
        self._open()
        assert self.session is not None
        return self.session

    def _catalog(self) -> Catalog:
        return retained.state_facts(self._open().session.catalog(), self.stated)

    def _watched(self, work: Callable[[], T], order: Order) -> T:
        """Do some work while something happens to it. Raises `Killed` when it did not live to its end."""
        session = self._watch()
        session.arm(order.kill_at, self._act(order))
        problem: Exception | None = None
        done: list[T] = []
        try:
            done.append(work())
        except Exception as error:  # noqa: BLE001 - a killed worker may die of anything; the rest is raised below.
            problem = error
        session.at, robbed, session.robbed = None, session.robbed, False
        if session.killed:
            self.close()
            self._expire_leases()
            raise Killed(str(problem)) from problem
        if isinstance(problem, Lost) and robbed:
            raise Killed(str(problem)) from problem
        if problem is not None:
            raise problem
        return done[0]

    def _act(self, order: Order) -> Act:
        if order.how == "steal":
            return partial(self._steal, order)
        if order.how == "jump":
            return self._jump
        return terminate if order.how == "terminate" else close

    def _jump(self, _: WatchedSession) -> bool:
        """The clock jumps past everything that anybody waits for."""
        self.time.skipped += 10 * TERM_SECONDS
        return True

    def _steal(self, order: Order, session: WatchedSession) -> bool:
        """Another worker comes when the time of the duty is over, and goes on with it; False while it is kept out."""
        thief = open_session(self.url, lock_timeout=THEFT_SECONDS)
        try:
            other = Duty(Ledger(thief), self.time.clock(), functions=self.functions)
            try:
                with thief.transaction():
                    name = f"keep {self.held}".replace("'", "''")
                    changed = thief.run(expire(thief.dialect.name) + f" AND duty = '{name}'")
            except Conflict:
                if not session.inside:
                    raise
                return False
            if not changed or not self.held:
                return False
            if session.is_fenced:
                raise Failure("fencing", "", "a duty could be taken in the middle of a transaction of its holder")
            for one in self._served(self.held):
                session.robbed = has_work(other, one.script)
                self.tally.duties["thefts"] += session.robbed
                with contextlib.suppress(Unacceptable):
                    self._tick_one(other, "thief", one, order.batches)
            return True
        finally:
            thief.close()

    def _expire_leases(self) -> None:
        """What the time until a dead worker's leases end would bring."""
        duty = self._open()
        if duty.ledger.exists():
            duty.write(lambda: duty.session.run(expire(duty.session.dialect.name)))

    def _meaning(self, one: Installed) -> Derived:
        """What a generation is to be equal to. One that gained columns is known by the query that readers see."""
        return self.meanings.get((one.name, one.fingerprint)) or self.meanings[one.name, one.script.truth]

    def compile(
        self, declaration: Declaration, catalog: Catalog, generation: int, *upstream: Script, **how: Any
    ) -> Script:
        """The script, changed by the mutant if there is one."""
        script = compile_once(self._open().session, declaration, catalog, generation, *upstream, **how)
        script = self.mutate(script) if self.mutate else script
        owner = self.admitted.get(declaration.supports or declaration.name)
        if owner is not None and not how.get("without"):
            for known_by in (script.fingerprint, script.truth):
                self.meanings[declaration.name, known_by] = owner
        return script

    def capture(self, table: Table, columns: tuple[str, ...]) -> Capture:
        """The capture of a source, changed by the mutant if there is one."""
        made = capture(self._open().session.dialect, table, columns)
        if self.mutate is None:
            return made
        # A mutant edits scripts: it is shown one that has the capture's pieces and reads the same source.
        shown = replace(next(iter(SCRIPTS.values())), pieces=made.pieces, sources=(made.source,), tick=None)
        return replace(made, pieces=self.mutate(shown).pieces)

    def install(
        self, derived: Sequence[Derived], kill_at: int | None = None, between: Callable[[], None] = nothing
    ) -> Sequence[Derived]:
        """Install what is not refused. What is filled by adding, or by pages, must be true without being repaired, whoever writes
        `between`. In some cases three sessions fill beside each other, in others nobody is seen who is there."""
        self.admit_all(derived)
        self.between = between
        turn = sum(len(one.query) for one in derived) % 3
        self.workers = 3 if turn == 0 else 1
        try:
            with nobody_seen() if turn == 1 else contextlib.nullcontext():
                self._watched(self._raise, Order(0.0, "apply", kill_at))
        except Killed:
            self.tally.duties["killed apply"] += 1
            self.reinstall()
        finally:
            self.between, self.workers = nothing, 1
        expect_no_repair(self._open().ledger)
        return list(self.admitted.values())

    def declare(self, derived: Sequence[Derived], duty: Order, between: Callable[[], None] = nothing) -> bool:
        """Apply other declarations; False when that is not finished (killed, or a lock could not be had)."""
        self.admit_all(derived)
        self.time.haste, self.between = HASTE, between
        try:
            self._watched(self._raise, duty)
        except Killed:
            self.tally.duties[f"declare {duty.how}"] += 1
            return False
        except Fault as problem:
            if "stayed locked" not in str(problem):
                raise
            return False
        finally:
            self.time.haste, self.between = 1.0, nothing
            self.installed = None
        return True

    def ledger(self) -> Ledger:
        """The books, on the connection of the upkeep."""
        return self._open().ledger

    def rows(self) -> list[Installed]:
        """Every generation that readers see, as the books have it now."""
        return [one for one in self.ledger().derived() if one.live_at is not None and one.state != "retired"]

    def suffer(self, duty: Order) -> bool:
        """Have an accident, see that it is noticed, and apply again."""
        suffered = ACCIDENTS[duty.what](self, duty)
        if suffered:
            self._watched(self.reinstall, Order(0.0, "apply"))
        return suffered

    def shown(self) -> Sequence[Derived]:
        """What readers see: the newest generation of each name that is not on its way in or out."""
        newest = {one.name: self._meaning(one) for one in self.rows() if not one.script.supports}
        return list(newest.values())

    def admit_all(self, derived: Sequence[Derived]) -> Sequence[Derived]:
        """Take declarations in place of those before; what is not refused, with the freshness that it has."""
        catalog = self._catalog()
        self.declared, self.links, self.admitted = [], [], {}
        scripts: dict[str, Script] = {}
        for one in derived:
            found = self._admit(one, catalog, scripts)
            if found is not None:
                self.admitted[one.name] = found
        return list(self.admitted.values())

    def _admit(self, one: Derived, catalog: Catalog, scripts: dict[str, Script]) -> Derived | None:
        wanted = [one.freshness] if one.freshness == "tick" else [one.freshness, "tick"]
        for freshness in wanted:
            project = Project("simulation")
            try:
                declaration = declare(project, one, freshness)
                self.functions.update(project.functions)
                own = self._supported(declaration, catalog)
                for link in own:
                    above = (scripts[name] for name in link.reads)
                    scripts[link.declaration.name] = self.compile(link.declaration, catalog, 1, *above)
                script = scripts[one.name]
            except Refusal as refusal:
                word = f"{one.family} {freshness} {refusal.code.value}"
                self.tally.refused[word] += 1
                self.tally.examples.setdefault(f"{word}: {refusal.reason[:70]}", one.query)
                # Ticks may have what no commit has, and look for keys that nothing proves.
                if refusal.code not in (Code.FRESHNESS, Code.KEY_UNPROVEN):
                    return None
            else:
                self.declared.append(declaration)
                self.links.extend(own)
                beside = " supported" if len(own) > 1 else ""
                self.tally.derived[f"{one.family} {script.klass} {script.freshness}{beside}"] += 1
                return as_kept(one, script)
        return None

    def _supported(self, declaration: Declaration, catalog: Catalog) -> list[Link]:
        """The declaration after its supports, with what each reads."""
        session = self._open().session
        read = with_read([declaration.name], chain([*self.declared, declaration], catalog, session.dialect))
        return [one for one in supports.with_supports(read, stages.Known(catalog, session)) if one not in self.links]

    def _plan(self) -> InstallPlan:
        duty, catalog = self._open(), self._catalog()
        wanted = [
            Wanted(link.declaration.name, None, partial(self.compile, link.declaration, catalog), link.reads)
            for link in self.links
        ]
        return make_plan(duty.ledger, wanted, catalog, self.capture)

    def reinstall(self) -> None:
        """Plan and apply, by a process that nothing happens to."""
        self._watch().arm(None, never)
        self._raise()

    def _raise(self) -> None:
        """Plan and apply, whatever happens meanwhile."""
        duty, self.installed = self._open(), None
        plan = self._plan()
        self.tally.duties["widened"] += sum(step.upkeep is not None for step in plan.steps)
        apply_through(duty.ledger, plan, partial(apply_plan, duty, epoch="simulation", allow_drop=True), self._plan)
        if not (again := self._plan()).is_empty:
            reasons = [(step.verb, step.derived, step.reason) for step in again.steps]
            raise Failure("plan not empty", "", f"after apply: {reasons} {again.orphans}")

    def _served(self, name: str = "") -> list[Installed]:
        """What is ticked: what is live, and what was for as long as something live still reads it."""
        if self.installed is None:
            everything = upstream_first(self._open().ledger.derived())
            self.installed = [one for one in everything if is_served(one, everything)]
        return [one for one in self.installed if not name or name in (one.name, one.script.supports)]

    def _live(self, name: str | None = None) -> list[Installed]:
        return [one for one in self._served(name or "") if one.state == "live"]

    def tick(self, duty: Order | None = None) -> frozenset[str]:
        """Drain every log, or do what the duty says; the names that are drained."""
        order = duty or Order(0.0, "tick")

        def work() -> frozenset[str]:
            mine = self._open()
            rows = self._served(order.table)
            late = {one.name for one in rows if not self._tick_one(mine, self.holder, one, order.batches)}
            late |= {one.script.supports for one in rows if one.name in late}
            return frozenset(one.name for one in rows if not is_out(one.name, self.rows())) - late

        return self._watched(work, order)

    def _tick_one(self, duty: Duty, holder: str, one: Installed, batches: int | None) -> bool:
        """Tick as a worker does, under the lease; whether everything is drained."""
        if not has_work(duty, one.script):
            return True
        lease = take_lease(duty.ledger, duty.clock, f"keep {one.name}", holder)
        mine = duty.under(lease)
        if self.session is duty.session:
            self.held, self.session.robbed = one.name, False
        try:
            while True:
                # Little work is done at once in half of the ticks: by chance, since in turn one of two tables would have all.
                self.ticks += 1
                self._watch().misread(one.script, self.ticks)
                report = tick(mine, one.script, max_batches=batches, at_once=self.rng.random() < 0.5)
                self.tally.ticked(self._meaning(one).family, report.changes_sealed)
                if report.drained or batches is not None:
                    return report.drained
        finally:
            if self.session is duty.session:
                self.held, self.session.unread = "", {}
            lease.release()

    def pending(self, name: str) -> bool:
        """Whether a tick would find anything to do, or nobody says that the rows are true."""
        return is_out(name, self.rows()) or any(has_work(self._open(), one.script) for one in self._live(name))

    def live(self, name: str) -> str:
        """A SELECT of the rows as of now, what waits included; empty where there is none."""
        for one in self._live(name):
            for piece in one.script.pieces if one.name == name else ():
                if piece.public and piece.kind == "view" and piece.name != one.script.offers[1].label:
                    return f"SELECT * FROM {piece.drop.removeprefix('DROP VIEW IF EXISTS ')}"
        return ""

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

    def differing(self) -> list[str]:
        """What the queries say as they are written, and readers do not see, as texts."""
        return differing(self._open(), self._live())

    def repair(self, name: str | None = None) -> None:
        """Repair what a verification recorded."""
        duty = self._open()
        for one in self._live(name):
            repair(duty, one)
            if one.script.supports:
                # What is mended there is counted by its reader, right or wrong: look again.
                self.drift(one.script.supports)

    def store(self, name: str) -> str:
        """The quoted name of the store of the generation that is live."""
        return self._live(name)[-1].script.store

    def take_block(self, position: int) -> None:
        """A stream of which nothing is known but the block that it took last."""
        take_block(self._watch().session, position)

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
