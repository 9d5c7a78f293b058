"""One chunk of a backfill of the user's: some keys, their rows, and the record of them, in one transaction.

Owns: `Batch` and `Database`, which a user's function sees, and `do_chunk`. Promises: a chunk's keys are those after the cursor,
in the order of the key, whether their rows are wanted or not; what is done to the rows, the cursor and the counters commit
together or not at all; while another row is waited for, several rows are not kept locked for longer than `HASTE`; keys that were
listed before the lock was had are those of now, or listed again. Opens no transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tidemark.contract.walk import Walk, alone, between, bounds
from tidemark.database.session import Session
from tidemark.errors import Fault
from tidemark.model import Backfill
from tidemark.runtime.backfill.pages import Key
from tidemark.runtime.ledger import Ledger
from tidemark.runtime.values import hash_key, pack, unpack

HASTE = "50ms"
"""How long a chunk of several keys waits for a lock. Of one key it waits as long as anybody: it has no other row in hand."""
QUARANTINED = -1
"""The place of the keys that an earlier attempt quarantined, among the ranges."""


@dataclass(frozen=True)
class Batch:
    """The rows of a chunk: `keys` in order (tuples where the key has several columns), and `rows` as mappings of the key and
    of the columns that were asked for."""

    keys: tuple[Any, ...]
    rows: tuple[Mapping[str, Any], ...]

    def __len__(self) -> int:
        return len(self.keys)


class Database:
    """The database as a user's function sees it: statements in the chunk's own transaction. ``:name`` marks a parameter."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.changed = 0

    def run(self, sql: str, parameters: Mapping[str, Any] | None = None) -> int:
        """Run one statement; give the number of rows that it changed."""
        changed = self._session.run(sql, parameters)
        self.changed += changed
        return changed

    def all(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Every row of a query."""
        return self._session.all(sql, parameters)

    def one(self, sql: str, parameters: Mapping[str, Any] | None = None) -> tuple[Any, ...] | None:
        """The first row of a query, or None."""
        return self._session.one(sql, parameters)


@dataclass
class Range:
    """A range of keys: after `low` (None = from the first) up to `high`, done up to `cursor` (None = nothing yet)."""

    place: int
    low: Key | None
    high: Key
    cursor: Key | None = None
    finished: bool = False

    @property
    def begins(self) -> Key | None:
        """The key after which the next chunk begins."""
        return self.low if self.cursor is None else self.cursor

    def refresh(self, ledger: Ledger, backfill: str) -> None:
        """Take over what is committed, when a connection was lost and nobody knows whether its last transaction was."""
        cursor, finished = ledger.all("read_range", {"backfill": backfill, "place": self.place})[0]
        self.cursor, self.finished = None if cursor is None else unpack(cursor), bool(finished)


@dataclass(frozen=True)
class Listed:
    """The keys of a chunk: so many up to `upto`, of which those that are `wanted` stand in the session's batch. `marker` was that
    of the session when they were listed."""

    keys: int
    upto: Key
    wanted: int
    marker: str


@dataclass(frozen=True)
class Step:
    """What a chunk did: keys up to `upto` passed, rows written, and whether the range ends there. `wish` and `nice` are what an
    operator wanted while it committed."""

    keys: int
    written: int
    upto: Key
    finished: bool
    wish: str
    nice: float | None


def prepare(session: Session, walk: Walk) -> None:
    """Make the session's batch, in the caller's transaction, and let the engine look at every text with no row in sight.

    Raises what the engine says of the user's condition and statement.
    """
    session.run(walk.drop_batch)
    session.script(walk.create_batch)
    session.run(between(walk.fill_batch, walk, None), bounds(None, (None,) * len(walk.key)))
    session.all(walk.rows)
    if walk.statement:
        session.run(walk.statement)


def list_chunk(session: Session, walk: Walk, todo: Range, size: int) -> Listed:
    """List the keys of a chunk in the batch, in a transaction of the caller's that only reads, so that nobody waits for it."""
    marker = session.changes_marker()
    keys, upto = _find_end(session, walk, todo, size)
    wanted = _fill(session, walk, walk.fill_batch, todo.begins, upto) if keys else 0
    return Listed(keys, upto, wanted, marker)


def do_chunk(
    ledger: Ledger,
    backfill: Backfill,
    walk: Walk,
    todo: Range,
    size: int,
    *,
    listed: Listed | None = None,
    alone: bool = False,
) -> Step:
    """Do the next `size` keys of a range, or what is left of it, in the caller's transaction; those that are `listed`, if nobody
    has committed anything since. `alone` locks the table and not each of the rows, which is for when nobody else is there;
    raises `Conflict` when somebody is."""
    session, usual = ledger.session, ""
    if alone:
        session.run(walk.lock)
    wish, nice, _ = ledger.all("read_control", {"name": backfill.name})[0]
    if listed is not None and listed.marker == session.changes_marker():
        keys, upto, wanted = listed.keys, listed.upto, listed.wanted
    else:
        keys, upto = _find_end(session, walk, todo, size)
        usual = _hasten(ledger) if keys > 1 and walk.may_lock and not alone else ""
        wanted = _fill(session, walk, walk.fill_locked if alone else walk.fill_batch, todo.begins, upto) if keys else 0
    written = _do_rows(session, backfill, walk) if wanted else 0
    if usual:
        # What is waited for at the commit is ours, and nobody has it for long.
        ledger.value("set_patience", {"patience": usual})
    ended = keys < size or upto == todo.high
    about = {"backfill": backfill.name, "place": todo.place, "cursor": pack(upto), "finished": int(ended)}
    if ledger.run("advance_range", {**about, "rows_done": keys, "rows_written": written}) != 1:
        raise Fault(f"the ledger has no range {todo.place} of {backfill.name} any more", retry_safe=False)
    return Step(keys, written, upto, ended, wish, nice)


def do_key(ledger: Ledger, backfill: Backfill, walk: Walk, key: Key, place: int) -> int:
    """Do one key that had been quarantined, in the caller's transaction; give how many rows were written."""
    if ledger.run("close_quarantine", {"backfill": backfill.name, "key_hash": hash_key(pack(key))}) == 0:
        # It was done by a transaction of which nobody heard whether it was committed.
        return 0
    session = ledger.session
    session.run(walk.clear_batch)
    wanted = session.run(alone(walk.fill_batch, walk), bounds(None, key))
    written = _do_rows(session, backfill, walk) if wanted else 0
    _pass(ledger, backfill, place, key, written, finished=True)
    return written


def quarantine_key(ledger: Ledger, backfill: Backfill, key: Key, place: int, attempt: int, error: str) -> None:
    """Quarantine a key and pass it, in the caller's transaction."""
    about = {"backfill": backfill.name, "key_hash": hash_key(pack(key)), "key": pack(key)}
    ledger.run("add_quarantine", {**about, "attempt": attempt, "error": error})
    _pass(ledger, backfill, place, key, 0, finished=place == QUARANTINED)


def next_key(session: Session, walk: Walk, todo: Range) -> Key | None:
    """The next key of a range, or None when nothing is left of it."""
    low = todo.begins
    found = session.one(between(walk.step, walk, low), {**bounds(low, todo.high), "tidemark_skip": 0})
    return None if found is None else tuple(found)


def _pass(ledger: Ledger, backfill: Backfill, place: int, key: Key, written: int, *, finished: bool) -> None:
    about = {"backfill": backfill.name, "place": place, "cursor": pack(key), "finished": int(finished)}
    ledger.run("advance_range", {**about, "rows_done": 1, "rows_written": written})


def _find_end(session: Session, walk: Walk, todo: Range, size: int) -> tuple[int, Key]:
    """How many keys the next chunk of a range has, and the last of them; fewer than `size` where the range ends with them."""
    low = todo.begins
    found = session.one(between(walk.step, walk, low), {**bounds(low, todo.high), "tidemark_skip": size - 1})
    return (_count(session, walk, low, todo.high), todo.high) if found is None else (size, tuple(found))


def _fill(session: Session, walk: Walk, fill: str, low: Key | None, upto: Key) -> int:
    """Put the keys into the batch whose rows are wanted, after one key up to another; give how many."""
    session.run(walk.clear_batch)
    return session.run(between(fill, walk, low), bounds(low, upto))


def _do_rows(session: Session, backfill: Backfill, walk: Walk) -> int:
    """Do what is wanted to the rows of the batch; give how many were written. Raises whatever is wrong with them."""
    if backfill.function is None:
        return _checked(session.run(walk.statement), backfill)
    found = session.all(walk.rows)
    width = len(walk.key)
    keys = tuple(row[0] if width == 1 else tuple(row[:width]) for row in found)
    database = Database(session)
    said = backfill.function(database, Batch(keys, tuple(dict(zip(walk.columns, row, strict=True)) for row in found)))
    return _checked(database.changed if said is None else said, backfill)


def _hasten(ledger: Ledger) -> str:
    """Bound the waits for locks of the caller's transaction; give what bounded them before."""
    usual = str(ledger.value("read_patience"))
    ledger.value("set_patience", {"patience": HASTE})
    return usual


def _checked(written: object, backfill: Backfill) -> int:
    """A number of rows. What is none must never end a loop as if all were well."""
    if isinstance(written, bool) or not isinstance(written, int) or written < 0:
        raise Fault(
            f"{backfill.name} says that it changed {written!r} rows",
            left_behind="the chunk was rolled back",
            retry_safe=False,
        )
    return written


def _count(session: Session, walk: Walk, low: Key | None, high: Sequence[Any]) -> int:
    row = session.one(between(walk.count, walk, low), bounds(low, high))
    return int(row[0]) if row else 0
