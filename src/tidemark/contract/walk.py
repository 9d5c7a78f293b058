"""The contract for walking a table by its key: finished SQL text that the effect tower runs.

Owns: `Walk`, for a table of the user's, and `Pages`, for the keys of a derived one. Promises: a frozen value that can be printed;
every range is after one key up to another, in the order of a unique key, so that a step costs what it takes and never
what was done before. Parameters are those that are listed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tidemark.plain import fingerprint_of

BATCH = "tidemark_batch"
"""The temporary table with the keys of the chunk at hand; its columns have the names of the key's columns."""


@dataclass(frozen=True)
class Walk:
    """How a table is walked by `key`, on one engine.

    A key is ``:tidemark_a0 …`` where a range begins (it is not in it) and ``:tidemark_z0 …`` where it ends (it is in it); texts
    with ``{after}`` have the condition `after` put there when the range has a beginning, `only` when it is that one key alone.
    `drop_batch` and `create_batch` make the temporary table once per session. `last` is the greatest key. `step` is the key
    ``:tidemark_skip`` places behind the first of a range, or nothing when the range ends before; `count` is the number of keys
    in a range. `clear_batch` empties the batch, `fill_batch` puts the keys of a range into it whose rows are wanted, locking
    those rows in key order where the engine has such locks. Where nobody else is connected and `may_lock` says that the role may,
    `lock` takes the whole table instead, or fails at once, and `fill_locked` puts the keys there. `rows` are the `columns` of the
    batch's rows, the key first, in key order. `statement` is the user's own, empty where a function does the work.
    """

    table: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    drop_batch: str
    create_batch: str
    last: str
    step: str
    count: str
    clear_batch: str
    fill_batch: str
    may_lock: str
    lock: str
    fill_locked: str
    rows: str
    statement: str
    after: str
    only: str

    @property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits over every text."""
        return fingerprint_of(self)


@dataclass(frozen=True)
class Pages:
    """Every key in order, some at a time. Keys are ``:a0 …`` after which and ``:z0 …`` up to which they are wanted.

    `last` is the greatest key. `keys` are the next ``:limit`` keys, `after` being put where it says ``{after}`` unless they are
    the first ones; `nulls`, if any, is the one key that is NULL, or nothing. `into` begins a statement that lists keys in
    ``todo``; `place` is the key at a ``:place`` of that list.
    """

    last: str
    keys: str
    after: str
    nulls: str
    into: str
    place: str


def between(text: str, walk: Walk, low: Sequence[Any] | None) -> str:
    """A text of the walk for a range that begins after `low`, or at the first key when that is None."""
    return text.replace("{after}", walk.after if low is not None else "")


def alone(text: str, walk: Walk) -> str:
    """A text of the walk for the one key with which a range would end."""
    return text.replace("{after}", walk.only)


def bounds(low: Sequence[Any] | None, high: Sequence[Any]) -> Mapping[str, Any]:
    """The parameters of a range."""
    begins = {f"tidemark_a{place}": value for place, value in enumerate(low or ())}
    return {**begins, **{f"tidemark_z{place}": value for place, value in enumerate(high)}}
