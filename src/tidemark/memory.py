"""Columns with memory: what a user writes in ``keep=``.

Owns: `ratchet`, `first`, `event_time`, `position` and the frozen values that they give. Promises: a memory says how a stored
value and a computed one become the next stored value, and nothing of how that is done.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Moment:
    """What a stream says of the block that it took last: its `time` or its `position`. `stream` is empty for the only one."""

    what: Literal["time", "position"]
    stream: str = ""


@dataclass(frozen=True)
class Ratchet:
    """Never goes back: the greater of the stored and the computed value, OR for booleans. NULL gives way to any value."""


@dataclass(frozen=True)
class First:
    """Frozen: once it is not NULL, or, with `when`, once that column is true.

    `value` is what is kept: None for the computed value, else the time or the position of the block that completed it, and the
    computed value only where no block says one.
    """

    value: Moment | None = None
    when: str | None = None


Memory = Ratchet | First


def dated(keep: Iterable[tuple[str, Memory]]) -> dict[str, Moment]:
    """The columns that keep what a stream says of a block."""
    return {name: kept.value for name, kept in keep if isinstance(kept, First) and kept.value is not None}


def ratchet() -> Ratchet:
    """A column that never goes back: max, or OR for booleans."""
    return Ratchet()


def first(value: Moment | None = None, when: str | None = None) -> First:
    """A column that is frozen once it is not NULL, or once column `when` is true, with the value of that moment.

    `value` is None for the computed value, `event_time()` or `position()`: then the column is NULL before that moment.
    """
    return First(value, when)


def event_time(stream: str = "") -> Moment:
    """The time of the block in which a row was completed. `stream` may be left out where the project has one."""
    return Moment("time", stream)


def position(stream: str = "") -> Moment:
    """The position of the block in which a row was completed. `stream` may be left out where the project has one."""
    return Moment("position", stream)
