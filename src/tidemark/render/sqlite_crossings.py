"""SQLite: triggers on the stored rows that write crossings into the outbox.

Owns: the pieces of a derived table's crossings on SQLite. Promises: nothing in them can fail for a value that a store
holds, and no conflict policy of an outer statement has anything to act on.
"""

from __future__ import annotations

from collections.abc import Sequence

from tidemark.model import Crossing
from tidemark.names import ledger
from tidemark.render.crossings import COLUMNS, Shown, crossing_select, reached
from tidemark.script import Piece

NUMERIC = "typeof({}) IN ('integer', 'real')"


def crossing_pieces(
    shown: Shown, crossings: Sequence[Crossing], path: tuple[str, ...], by_batch: bool
) -> tuple[Piece, ...]:
    """A trigger for rows that come and one for rows that change. `path` and `by_batch` have no meaning here."""
    names = shown.store.names
    found = []
    for event, changed in (("insert", False), ("update", True)) if crossings else ():
        name, plain = names.own("crossing", event), names.plain("crossing", event)
        body = [
            f"INSERT INTO {ledger(names.dialect, 'outbox')} ({COLUMNS})\n  "
            f"{crossing_select(shown, one, _as_json, NUMERIC, changed=changed)}"
            for one in crossings
        ]
        when = " OR ".join(reached(shown, one, changed=changed) for one in crossings)
        create = (
            f"CREATE TRIGGER {name} AFTER {event.upper()} ON {names.store}\nWHEN {when}\nBEGIN\n  "
            + ";\n  ".join(body)
            + ";\nEND"
        )
        drop = f"DROP TRIGGER IF EXISTS {name}"
        found.append(Piece("trigger", plain, create, drop, on=names.plain(""), public=True))
    return tuple(found)


def _as_json(row: str, column: str) -> str:
    # JSON cannot hold a blob: it is shown in hexadecimal digits.
    value = f"{row}.{column}"
    return f"json_quote(CASE typeof({value}) WHEN 'blob' THEN hex({value}) ELSE {value} END)"
