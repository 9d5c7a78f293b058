"""The user's query, restricted to the keys of a batch, and its keys alone.

Owns: where the restriction goes. Promises: it goes as deep as it can without changing the result, so that it can reach an index.
"""

from __future__ import annotations

from tidemark.maintenance.program import KeyedProgram
from tidemark.query.keys import has_index
from tidemark.render.statements import Store


def restricted(store: Store, program: KeyedProgram, *, nulls: bool) -> str:
    """The user's query for the units of the batch only: those without NULL, or those with one."""
    if not program.unit:
        return program.block.sql()
    store = store.units
    batch = store.names.temporary("batch")
    scalars = [f"({scalar.text})" for scalar in program.unit_scalars]
    if nulls:
        some = " OR ".join(f"x.{store.column(part)} IS NULL" for part in store.key if part.nullable)
        pairs = zip(store.key, scalars, strict=True)
        match = " AND ".join(f"x.{store.column(p)} {store.equal(p, nulls=True)} {s}" for p, s in pairs)
        here = " OR ".join(f"{s} IS NULL" for p, s in zip(store.key, scalars, strict=True) if p.nullable)
        condition = (
            f"({here}) AND EXISTS (SELECT 1 FROM {batch} AS x WHERE {some}) "
            f"AND EXISTS (SELECT 1 FROM {batch} AS x WHERE {match})"
        )
    elif len(scalars) == 1:
        condition = f"{scalars[0]} IN (SELECT x.{store.column(store.key[0])} FROM {batch} AS x)"
    else:
        columns = ", ".join(f"x.{store.column(part)}" for part in store.key)
        condition = f"({', '.join(scalars)}) IN (SELECT {columns} FROM {batch} AS x)"
    return program.block.sql(condition)


def keys_of_query(store: Store, program: KeyedProgram) -> str:
    """SELECT of every unit that the query has; of the one that there is where it has no columns."""
    if not program.unit:
        return f"SELECT 1 AS {store.units.key_list}"
    keys = ", ".join(f"q.{store.column(part)}" for part in store.units.key)
    return f"SELECT {keys} FROM ({program.block.sql()}) AS q"


def is_indexed(program: KeyedProgram) -> bool:
    """True when an index leads with a column of the unit."""
    columns = [scalar.column for scalar in program.unit_scalars if scalar.column is not None]
    tables = {occurrence.alias: occurrence.table for occurrence in program.block.occurrences}
    return any(has_index(tables[alias], (name,)) for alias, name in columns if alias in tables)
