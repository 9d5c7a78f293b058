"""Columns that nobody reads any more, and the captures without them.

Owns: `find_spare`, `find_narrowed` for plans, and `narrow` for whoever ends a generation without one. A writer that logs a
column fails when the application drops it, however long nobody has read it: so a capture loses its column once the last
generation is gone that did. Promises: nothing is lost that a generation reads which is there or comes; only an engine narrows
that touches no row of a log for it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from tidemark.contract.script import Capture, Script
from tidemark.database.session import Conflict, Session
from tidemark.errors import TidemarkError, is_interruption
from tidemark.model import Catalog
from tidemark.runtime.cascade import is_served
from tidemark.runtime.duty import Duty
from tidemark.runtime.lease import Lost
from tidemark.runtime.ledger import Installed
from tidemark.runtime.objects.captures import CaptureOf, find_fault, follows, list_statements, reshape
from tidemark.runtime.objects.pieces import find_pieces

log = logging.getLogger("tidemark.captures")


@dataclass(frozen=True)
class Narrowed:
    """A capture without the columns that nobody reads any more, and the statements that bring it about."""

    capture: Capture
    statements: tuple[str, ...]


def find_narrowed(
    session: Session,
    known: Mapping[str, Capture],
    planned: Mapping[str, Capture],
    scripts: Iterable[Script],
    catalog: Catalog,
    capture_of: CaptureOf,
) -> tuple[Narrowed, ...]:
    """The captures, as they are `planned`, without what none of the `scripts` reads."""
    found, tables = [], {table.label: table for table in catalog.tables.values()}
    for source, spare in find_spare(known, scripts).items():
        table, kept = tables.get(source), tuple(name for name in planned[source].columns if name not in spare)
        if table is not None and all(table.column(name) for name in kept):
            narrower = capture_of(table, kept)
            found.append(Narrowed(narrower, tuple(list_statements(session, known[source], narrower))))
    return tuple(found)


def find_spare(known: Mapping[str, Capture], scripts: Iterable[Script]) -> dict[str, set[str]]:
    """The columns that captures can lose, since nobody reads them, by source; a capture that nobody reads at all goes whole."""
    read: dict[str, set[str]] = {}
    for log in (log for script in scripts for log in script.logs):
        read.setdefault(log.source, set()).update(log.columns)
    spare = {
        source: {name for name, _ in known[source].narrowings} - read[source] for source in read if source in known
    }
    return {source: names for source, names in spare.items() if names}


def list_staying(rows: Sequence[Installed]) -> list[Script]:
    """The scripts of the generations that read what is captured, or may again."""
    return [row.script for row in rows if row.state != "retired" or is_served(row, rows)]


def narrow(duty: Duty, capture_of: CaptureOf) -> None:
    """Take out of the captures what nobody reads any more. Where that cannot be had now, the next apply does it."""
    ledger = duty.ledger
    for source in find_spare(ledger.captures(), list_staying(ledger.derived())):
        try:
            with duty.leased(f"capture {source}", 0.0) as mine:
                mine.write(partial(_narrow, mine, source, capture_of))
        except (TidemarkError, Conflict) as problem:
            if isinstance(problem, Lost) or is_interruption(problem) or not duty.session.is_open():
                raise
            log.warning("%s: its capture writes down what nobody reads: %s; the next apply sees to it", source, problem)


def _narrow(duty: Duty, source: str, capture_of: CaptureOf) -> None:
    """Who comes to read a column is in the ledger before it asks for the capture's lease, which is ours."""
    ledger = duty.ledger
    known = ledger.captures()
    spare = find_spare(known, list_staying(ledger.derived())).get(source, set())
    table = next((one for one in duty.session.catalog().tables.values() if one.label == source), None)
    if table is None or not spare or find_fault(known[source], find_pieces(duty.session, known[source])):
        return
    kept = tuple(name for name in known[source].columns if name not in spare)
    if all(table.column(name) for name in kept) and follows(capture_of(table, kept), known[source]):
        reshape(duty, known[source], capture_of(table, kept))
