"""What rules share: reading values out of metadata, and writing edges."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from examples.soundgraph.described import Key, Row, Table, Value
from examples.soundgraph.state import Stamp, State, provenance
from examples.soundgraph.values import flag


def given(metadata: dict[str, Any], names: tuple[str, ...], read: Callable[[Any], Value]) -> Row:
    """The named values that the metadata holds in a readable form; an explicit null clears a value."""
    row: Row = {}
    for name in names:
        if name in metadata:
            value = read(metadata[name])
            if value is not None or metadata[name] is None:
                row[name] = value
    return row


def flags(metadata: dict[str, Any], *names: str) -> Row:
    """The named values that are JSON booleans."""
    return {name: value for name in names if (value := flag(metadata.get(name))) is not None}


def put_edge(state: State, table: Table, key: Key, stamp: Stamp, *, live: bool, extra: Row | None = None) -> None:
    """Makes an edge live, or ended, as of now. ``key`` holds the values of the table's natural key."""
    row: Row = {}
    row.update(zip(table.natural, key, strict=True))
    row.update(provenance(stamp), is_delete=not live, is_current=True, created_at=stamp.at)
    row.update(extra or {})
    state.put(table, table.identify(row), row)


def is_live(row: Row | None) -> bool:
    """True for a current row that is not deleted."""
    return row is not None and not row["is_delete"]
