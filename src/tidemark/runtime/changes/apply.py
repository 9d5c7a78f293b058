"""Carrying out a plan: install, fill, verify, cut over, drop; table of contents of what `apply` does.

Owns: the order of the duties and the moves of a derived table's state. Promises: every step can be repeated after a kill and
goes on where it was; two never carry out plans at once, however long that takes; readers see a new generation only after every
key was compared and nothing differed; a failure leaves the generation live that was live before.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from tidemark.contract.script import Script
from tidemark.errors import Code, Fault, Refusal
from tidemark.runtime.backfill.catchup import catch_up
from tidemark.runtime.backfill.fill import fill
from tidemark.runtime.cascade import awaits, find_left, identity, readers
from tidemark.runtime.changes.carry import carry_memory
from tidemark.runtime.changes.cutover import cut_over
from tidemark.runtime.changes.failing import recording_failure
from tidemark.runtime.changes.indexes import create_indexes
from tidemark.runtime.changes.meanwhile import hold_on, holding, keeping
from tidemark.runtime.changes.plan import InstallPlan, find_basis
from tidemark.runtime.changes.rights import check_rights
from tidemark.runtime.changes.step import Step
from tidemark.runtime.duty import Duty
from tidemark.runtime.ledger import Installed, Ledger
from tidemark.runtime.objects.captures import ensure_captures
from tidemark.runtime.objects.essence import essence
from tidemark.runtime.objects.gaps import LOOK_SECONDS, look_at_catalog, record_gap, record_gaps
from tidemark.runtime.objects.groups import groups_of, with_groups
from tidemark.runtime.objects.install import begin_verifying, install_pieces, record_generation, reinstall, remove
from tidemark.runtime.objects.widen import begin_widening, lost, show_wider
from tidemark.runtime.progress import Event
from tidemark.runtime.runs import add_named_run, tell_whose
from tidemark.runtime.scripts import script_text
from tidemark.runtime.ticks.scanning import seed_marks
from tidemark.runtime.ticks.tick import tick
from tidemark.runtime.truth.last_word import require_as_written
from tidemark.runtime.truth.repair import list_wrong, repair
from tidemark.runtime.truth.verify import RECORDED_MAX, verify, verify_units
from tidemark.telling import tell_count

ROUNDS_MAX = 3
PROJECT = "project"
"""Where the ledger has the name of the project that was applied last."""
UNSEEN = ("", 0.0)


@dataclass(frozen=True)
class ApplyReport:
    """What was done: `live` derived tables that were filled and verified, `begun` ones left to a worker, `dropped` names,
    `given_up` ones that nobody had seen yet, beside a live one or not, `indexes` made on request, `shapes` of the ledger before
    and after its conversion."""

    live: tuple[str, ...]
    begun: tuple[str, ...]
    dropped: tuple[str, ...]
    indexes: tuple[str, ...] = ()
    given_up: tuple[str, ...] = ()
    shapes: tuple[str, ...] = ()


def apply_plan(
    duty: Duty,
    plan: InstallPlan,
    epoch: str,
    *,
    project: str = "",
    allow_drop: bool = False,
    detach: bool = False,
    with_indexes: bool = False,
    again: Callable[[], InstallPlan] | None = None,
) -> ApplyReport:
    """Carry out a plan of this project's. `epoch` names this copy of the database in a new ledger; `detach` leaves the filling
    to a worker; `again` makes the plan anew when what is installed changed before the lease was ours; `with_indexes` makes the
    missing indexes first, before anything is captured.

    Raises `Refusal` (``drop-not-allowed``, ``privilege``) before anything is done, and `Fault` (exit 6 when another apply is
    at work, 75 when asked to stop).
    """
    _check_consent(duty.ledger, plan, project, allow_drop)
    raised = [step.script for step in plan.steps if step.script is not None]
    if raised:
        check_rights(duty.ledger, raised, plan.catalog)
    ensure_ledger(duty, epoch)
    with holding(duty, "apply") as duty:
        if find_basis(duty.ledger) != plan.basis:
            if again is None:
                raise Fault("what is installed changed since the plan was made", left_behind="nothing was changed")
            plan = again()
            _check_consent(duty.ledger, plan, project, allow_drop)
        duty.write(partial(duty.ledger.run, "set_meta", {"key": PROJECT, "value": project}))
        made: tuple[str, ...] = ()
        wanted = [index for index in plan.indexes if with_indexes or index.required]
        if wanted and again is not None:
            made = create_indexes(duty, wanted)
            plan = again()
        return replace(_carry_out_all(duty, plan, detach), indexes=made)


def _check_consent(ledger: Ledger, plan: InstallPlan, project: str, allow_drop: bool) -> None:
    # The end of a renamed table's old name is part of the renaming.
    lost = [step.derived for step in plan.steps if step.destructive and not step.replaces]
    if lost and not allow_drop:
        last = ledger.value("read_meta", {"key": PROJECT}) or project
        if last == project:
            whose, back = "", "put the declaration back"
        else:
            whose = f", because the project {project} does not declare what {last} does"
            back = "declare in one project whatever is kept in one database"
        raise Refusal(
            Code.DROP_NOT_ALLOWED,
            f"{', '.join(lost)} would be dropped with all rows{whose}",
            instead=f"run `tidemark apply --allow-drop`, or {back}",
        )


def _carry_out_all(duty: Duty, plan: InstallPlan, detach: bool) -> ApplyReport:
    # What may be wrong is out of service from the moment on at which somebody knows, however long mending takes.
    record_gaps(duty, duty.ledger.derived())
    for script in plan.refresh:
        _refresh(duty, script)
    live: list[str] = []
    begun: list[str] = []
    dropped: list[str] = []
    given_up: list[str] = []
    for step in plan.steps:
        duty.check_stop("apply")
        hold_on(duty, anyway=True)
        if detach and step.verb == "drop" and step.replaces:
            # The old name serves its readers until the new one is live; the next apply ends it.
            continue
        if step.verb == "drop":
            _leave_all(duty)
        done = _carry_out(duty, step, detach)
        if done is not None and not done.script.supports:
            (live if done.state == "live" else begun).append(done.name)
        elif step.destructive:
            dropped.append(step.derived)
        elif done is None and any(row.state != "retired" and not row.script.supports for row in step.obsolete):
            given_up.append(step.derived)
    _leave_all(duty)
    ensure_captures(duty, [one.capture for one in plan.narrowed])
    return ApplyReport(tuple(live), tuple(begun), tuple(dropped), given_up=tuple(given_up))


def _leave_all(duty: Duty) -> None:
    """Remove the generations whose last readers have moved on."""
    for row in find_left(duty.ledger.derived()):
        with duty.leased(f"keep {row.name}") as mine:
            remove(mine, row)


def ensure_ledger(duty: Duty, epoch: str) -> None:
    """Create the ledger, even when two processes want to at once."""
    if not duty.ledger.exists():
        duty.write(partial(duty.ledger.create, epoch))


def _refresh(duty: Duty, script: Script) -> None:
    """Write down new advice. Where somebody is at work on the table, or changed what the advice is about, the next apply does."""

    def work() -> None:
        rows = duty.ledger.derived()
        identity = (script.name, script.generation)
        advised = with_groups(script, groups_of(script.name, rows))
        about = {"name": script.name, "generation": script.generation, "fingerprint": advised.fingerprint}
        if any((row.name, row.generation) == identity and essence(row.script) == essence(script) for row in rows):
            duty.ledger.run("set_script", {**about, "script": script_text(advised)})

    with duty.leased_if_free(f"keep {script.name}") as mine:
        if mine is not None:
            mine.write(work)


def _carry_out(duty: Duty, step: Step, detach: bool) -> Installed | None:
    """Carry out one step under the derived table's own lease."""
    generation = step.script.generation if step.script else max(row.generation for row in step.obsolete)
    said = f"{step.verb}: {step.reason}"
    with duty.leased(f"keep {step.derived}") as mine:
        run = mine.write(partial(add_named_run, mine, "apply", step.derived, generation, None, said)).value
        try:
            done = _do_step(mine, step, detach)
        except Exception as problem:
            run.fail(problem)
            tell_whose(mine, step.derived, problem)
            raise
        run.finish(said)
        return done


def _do_step(duty: Duty, step: Step, detach: bool) -> Installed | None:
    if step.script is not None:
        return _raise_up(duty, step, detach)
    _remove_obsolete(duty, step)
    return None


def _remove_obsolete(duty: Duty, step: Step) -> None:
    """Remove what a step leaves behind. Raises `Fault` where a worker has shown it to readers since the plan was made."""
    for row in step.obsolete:
        now = _read_again(duty, row)
        if now.live_at is not None and row.live_at is None:
            raise Fault(
                f"generation {row.generation} of {row.name} went live since the plan was made",
                left_behind="it stays as it is; `tidemark apply` plans anew",
            )
        remove_unless_read(duty, now)


def _raise_up(duty: Duty, step: Step, detach: bool) -> Installed:
    """Bring one generation to life, or the part of that which belongs to `apply` when a worker does the rest."""
    script = step.script
    if script is None:
        raise Fault("a step without a script cannot be raised", retry_safe=False)
    _remove_obsolete(duty, step)
    if step.before is not None and step.verb == "replace" and is_in_place(script):
        # The user's own table holds the rows, so two generations cannot stand side by side.
        remove(duty, step.before)
    installed = _begin(duty, step, script)
    if step.verb == "resume" and installed.state == "live":
        return installed
    with recording_failure(duty, installed):
        ensure_captures(duty, step.captures)
        # A capture that had to be mended is a gap for everybody who reads it.
        installed = _read_again(duty, installed)
        before = _readable(duty, installed)
        if step.upkeep is not None and before is not None and before.state == "installing":
            # What keeps the store that is to be filled was taken out of service by that: it comes back first, in the next pass.
            return installed
        installed = _bring_about(duty, step, installed, before)
        if detach or (step.verb == "reinstall" and installed.state == "live"):
            return installed
        if awaits(installed, _read_by(duty, installed)):
            # What it reads is filled by a worker, so this one is too.
            return installed
        return finish(duty, installed, _readable(duty, installed))


def _bring_about(duty: Duty, step: Step, installed: Installed, before: Installed | None) -> Installed:
    """Create what the generation lacks; it is ready to be filled then, or is again what it was."""
    if step.upkeep is not None and before is not None:
        if installed.state in ("backfilling", "verifying"):
            return installed
        return begin_widening(duty, installed, before, step.upkeep, partial(drain, duty, before.script))
    if step.verb == "reinstall":
        return reinstall(duty, installed)
    if installed.state == "paused" and not step.findings:
        # Its captures have been there all the while: what is filled stands.
        return duty.write(partial(duty.ledger.move, installed, "backfilling")).value
    if installed.state in ("planned", "installing", "failed", "paused") or step.findings:
        return install_pieces(duty, installed)
    return installed


def _begin(duty: Duty, step: Step, script: Script) -> Installed:
    """The generation that the step raises: the one under way, the one that is mended, or a new one."""
    known = step.before if step.verb == "reinstall" else step.building if step.verb == "resume" else None
    if known is None:
        return record_generation(duty, script, step.replaces)
    # A worker may have brought it forward since the plan was made, before the lease was ours.
    return _read_again(duty, known)


def _read_by(duty: Duty, installed: Installed) -> tuple[Installed, ...]:
    """The generations under the names of what it reads."""
    names = [kept.derived for kept in installed.script.reads]
    return duty.ledger.derived(*names) if names else ()


def _read_again(duty: Duty, known: Installed) -> Installed:
    rows = duty.ledger.derived(known.name)
    return next((row for row in rows if (row.name, row.generation) == (known.name, known.generation)), known)


def _readable(duty: Duty, installed: Installed) -> Installed | None:
    """The generation that readers see while this one is raised, or None when it is this one, or there is none."""
    if installed.live_at is not None:
        return None
    rows = [row for row in duty.ledger.derived(installed.name) if row.live_at is not None]
    return next((row for row in reversed(rows) if row.state != "retired"), None)


def is_in_place(script: Script) -> bool:
    """Whether the rows are stored in a table of the user's."""
    return script.store == script.public and not script.supports


def finish(duty: Duty, installed: Installed, before: Installed | None) -> Installed:
    """Fill, verify and cut over a generation whose captures are there; `before` is the one that readers see now, and is ticked
    meanwhile."""
    still, duty = duty, keeping(duty, before)
    if installed.script.wide.of:
        return _finish_widening(duty, installed, before)
    # What readers see went on remembering if this was interrupted, however far it had come.
    carried = carry_memory(duty, installed, before)
    if installed.state == "backfilling":
        installed = replace(installed, cursor_at=0) if carried else installed
        seed_marks(duty, installed)
        fill(duty, installed, before)
        # Where it has missed changes it begins again, whatever a comparison would find.
        _require_no_gap(duty, installed)
        installed = duty.write(partial(begin_verifying, duty, installed, before)).value
    catch_up(duty, installed)
    waiting = drainer(duty, installed.script)
    require_as_written(duty, installed, _make_sure(duty, installed, waiting), waiting, installed.script)
    _require_no_gap(duty, installed)
    shown = cut_over(still, installed, before)
    if before is not None:
        rows = [row for row in duty.ledger.derived(before.name) if row.state == "retired"]
        for row in rows:
            remove_unless_read(duty, row)
    return shown


def _make_sure(duty: Duty, installed: Installed, drain: Callable[[], bool] | None) -> int:
    """Compare every key, and compute again what changed while it was filled; give how many there are. Raises `Fault` when rows
    still differ then."""
    rounds, before = 0, math.inf
    while rounds < ROUNDS_MAX:
        report = verify(duty, installed, drain)
        if report.clean:
            told = f"{report.keys:,} of {tell_count(report.keys, 'row')} equal the query"
            duty.listen(Event(installed.name, "verify", report.keys, report.keys, told))
            return report.keys
        duty.listen(
            Event(installed.name, "repair", 0, report.drift, f"{tell_count(report.drift, 'row')} changed meanwhile")
        )
        units = list_wrong(duty, installed.script) if report.drift <= RECORDED_MAX else []
        repair(duty, installed)
        # Every other row was equal: what made these differ is in front of us, and no reason to doubt the others.
        if units and verify_units(duty, installed, units, drain, of=report.keys) == 0:
            told = f"{report.keys:,} of {tell_count(report.keys, 'row')} equal the query, {report.drift:,} of them computed again"
            duty.listen(Event(installed.name, "verify", report.keys, report.keys, told))
            return report.keys
        # Of what changed during a long filling no more is mended at a time than is recorded, and the rest is no failure.
        rounds += report.drift <= RECORDED_MAX or report.drift >= before
        before = report.drift
    raise Fault(
        f"{installed.name} still differs from its query after {ROUNDS_MAX} rounds of computing it again",
        left_behind="what readers saw before is as it was; `tidemark status` shows the rows",
        retry_safe=False,
    )


def _require_no_gap(duty: Duty, installed: Installed) -> None:
    """Take a generation out of service that missed changes while it was filled, and raise `Fault`. As long as nothing of the
    schema is changed since it was looked at nothing is looked up again."""
    now, seen = (duty.session.schema_marker(), duty.clock.now()), duty.looked.get(identity(installed), UNSEEN)
    if now[0] == seen[0] and now[1] - seen[1] < LOOK_SECONDS:
        return
    gap = look_at_catalog(duty.ledger, [installed]).gap(installed)
    if gap:
        record_gap(duty, installed, gap)
        raise Fault(
            f"{installed.name} missed changes while it was filled: {gap}",
            left_behind="what readers saw before is as it was; `tidemark apply` begins again",
            retry_safe=True,
        )
    duty.looked[identity(installed)] = now


def _finish_widening(duty: Duty, installed: Installed, before: Installed | None) -> Installed:
    """Fill, verify and show the columns that a definition gained, in the store of the generation before, which stays live."""
    problem = lost(before, installed)
    if before is None or problem:
        raise Fault(f"{installed.name} cannot be given more columns: {problem}", left_behind="what readers see stands")
    if installed.state == "backfilling":
        fill(duty, installed, before)
        installed = duty.write(partial(duty.ledger.move, installed, "verifying")).value
    # What waits for the store is in the books of the generation that keeps it.
    whole = replace(before, script=replace(installed.script, generation=before.generation))
    waiting = drainer(duty, before.script)
    require_as_written(duty, whole, _make_sure(duty, whole, waiting), waiting, installed.script)
    _require_no_gap(duty, before)
    return show_wider(duty, installed, before)


def remove_unless_read(duty: Duty, row: Installed) -> None:
    """Remove a generation unless another one reads it: the end of its last reader will be its own."""
    if not readers(row, duty.ledger.derived()):
        remove(duty, row)


def drainer(duty: Duty, script: Script) -> Callable[[], bool] | None:
    """What applies everything that waits for a script, or None where nothing ever waits; it gives whether everything that was
    committed could be applied."""
    if script.tick is None:
        return None

    def drain() -> bool:
        while not (done := tick(duty.in_passing, script)).drained:
            duty.check_stop(f"the tick of {script.name}")
        return not done.unsettled

    return drain


def drain(duty: Duty, script: Script) -> bool:
    """Apply everything that waits for a script; give whether everything that was committed could be applied."""
    work = drainer(duty, script)
    return work is None or work()
