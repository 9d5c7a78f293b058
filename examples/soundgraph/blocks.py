"""Reads blocks from a file, and turns their loose JSON into values of certain types.

A file is JSON lines, plain or gzipped: ``{"block": height, "timestamp": unix seconds, "txs": [...]}``. An item inside
a block may be anything; the functions here answer None for a value that is not what it should be, and the caller keeps
the evidence. A line that is no block at all stops the reading: skipping one would lose events silently.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, cast

LARGEST_ID = 2**31 - 1
"""Ids are stored as 32-bit integers, as in the system that this example follows."""

_EPOCH = datetime(1970, 1, 1)
_LATEST = 253_402_300_799
_INTEGER = re.compile(r"-?[0-9]{1,19}", re.ASCII)


class BadBlock(ValueError):
    """A line of the file is not a block. Says the file, the line and what is wrong."""


@dataclass(frozen=True, slots=True)
class Block:
    """One block: its height, its time in unix seconds, its transactions as loose JSON values."""

    height: int
    timestamp: int
    transactions: list[Any]


@dataclass(frozen=True, slots=True)
class Event:
    """One entity event whose ids are whole, ready for a rule."""

    user_id: int
    entity_type: str
    action: str
    entity_id: int
    signer: str | None
    metadata: dict[str, Any]


class BlockFile:
    """A file of blocks that knows how far it has been read (``position`` of ``size``, bytes on disk)."""

    def __init__(self, path: Path) -> None:
        """Opens the file. Raises OSError."""
        self.path = path
        self.size = path.stat().st_size
        self._raw: BinaryIO = path.open("rb")
        compressed = self._raw.read(2) == b"\x1f\x8b"
        self._raw.seek(0)
        self._lines = cast(BinaryIO, gzip.GzipFile(fileobj=self._raw)) if compressed else self._raw

    @property
    def position(self) -> int:
        """Bytes of the file on disk that have been consumed."""
        return min(self._raw.tell(), self.size)

    def __iter__(self) -> Iterator[Block]:
        for number, line in enumerate(self._lines, start=1):
            if line.strip():
                yield parse_block(line, f"{self.path}, line {number}")

    def close(self) -> None:
        """Closes the file; reading it afterwards is an error."""
        self._lines.close()
        self._raw.close()


def parse_block(line: bytes, place: str) -> Block:
    """One line as a block. Raises BadBlock naming ``place``."""
    try:
        loose = json.loads(line.decode())
    except ValueError as error:
        raise BadBlock(f"{place}: this is not JSON in UTF-8 ({error}).") from error
    if not isinstance(loose, dict):
        raise BadBlock(f"{place}: a block is a JSON object.")
    height, timestamp, transactions = loose.get("block"), loose.get("timestamp"), loose.get("txs")
    if not isinstance(height, int) or not 0 <= height <= LARGEST_ID:
        raise BadBlock(f"{place}: 'block' should be a height, not {height!r}.")
    if not isinstance(timestamp, int) or not 0 <= timestamp <= _LATEST:
        raise BadBlock(f"{place}: 'timestamp' should be unix seconds, not {timestamp!r}.")
    if not isinstance(transactions, list):
        raise BadBlock(f"{place}: 'txs' should be a list.")
    return Block(height, timestamp, transactions)


def whole_number(loose: Any) -> int | None:
    """The integer that a value spells, or None. ``True``, ``1.0``, ``' 1'`` and ``'1_0'`` spell none."""
    if isinstance(loose, int) and not isinstance(loose, bool):
        return loose
    return int(loose) if isinstance(loose, str) and _INTEGER.fullmatch(loose) else None


def identifier(loose: Any) -> int | None:
    """A whole number that can be an id (1 to LARGEST_ID), or None."""
    number = whole_number(loose)
    return number if number is not None and 1 <= number <= LARGEST_ID else None


def natural_number(loose: Any) -> int | None:
    """A whole number from 0 to LARGEST_ID, or None."""
    number = whole_number(loose)
    return number if number is not None and 0 <= number <= LARGEST_ID else None


def moment(seconds: Any) -> str | None:
    """Unix seconds as UTC text ``YYYY-MM-DD HH:MM:SS``, or None for what is no time."""
    if not isinstance(seconds, int) or isinstance(seconds, bool) or not 0 <= seconds <= _LATEST:
        return None
    return _spelled(seconds)


@lru_cache(maxsize=4_096)
def _spelled(seconds: int) -> str:
    return (_EPOCH + timedelta(seconds=seconds)).isoformat(" ")


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
