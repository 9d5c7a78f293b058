"""Where the blocks of a stream come from.

Owns: `Source` and the sources `jsonl`, `iterable` and `table`. Promises: blocks come in the order of the source, as loose JSON
objects; what cannot be read is a fault that names the place, once everything before it was given.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tidemark.errors import Fault


class Source(Protocol):
    """Where blocks come from, in the order of their positions."""

    def blocks(self, after: int | None) -> Iterator[Mapping[str, Any]]:
        """Every block, or at least those whose position is greater than `after`, as loose JSON objects."""
        ...


@dataclass(frozen=True)
class Lines:
    """Blocks in a file of JSON lines, plain or gzipped."""

    path: Path

    def blocks(self, after: int | None) -> Iterator[Mapping[str, Any]]:
        """Every block of the file. Raises `Fault` with the line that is none; what came before it stands."""
        try:
            with self.path.open("rb") as raw:
                packed = raw.read(2) == b"\x1f\x8b"
                raw.seek(0)
                lines = gzip.GzipFile(fileobj=raw) if packed else raw
                for number, line in enumerate(lines, start=1):
                    if line.strip():
                        yield self._read(line, number)
        except (OSError, EOFError) as problem:
            raise Fault(
                f"{self.path} cannot be read: {problem}", left_behind="what was taken before stands"
            ) from problem

    def _read(self, line: bytes, number: int) -> Mapping[str, Any]:
        try:
            found = json.loads(line.decode())
        except ValueError as problem:
            raise Fault(
                f"{self.path}, line {number}: this is not JSON in UTF-8 ({problem})",
                left_behind="every line before it is taken",
                retry_safe=False,
            ) from problem
        if not isinstance(found, Mapping):
            raise Fault(f"{self.path}, line {number}: a block is a JSON object", retry_safe=False)
        return found


@dataclass(frozen=True)
class Given:
    """Blocks that a function gives; it is called with the position after which they are wanted."""

    give: Callable[[int | None], Iterable[Mapping[str, Any]]]

    def blocks(self, after: int | None) -> Iterator[Mapping[str, Any]]:
        """The blocks that the function gives."""
        return iter(self.give(after))


@dataclass(frozen=True)
class Stored:
    """Blocks in a table of the database that the stream writes to, a row for each: its columns are called as the fields of a
    block are, and the list of transactions is JSON."""

    table: str

    def blocks(self, after: int | None) -> Iterator[Mapping[str, Any]]:
        """A stream reads its rows itself, on its own session. Raises `Fault` for whoever else asks."""
        raise Fault(f"the blocks of {self.table} are read by the stream that takes them", retry_safe=False)


def table(name: str) -> Stored:
    """Blocks in a table, whose name is given as SQL says it: a row for each, in the order of its position."""
    return Stored(name)


def jsonl(path: str | Path) -> Lines:
    """Blocks in a file of JSON lines, plain or gzipped, one object on each line."""
    return Lines(Path(path))


def iterable(give: Callable[[int | None], Iterable[Mapping[str, Any]]]) -> Given:
    """Blocks that `give` yields; it is called with the last position that was taken, or None before the first."""
    return Given(give)
