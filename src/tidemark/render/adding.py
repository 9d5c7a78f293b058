"""A filling that adds: what stored rows are short of, found in one moment by reading alone, then added a few rows at a time.

Owns: `Adding` of a linear program. Promises: a count that writers keep is what they have added and taken away since capture
began, whether its row was there or not. So what it is short of is what the query says less what is stored, both of one moment,
and that may be added whenever it is, since adding commutes with what writers do. Values that do not add up are put there as they
were read, merged with what writers have made of them: what has left since is found by the verification that always follows.
"""

from __future__ import annotations

from tidemark.contract.ways import Adding
from tidemark.maintenance.program import KeyPart, LinearProgram, Part
from tidemark.render.linear_ticks import merged, respell
from tidemark.render.numbered import RANGE, remove
from tidemark.render.spelling import is_looked_up
from tidemark.render.statements import ORDINAL, qualified
from tidemark.render.store import Store
from tidemark.render.whole import SIDE, can_group, cast


def of_linear(store: Store, program: LinearProgram, rows: str) -> Adding | None:
    """The statements, `rows` being a SELECT of every stored column of the whole state; None where rows are more than that."""
    if not rows or store.keeps_default or not store.parts or not can_group(store):
        return None
    if is_looked_up(store):
        # A key that was read may be spelled otherwise by the time when it is put there.
        return None
    if any(feed.table.pruned for feed in (*program.feeds, *program.anew)):
        # What is stored of rows that are gone is more than the query says.
        return None
    fresh, name, columns = store.names.temporary("fresh"), store.names.store, ", ".join(store.columns)
    every: tuple[KeyPart | Part, ...] = (*store.key, *store.parts)
    values = ", ".join(store.dialect.typed(f"d.{store.column(part)}", part.type) for part in every)
    numbered = f"row_number() OVER (ORDER BY {store.key_of('d')})"
    shown = ", ".join(f"b.{column}" for column in store.columns)
    sets = ", ".join(f"{store.column(part)} = {_together(store, part)}" for part in store.parts)
    tables = tuple(sorted({qualified(table, store.dialect) for table in program.tables}))
    return Adding(
        find=(
            f"DELETE FROM {fresh}",
            f"INSERT INTO {fresh} ({ORDINAL}, {columns}) SELECT {numbered}, {values} FROM ({_short(store, rows)}) AS d",
        ),
        count=f"SELECT count(*) FROM {fresh}",
        add=(
            f"INSERT INTO {name} AS s ({columns}) SELECT {shown} FROM {fresh} AS b WHERE {RANGE} ORDER BY b.{ORDINAL} "
            f"ON CONFLICT ({store.conflict}) DO UPDATE SET {sets}",
            *remove(store, fresh, RANGE, store.is_default),
            *respell(store, program, fresh),
        ),
        tables=tables,
        exact=all(part.kind == "additive" for part in store.parts),
    )


def _short(store: Store, rows: str) -> str:
    """SELECT of the keys whose rows are short of something, and of what: a difference of what adds up, the value of the rest."""
    every: tuple[KeyPart | Part, ...] = (*store.key, *store.parts)
    shown = ", ".join(f"{cast(store, part, f'z.{store.column(part)}')} AS {store.column(part)}" for part in every)
    stored = f"SELECT {', '.join(store.columns)} FROM {store.names.store}"
    sides = " UNION ALL ".join(
        f"SELECT {shown}, {sign} AS {SIDE} FROM ({side}) AS z" for sign, side in ((1, rows), (-1, stored))
    )
    keys = [f"{cast(store, part, f'd.{store.column(part)}')} AS {store.column(part)}" for part in store.key]
    found = [f"{_difference(store, part)} AS {store.column(part)}" for part in store.parts]
    tests = [
        f"{_difference(store, part)} <> 0"
        if part.kind == "additive"
        else f"{_of_side(store, part, '>')} {store.dialect.null_safe_differs} {_of_side(store, part, '<')}"
        for part in store.parts
    ]
    places = ", ".join(str(number) for number in range(1, len(store.key) + 1))
    return f"SELECT {', '.join([*keys, *found])} FROM ({sides}) AS d GROUP BY {places} HAVING {' OR '.join(tests)}"


def _difference(store: Store, part: Part) -> str:
    if part.kind == "additive":
        return f"sum(d.{SIDE} * d.{store.column(part)})"
    return _of_side(store, part, ">")


def _of_side(store: Store, part: Part, sign: str) -> str:
    """The one value of a key on a side."""
    column = f"d.{store.column(part)}"
    if store.dialect.has_arrays:
        return f"(array_agg({column}) FILTER (WHERE d.{SIDE} {sign} 0))[1]"
    return f"max(CASE WHEN d.{SIDE} {sign} 0 THEN {column} END)"


def _together(store: Store, part: Part) -> str:
    """What is stored and what it was short of."""
    mine, other = f"s.{store.column(part)}", f"excluded.{store.column(part)}"
    kind = {"additive": "sum", "highest": "max", "lowest": "min"}.get(part.kind, "")
    # What a writer has copied or computed since is newer than what was read.
    return merged(store, kind, mine, other) if kind else f"coalesce({mine}, {other})"
