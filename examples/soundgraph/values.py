"""Turns the loose JSON of a block into values of certain types.

An item inside a block may be anything; the functions here answer None for a value that is not what it should be, and the
caller quarantines the item with a reason.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Generic, NamedTuple, TypeVar

LARGEST_ID = 2**31 - 1
"""Ids are stored as 32-bit integers, as in the system that this example follows."""

V = TypeVar("V")
_EPOCH = datetime(1970, 1, 1)
_LATEST = 253_402_300_799
_INTEGER = re.compile(r"-?[0-9]{1,19}", re.ASCII)
_MINUTES = tuple(f" {minute // 60:02}:{minute % 60:02}" for minute in range(1_440))
_SECONDS = tuple(f":{second:02}" for second in range(60))


class EntityEvent(NamedTuple):
    """One entity event whose ids are whole, ready for a rule."""

    user_id: int
    entity_type: str
    action: str
    entity_id: int
    signer: str | None
    metadata: dict[str, Any]
    what: tuple[str, str]
    """Its type and action."""


def whole_number(loose: Any) -> int | None:
    """The integer that a value spells, or None. ``True``, ``1.0``, ``' 1'`` and ``'1_0'`` spell none."""
    if isinstance(loose, int) and not isinstance(loose, bool):
        return loose
    return int(loose) if isinstance(loose, str) and _INTEGER.fullmatch(loose) else None


def identifier(loose: Any) -> int | None:
    """A whole number that can be an id (1 to LARGEST_ID), or None."""
    if type(loose) is str:
        # Most of them are names of nobody, and no expression has to be matched to see that.
        number = int(loose) if loose.isdigit() and loose.isascii() and len(loose) < 20 else None
    else:
        number = whole_number(loose)
    return number if number is not None and 1 <= number <= LARGEST_ID else None


def why_no_identifier(loose: Any) -> str | None:
    """What is wrong with an id, in a word that a reason ends with; None for an id."""
    if whole_number(loose) is None:
        return "not_integer"
    return "out_of_range" if identifier(loose) is None else None


class Remembered(dict[str, V | None], Generic[V]):
    """What texts say, each read once. It keeps them all."""

    def __init__(self, read: Callable[[str], V | None]) -> None:
        super().__init__()
        self._read = read

    def __missing__(self, said: str) -> V | None:
        found = self[said] = self._read(said)
        return found


def natural_number(loose: Any) -> int | None:
    """A whole number from 0 to LARGEST_ID, or None."""
    number = whole_number(loose)
    return number if number is not None and 0 <= number <= LARGEST_ID else None


def moment(seconds: Any) -> str | None:
    """Unix seconds as UTC text ``YYYY-MM-DD HH:MM:SS``, or None for what is no time."""
    if type(seconds) is not int or not 0 <= seconds <= _LATEST:
        return None
    return _day(seconds // 86_400) + _MINUTES[seconds // 60 % 1_440] + _SECONDS[seconds % 60]


@lru_cache(maxsize=4_096)
def _day(days: int) -> str:
    return (_EPOCH + timedelta(days=days)).date().isoformat()


def release_moment(loose: Any) -> str | None:
    """An ISO 8601 time as UTC text, or None."""
    if not isinstance(loose, str):
        return None
    try:
        parsed = datetime.fromisoformat(loose)
        if parsed.tzinfo is not None:
            parsed = parsed.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return None
    return parsed.replace(microsecond=0).isoformat(" ")


def text(loose: Any) -> str | None:
    """A string that both engines can store (no NUL, no lone surrogate), or None for what is no string."""
    if not isinstance(loose, str):
        return None
    if loose.isascii() and "\x00" not in loose:
        return loose
    return loose.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


def flag(loose: Any) -> bool | None:
    """A JSON boolean, or None."""
    return loose if isinstance(loose, bool) else None


def json_text(loose: Any) -> str | None:
    """A JSON value as text that both engines can store, None for null."""
    if loose is None:
        return None
    return json.dumps(loose, separators=(",", ":"), ensure_ascii=True).replace("\\u0000", "")
