"""The step for one declaration, by what is installed under its name.

Owns: `decide` and `end`. Promises: reads only; a declaration is changed when its script, compiled again for the installed
generation, has another fingerprint, while advice and reasons alone are no change; a step carries every statement that it
will run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from tidemark.contract.script import Script
from tidemark.contract.walk import Pages
from tidemark.runtime.changes.carry import check_carried
from tidemark.runtime.changes.changed import tell_changed
from tidemark.runtime.changes.step import Step, Wanted
from tidemark.runtime.ledger import Installed, Ledger
from tidemark.runtime.objects.captures import RESHAPED, sources_of
from tidemark.runtime.objects.essence import essence
from tidemark.runtime.objects.gaps import Look
from tidemark.runtime.objects.pieces import creation, group_pieces, inspect_pieces, is_gap, loses_rows, wanting
from tidemark.runtime.objects.widen import Widening, as_stored, find_widening, list_changes, resume_widening, tell_left

GAP = "; changes may have been missed"


@dataclass(frozen=True)
class Seen:
    """What there is: the generations that are installed, what the catalog shows, and what is wrong with captures, by source."""

    ledger: Ledger
    installed: tuple[Installed, ...]
    look: Look
    faults: Mapping[str, str]

    def of(self, name: str) -> tuple[Installed, ...]:
        """The generations under a name."""
        return tuple(row for row in self.installed if row.name == name)


def decide(seen: Seen, want: Wanted, *, read: bool) -> tuple[Step | None, Script]:
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
        again = "" if building is None else " again"
        reason = reason or f"its definition changed{again}{tell_changed(script, before.script)}"
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
    seen: Seen, want: Wanted, before: Installed, script: Script, retired: tuple[Installed, ...], following: int
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
        return end(retired, "its definition is again the one that is live", frees_readers=False), script
    if retired:
        return end(retired, "a newer generation is live", frees_readers=True), script
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


def end(rows: tuple[Installed, ...], reason: str, *, frees_readers: bool) -> Step:
    """The step that drops generations of one name; `frees_readers` where that takes no rows from anybody."""
    # What readers see belongs to all generations, so it goes with the one that they see, which is the last to go.
    rows = tuple(sorted(rows, key=lambda row: row.live_at is not None and row.state != "retired"))
    drops = tuple(piece.drop for row in rows for piece in reversed(row.script.pieces))
    # A renamed table's rows live on under the new name, so its end wants no consent.
    replaces = "renamed" if frees_readers else ""
    return Step("drop", rows[0].name, reason, obsolete=rows, statements=drops, replaces=replaces)
