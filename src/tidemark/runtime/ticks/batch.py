"""The one applier: make the stored rows of a batch of keys equal to the query.

Owns: the order of the statements. Promises: fill, tick and repair all change rows through `apply_batch` and in no other
way; where writers change stored rows, keys are locked before the query is read, in a later statement, so that no write in
between can be lost; only rows that differ are written. Opens no transaction: the caller's also holds the record of what was done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from tidemark.contract.script import Applier, Script
from tidemark.contract.tick import SourceLog, Tick
from tidemark.database.session import Session
from tidemark.errors import Fault
from tidemark.plain import hashable
from tidemark.runtime.duty import Duty
from tidemark.runtime.values import show

_PREPARED: WeakKeyDictionary[Session, dict[tuple[str, int, str], set[str]]] = WeakKeyDictionary()


@dataclass(frozen=True)
class Difference:
    """A row that is not true. `kind` is ``missing``, ``extra`` or ``different``; values are in the order of the applier's
    `compared_columns`, None as a whole where there is no row."""

    kind: str
    key: tuple[Any, ...]
    stored: tuple[Any, ...] | None
    truth: tuple[Any, ...] | None


def prepare(session: Session, script: Script) -> None:
    """Create the session's temporary tables for a script; safe to repeat. Runs in the caller's transaction."""
    _create(session, tables_of(script))


def tables_of(script: Script) -> tuple[str, ...]:
    """The statements that create every temporary table of a script."""
    tick = script.tick
    if tick is None:
        return (*tables_to_compute(script), script.applier.create_todo)
    ways = [way for way in (tick.deltas, tick.full, tick.products) if way is not None]
    others = [*(scan.create_slice for scan in tick.scans), *(table for way in ways for table in way.create)]
    return (*tables_to_compute(script), script.applier.create_todo, *others)


def tables_to_compute(script: Script) -> tuple[str, ...]:
    """Those of them with which units that changes reach are computed."""
    applier, tick = script.applier, script.tick
    return (*tables_of_units(applier), *(tables_to_follow(tick, tick.logs) if tick else ()))


def tables_of_units(applier: Applier) -> tuple[str, ...]:
    """Those with which units are computed that are known."""
    return applier.create_batch, applier.create_fresh, applier.create_stored, *applier.create_rows


def tables_to_follow(tick: Tick, logs: Iterable[SourceLog]) -> tuple[str, ...]:
    """Those with which the changes of some logs are followed to units."""
    return (*(log.create_slice for log in logs), *([tick.create_reached] if tick.create_reached else []))


def tables_of_whole(script: Script) -> tuple[str, ...]:
    """Those with which the whole result takes the place of what is stored, where its texts name them."""
    full, applier = script.tick.full if script.tick else None, script.applier
    if full is None:
        return ()
    shared = (
        one for one in (applier.create_fresh, applier.create_stored) if any(_named(one) in text for text in full.read)
    )
    return (*shared, *full.create)


def _named(create: str) -> str:
    return create.partition(" IF NOT EXISTS ")[2].partition(" ")[0]


def prepare_once(duty: Duty, script: Script, tables: Sequence[str] | None = None) -> None:
    """Create some temporary tables of a script, or all, in a transaction of its own, unless this session has them for this very
    one. A table takes PostgreSQL longer than most of what is done with it."""
    missing = _missing(duty, script, tables_of(script) if tables is None else tables)
    if missing:
        duty.read(partial(_create, duty.session, missing), snapshot=False)
        _prepared(duty, script).update(missing)


@contextmanager
def preparing(duty: Duty, script: Script) -> Iterator[None]:
    """What `prepare_here` makes inside is there afterwards; what is inside and fails takes it along with its transaction."""
    known = _prepared(duty, script)
    before = frozenset(known)
    try:
        yield
    except BaseException:
        known.intersection_update(before)
        raise


def prepare_here(duty: Duty, script: Script, tables: Sequence[str]) -> None:
    """Create those of some temporary tables that this session has not got, in the caller's transaction, inside `preparing`."""
    missing = _missing(duty, script, tables)
    if missing:
        _create(duty.session, missing)
        _prepared(duty, script).update(missing)


def _missing(duty: Duty, script: Script, tables: Sequence[str]) -> list[str]:
    done = _prepared(duty, script)
    return [table for table in tables if table not in done]


def _prepared(duty: Duty, script: Script) -> set[str]:
    known = _PREPARED.setdefault(duty.session, {})
    return known.setdefault((script.name, script.generation, script.fingerprint), set())


def _create(session: Session, tables: Sequence[str]) -> None:
    session.script(*tables)


def take_keys(session: Session, applier: Applier, keys: Iterable[Sequence[Any]]) -> int:
    """Put units into the batch, each once; give their number."""
    count = 0
    for key in each_once(keys):
        session.run(applier.add_key, {f"k{place}": value for place, value in enumerate(key)})
        count += 1
    return count


def take_range(session: Session, applier: Applier, low: int, high: int) -> int:
    """Put the keys of the list after place `low` up to `high` into the batch; give their number.

    Raises `Fault` when the list does not have them all: a key that is not looked at must not count as looked at.
    """
    taken = session.run(applier.take_todo, {"low": low, "high": high})
    if taken != high - low:
        raise Fault(f"the list of keys gave {taken} keys for the {high - low} places after {low}", retry_safe=False)
    return taken


def units_of(applier: Applier, key: Sequence[Any], *rows: Sequence[Any] | None) -> list[tuple[Any, ...]]:
    """The units that a row belongs to: by what is stored under its key, and by what is true."""
    found = []
    for row in rows:
        values = dict(zip(applier.compared_columns, row or (), strict=False))
        values |= dict(zip(applier.key_columns, key, strict=True))
        if all(name in values for name in applier.units):
            found.append(tuple(values[name] for name in applier.units))
    return each_once(found)


def each_once(units: Iterable[Sequence[Any]]) -> list[tuple[Any, ...]]:
    """The units, each once, in their order."""
    return list({hashable(unit): tuple(unit) for unit in units}.values())


def apply_batch(
    session: Session, applier: Applier, take: Callable[[], object], compute: Callable[[], None] | None = None
) -> int:
    """Make the rows of the units that `take` puts into the batch true; give the number of rows written. `compute` has Python give
    the rows of a processor.

    Raises `Fault` when the query gives a key twice.
    """
    session.run(applier.clear_batch)
    take()
    session.run_all(applier.lock)
    _gather(session, applier, compute)
    recompute = applier.recomputing
    return sum(session.run_all([*recompute, *applier.write])[len(recompute) :])


def compute_ahead(session: Session, applier: Applier, take: Callable[[], object]) -> str:
    """Compute the rows of the units that `take` puts into the batch, in a transaction of the caller's that only reads; give the
    session's marker: until somebody else commits, what `write_ahead` writes is true."""
    marker = session.changes_marker()
    session.run(applier.clear_batch)
    take()
    _gather(session, applier, None)
    session.run_all(applier.recomputing)
    return marker


def write_ahead(session: Session, applier: Applier, marker: str) -> int | None:
    """Write the rows that were computed when the session had that marker, in the caller's transaction, in which nobody else can
    commit; give the number of rows written. None where somebody has committed since, and nothing is written."""
    return sum(session.run_all(applier.write)) if session.changes_marker() == marker else None


def compare_batch(
    session: Session, applier: Applier, take: Callable[[], object], compute: Callable[[], None] | None = None
) -> list[Difference]:
    """Rows of the units that `take` puts into the batch that are not true; changes nothing. `compute` is as for `apply_batch`.

    Raises `Fault` when the query gives a key twice.
    """
    session.run(applier.clear_batch)
    take()
    _gather(session, applier, compute)
    session.run_all(applier.recomputing)
    return [_read_difference(applier, row) for row in session.all(applier.compare)]


def _gather(session: Session, applier: Applier, compute: Callable[[], None] | None) -> None:
    if compute is not None:
        compute()
    session.run_all(applier.gather)
    require_keys(session, applier, applier.duplicate)


def require_keys(session: Session, applier: Applier, duplicate: str) -> None:
    """Raises `Fault` when the query `duplicate`, if it is not empty, finds a key that a result has twice."""
    twice = session.one(duplicate) if duplicate else None
    if twice is not None:
        named = ", ".join(f"{name} = {show(value)}" for name, value in zip(applier.key_columns, twice, strict=True))
        raise Fault(
            f"the query gives more than one row for the key {named}",
            left_behind="nothing of this batch was stored; declare a key that identifies a row",
            retry_safe=False,
        )


def _read_difference(applier: Applier, row: tuple[Any, ...]) -> Difference:
    keys, columns = len(applier.key_columns), len(applier.compared_columns)
    if len(row) != 1 + keys + 2 * columns:
        raise Fault(f"a comparison gave {len(row)} values for {keys} keys and {columns} columns", retry_safe=False)
    kind, key = str(row[0]), tuple(row[1 : 1 + keys])
    stored, truth = tuple(row[1 + keys : 1 + keys + columns]), tuple(row[1 + keys + columns :])
    return Difference(kind, key, None if kind == "missing" else stored, None if kind == "extra" else truth)
