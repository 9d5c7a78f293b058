"""Columns with memory: what a user writes in ``keep=``.

Owns: `ratchet`, `first`, `event_time`, `position` and the frozen values that they give. Promises: a memory says how a stored
value and a computed one become the next stored value, and nothing of how that is done.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Moment = Literal["event_time", "position"]


@dataclass(frozen=True)
class Ratchet:
    """Never goes back: the greater of the stored and the computed value, OR for booleans. NULL gives way to any value."""


@dataclass(frozen=True)
class First:
    """Frozen: once it is not NULL, or, with `when`, once that column is true.

    `value` is what is kept: None for the computed value, else the time or the position of the event that completed it.
    """

    value: Moment | None = None
    when: str | None = None


Memory = Ratchet | First


def ratchet() -> Ratchet:
    """A column that never goes back: max, or OR for booleans."""
    return Ratchet()


def first(value: Moment | None = None, when: str | None = None) -> First:
    """A column that is frozen once it is not NULL, or once column `when` is true, with the value of that moment.

    `value` is None for the computed value, `event_time()` or `position()`.
    """
    return First(value, when)


def event_time() -> Moment:
    """The time of the event that completed a row, in a stream."""
    return "event_time"


def position() -> Moment:
    """The position of the event that completed a row, in a stream."""
    return "position"
