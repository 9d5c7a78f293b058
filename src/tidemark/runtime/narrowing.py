"""Columns that nobody reads any more, and the captures without them.

Owns: `find_spare`, and `find_narrowed` for plans. A writer that logs a column fails when the application drops it, however long
nobody has read it: so a capture loses its column once the last generation is gone that did. Promises: nothing is lost that a
generation reads which is there or comes; only an engine narrows that touches no row of a log for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tidemark.database.session import Session
from tidemark.model import Catalog
from tidemark.runtime.captures import CaptureOf, list_statements
from tidemark.script import Capture, Script


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
    for log in (log for script in scripts if script.tick for log in script.tick.logs):
        read.setdefault(log.source, set()).update(log.columns)
    spare = {
        source: {name for name, _ in known[source].narrowings} - read[source] for source in read if source in known
    }
    return {source: names for source, names in spare.items() if names}
