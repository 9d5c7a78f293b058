"""SQLite: triggers on the stored rows that write crossings into the outbox.

Owns: the pieces of a derived table's crossings on SQLite. Promises: nothing in them can fail for a value that a store
holds, and no conflict policy of an outer statement has anything to act on.
"""

from __future__ import annotations

from collections.abc import Sequence

from tidemark.contract.script import Piece
from tidemark.maintenance.program import KeyPart
from tidemark.model import Crossing
from tidemark.names import ledger
from tidemark.render.crossings import Known, Shown, crossing_select, json_object, reached

NUMERIC = "typeof({}) IN ('integer', 'real')"
_EXACT = ("INTEGER", "INT", "TEXT")
"""Types of which no usual value is a real number, whose text in JSON may have too few digits."""
_FOLDED = {None: "{}", "BINARY": "{}", "NOCASE": "lower({})"}
"""What texts have in common that a collation takes for equal. Of one that an application registers we know nothing."""


def crossing_pieces(
    shown: Shown, crossings: Sequence[Crossing], path: tuple[str, ...], by_batch: bool
) -> tuple[Piece, ...]:
    """A trigger for rows that come and one for rows that change. `path` and `by_batch` have no meaning here."""
    names, known = shown.store.names, _known(shown)
    found = []
    for event, changed in (("insert", False), ("update", True)) if crossings else ():
        name, plain = names.own("crossing", event), names.plain("crossing", event)
        body = [
            f"INSERT INTO {ledger(names.dialect, 'outbox')} ({known.columns(one)})\n  "
            f"{crossing_select(shown, one, known, _as_json, NUMERIC, changed=changed)}"
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


def _known(shown: Shown) -> Known:
    quote = shown.store.dialect.quote
    inexact = {quote(part.name) for part in shown.key if part.type.upper() not in _EXACT}

    def exactly(row: str, column: str) -> str:
        value = f"{row}.{column}"
        short = f"typeof({value}) = 'real' AND CAST(CAST({value} AS TEXT) AS REAL) <> {value}"
        # A blob is no text that consists of its digits.
        plain = f"CASE typeof({value}) WHEN 'blob' THEN '{{\"hex\":\"' || hex({value}) || '\"}}' ELSE json_quote({value}) END"
        return f"CASE WHEN {short} THEN printf('%!.17g', {value}) ELSE {plain} END" if column in inexact else plain

    text = json_object("n", shown.key_names, exactly, shown.store.dialect)
    loose = any(part.spelling != "one" for part in shown.key)
    if not loose or any(part.collation not in _FOLDED for part in shown.key):
        return Known(text)
    return Known(text, " || ',' || ".join(_in_common(part, f"n.{quote(part.name)}") for part in shown.key))


def _in_common(part: KeyPart, value: str) -> str:
    """The same text for equal values, and another for others: digits of a text are none of a number."""
    whole = f"typeof({value}) = 'real' AND {value} = CAST({value} AS INTEGER)"
    folded = _FOLDED[part.collation].format(value)
    return (
        f"CASE WHEN typeof({value}) = 'text' THEN 't' || hex({folded}) "
        f"WHEN {whole} THEN quote(CAST({value} AS INTEGER)) ELSE quote({value}) END"
    )


def _as_json(row: str, column: str) -> str:
    # JSON cannot hold a blob: it is shown in hexadecimal digits.
    value = f"{row}.{column}"
    return f"json_quote(CASE typeof({value}) WHEN 'blob' THEN hex({value}) ELSE {value} END)"
