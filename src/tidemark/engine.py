"""The public object: one method for each verb.

Owns: `Tidemark`, the only place where the two towers meet. Promises: a method does one verb of the command line and gives a
value; every verb opens its own session and closes it; nothing is written by `plan`, `status`, `explain`, `history`, `sql` and
`doctor`. Holds no state but the project and the address.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from tidemark.contract.script import Capture, Script
from tidemark.database.open import open_session
from tidemark.diffs import diff
from tidemark.errors import Code, Refusal
from tidemark.query.adopted import ahead_of, baseline_of
from tidemark.render.backfill import write_walk
from tidemark.render.captures import capture
from tidemark.runtime.backfill.listing import list_everything
from tidemark.runtime.backfill.places import Between
from tidemark.runtime.backfill.record import BackfillStatus
from tidemark.runtime.backfill.runner import BackfillReport, Orders, run_backfill
from tidemark.runtime.backfill.steering import set_nice, steer
from tidemark.runtime.changes.adoption import AdoptionReport, record_baseline, set_shadow
from tidemark.runtime.changes.apply import ApplyReport, apply_plan, ensure_ledger
from tidemark.runtime.changes.apply_through import apply_through
from tidemark.runtime.changes.convert import convert_ledger
from tidemark.runtime.changes.plan import InstallPlan
from tidemark.runtime.changes.plan_checks import find_refusal
from tidemark.runtime.changes.restored import settle_in
from tidemark.runtime.changes.uninstall import UninstallReport, uninstall
from tidemark.runtime.duty import Duty
from tidemark.runtime.ledger import Installed
from tidemark.runtime.objects.captures import plan_captures
from tidemark.runtime.objects.gaps import note_what_came, record_gaps
from tidemark.runtime.operate.doctor import Diagnosis, examine, look_at_strain, look_at_writing
from tidemark.runtime.operate.explain import Explanation, explain_installed, explain_script
from tidemark.runtime.operate.inputs import InputsReport, find_inputs
from tidemark.runtime.operate.onlooker import Onlooker
from tidemark.runtime.operate.status import TableStatus, read_status
from tidemark.runtime.outbox import (
    DELIVERING,
    CrossingEvent,
    DeliverReport,
    Handlers,
    deliver,
    list_events,
    retry_events,
)
from tidemark.runtime.runs import Past, list_runs
from tidemark.runtime.streams.account import StreamStatus
from tidemark.runtime.streams.work import StreamWork, list_streams
from tidemark.runtime.ticks.tick import TickReport, tick
from tidemark.runtime.timing import SLOW_SECONDS
from tidemark.runtime.truth.as_written import WrittenReport, compare_as_written
from tidemark.runtime.truth.diff import TableDiff
from tidemark.runtime.truth.repair import RepairReport, repair, repair_between, repair_picked
from tidemark.runtime.truth.verify import VerifyReport, verify
from tidemark.runtime.truth.verify_all import verify_all
from tidemark.runtime.workers.beside import delivering, taking
from tidemark.runtime.workers.rounds import tick_all
from tidemark.runtime.workers.worker import WorkerReport, run_worker
from tidemark.telling import tell_near
from tidemark.workshop import Workshop

LANES = 4
# Where writers wait in line more of them only wait: one lane for what takes long, one for ticks.
LANES_IN_LINE = 2
DETAIL_MAX = 500


class Tidemark(Workshop):
    """A project in a database. `database` is a URL or the path of a SQLite file; `project` may be None for verbs that only
    need what is installed. `limits` are what the database may be under while something long goes on. `hold_ms` is how long ticks
    aim to hold locks, where longer than usual disturbs nobody; None leaves it to the engine. `workers` sessions fill a table
    beside each other where that goes by ranges of keys; where it does not, `listen` hears why."""

    def plan(self) -> InstallPlan:
        """What `apply` would do, with every statement, and why none of it would be done here. Raises `Refusal` for what cannot be
        kept true."""
        with self._open("reader", older=True) as duty:
            made = self._plan(duty)
        return replace(made, refused=find_refusal(lambda: open_session(self.database)))

    def apply(self, *, allow_drop: bool = False, detach: bool = False, create_indexes: bool = False) -> ApplyReport:
        """Convert a ledger that an older version made, then carry out the plan: install, fill, verify, cut over. `detach` leaves
        the filling to a worker; `create_indexes` makes the indexes that the plan names, before anything else."""
        with self._open(older=True) as duty:
            shapes = convert_ledger(duty)
            settle_in(duty)
            record_gaps(duty, duty.ledger.derived())
            plan = self._plan(duty)
            if plan.is_empty and not plan.refresh and not plan.narrowed and not (create_indexes and plan.indexes):
                return ApplyReport((), (), (), shapes=shapes)
            epoch, again = secrets.token_hex(8), partial(self._plan, duty)
            work = partial(
                apply_plan,
                duty,
                epoch=epoch,
                project=self.project.name if self.project else "",
                allow_drop=allow_drop,
                detach=detach,
                with_indexes=create_indexes,
                again=again,
            )
            return replace(apply_through(duty.ledger, plan, work, again), shapes=shapes)

    def tick(self, *names: str, max_ms: float | None = None, max_batches: int | None = None) -> tuple[TickReport, ...]:
        """Seal and apply what waits, for every derived table at tick freshness or for those named; what is read comes first, so
        that one pass reaches those that read it."""
        with self._open() as duty:
            rows = [row for row in self._live(duty, names, also_read=True) if row.script.tick is not None]
            note_what_came(duty)
            work = partial(self._tick_one, max_ms=max_ms, max_batches=max_batches)
            return tick_all(duty, rows, partial(self._under_lease, work=work))

    def _tick_one(self, mine: Duty, row: Installed, *, max_ms: float | None, max_batches: int | None) -> TickReport:
        return tick(mine, row.script, max_ms=max_ms, max_batches=max_batches)

    def run(
        self,
        *,
        until_idle: bool = False,
        lanes: int | None = None,
        slow_seconds: float = SLOW_SECONDS,
        deliver: bool = False,
        streams: Sequence[str] = (),
    ) -> WorkerReport:
        """Work until asked to stop, or until nothing is left to do.

        `lanes` is how many duties may run beside each other, each on a connection of its own (0: one after the other on one
        connection; None: what suits the engine). Ticks that take longer than `slow_seconds` are told and kept in the history.
        With `deliver` events are told to their handlers too, and the blocks of `streams` taken: each in a lane of its own, so
        that no handler ever stops a tick.
        """
        besides = [delivering(self._handlers())] if deliver else []
        besides += [taking(self.stream(name).stream, self._settle) for name in dict.fromkeys(streams)]
        with self._open() as duty:
            suits = LANES_IN_LINE if duty.session.dialect.writers_wait_in_line else LANES
            return run_worker(
                duty,
                cadence=self.project.cadence if self.project else {},
                until_idle=until_idle,
                connect=self._connect,
                lanes=(0 if until_idle else suits) if lanes is None else lanes,
                slow_ms=slow_seconds * 1000,
                besides=besides,
                capture_of=partial(capture, duty.session.dialect),
            )

    def verify(self, *names: str, catalog: bool = False, between: Between | None = None) -> tuple[VerifyReport, ...]:
        """Compare every key of every live derived table, or of those named, and record what differs; with `between`, of one of
        them, the rows from one key to another one, both among them.

        What the catalog shows is looked at first: a table whose captures or sources are not as they should be is taken out of
        service, and no comparison could say that it is true. With `catalog` nothing else is done.
        """
        with self._open() as duty:
            drained = partial(self._drain_under_lease, duty)
            work = partial(verify_all, duty, names, drained, catalog=catalog, between=between)
            # Whoever verifies for themselves finds it in the history.
            return self._record(duty, "verify", ", ".join(names), work) if self._who else work()

    def verify_as_written(self, *names: str) -> tuple[WrittenReport, ...]:
        """Evaluate each declared query as it is written and compare its rows with those that readers see, in one moment.

        Of how rows are kept nothing takes part, unlike in `verify`, whose comparison is by keys and so is for tables of any size.
        """
        with self._open() as duty:
            live, found = self._live(duty, names), list[WrittenReport]()
            for row in (one for one in live if not one.script.supports):
                beneath = [one for one in live if one.script.supports == row.name]
                drain = self._drain_all(duty, (*beneath, row))
                found.append(compare_as_written(duty, row.script, drain, [one.script for one in beneath]))
            return tuple(found)

    def adopt(
        self, name: str, *, take_over: bool = False, shadow: bool = False, baseline: bool = False
    ) -> AdoptionReport:
        """Compare the columns of a table of the user's that other code keeps with the query that is declared for them.

        By itself it changes nothing. With `shadow` the query's rows are kept beside from now on, whatever else is applied, and
        each comparison is with those; `take_over` ends that and applies what is declared: then no value differs any more. With
        `baseline` the columns are taken over as they are: what each value is ahead of the query is written down, and added for
        ever.
        """
        if not (take_over or shadow or baseline):
            return self._compare_adopted(name)
        before = self._compare_adopted(name) if baseline or not self._table_of(name) else None
        with self._open() as duty:
            ensure_ledger(duty, secrets.token_hex(8))
            if before is not None and before.standing != "baseline":
                table = self._catalog(duty).find(*reversed(self._table_of(name).split(".")))
                script = self._first_scripts(duty, [name])[-1]
                if table is not None:
                    named = {column: ahead_of(column, duty.session.dialect) for column in script.columns}
                    # What cannot be kept so is refused before anything stands.
                    record_baseline(duty, script, table, baseline_of(name), named, partial(self._plan, duty))
            elif not baseline:
                duty.write(lambda: set_shadow(duty.ledger, name, self._table_of(name) if shadow else ""))
        self.apply()
        return replace(self._compare_adopted(name), taken=not shadow)

    def repair(self, *names: str, keys: Sequence[str] = (), between: Between | None = None) -> tuple[RepairReport, ...]:
        """Verify, then make every row true that differs. With `keys`, of one derived table, those rows alone are made true that
        a verification found and somebody picked; with `between` every row from one key to another one is computed again, both
        among them. Nothing is verified then.

        Raises `Refusal` for a key about which nothing is known to be wrong, and for what is no key.
        """
        if between is not None:
            pick = partial(repair_between, between=between)
            return self._repair_some(names, pick, f"keys from {between[0]} to {between[1]}")
        if keys:
            pick = partial(repair_picked, keys=keys)
            return self._repair_some(names, pick, f"keys {', '.join(keys)}")
        with self._open() as duty:
            return self._record(duty, "repair", ", ".join(names), partial(self._repair, duty, names))

    def _repair(self, duty: Duty, names: tuple[str, ...]) -> tuple[RepairReport, ...]:
        done: list[RepairReport] = []
        # One after the other: what is repaired in a table changes those that read it.
        for row in self._live(duty, names):
            with duty.ledger.while_there(row):
                verify(duty, row, self._drain_under_lease(duty, row))
            done.append(self._under_lease(duty, row, repair))
        return tuple(done)

    def _repair_some(
        self, names: tuple[str, ...], pick: Callable[[Duty, Installed], RepairReport], said: str
    ) -> tuple[RepairReport, ...]:
        if len(names) != 1:
            raise Refusal(Code.DECLARATION, "keys are of one derived table", instead="name one beside them")

        def work(duty: Duty) -> tuple[RepairReport, ...]:
            rows = self._live(duty, names)
            return tuple(self._under_lease(duty, row, pick) for row in rows if row.name == names[0])

        with self._open() as duty:
            return self._record(duty, "repair", names[0], partial(work, duty), said[:DETAIL_MAX])

    def backfill(self, name: str, orders: Orders | None = None) -> BackfillReport:
        """Do what is left of a declared backfill, here and now.

        Raises `Fault`: exit 6 while another runner is at it, 75 when it was interrupted and can go on, 1 when it failed or was
        cancelled.
        """
        found = self._backfill(name)
        with self._open() as duty:
            walk = write_walk(duty.session.dialect, duty.session.catalog(), found)
            ensure_ledger(duty, secrets.token_hex(8))
            wanted = orders or Orders()
            work = partial(run_backfill, duty, found, walk, wanted, self._connect)
            return self._record(duty, "retry", name, work) if wanted.again or wanted.anew else work()

    def backfills(self, name: str = "") -> tuple[BackfillStatus, ...]:
        """Where every backfill stands, fillings of derived tables included, or the one of that name: read on a connection of its
        own, which waits for no writer.

        Raises `Refusal` (``not-installed``) without a ledger; gives nothing when there is none.
        """
        with self._open("reader") as duty:
            return list_everything(duty.ledger, name)

    def pause_backfill(self, name: str) -> BackfillStatus:
        """Have a backfill rest until it is resumed; a runner does so after the chunk at hand."""
        with self._open() as duty:
            return self._record(duty, "pause", name, lambda: steer(duty, name, "pause"))

    def resume_backfill(self, name: str) -> BackfillStatus:
        """Let a backfill go on. Where no runner waits for that, `backfill` does it."""
        with self._open() as duty:
            return self._record(duty, "resume", name, lambda: steer(duty, name, ""))

    def cancel_backfill(self, name: str) -> BackfillStatus:
        """Give a backfill up; what was committed stands."""
        with self._open() as duty:
            return self._record(duty, "cancel", name, lambda: steer(duty, name, "cancel"))

    def set_nice(self, name: str, nice: float) -> BackfillStatus:
        """How many seconds a runner is to rest for each second that it holds locks, from the next chunk on."""
        with self._open() as duty:
            return self._record(duty, "nice", name, lambda: set_nice(duty, name, nice), f"{nice:g}")

    def stream(self, name: str) -> StreamWork:
        """What can be done with a declared stream: run it, try again what was quarantined, pass over what halts it."""
        known = self.project.streams if self.project else {}
        if name not in known:
            said = f"name one of: {tell_near(name, known)}" if known else "declare it with project.stream(…)"
            raise Refusal(Code.DECLARATION, f"there is no stream {name}", instead=said)
        return StreamWork(known[name], self._open, self._settle)

    def streams(self) -> list[StreamStatus]:
        """How every stream that was ever run here is doing, by its own account."""
        with self._open("reader") as duty:
            return list_streams(duty)

    def deliver(self) -> DeliverReport:
        """Tell the events of crossings that wait to their handlers, oldest first.

        Raises `Fault` (exit 6) while somebody else does.
        """
        with self._open() as duty:
            duty.ledger.require()
            with duty.leased(DELIVERING) as mine:
                return deliver(mine, self._handlers())

    def _handlers(self) -> Handlers:
        return {
            (one.name, crossing.column, at): crossing
            for one in self._declared()
            for crossing in one.crossings
            for at in crossing.at
        }

    def events(self, state: str = "", limit: int = 100, after: int = 0) -> list[CrossingEvent]:
        """Events of crossings, oldest first: those that are ``waiting``, ``delivered`` or ``failed``, or all."""
        with self._open("reader") as duty:
            return list_events(duty.ledger, state, limit, after)

    def retry_events(self) -> int:
        """Let the events that failed wait again; how many."""
        with self._open() as duty:
            duty.ledger.require()
            return self._record(duty, "retry events", "outbox", lambda: retry_events(duty))

    def status(self) -> list[TableStatus]:
        """How every derived table is doing. Raises `Refusal` (``not-installed``) without a ledger."""
        with self._open("reader") as duty:
            duty.ledger.require()
            return read_status(duty.ledger)

    def onlooker(self) -> Onlooker:
        """A view for those who look again and again, on a connection of its own that only reads. The caller closes it."""
        declared = self.project.declarations if self.project else ()
        cadence = self.project.cadence if self.project else {}
        return Onlooker(partial(self._connect, "reader"), [one.name for one in declared], cadence)

    def explain(self, name: str) -> Explanation:
        """How one derived table is kept true, what that costs and why."""
        with self._open("reader") as duty:
            script = self._first_scripts(duty, [self._declaration(name).name])[-1]
            rows = [row for row in duty.ledger.derived() if row.name == name and row.state != "retired"]
            if not rows:
                return explain_script(script, duty.session.dialect)
            return explain_installed(duty.ledger, rows[-1], script)

    def inputs(self, name: str) -> InputsReport:
        """What the function of a processor reads, by running it for every unit that there is, and what of that is not declared.
        Changes nothing; for tests: ``assert not tidemark.inputs("streaks").undeclared``."""
        with self._open() as duty:
            script = self._live(duty, (name,))[-1].script
            if script.applier.compute is None:
                raise Refusal(Code.DECLARATION, f"{name} is no processor", instead="the name of one", derived=name)
            return find_inputs(duty, script)

    def diff(
        self,
        *tables: str,
        other: str | None = None,
        where: str = "",
        tolerance: float = 0.0,
        modulo: int | None = None,
    ) -> list[TableDiff]:
        """Compare tables, named ``table`` or ``left=right``, with those of the database `other` (None: this one): counts, sums
        and values that are there by column, and rows sampled by key. `where` restricts both sides, such as to what both
        writers have reached; `tolerance` is the share by which a measure may differ. Changes nothing."""
        with self._open("reader") as mine, type(self)(None, other or self.database)._open("reader") as theirs:
            return [diff(one, mine, theirs, where=where, tolerance=tolerance, modulo=modulo) for one in tables]

    def sql(self, *names: str) -> list[Script]:
        """The scripts as they would be installed first, for those who install by other means."""
        with self._open("reader") as duty:
            chosen = names or tuple(one.name for one in self._declared())
            return self._first_scripts(duty, [self._declaration(name).name for name in chosen])

    def captures(self, scripts: Sequence[Script]) -> list[Capture]:
        """The captures of the sources that scripts read by ticks, as they would be installed first."""
        with self._open("reader") as duty:
            return list(plan_captures({}, (), scripts, partial(capture, duty.session.dialect)).values())

    def live(self, name: str) -> list[tuple[Any, ...]]:
        """The rows of a derived table at tick freshness as of now: what is stored, and what waits applied to it, in one snapshot;
        columns in the order of the declaration. Changes nothing.

        Raises `Refusal` (``freshness``) where that cannot be had exactly, with the reason.
        """
        with self._open("reader") as duty:
            row = self._live(duty, (name,))[-1]
            if not row.script.live:
                raise Refusal(
                    Code.FRESHNESS,
                    f"the rows of {name} as of now cannot be read: {row.script.why_not_live}",
                    instead=f"read {name}, or run the query itself",
                    derived=name,
                )
            return duty.session.all(row.script.live)

    def history(self, name: str = "", limit: int = 50) -> list[Past]:
        """What was done, newest first. Raises `Refusal` (``not-installed``) without a ledger."""
        with self._open("reader") as duty:
            duty.ledger.require()
            return list_runs(duty.ledger, name, limit)

    def doctor(self) -> list[Diagnosis]:
        """What is well and what is not about the database and what is installed in it."""
        with self._open("reader") as duty:
            found = examine(duty.ledger, self.project.cadence if self.project else {})
            found += look_at_strain(duty.session, duty.limits)
        return [*found, *look_at_writing(lambda: open_session(self.database))]

    def uninstall(self, *, keep_data: bool = False) -> UninstallReport:
        """Remove everything of ours; with `keep_data` public names become plain tables."""
        with self._open(older=True) as duty:
            return uninstall(duty, keep_data=keep_data)
