"""Lists of a tick that asks for the whole result: that, what of it differs from what is stored, and what went.

Owns: `Lists`, and how differences are told. Promises: rows that are spelled alike do not differ; NULL is a value like others.
"""

from __future__ import annotations

from dataclasses import dataclass

from tidemark.render.store import Store


@dataclass(frozen=True)
class Lists:
    """Where the whole result is, and the numbered rows that differ and keys that went; how each is found. `ready` comes last."""

    create: tuple[str, ...]
    evaluate: tuple[str, ...]
    differ: tuple[str, ...]
    went: tuple[str, ...]
    ready: tuple[str, ...]
    result: str
    places: str
    fresh: str
    gone: str
    gone_range: str


def differing(store: Store, whole: str) -> str:
    """The rows of the whole result that are not stored as they are."""
    spelled = ", ".join((*store.columns, *store.spelled))
    return f"(SELECT {spelled} FROM {whole} EXCEPT SELECT {spelled} FROM {store.names.store})"


def gone(store: Store, whole: str) -> str:
    """The keys of stored rows that the whole result has not."""
    keys = store.key_list
    return f"(SELECT {keys} FROM {store.names.store} EXCEPT SELECT {keys} FROM {whole})"
