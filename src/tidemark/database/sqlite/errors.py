"""What SQLite's errors mean for us.

Owns: `translate`, `translate_query` and the reading of their messages. Promises: an error of the driver becomes a
`Conflict`, a `Refusal` or a `Fault` with SQLite's own sentence in it.
"""

from __future__ import annotations

import re
import sqlite3

from tidemark.database.session import Cancelled, Conflict, Exhausted, Unacceptable
from tidemark.errors import Code, Fault, Place, Refusal

_ROLLED_BACK = "the transaction was rolled back"
_ROOM = f"{_ROLLED_BACK}; make room first"
_NO_TABLE = re.compile(r"no such (?:table|view): (?P<name>.*)")
_NO_COLUMN = re.compile(r"(?:no such column: (?P<name>.*)|ambiguous column name: (?P<twice>.*))")
_NEAR = re.compile(r'near "(?P<text>.*)": syntax error', re.DOTALL)
# What functions say of a value, with the code that a text which cannot be prepared has.
_OF_DATA = re.compile(
    r"malformed JSON|JSON path error|bad JSON path|JSON cannot hold|json_object\(\) labels|integer overflow|pattern too complex"
    r"|ESCAPE expression must|must be a (?:positive|non-negative)|^user-defined (?:function|aggregate)"
)
_EXISTS = re.compile(
    r"(?:table|index|trigger|view|there is already an? \w+ named) .*already exists|already an? \w+ named"
)


def primary_code(error: sqlite3.Error) -> int:
    """SQLite's error code without its extension; `sqlite3.SQLITE_ERROR` when the driver gives none."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return int(code) & 0xFF


def translate(error: sqlite3.Error, label: str) -> Exception:
    """What to raise for `error`; the transaction, if any, is to be rolled back."""
    code = primary_code(error)
    said = " ".join(str(error).split())
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL):
        return Conflict(f"{label} is busy: {said}")
    if code == sqlite3.SQLITE_INTERRUPT:
        return Cancelled(f"a statement on {label} was cancelled")
    if code == sqlite3.SQLITE_READONLY:
        return Refusal(
            Code.READ_ONLY,
            f"{label} cannot be written: {said}.",
            instead="open a database file that this user may write, in a folder that it may write",
        )
    if code == sqlite3.SQLITE_NOTADB:
        return Refusal(
            Code.DATABASE_URL,
            f"{label} is not a SQLite database, or it is encrypted.",
            instead="name the file that your application opens with SQLite",
        )
    if code in (sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG):
        return Unacceptable(f"{label} did not accept a row: {said}")
    if code == sqlite3.SQLITE_ERROR and _OF_DATA.search(said) is not None:
        return Unacceptable(f"{label} cannot compute a value: {said}", left_behind=_ROLLED_BACK)
    if code == sqlite3.SQLITE_ERROR:
        return _translate_text(said, None)
    if code == sqlite3.SQLITE_FULL:
        return Exhausted(
            f"no room is left on the disk of {label}, or on that of temporary files: {said}", left_behind=_ROOM
        )
    if code == sqlite3.SQLITE_IOERR:
        # SQLite does not say of a file that cannot grow why it cannot.
        name = getattr(error, "sqlite_errorname", "SQLITE_IOERR")
        return Exhausted(f"the disk of {label} failed, or is full: {said} ({name})", left_behind=_ROOM)
    if code == sqlite3.SQLITE_NOMEM:
        return Exhausted(f"no memory is left for {label}: {said}", left_behind=_ROLLED_BACK)
    return Fault(f"{label} failed: {said}", left_behind=_ROLLED_BACK, retry_safe=code != sqlite3.SQLITE_CORRUPT)


_INSTEAD = (
    ("row value misused", "each of its values as a column of its own"),
    ('near "ORDER"', "the aggregate over a subquery with ORDER BY, where it is one that is ordered"),
)
"""What to write in the place of what SQLite does not accept."""


def translate_query(error: sqlite3.Error, query: str, label: str) -> Exception:
    """What to raise for an error in preparing the user's `query`."""
    if primary_code(error) != sqlite3.SQLITE_ERROR:
        return translate(error, label)
    return _translate_text(" ".join(str(error).split()), query)


def _translate_text(said: str, query: str | None) -> Refusal:
    if (table := _NO_TABLE.search(said)) is not None:
        return _refuse(Code.UNKNOWN_TABLE, said, "name a table or view of this database", query, table["name"])
    if (column := _NO_COLUMN.search(said)) is not None:
        name = column["name"] or column["twice"]
        return _refuse(Code.UNKNOWN_COLUMN, said, "name a column of the tables in the query", query, name)
    if _EXISTS.search(said):
        return _refuse(Code.NAME_TAKEN, said, "choose another name, or remove the object that has it", query, "")
    near = _NEAR.search(said)
    instead = next((known for part, known in _INSTEAD if part in said), "write a query that SQLite accepts")
    return _refuse(Code.PARSE, said, instead, query, near["text"] if near else "")


def _refuse(code: Code, said: str, instead: str, query: str | None, text: str) -> Refusal:
    return Refusal(code, f"SQLite says: {said.rstrip('.')}.", instead=instead, place=_find(query, text))


def _find(query: str | None, text: str) -> Place | None:
    """Where the text stands in the query, when it stands there exactly once: SQLite does not say where."""
    if not query or not text:
        return None
    found = list(re.finditer(rf"(?<!\w){re.escape(text)}(?!\w)", query))
    if len(found) != 1:
        return None
    before = query[: found[0].start()]
    return Place(before.count("\n") + 1, len(before) - before.rfind("\n"), text)
