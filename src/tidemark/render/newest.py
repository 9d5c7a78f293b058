"""The units that changed last, as far as it can be told without writing anything down.

Owns: a SELECT for each way from a source to units, and one of what a tick had at hand last. Promises: the former read so many
rows as they are asked for (`limit`) from the end of the source's primary key, by its index, and what those join; a source whose
primary key is not one column gives none. The latter reads a temporary table of the session that ticked.
"""

from __future__ import annotations

from tidemark.dialect import Dialect
from tidemark.maintenance.program import KeyedProgram, LinearProgram
from tidemark.model import Table
from tidemark.render.statements import EVERYTHING, ORDINAL, qualified
from tidemark.render.store import Store


def newest_of_linear(store: Store, program: LinearProgram) -> tuple[str, ...]:
    """The keys to which the newest rows of each feed contribute."""
    found = []
    for feed in program.origins:
        rows = "" if program.single else _newest(feed.table, store.dialect)
        if rows:
            keys = ", ".join(
                f"({one.at('r')}){store.dialect.cast(part.type)}" for part, one in zip(store.key, feed.key, strict=True)
            )
            where = f" WHERE {feed.guard.at('r')}" if feed.guard else ""
            found.append(f"SELECT DISTINCT {keys} FROM {rows} AS r{where}")
    return tuple(found)


def newest_of_keyed(store: Store, program: KeyedProgram) -> tuple[str, ...]:
    """The units that the newest rows of each source reach."""
    found = []
    for way in program.routes if program.unit else ():
        rows = "" if way.everywhere else _newest(way.changed.table, store.dialect)
        if rows:
            tables = [f"{rows} AS {store.dialect.quote(way.changed.alias)}"]
            tables += [
                f"{qualified(one.table, store.dialect)} AS {store.dialect.quote(one.alias)}" for one in way.joined
            ]
            tables += [one.in_from() for one in way.calls]
            tests = [f"({scalar.text})" for scalar in way.on]
            pairs = list(zip(program.unit, way.values, strict=True))
            tests += [f"({scalar.text}) IS NOT NULL" for part, scalar in pairs if not part.nullable]
            keys = ", ".join(f"({scalar.text}){store.dialect.cast(part.type)}" for part, scalar in pairs)
            where = f" WHERE {' AND '.join(tests)}" if tests else ""
            found.append(f"SELECT DISTINCT {keys} FROM {', '.join(tables)}{where}")
    return tuple(found)


def last_ticked(store: Store, table: str) -> tuple[str, ...]:
    """The units of a temporary table that a tick has filled; none where there is one unit alone, which is everything."""
    if EVERYTHING in store.units.key:
        return ()
    return (f"SELECT {store.units.key_list} FROM {store.names.temporary(table)} ORDER BY {ORDINAL} LIMIT :limit",)


def _newest(table: Table, dialect: Dialect) -> str:
    """The newest rows of a source as a FROM item; empty where nothing says which those are."""
    key = table.primary_key
    if key is None or len(key.terms) != 1 or not isinstance(key.terms[0], str) or table.column(key.terms[0]) is None:
        return ""
    return f"(SELECT * FROM {qualified(table, dialect)} ORDER BY {dialect.quote(key.terms[0])} DESC LIMIT :limit)"
