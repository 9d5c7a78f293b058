"""Where sessions are opened and what is declared becomes scripts, for every verb alike.

Owns: `Workshop`: connecting, planning over a catalog, finding what is live, working under a lease. Promises: a session that is
opened here is closed here; what was compiled serves again as long as everything is as it was. Does no verb itself.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from copy import copy
from dataclasses import replace
from functools import partial
from typing import Self, TypeVar
from weakref import WeakSet

from tidemark.compiler.once import Answers, Compiled, compiler_of
from tidemark.compiler.stages import Known
from tidemark.compiler.supports import with_supports
from tidemark.contract.script import Script
from tidemark.database.open import Role, open_session
from tidemark.database.session import Conflict, Session
from tidemark.database.urls import write_address
from tidemark.declare import Project
from tidemark.errors import Code, Exit, Fault, Refusal
from tidemark.model import Backfill, Catalog, Declaration
from tidemark.names import is_stage
from tidemark.processors import Functions
from tidemark.query.adopted import in_shadow, over_baseline
from tidemark.query.cascade import Link, chain, with_read
from tidemark.query.stated import state
from tidemark.render.captures import capture
from tidemark.runtime.audit import name_operator, record
from tidemark.runtime.cascade import is_served, upstream_first
from tidemark.runtime.changes.adoption import AdoptionReport, compare_existing, read_standing, record_comparison
from tidemark.runtime.changes.apply import drain
from tidemark.runtime.changes.plan import InstallPlan, make_plan, plan_conversion
from tidemark.runtime.changes.restored import settle_in
from tidemark.runtime.changes.step import Wanted
from tidemark.runtime.clock import Clock
from tidemark.runtime.duty import Crew, Duty
from tidemark.runtime.ledger import Installed, Ledger
from tidemark.runtime.progress import Listener, ignore, one_at_a_time
from tidemark.runtime.throttle import Limits
from tidemark.runtime.ticks.tick import has_work
from tidemark.runtime.truth.verify_all import require_names
from tidemark.runtime.turns import Turns
from tidemark.telling import tell_near

T = TypeVar("T")
Stop = Callable[[], bool]


def never() -> bool:
    """The wish to stop of those who do not want to."""
    return False


class Workshop:
    """One project, or none, and the address of one database."""

    def __init__(
        self,
        project: Project | None,
        database: str | os.PathLike[str],
        *,
        clock: Clock | None = None,
        stop: Stop = never,
        listen: Listener = ignore,
        limits: Limits | None = None,
        hold_ms: float | None = None,
        workers: int = 1,
    ) -> None:
        self.project = project
        self.database = write_address(database)
        self._clock = clock or Clock()
        self._turns = Turns(self._clock)
        self._stop = stop
        self._listen = one_at_a_time(listen)
        self._limits = limits or Limits()
        self._hold_ms = hold_ms
        self._workers = workers
        self._who = ""
        self._compiled: Compiled = {}
        self._sessions = WeakSet[Session]()
        self._functions: Functions = project.functions if project else {}

    def by(self, who: str, stop: Stop | None = None) -> Self:
        """The same, acting for somebody whose name goes into the audit; `stop` is another wish to stop."""
        found = copy(self)
        found._who, found._stop = who, stop or self._stop
        return found

    def hurry(self) -> None:
        """Cancel what any session waits for or works at now. For another thread, once `stop` says so and time is short: what was
        cancelled is rolled back, and what it belongs to ends as interrupted."""
        # Somebody may connect, or close, just now: whoever hurries comes again.
        with suppress(Exception):
            for session in tuple(self._sessions):
                if session.is_open():
                    session.cancel()

    def _record(self, duty: Duty, action: str, about: str, work: Callable[[], T], detail: str = "") -> T:
        """Do what an operator wants, and write down who wanted what."""
        return record(duty, self._who or name_operator(), action, about, detail, work)

    @contextmanager
    def _open(self, role: Role = "worker", *, older: bool = False) -> Iterator[Duty]:
        duty = self._connect(role, older=older)
        try:
            yield duty
        except Conflict as problem:
            exit = Exit.INTERRUPTED if self._stop() else Exit.ERROR
            left = f"what was committed stands{problem.instead}"
            raise Fault(f"{problem.meanwhile}: {problem}", left_behind=left, exit=exit) from problem
        finally:
            duty.session.close()

    def _connect(self, role: Role = "worker", *, older: bool = False) -> Duty:
        """A duty without a lease, on a session of its own that the caller closes. With `older` the ledger may be another
        version's, for the caller to say what becomes of it. Raises `Fault` for such a one else."""
        session = open_session(self.database, role=role)
        self._sessions.add(session)
        try:
            ledger = Ledger(session)
            duty = Duty(ledger, self._clock, None, self._stop, self._limits, self._functions, self._hold_ms)
            duty.crew, duty.listen = Crew(self._workers, self._connect), self._listen
            duty.turns = ledger.turns = self._turns if session.dialect.writers_wait_in_line else None
            if not older:
                ledger.check_shape()
            if role == "worker":
                ledger.value("prepare_worker")
                if not older:
                    settle_in(duty)
        except BaseException:
            session.close()
            raise
        return duty

    def _plan(self, duty: Duty) -> InstallPlan:
        catalog = self._catalog(duty)
        if (conversion := plan_conversion(duty.ledger, catalog)) is not None:
            return conversion
        catalog = _with_homes(duty, catalog)
        engine = Answers(duty.session)
        rows = [row for row in duty.ledger.derived() if not row.script.supports and row.script.offers]
        links = self._links(duty, catalog, engine, frozenset(row.name for row in rows))
        wanted = [
            Wanted(
                link.declaration.name,
                link.declaration.was,
                compiler_of(link, catalog, engine, self._compiled),
                link.reads,
                bool(link.declaration.columns_of),
            )
            for link in links
        ]
        return make_plan(duty.ledger, wanted, catalog, partial(capture, duty.session.dialect))

    def _links(
        self, duty: Duty, catalog: Catalog, engine: Answers, there: frozenset[str] = frozenset()
    ) -> tuple[Link, ...]:
        """What is declared, and the supports of it, each after what it reads. Raises `Refusal` where that is `there` and not
        declared."""
        declared = self._adopted(duty)
        renamed = {one.was: one.name for one in declared if one.was is not None}
        gone = {name: renamed.get(name, "") for name in there - {one.name for one in declared}}
        rows = [row for row in duty.ledger.derived() if row.state != "retired"]
        counting = frozenset(row.name for row in rows if not all(map(is_stage, row.script.supported_by)))
        known = Known(catalog, engine, frozenset(row.name for row in rows), counting, self._compiled)
        return with_supports(chain(declared, catalog, engine.dialect, gone), known)

    def _adopted(self, duty: Duty) -> tuple[Declaration, ...]:
        """What is declared, as far as its adoption has come."""
        return tuple(self._as_adopted(duty, one) if one.columns_of else one for one in self._declared())

    def _as_adopted(self, duty: Duty, declaration: Declaration) -> Declaration:
        standing = read_standing(duty.ledger, declaration.name)
        if standing.how == "shadow":
            return in_shadow(declaration)
        if standing.how == "baseline":
            return over_baseline(declaration, duty.session.dialect, standing.key)
        return declaration

    def _table_of(self, name: str) -> str:
        return self._declaration(name).columns_of or ""

    def _compare_adopted(self, name: str) -> AdoptionReport:
        """How the table whose columns are adopted is beside the query, or beside the rows of the shadow, up to now."""
        table, beside = self._table_of(name), ""
        with self._open("reader") as duty:
            standing = read_standing(duty.ledger, name).how
        with self._open("worker" if standing == "shadow" else "reader") as duty:
            script = self._first_scripts(duty, [name])[-1]
            rows = self._live(duty, ()) if standing == "shadow" else []
            for row in (one for one in rows if one.name == name):
                work = self._drain_under_lease(duty, row)
                beside = f"SELECT * FROM {script.public}"
                if work is not None:
                    work()
            label = duty.session.dialect.quote(*table.split(".")) if table else ""
            known = [] if standing == "shadow" or not duty.ledger.exists() else duty.ledger.derived()
            kept = any(row.name == name and row.state == "live" for row in known)
            report = replace(compare_existing(duty, script, label, beside), standing=standing, kept=kept)
            if rows:
                duty.write(lambda: record_comparison(duty.ledger, report))
            return report

    def _declared(self) -> tuple[Declaration, ...]:
        if self.project is None:
            raise Refusal(Code.DEFINITIONS, "no project is given", instead="run `tidemark init`, or name --definitions")
        return self.project.declarations

    def _declaration(self, name: str) -> Declaration:
        found = next((declaration for declaration in self._declared() if declaration.name == name), None)
        if found is None:
            known = tell_near(name, [declaration.name for declaration in self._declared()])
            instead = f"name one of: {known}" if known else "declare it with project.derive(…)"
            raise Refusal(Code.DECLARATION, f"there is no derived table {name}", instead=instead)
        return found

    def _backfill(self, name: str) -> Backfill:
        declared = self.project.backfills if self.project else ()
        found = next((one for one in declared if one.name == name), None)
        if found is None:
            known = tell_near(name, [one.name for one in declared])
            filled = self.project is not None and any(one.name == name for one in self.project.declarations)
            instead = (
                "run `tidemark apply`, which fills derived tables" if filled else "declare it with project.backfill(…)"
            )
            instead = f"name one of: {known}" if known and not filled else instead
            raise Refusal(Code.DECLARATION, f"no backfill {name} is declared", instead=instead)
        return found

    def _first_scripts(self, duty: Duty, names: Sequence[str]) -> list[Script]:
        """The scripts of these declarations as they would be installed first, each after its supports; only what they read is
        compiled besides."""
        engine = Answers(duty.session)
        catalog = _with_homes(duty, self._catalog(duty))
        found = dict[str, Script]()
        for link in with_read(names, self._links(duty, catalog, engine)):
            upstream = [found[name] for name in link.reads]
            found[link.declaration.name] = compiler_of(link, catalog, engine, self._compiled)(1, *upstream)
        return [one for name in names for one in (*_supports_of(name, found), found[name])]

    def _live(self, duty: Duty, names: tuple[str, ...], *, also_read: bool = False) -> list[Installed]:
        """What is live, upstream first; with `also_read` what was live too, as long as something live still reads it."""
        duty.ledger.require()
        everything = upstream_first(duty.ledger.derived())
        rows = [row for row in everything if row.state == "live" or (also_read and is_served(row, everything))]
        # Nobody vouches for what is added up from rows that are out of service.
        out = {row.script.supports for row in everything if row.live_at and row.state not in ("live", "retired")}
        rows = [row for row in rows if row.name not in out or also_read]
        require_names(names, {row.name for row in rows})
        return [row for row in rows if not names or row.name in names or row.script.supports in names]

    def _under_lease(self, duty: Duty, row: Installed, work: Callable[[Duty, Installed], T]) -> T:
        with duty.leased(f"keep {row.name}") as mine:
            return work(mine, duty.ledger.again(row))

    def _settle(self, duty: Duty) -> None:
        """Apply everything that waits, what is read first."""
        for row in self._live(duty, (), also_read=True):
            work = self._drain_under_lease(duty, row)
            if work is not None and has_work(duty, row.script):
                work()

    def _drain_under_lease(self, duty: Duty, row: Installed) -> Callable[[], bool] | None:
        if row.script.tick is None:
            return None
        return lambda: self._under_lease(duty, row, lambda mine, row: drain(mine, row.script))

    def _drain_all(self, duty: Duty, rows: Sequence[Installed]) -> Callable[[], object] | None:
        """How to drain all of them, one after the other; None where none has ticks."""
        works = [work for row in rows if (work := self._drain_under_lease(duty, row)) is not None]
        return (lambda: [work() for work in works]) if works else None

    def _catalog(self, duty: Duty) -> Catalog:
        """What the database holds, with what is stated about it."""
        return state(duty.session.catalog(), self.project.sources.values() if self.project else ())


def _with_homes(duty: Duty, catalog: Catalog) -> Catalog:
    """The catalog with the schemas in which readers see what is installed."""
    rows = [row for row in duty.ledger.derived() if row.state != "retired"] if duty.ledger.exists() else []
    return replace(catalog, homes={row.name: row.script.home for row in rows if row.script.home})


def _supports_of(name: str, scripts: Mapping[str, Script]) -> list[Script]:
    return [script for script in scripts.values() if script.supports == name]
