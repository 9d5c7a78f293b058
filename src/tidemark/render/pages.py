"""Every key of a derived table, page by page: for a first filling that never reads them all at once.

Owns: `pages_of` and `compared`. Promises: a page is the next keys in order, of the query or of the store, from an index of each
source; there are no pages where the order of keys could be another one to a comparison than to a sort: the keys are listed whole
then.
"""

from __future__ import annotations

from collections.abc import Sequence

from tidemark.contract.walk import Pages
from tidemark.render.statements import EVERYTHING
from tidemark.render.store import Store


def compared(key: Sequence[str], sign: str, prefix: str) -> str:
    """That a row's key stands so to the key that parameters with that prefix are."""
    values = ", ".join(f":{prefix}{place}" for place in range(len(key)))
    return f"{key[0]} {sign} {values}" if len(key) == 1 else f"({', '.join(key)}) {sign} ({values})"


def pages_of(store: Store, keys_of_query: Sequence[str]) -> Pages | None:
    """The pages of the keys that some SELECTs and the store have; None where there cannot be any."""
    keys = store.key
    nullable = any(part.nullable for part in keys)
    if EVERYTHING in keys or any(part.collation for part in keys) or (nullable and len(keys) > 1):
        return None
    names = store.key_list
    quoted = [store.column(part) for part in keys]
    arms = [*keys_of_query, f"SELECT {names} FROM {store.names.store}"]
    some = [
        f"SELECT * FROM (SELECT DISTINCT {names} FROM ({arm}) AS a WHERE {compared(quoted, '<=', 'z')}{{after}} "
        f"ORDER BY {names} LIMIT :limit) AS p"
        for arm in arms
    ]
    falling = ", ".join(f"{store.column(part)} DESC" for part in keys)
    known = " AND ".join(f"{store.column(part)} IS NOT NULL" for part in keys)
    last = [
        f"SELECT * FROM (SELECT {names} FROM ({arm}) AS a WHERE {known} ORDER BY {falling} LIMIT 1) AS p"
        for arm in arms
    ]
    nulls = (
        " UNION ".join(f"SELECT {names} FROM ({arm}) AS a WHERE {names} IS NULL" for arm in arms) if nullable else ""
    )
    return Pages(
        last=f"SELECT * FROM ({' UNION ALL '.join(last)}) AS k ORDER BY {falling} LIMIT 1",
        keys=f"SELECT * FROM ({' UNION '.join(some)}) AS k ORDER BY {names} LIMIT :limit",
        after=f" AND {compared(quoted, '>', 'a')}",
        nulls=f"SELECT * FROM ({nulls}) AS k LIMIT 1" if nulls else "",
        into=f"INSERT INTO {store.names.temporary('todo')} ({names})",
        place=f"SELECT {names} FROM {store.names.temporary('todo')} WHERE tidemark_n = :place",
    )
