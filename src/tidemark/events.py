"""What a stream brings: blocks, and the events that handlers see of them.

Owns: `Block`, `Event` and `Events`. Promises: an event knows its identity (block, transaction, ordinal), which never depends on
what it contains; events are columns until somebody asks for one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain, repeat
from typing import Any, NamedTuple, overload

Identity = tuple[int, int, int]
"""Block, transaction within it, ordinal within the transaction; all from 0 on."""

_SECONDS = re.compile(r"-?[0-9]{1,11}(\.[0-9]+)?\Z")


@dataclass(frozen=True)
class Block:
    """One block: its position, its time as text (None when it says none), its transactions as loose JSON values."""

    position: int
    time: str | None
    transactions: tuple[Any, ...]

    @property
    def moment(self) -> str | None:
        """The time in UTC, in a form that every engine reads, where it says seconds since 1970 or an ISO date; else None."""
        said = self.time or ""
        try:
            found = datetime.fromtimestamp(float(said), UTC) if _SECONDS.match(said) else datetime.fromisoformat(said)
            utc = found.astimezone(UTC) if found.tzinfo else found
        except (ValueError, OverflowError, OSError):
            return None
        return utc.replace(tzinfo=None).isoformat(" ", "microseconds")


class Event(NamedTuple):
    """One transaction of a block, or one item of it, as a handler sees it.

    `position` and `time` are those of the block that brought it, `identity` is where it was first seen. `data` is the item for
    a handler of items, else the transaction; `transaction` is always that. `taken` is, for a hook, how many items were new.
    """

    stream: str
    position: int
    time: str | None
    identity: Identity
    kind: str
    data: Any
    transaction: Any
    taken: int = 1


class Events(Sequence[Event]):
    """Events of a stream, in their order. Whoever has many of them to look at takes columns: for each field of an event
    there is a list of what they say, and no event is made that nobody asks for."""

    __slots__ = ("data", "identities", "kinds", "positions", "stream", "taken", "times", "transactions")

    def __init__(
        self,
        stream: str,
        positions: list[int],
        times: list[str | None],
        identities: list[Identity],
        kinds: list[str],
        data: list[Any],
        transactions: list[Any],
        taken: list[int],
    ) -> None:
        self.stream = stream
        self.positions = positions
        self.times = times
        self.identities = identities
        self.kinds = kinds
        self.data = data
        self.transactions = transactions
        self.taken = taken

    @classmethod
    def of(cls, stream: str, events: Iterable[Event]) -> Events:
        """Some events of a stream, as columns."""
        columns = list(zip(*events, strict=True)) or [()] * 8
        return cls(stream, *map(list, columns[1:]))

    def _columns(self) -> tuple[list[Any], ...]:
        return (
            self.positions,
            self.times,
            self.identities,
            self.kinds,
            self.data,
            self.transactions,
            self.taken,
        )

    @classmethod
    def joined(cls, stream: str, parts: Iterable[Events]) -> Events:
        """Events after one another."""
        columns = list(zip(*(part._columns() for part in parts), strict=True)) or [()] * 7
        return cls(stream, *(list(chain.from_iterable(column)) for column in columns))

    def __len__(self) -> int:
        return len(self.identities)

    def __iter__(self) -> Iterator[Event]:
        return map(Event._make, zip(repeat(self.stream, len(self)), *self._columns(), strict=True))

    @overload
    def __getitem__(self, at: int) -> Event: ...
    @overload
    def __getitem__(self, at: slice) -> Events: ...

    def __getitem__(self, at: int | slice) -> Event | Events:
        if isinstance(at, slice):
            return Events(self.stream, *[column[at] for column in self._columns()])
        return Event(
            self.stream,
            self.positions[at],
            self.times[at],
            self.identities[at],
            self.kinds[at],
            self.data[at],
            self.transactions[at],
            self.taken[at],
        )
