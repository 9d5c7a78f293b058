"""Keys in a numbered list beside the store: those that a step takes, the stored row of each, and what is removed and written.

Owns: `RANGE`, how a numbered key finds its row, `remove` and `write`. Promises: a key finds its row by an index, one with a NULL
too where the engine has a way; rows are written in the order of their keys.
"""

from __future__ import annotations

from collections.abc import Callable

from tidemark.render.statements import ORDINAL
from tidemark.render.store import Store

RANGE = f"b.{ORDINAL} > :low AND b.{ORDINAL} <= :high"
"""That a numbered key ``b`` is one of those that a step takes."""


def joins_of(store: Store) -> list[str]:
    """Conditions that join a numbered key ``b`` with its stored row ``s``: by an index, and for keys with a NULL apart."""
    if apart := store.by_nulls("s", "b"):
        return [on for on, _ in apart]
    values = [f"b.{store.column(part)}" for part in store.key]
    if not store.finds_nulls_apart:
        return [store.join("s", values)]
    plain = " AND ".join(f"s.{store.column(part)} = {value}" for part, value in zip(store.key, values, strict=True))
    return [plain, store.match("s", values)]


def which_join(store: Store, join: int) -> str:
    """The numbered keys that one of those conditions is for."""
    if apart := store.by_nulls("s", "b"):
        return f" AND ({apart[join][1]})"
    if not store.finds_nulls_apart:
        return ""
    return f" AND {'' if join else 'NOT '}({store.has_null('b')})"


def remove(store: Store, listed: str, which: str, only: Callable[[str], str] | None = None) -> tuple[str, ...]:
    """Delete the stored rows of those keys of a numbered table that `which` picks; `only` those for which that is true."""
    name = store.names.store
    if store.dialect.deletes_joined:
        also = f" AND {only('s')}" if only else ""
        return tuple(
            f"DELETE FROM {name} AS s USING {listed} AS b WHERE {join} AND {which}{which_join(store, number)}{also}"
            for number, join in enumerate(joins_of(store))
        )
    return (f"DELETE FROM {name} WHERE {stored_rows(store, listed, which)}{f' AND {only(name)}' if only else ''}",)


def stored_rows(store: Store, listed: str, which: str) -> str:
    """That a row of the store is one of those, in SQLite's words: by its rowid where the index is one over expressions."""
    if store.indexes_expressions:
        joined = f"{listed} AS b JOIN {store.names.store} AS s ON {joins_of(store)[0]}"
        return f"{store.rowid} IN (SELECT s.{store.rowid} FROM {joined} WHERE {which})"
    return f"({store.key_list}) IN (SELECT {store.key_of('b')} FROM {listed} AS b WHERE {which})"


def write(store: Store) -> tuple[str, ...]:
    """Make the store equal to ``fresh`` for the batch; rows that do not differ are not written."""
    fresh, stored = store.names.temporary("fresh"), store.names.temporary("stored")
    action = f"DO UPDATE SET {store.assignments}" if store.assignments else "DO NOTHING"
    upsert = (
        f"INSERT INTO {store.names.store} AS s ({', '.join(store.columns)}) SELECT {', '.join(store.columns)} FROM {fresh} AS f "
        f"WHERE NOT EXISTS (SELECT 1 FROM {stored} AS o WHERE o.{ORDINAL} = f.{ORDINAL} AND {store.identical('o', 'f')}) "
        f"ORDER BY {store.key_list} ON CONFLICT ({store.conflict}) {action}"
    )
    gone = f"NOT EXISTS (SELECT 1 FROM {fresh} AS f WHERE f.{ORDINAL} = b.{ORDINAL})"
    return (upsert, *remove(store, stored, gone))
