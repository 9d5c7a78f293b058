"""The plan: what `apply` will do, as a value, before anything happens.

Owns: comparing what is wanted with the ledger and with the catalog. Promises: reads only; every statement that `apply` will
run can be printed from the plan; a plan over an installed, unchanged project is empty.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, get_args

from tidemark.contract.script import Capture, MissingIndex, Script
from tidemark.dialect import unquote
from tidemark.errors import Refusal
from tidemark.model import Catalog
from tidemark.runtime.cascade import identity, upstream_first
from tidemark.runtime.changes.decide import Seen, decide, end
from tidemark.runtime.changes.plan_checks import (
    check_columns,
    check_name,
    check_pieces,
    check_replication,
    check_states,
    refusal_data,
)
from tidemark.runtime.changes.step import Step, Verb, Wanted
from tidemark.runtime.ledger import SHAPE, Installed, Ledger
from tidemark.runtime.objects.captures import CaptureOf, find_faults, list_statements, plan_captures, sources_of
from tidemark.runtime.objects.gaps import Look
from tidemark.runtime.objects.groups import check_groups, groups_of
from tidemark.runtime.objects.narrowing import Narrowed, find_narrowed, list_staying
from tidemark.runtime.objects.pieces import names_of
from tidemark.runtime.objects.sources import find_changes


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
    seen = Seen(ledger, installed, look, faults)
    for want in wanted:
        whole = want.over(known).beside(groups_of(want.name, installed))
        step, script = decide(seen, whole, read=want.name in read)
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
            steps.append(replace(_size(step, catalog), overwrites=_overwritten(want, step)))
    check_groups(known.values(), ledger.session.dialect)
    check_columns([known[want.name] for want in wanted if want.adds_columns], ledger.session.dialect)
    names = {want.name for want in wanted}
    for name in sorted({row.name for row in installed} - names):
        rows = tuple(row for row in installed if row.name == name)
        reason = "it was renamed" if name in renamed else "it is not declared any more"
        drops.append(end(rows, reason, frees_readers=name in renamed))
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


def _overwritten(want: Wanted, step: Step) -> str:
    """The columns of a table of the user's that get other values: those of another derived table are nobody's yet."""
    script = step.script
    if step.verb != "create" or script is None or not want.adds_columns or script.joins:
        return ""
    return f"{', '.join(name for name in script.columns if name not in script.key)} of {unquote(script.public)}"


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


def _size(step: Step, catalog: Catalog) -> Step:
    """The step with the estimated size of its largest source."""
    labels = step.script.sources if step.script else ()
    sizes = [table.rows for table in catalog.tables.values() if table.label in labels and table.rows is not None]
    return replace(step, rows=max(sizes, default=None))


def _is_ledger(name: str, ledger: Ledger) -> bool:
    """Whether an object is part of the ledger itself."""
    prefix = f"{ledger.session.dialect.ours_prefix}_"
    return name.startswith(prefix) and name.removeprefix(prefix) in ledger.objects
