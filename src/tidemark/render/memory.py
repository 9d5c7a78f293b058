"""Memory in a batch: what is stored and what is computed become what is to be stored.

Owns: the fold, the values that a block dates, and how memory moves from an older store. Promises: the fold is the last step of
every recompute, so that filling, ticks, verification and repair all know the same truth; nothing that is kept is ever
lowered, thawed or dropped by it.
"""

from __future__ import annotations

from tidemark.contract.script import Carried, Carry
from tidemark.maintenance.program import Remembered
from tidemark.memory import First, Memory, Moment, dated
from tidemark.names import ledger
from tidemark.render.statements import ORDINAL
from tidemark.render.store import Store


def values_of_query(store: Store, memory: Remembered) -> dict[str, str]:
    """What stands in ``fresh`` for each public column, over a row ``q`` of the query: for a column that keeps a moment what its
    stream says, in the statement that reads the row, so that both are of one snapshot."""
    quote, moments = store.dialect.quote, dated(memory.columns)
    names = [*(part.name for part in store.key), *(part.name for part in store.parts)]
    found = {name: f"q.{quote(name)}" for name in names}
    types = {part.name: part.type for part in store.parts}
    for name, moment in moments.items():
        kept, value = memory.of(name), f"coalesce({_said(store, moment, types[name])}, {found[name]})"
        when = kept.when if isinstance(kept, First) else None
        found[name] = value if when is None else f"CASE WHEN {found[when]} IS TRUE THEN {value} END"
    return found


def _said(store: Store, moment: Moment, type_: str) -> str:
    """What a stream says of the block that it took last, as a column of that type holds it."""
    column, where = (
        "at_position",
        f"FROM {ledger(store.dialect, 'stream')} AS m WHERE m.name = {store.dialect.literal(moment.stream)}",
    )
    if moment.what == "time":
        column = "at_moment" if type_.startswith("timestamp") else "at_time"
    value = f"m.{column}"
    if store.dialect.types_are_fixed and type_.startswith("timestamp"):
        # The text is in UTC, whatever the session's time zone is.
        value = f"({value} || '+00')" if type_ == "timestamp with time zone" else value
    elif store.dialect.types_are_fixed and (type_, moment.what) == ("bigint", "time"):
        value = f"CASE WHEN {value} ~ '^-?[0-9]{{1,18}}$' THEN {value} END"
    return f"(SELECT {store.dialect.typed(value, type_)} {where})"


def fold(store: Store, memory: Remembered) -> tuple[str, ...]:
    """Bring what is stored into ``fresh``: the value of each column with memory, and rows that stay."""
    if memory.is_empty:
        return ()
    fresh, stored = store.names.temporary("fresh"), store.names.temporary("stored")
    found = []
    if memory.columns:
        sets = ", ".join(
            f"{store.dialect.quote(name)} = {folded(store, name, kept, 'o', 'f')}" for name, kept in memory.columns
        )
        found.append(f"UPDATE {fresh} AS f SET {sets} FROM {stored} AS o WHERE o.{ORDINAL} = f.{ORDINAL}")
    if memory.keeps_rows:
        columns = ", ".join((ORDINAL, *store.columns))
        found.append(
            f"INSERT INTO {fresh} ({columns}) SELECT {columns} FROM {stored} AS o "
            f"WHERE NOT EXISTS (SELECT 1 FROM {fresh} AS f WHERE f.{ORDINAL} = o.{ORDINAL})"
        )
    return tuple(found)


def folded(store: Store, name: str, kept: Memory, old: str, new: str) -> str:
    """The next value of a column, from the rows named `old` and `new`."""
    column = store.dialect.quote(name)
    before, after = f"{old}.{column}", f"{new}.{column}"
    if not isinstance(kept, First):
        return f"CASE WHEN {before} IS NULL OR {after} > {before} THEN {after} ELSE {before} END"
    if kept.when is None or kept.value is not None:
        return f"CASE WHEN {before} IS NULL THEN {after} ELSE {before} END"
    return f"CASE WHEN {old}.{store.dialect.quote(kept.when)} IS TRUE THEN {before} ELSE {after} END"


def carry(store: Store, memory: Remembered) -> Carry | None:
    """How rows of an older store become memory of this one; None without memory."""
    if memory.is_empty:
        return None
    dialect, unit = store.dialect, store.units
    todo = store.names.temporary("todo")
    clear = store.phrases.clear_list(todo)
    keys = store.key_of("o")
    on = (
        unit.match("o", [f"t.{unit.column(part)}" for part in unit.key if not part.hidden])
        if _has_columns(unit)
        else "1 = 1"
    )
    listed = f"SELECT DISTINCT {unit.key_list} FROM {{old}}" if _has_columns(unit) else "SELECT 1"
    types = {part.name: part.type for part in store.parts}
    return Carry(
        key=tuple((part.name, part.type) for part in store.key),
        columns=tuple(
            Carried(name, types[name], dialect.quote(name), folded(store, name, kept, "excluded", "s"))
            for name, kept in memory.columns
        ),
        rows=memory.keeps_rows or memory.from_now,
        list_keys=(clear, f"INSERT INTO {todo} ({unit.key_list}) {listed} ORDER BY 1"),
        insert=(
            f"INSERT INTO {store.names.store} AS s ({store.key_list}{{columns}}) SELECT {keys}{{values}} FROM {{old}} AS o "
            f"JOIN {todo} AS t ON {on} WHERE t.{ORDINAL} > :low AND t.{ORDINAL} <= :high "
            f"ON CONFLICT ({store.conflict}) {{action}}"
        ),
    )


def _has_columns(unit: Store) -> bool:
    return not any(part.hidden for part in unit.key)
