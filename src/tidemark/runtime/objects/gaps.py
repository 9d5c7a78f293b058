"""Gaps: times in which a change may have been missed, because a capture or a source was not as it should be.

Owns: looking at the catalog and taking out of service what may be wrong. Promises: a gap is a line of the history; the
generation is ``live`` again only after it was filled and verified; nobody who is at work on a table is disturbed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from tidemark.contract.script import Capture, Script
from tidemark.database.session import Session
from tidemark.runtime.duty import Duty
from tidemark.runtime.ledger import Installed, Ledger
from tidemark.runtime.objects.captures import find_fault, sources_of
from tidemark.runtime.objects.pieces import Finding, find_pieces, inspect_pieces, is_gap, loses_rows
from tidemark.runtime.objects.sources import Addition, Change, Generation, add_facts, look_at_sources
from tidemark.runtime.runs import add_named_run

LOOK_SECONDS = 60.0
NOTED = {"key": "schema noted"}


@dataclass(frozen=True)
class Look:
    """What the catalog shows: the fingerprints of objects of ours, the generations whose sources changed, and what is `added` to
    sources without that."""

    present: Mapping[str, str]
    changes: Mapping[Generation, Change]
    added: Sequence[Addition] = ()
    _wrong: dict[tuple[str, ...], tuple[Finding, ...]] = field(default_factory=dict, compare=False)

    def wrong(self, installed: Installed, *, public: bool) -> tuple[Finding, ...]:
        """The pieces of a generation and of its captures that are not as they should be; worked out once for each look."""
        pieces = _parts_of(installed)
        about = (str(public), *(piece.fingerprint for piece in pieces), installed.name, str(installed.generation))
        if about not in self._wrong:
            found = (one for piece in pieces for one in inspect_pieces(piece, self.present, public=public))
            self._wrong[about] = tuple(one for one in found if one.health != "installed")
        return self._wrong[about]

    def change(self, installed: Installed) -> Change | None:
        """What is not as it was about the sources of a generation."""
        return self.changes.get((installed.name, installed.generation))

    def gap(self, installed: Installed) -> str:
        """Why changes of a generation's sources may have been missed, as a sentence; empty when all is well."""
        script, change = installed.script, self.change(installed)
        findings = inspect_pieces(script, self.present, public=installed.live_at is not None)
        wrong = [finding for finding in findings if is_gap(script, finding) or loses_rows(finding)]
        said = [change.says] if change is not None else []
        said += [f"{finding.piece.kind} {finding.piece.name} is {finding.health}" for finding in wrong]
        known = {capture.source: capture for capture in installed.captures}
        for source in sorted(sources_of(script)):
            fault = find_fault(known[source], self.present) if source in known else f"there is no capture of {source}"
            said += [fault] if fault else []
        return ", ".join(said[:3])


def _parts_of(installed: Installed) -> list[Script | Capture]:
    return [installed.script, *installed.captures]


class Eye:
    """Looks at the catalog again and again: what no change of the schema can have touched is not looked at anew, but for
    once in `LOOK_SECONDS`."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._known: tuple[object, float, Look] | None = None

    def look(self, ledger: Ledger, rows: Iterable[Installed]) -> Look:
        """What the catalog shows now about some generations, in the caller's transaction."""
        rows, marker = tuple(rows), ledger.session.schema_marker()
        about = (marker, [(row.name, row.generation, row.fingerprint) for row in rows], ledger.all("list_facts"))
        if self._known is not None and self._known[0] == about and self._now() - self._known[1] < LOOK_SECONDS:
            return self._known[2]
        # The marker was read first: what is changed after it differs from it at the next look.
        self._known = (about, self._now(), look_at_catalog(ledger, rows))
        return self._known[2]


def look_at_catalog(ledger: Ledger, rows: Iterable[Installed]) -> Look:
    """What the catalog shows now about some generations."""
    rows = tuple(rows)
    parts = [part for row in rows for part in _parts_of(row)]
    return Look(find_pieces(ledger.session, *parts), *look_at_sources(ledger, rows))


def look_at_pieces(session: Session, installed: Installed) -> Look:
    """What the catalog shows now of a generation whose sources are as they are recorded."""
    return Look(find_pieces(session, *_parts_of(installed)), {})


def look_and_note(duty: Duty, rows: Iterable[Installed]) -> Look:
    """The same by whoever may write: what has come that is no gap, and would be one if it went, is written down."""
    look = look_at_catalog(duty.ledger, rows)
    if look.added:
        duty.write(partial(add_facts, duty.ledger, look.added))
    return look


def note_what_came(duty: Duty) -> None:
    """The same by whoever does not look otherwise, where something of the schema was changed since: a partition that comes and
    goes between two looks leaves nothing behind that tells of its rows."""
    marker = duty.session.schema_marker()
    if duty.ledger.value("read_meta", NOTED) != marker:
        look_and_note(duty, duty.ledger.derived())
        duty.write(partial(duty.ledger.run, "set_meta", {**NOTED, "value": marker}))


def open_gap(duty: Duty, installed: Installed, gap: str) -> Installed:
    """Take a generation out of service, in the caller's transaction; `apply` brings it back."""
    add_named_run(duty, "gap", installed.name, installed.generation, None, gap).end("done", gap)
    duty.ledger.run("mark_unverified", {"name": installed.name, "generation": installed.generation})
    return duty.ledger.move(installed, "installing")


def record_gap(duty: Duty, installed: Installed, gap: str) -> Installed:
    """Take a generation out of service, in a transaction of its own."""
    return duty.write(partial(open_gap, duty, installed, gap)).value


def record_gaps(duty: Duty, rows: Iterable[Installed]) -> dict[str, str]:
    """Take everything live out of service that has a gap; give the gaps by name. Raises `Fault` (exit 6) when one is held."""
    live = [row for row in rows if row.state == "live"]
    look = look_and_note(duty, live)
    return {row.name: gap for row in live if look.gap(row) and (gap := _record_alone(duty, row))}


def _record_alone(duty: Duty, row: Installed) -> str:
    """Look again while nobody else is at work on the table, and record what is still there."""
    with duty.leased(f"keep {row.name}") as mine:
        fresh = next((one for one in duty.ledger.derived(row.name) if one.generation == row.generation), None)
        if fresh is None or fresh.state != "live":
            return ""
        gap = look_at_catalog(duty.ledger, [fresh]).gap(fresh)
        if gap:
            record_gap(mine, fresh, gap)
        return gap
