"""The plan: what `apply` will do, as a value, before anything happens.

Owns: comparing what is wanted with the ledger and with the catalog. Promises: reads only; every statement that `apply` will
run can be printed from the plan; a plan over an installed, unchanged project is empty. A declaration is changed when its
script, compiled again for the installed generation, has another fingerprint; advice and reasons alone are no change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from tidemark.contract.script import Capture, MissingIndex, Script
from tidemark.contract.walk import Pages
from tidemark.errors import Refusal
from tidemark.model import Catalog
from tidemark.runtime.cascade import identity, upstream_first
from tidemark.runtime.changes.carry import check_carried
from tidemark.runtime.changes.plan_checks import (
    check_columns,
    check_name,
    check_pieces,
    check_replication,
    check_states,
    refusal_data,
)
from tidemark.runtime.ledger import SHAPE, Installed, Ledger
from tidemark.runtime.objects.captures import (
    RESHAPED,
    CaptureOf,
    find_faults,
    list_statements,
    plan_captures,
    sources_of,
)
from tidemark.runtime.objects.essence import essence
from tidemark.runtime.objects.gaps import Look
from tidemark.runtime.objects.groups import check_groups, groups_of, with_groups
from tidemark.runtime.objects.narrowing import Narrowed, find_narrowed, list_staying
from tidemark.runtime.objects.pieces import (
    Finding,
    creation,
    group_pieces,
    inspect_pieces,
    is_gap,
    loses_rows,
    names_of,
    wanting,
)
from tidemark.runtime.objects.sources import find_changes
from tidemark.runtime.objects.widen import Widening, as_stored, find_widening, list_changes, resume_widening, tell_left

GAP = "; changes may have been missed"
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
    reads, as they will be. `upkeep` keeps the store meanwhile where `script` fills new columns of it.
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
            "destructive": self.destructive,
            "pieces": [
                {"name": found.piece.name, "kind": found.piece.kind, "health": found.health} for found in self.findings
            ],
            "statements": list(self.statements),
        }


@dataclass(frozen=True)
class InstallPlan:
    """Everything that `apply` will do. `ledger` are what creates the ledger, empty where it is there, or what converts it from
    the older shape `converts`, empty for this version's: then nothing else is planned before that is done.

    `orphans` are objects of ours that no script knows; `refresh` are scripts of which only the advice changed. `basis` is what
    was installed when the plan was made: name, generation, state and fingerprint of everything. `indexes` would make upkeep of
    what is wanted cheaper; only ``--create-indexes`` makes them. `catalog` is what the database held when the plan was made.
    `narrowed` are captures of which nobody reads a column any more. `refused` is why `apply` would do none of it here.
    """

    steps: tuple[Step, ...]
    catalog: Catalog = field(compare=False, repr=False)
    ledger: tuple[str, ...] = ()
    orphans: tuple[str, ...] = ()
    refresh: tuple[Script, ...] = ()
    basis: tuple[tuple[str, int, str, str], ...] = ()
    indexes: tuple[MissingIndex, ...] = ()
    narrowed: tuple[Narrowed, ...] = ()
    converts: str = ""
    refused: Refusal | None = None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not self.steps and not self.converts

    def as_json(self) -> dict[str, Any]:
        """The plan as plain data."""
        counts = {verb: sum(step.verb == verb for step in self.steps) for verb in get_args(Verb)}
        return {
            "changes": not self.is_empty,
            "counts": counts,
            "steps": [step.as_json() for step in self.steps],
            "ledger": list(self.ledger),
            "converts": self.converts,
            "orphans": list(self.orphans),
            "refused": self.refused and refusal_data(self.refused),
            "indexes": [
                {"statement": sql, "says": i.text, "reason": i.reason, "required": i.required}
                for i in self.indexes
                for sql in [i.text if i.statements else None]
            ],
        }


def make_plan(ledger: Ledger, wanted: Sequence[Wanted], catalog: Catalog, capture_of: CaptureOf) -> InstallPlan:
    """Compare what is wanted, each after those that it reads, with what is there.

    What is read is created, and built anew, before what reads it, and dropped after. Raises `Refusal` for a declaration that
    cannot be kept true, and `Fault` where something is in a state that only another version knows.
    """
    check_replication(ledger)
    installed = ledger.derived()
    check_states(installed)
    look = Look(ledger.session.installed(), find_changes(ledger, installed))
    present = look.present
    captures = ledger.captures()
    faults = find_faults(installed, captures, present, catalog, capture_of)
    steps: list[Step] = []
    drops: list[Step] = []
    refresh: list[Script] = []
    known: dict[str, Script] = {}
    renamed = {want.was for want in wanted if want.was and want.name != want.was}
    read = {name for want in wanted for name in want.reads}
    read |= {kept.derived for row in installed for kept in row.script.reads} | {row.script.joins for row in installed}
    seen = _Seen(ledger, installed, look, faults)
    for want in wanted:
        whole = want.over(known).beside(groups_of(want.name, installed))
        step, script = _decide(seen, whole, read=want.name in read)
        known[want.name] = script
        if step is None:
            changed = any(
                row.generation == script.generation and row.fingerprint != script.fingerprint
                for row in seen.of(want.name)
            )
            refresh.extend([script] if changed else [])
        elif step.verb == "drop":
            drops.append(step)
        else:
            check_name(step.script, step.before, catalog, present)
            steps.append(_size(step, catalog))
    check_groups(known.values(), ledger.session.dialect)
    check_columns([known[want.name] for want in wanted if want.adds_columns], ledger.session.dialect)
    names = {want.name for want in wanted}
    for name in sorted({row.name for row in installed} - names):
        rows = tuple(row for row in installed if row.name == name)
        reason = "it was renamed" if name in renamed else "it is not declared any more"
        drops.append(_drop(rows, reason, frees_readers=name in renamed))
    staying = list_staying(installed)
    coming = [step.script for step in steps if step.script]
    planned = plan_captures(captures, staying, coming, capture_of)
    narrowed = find_narrowed(ledger.session, captures, planned, (*staying, *coming), catalog, capture_of)
    steps = _with_captures(ledger, steps, captures, planned)
    steps += _readers_first(drops, installed)
    check_pieces([*(row.script for row in installed), *(step.script for step in steps if step.script is not None)])
    own = names_of(row.script for row in installed) | names_of(captures.values())
    orphans = tuple(sorted(name for name in present if name not in own and not _is_ledger(name, ledger)))
    missing = {(index.table, index.names): index for script in known.values() for index in script.missing_indexes}
    created = () if ledger.exists() else tuple(ledger.creation())
    indexes = tuple(missing.values())
    return InstallPlan(tuple(steps), catalog, created, orphans, tuple(refresh), find_basis(ledger), indexes, narrowed)


def plan_conversion(ledger: Ledger, catalog: Catalog) -> InstallPlan | None:
    """The plan for a ledger of an older shape, None for this version's. Raises `Fault` for one that cannot be converted."""
    shape = ledger.shape()
    if shape in (None, SHAPE):
        return None
    return InstallPlan((), catalog, tuple(ledger.conversion(str(shape))), converts=str(shape))


def _with_captures(
    ledger: Ledger, steps: Sequence[Step], known: Mapping[str, Capture], planned: Mapping[str, Capture]
) -> list[Step]:
    """The steps with the captures that each needs; the first one that does shows the statements that bring them about."""
    found, there = [], dict(known)
    for step in steps:
        mine = [planned[source] for source in sorted(sources_of(step.script))] if step.script else []
        texts = [text for one in mine for text in list_statements(ledger.session, there.get(one.source), one)]
        there.update((one.source, one) for one in mine)
        found.append(replace(step, captures=tuple(mine), statements=(*texts, *step.statements)))
    return found


def _readers_first(drops: Sequence[Step], installed: Sequence[Installed]) -> list[Step]:
    """Drops in the order in which nothing goes that another one still reads."""
    order = [identity(row) for row in upstream_first(installed)]
    return sorted(drops, key=lambda step: -max(order.index(identity(row)) for row in step.obsolete))


def find_basis(ledger: Ledger) -> tuple[tuple[str, int, str, str], ...]:
    """What is installed now: name, generation, state and fingerprint of everything."""
    captures = ((f"capture {one.source}", 0, "", one.fingerprint) for one in ledger.captures().values())
    return (*((row.name, row.generation, row.state, row.fingerprint) for row in ledger.derived()), *captures)


@dataclass(frozen=True)
class _Seen:
    """What there is: the generations that are installed, what the catalog shows, and what is wrong with captures, by source."""

    ledger: Ledger
    installed: tuple[Installed, ...]
    look: Look
    faults: Mapping[str, str]

    def of(self, name: str) -> tuple[Installed, ...]:
        """The generations under a name."""
        return tuple(row for row in self.installed if row.name == name)


def _decide(seen: _Seen, want: Wanted, *, read: bool) -> tuple[Step | None, Script]:
    """The step for one declaration, or none, and the script that will be in force; `read` tells that another one reads it."""
    ledger, mine = seen.ledger, seen.of(want.name)
    kept = [row for row in mine if row.state != "retired"]
    retired = tuple(row for row in mine if row.state == "retired")
    before = next((row for row in reversed(kept) if row.live_at is not None), None)
    building = next((row for row in reversed(kept) if row.live_at is None), None)
    following = max((ledger.last_generation(want.name), *(row.generation for row in mine))) + 1
    if building is not None:
        wider = resume_widening(want.compile, before, building) if before and building.script.wide.of else None
        script = wider.filler if wider else want.compile(building.generation)
        if essence(script) == essence(building.script):
            findings = inspect_pieces(script, seen.look.present, public=False) if not wider else ()
            if not any(loses_rows(found) and building.state not in ("planned", "installing") for found in findings):
                step = Step("resume", want.name, f"it is {building.state}", script, before, building, retired, findings)
                return replace(_tell(ledger, step), upkeep=wider.upkeep if wider else None), script
        retired = (*retired, building)
    if before is not None:
        script = as_stored(want.compile(before.generation, session=before.script.wide.session), before.script)
        if essence(script) == essence(before.script):
            return _mend(seen, want, before, script, retired, following)
    script = want.compile(following)
    if before is not None:
        check_carried(before)
        wider = find_widening(want.compile, before, following) if building is None and not read else None
        if wider is not None:
            return _widen(ledger, wider, before, retired), wider.filler
        change = seen.look.change(before)
        reason = _built_anew(script, before.script) or (change.says if change else "")
        reason = reason or tell_left(building, before)
        reason = reason or ("its definition changed" if building is None else "its definition changed again")
        return _tell(ledger, Step("replace", want.name, reason, script, before, obsolete=retired)), script
    old = next((row for row in seen.installed if row.name == want.was and row.live_at is not None), None)
    if want.was and old is not None:
        reason = f"it was called {want.was}"
        return _tell(ledger, Step("rename", want.name, reason, script, obsolete=retired, replaces=want.was)), script
    return _tell(ledger, Step("create", want.name, "it is not installed", script, obsolete=retired)), script


def _widen(ledger: Ledger, wider: Widening, before: Installed, obsolete: tuple[Installed, ...]) -> Step:
    """The step that fills columns which a definition gained, where the others are."""
    names = [name for name in wider.filler.columns if name not in before.script.columns]
    reason = f"it gains {', '.join(names)}: only that is filled, and the rest stays live"
    step = _tell(ledger, Step("replace", before.name, reason, wider.filler, before, obsolete=obsolete))
    changes = list_changes(ledger.session, before.script, wider.upkeep)
    shown = creation(ledger.session, [piece for piece in wider.filler.pieces if piece.public])
    return replace(
        step, upkeep=wider.upkeep, statements=(*wider.filler.wide.locks, *changes, *_filling(wider.filler), *shown)
    )


def _built_anew(script: Script, before: Script) -> str:
    """What around it is another one now, the schema or a derived table that it reads, as a reason; empty when nothing is."""
    if before.home not in ("", script.home) and script.home:
        return f"schema {before.home} is gone, and its rows are seen in {script.home}"
    known = {kept.derived: kept.generation for kept in before.reads}
    names = [kept.derived for kept in script.reads if known.get(kept.derived, kept.generation) != kept.generation]
    return f"{', '.join(names)}, which it reads, is built anew" if names else ""


def _mend(
    seen: _Seen, want: Wanted, before: Installed, script: Script, retired: tuple[Installed, ...], following: int
) -> tuple[Step | None, Script]:
    """The step for an unchanged declaration: nothing, or what brings back what is missing."""
    findings = tuple(f for f in inspect_pieces(script, seen.look.present, public=True) if f.health != "installed")
    change, step = seen.look.change(before), Step("replace", want.name, "", script, before, obsolete=retired)
    lost = [f"{found.piece.kind} {found.piece.name} is {found.health}" for found in findings if loses_rows(found)]
    if lost or (change is not None and change.anew):
        reason = lost[0] if change is None else change.says
        script = want.compile(following)
        return _tell(seen.ledger, replace(step, reason=reason, script=script)), script
    broken = [seen.faults[source] for source in sorted(sources_of(script)) if source in seen.faults]
    broken += [change.says] if change is not None else []
    if findings or broken:
        said = [f"{found.piece.kind} {found.piece.name} is {found.health}" for found in findings]
        lossy = any(not one.endswith(RESHAPED) for one in broken) or any(is_gap(script, found) for found in findings)
        reason = ", ".join([*broken, *said][:3]) + lossy * GAP
        return _tell(seen.ledger, replace(step, verb="reinstall", reason=reason, findings=findings)), script
    if before.state != "live":
        return _tell(seen.ledger, replace(step, verb="resume", reason=f"it is {before.state}", building=before)), script
    if any(row.state != "retired" for row in retired):
        # A worker would go on with it, so it goes even where the rest is left to one.
        return _drop(retired, "its definition is again the one that is live", frees_readers=False), script
    if retired:
        return _drop(retired, "a newer generation is live", frees_readers=True), script
    return None, script


def _tell(ledger: Ledger, step: Step) -> Step:
    """A step with every statement that it will run, and of its findings those that want something done."""
    session, script, building = ledger.session, step.script, step.building
    if script is None:
        return step
    wrong = tuple(found for found in step.findings if found.health != "installed")
    begins = step.verb in ("create", "replace", "rename")
    if begins:
        missing, anew = [piece for piece in script.pieces if not piece.public], []
    else:
        missing, anew = wanting(script, wrong), [found.piece.name for found in wrong if found.health != "missing"]
    install = [text for group in group_pieces(session, missing) for text in creation(session, group, anew)]
    leaving = (*step.obsolete, step.before) if step.verb == "replace" and step.before else step.obsolete
    going = [piece.drop for row in leaving for piece in reversed(row.script.pieces)]
    reading = []
    if begins or (building is not None and building.live_at is None):
        reading = creation(session, [piece for piece in script.pieces if piece.public])
    return replace(step, findings=wrong, statements=(*install, *_filling(script), *reading, *going))


def _filling(script: Script) -> tuple[str, ...]:
    """The statements that fill and compare."""
    applier = script.applier
    listing = _paged(applier.pages) if applier.pages is not None and applier.indexed else applier.list_keys
    return (*listing, applier.take_todo, *applier.lock, *applier.recomputing, *applier.write, applier.compare)


def _paged(pages: Pages) -> tuple[str, ...]:
    return (pages.last, f"{pages.into} {pages.keys.replace('{after}', pages.after)}")


def _drop(rows: tuple[Installed, ...], reason: str, *, frees_readers: bool) -> Step:
    # What readers see belongs to all generations, so it goes with the one that they see, which is the last to go.
    rows = tuple(sorted(rows, key=lambda row: row.live_at is not None and row.state != "retired"))
    drops = tuple(piece.drop for row in rows for piece in reversed(row.script.pieces))
    # A renamed table's rows live on under the new name, so its end wants no consent.
    replaces = "renamed" if frees_readers else ""
    return Step("drop", rows[0].name, reason, obsolete=rows, statements=drops, replaces=replaces)


def _size(step: Step, catalog: Catalog) -> Step:
    """The step with the estimated size of its largest source."""
    labels = step.script.sources if step.script else ()
    sizes = [table.rows for table in catalog.tables.values() if table.label in labels and table.rows is not None]
    return Step(**{**step.__dict__, "rows": max(sizes, default=None)})


def _is_ledger(name: str, ledger: Ledger) -> bool:
    """Whether an object is part of the ledger itself."""
    prefix = f"{ledger.session.dialect.ours_prefix}_"
    return name.startswith(prefix) and name.removeprefix(prefix) in ledger.objects
