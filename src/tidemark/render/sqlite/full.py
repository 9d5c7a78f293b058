"""SQLite: the lists of a tick that asks for the whole result.

Owns: `lists`. Promises: places are given by SQLite itself, as rows come in key order.
"""

from __future__ import annotations

from tidemark.maintenance.program import KeyPart, Part
from tidemark.render import lists as texts
from tidemark.render.lists import Lists
from tidemark.render.numbered import RANGE
from tidemark.render.sqlite.phrases import numbered
from tidemark.render.statements import ORDINAL
from tidemark.render.store import Store


def lists(store: Store, rows: str) -> Lists:
    """Three tables, of which two are numbered."""
    whole, fresh, gone = (store.names.temporary(kind) for kind in ("whole", "fresh", "stored"))
    every: tuple[KeyPart | Part, ...] = (*store.key, *store.parts)
    columns = ", ".join(store.columns)
    return Lists(
        create=(f"CREATE TEMP TABLE IF NOT EXISTS {whole} ({', '.join(store.definition(part) for part in every)})",),
        evaluate=(f"DELETE FROM {whole}", f"INSERT INTO {whole} ({columns}) {rows}", f"DELETE FROM {fresh}"),
        differ=(
            numbered(fresh, ORDINAL, columns, texts.differing(store, whole), store.key_list),
            f"DELETE FROM {gone}",
        ),
        went=(numbered(gone, ORDINAL, store.key_list, texts.gone(store, whole), store.key_list),),
        ready=(),
        result=whole,
        places=f"SELECT count(*) AS n FROM {fresh} UNION ALL SELECT count(*) FROM {gone}",
        fresh=fresh,
        gone=gone,
        gone_range=RANGE,
    )
