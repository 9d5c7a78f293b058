"""Memory that outlives a change of definition: rows of an older store become memory of the new one.

Owns: `carry_memory`. Promises: only what both definitions remember under the same name and type is taken, in chunks; where rows
are kept, that is each column. It is merged and never lowered, so it may be done again, after a kill and at the cutover; nothing
is taken from a table that is not there any more.
"""

from __future__ import annotations

import re
from functools import partial

from tidemark.contract.script import Carried, Carry, Script
from tidemark.dialect import Dialect
from tidemark.errors import Code, Refusal
from tidemark.names import Names
from tidemark.runtime.duty import Duty
from tidemark.runtime.ledger import Installed
from tidemark.runtime.objects.pieces import find_pieces
from tidemark.runtime.pace import choose_patient_pace
from tidemark.runtime.ticks.batch import prepare


def carry_memory(duty: Duty, installed: Installed, before: Installed | None, *, filled: bool = False) -> bool:
    """Take over what is remembered, from the generation before, or else from the user's own table that holds the rows. Once the
    new one is `filled`, a row that it does not have has vanished, and comes back only where rows are kept.

    Gives whether the filling has to begin at its start, since rows may have come that its cursor has passed.
    """
    script = installed.script
    wanted = script.applier.carry
    if wanted is None:
        return False
    older = before or renamed(duty, installed)
    if older is None:
        if installed.live_at is None and installed.cursor_at == 0:
            duty.write(lambda: [duty.session.run(statement) for statement in wanted.adopt])
        return False
    known = older.script.applier.carry
    if known is None or known.key != wanted.key or not _is_there(duty, older.script):
        return False
    keeps_rows = known.rows and wanted.rows
    columns = _shared_rows(duty, script, older.script, wanted) if keeps_rows else _shared(known, wanted)
    if not columns and not keeps_rows:
        return False
    # Elsewhere it is not listed which rows of a unit there are.
    again = keeps_rows or script.applier.units == script.applier.key_columns
    if filled and not again:
        return False
    if not filled and again:
        columns = tuple(one for one in columns if not _freezes_others(one, wanted, columns))
    listing = wanted.list_keys
    if filled and not keeps_rows:
        listing = tuple(_still_there(one, script) for one in listing)
    _walk(duty, script, older.script, listing, _insert(wanted, columns, duty.session.dialect))
    return True


def renamed(duty: Duty, installed: Installed) -> Installed | None:
    """The live generation under the name that the derived table had before, until it is shown under its own."""
    rows = duty.ledger.derived(installed.replaces) if installed.replaces and installed.live_at is None else ()
    return next((row for row in rows if row.live_at is not None), None)


def _is_there(duty: Duty, script: Script) -> bool:
    """Whether the store of a script still exists."""
    present = find_pieces(duty.session, script)
    tables = [piece for piece in script.pieces if piece.kind == "table" and piece.name in present]
    return any(piece.create.startswith(f"CREATE TABLE {script.store} ") for piece in tables)


def _shared(known: Carry, wanted: Carry) -> tuple[Carried, ...]:
    """The columns that both remember."""
    shared = {(one.name, one.type) for one in known.columns}
    return tuple(one for one in wanted.columns if (one.name, one.type) in shared)


def _shared_rows(duty: Duty, script: Script, older: Script, wanted: Carry) -> tuple[Carried, ...]:
    """The columns that both have. Where a row is there already, it keeps of those without memory what it has."""
    old, new = _stored_columns(duty, older), _stored_columns(duty, script)
    folded = {one.name: one for one in wanted.columns}
    quote, key = duty.session.dialect.quote, {name for name, _ in wanted.key}
    shared = [name for name in new if old.get(name) == new[name] and name in script.columns and name not in key]
    return tuple(folded.get(name) or Carried(name, new[name], quote(name), f"s.{quote(name)}") for name in shared)


def _freezes_others(one: Carried, wanted: Carry, columns: tuple[Carried, ...]) -> bool:
    """Whether a column freezes one of which the older definition knows nothing. Taken over before the filling, it would be frozen
    before there is a value: it is taken over once the rows are filled."""
    frozen = f"excluded.{one.quoted} IS TRUE"
    return any(frozen in other.merge for other in wanted.columns if other not in columns)


def _stored_columns(duty: Duty, script: Script) -> dict[str, str]:
    """The types of a store's columns, by name."""
    store = Names(duty.session.dialect, script.name, script.generation).plain("")
    return {str(name): str(type_) for name, type_ in duty.ledger.all("list_stored_columns", {"store": store})}


def _still_there(listing: str, script: Script) -> str:
    """The statement that lists keys of the older store, for those that the new one has."""
    there = f"FROM {script.store}"
    all_keys = r"SELECT DISTINCT (.*) FROM \{old\}"
    return re.sub(all_keys, lambda one: f"{one[0]} INTERSECT SELECT {one[1]} {there}", listing)


def _insert(wanted: Carry, columns: tuple[Carried, ...], dialect: Dialect) -> str:
    """The statement for those columns, which writes no row anew that is as it should be."""
    sets = ", ".join(f"{one.quoted} = {one.merge}" for one in columns)
    other = " OR ".join(
        f"CAST(s.{one.quoted} AS text) {dialect.null_safe_differs} CAST({one.merge} AS text)" for one in columns
    )
    return (
        wanted.insert.replace("{columns}", "".join(f", {one.quoted}" for one in columns))
        .replace("{values}", "".join(f", o.{one.quoted}" for one in columns))
        .replace("{action}", f"DO UPDATE SET {sets} WHERE {other}" if sets else "DO NOTHING")
    )


def _walk(duty: Duty, script: Script, old: Script, listing: tuple[str, ...], insert: str) -> None:
    def listed() -> int:
        prepare(duty.session, script)
        for statement in listing:
            duty.session.run(statement.replace("{old}", old.store))
        row = duty.session.one(script.applier.count_todo)
        return int(row[0]) if row else 0

    def chunk(low: int, high: int) -> int:
        return duty.session.run(insert.replace("{old}", old.store), {"low": low, "high": high})

    total, done, pace = duty.read(listed, snapshot=False).value, 0, choose_patient_pace(duty.session.dialect)
    while done < total:
        duty.check_stop(f"carrying over what {script.name} remembers")
        high = min(total, done + pace.size)
        held = duty.write(partial(chunk, done, high))
        pace.record(high - done, held.hold_ms)
        done = high


def check_carried(before: Installed) -> None:
    """Raises `Refusal` when another definition would have to be computed from rows that are gone."""
    if before.script.pruned:
        raise Refusal(
            Code.UNSUPPORTED,
            f"{', '.join(before.script.pruned)} is pruned: what was counted of rows that are gone cannot be computed again.",
            instead="the new definition under another name; or drop this one first, and begin with the rows that are left",
            derived=before.name,
        )
