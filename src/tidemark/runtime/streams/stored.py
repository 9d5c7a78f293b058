"""Blocks that stand in a table of the same database.

Owns: `source_of`. Promises: rows are read some at a time, each time in a transaction of its own, in the order of their
positions; none is passed over because one with a greater position was committed first: whoever may write the table at the moment
at which the greatest position is looked at is waited for, and what is not certain yet is left to the next run.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tidemark.blocks import Source, Stored
from tidemark.errors import Fault
from tidemark.runtime.duty import Duty
from tidemark.runtime.ticks.scanning import Locker, find_lockers, remaining
from tidemark.streams import Stream

PAGE_ROWS = 500
LOOKS_MAX = 40
LOOK_SECONDS = 0.05


def source_of(duty: Duty, stream: Stream) -> Source:
    """The source of a stream; a table's rows are read with the session of the duty."""
    return _Rows(duty, stream, stream.source.table) if isinstance(stream.source, Stored) else stream.source


@dataclass(frozen=True)
class _Rows:
    """The rows of a table as blocks."""

    duty: Duty
    stream: Stream
    table: str

    def blocks(self, after: int | None) -> Iterator[Mapping[str, Any]]:
        """Every row after a position whose place is certain. Raises `Fault` for a list of transactions that is no JSON."""
        upto, at = self._certain(), after
        while upto is not None:
            rows = self._page(at, upto)
            for row in rows:
                yield self._block(*row)
            if len(rows) < PAGE_ROWS:
                return
            at = int(rows[-1][0])

    def _certain(self) -> int | None:
        """The greatest position below which nothing can be committed any more; None when there is none for now."""
        highest, lockers = self.duty.read(self._look, snapshot=False).value
        for _ in range(LOOKS_MAX):
            if not lockers:
                return highest
            self.duty.check_stop(f"stream {self.stream.name}")
            self.duty.clock.wait(LOOK_SECONDS)
            now = self.duty.read(lambda: find_lockers(self.duty, self.table), snapshot=False).value
            lockers = remaining(lockers, now)
        return None

    def _look(self) -> tuple[int | None, list[Locker]]:
        position = self.duty.session.dialect.quote(self.stream.position)
        row = self.duty.session.one(f"SELECT max({position}) FROM {self.table}")
        return None if row is None or row[0] is None else int(row[0]), find_lockers(self.duty, self.table)

    def _page(self, after: int | None, upto: int) -> list[tuple[Any, ...]]:
        quote = self.duty.session.dialect.quote
        position, time, items = (quote(name) for name in (self.stream.position, self.stream.time, self.stream.items))
        later = "" if after is None else f"{position} > :after AND "
        text = (
            f"SELECT {position}, {time}, CAST({items} AS text) FROM {self.table} WHERE {later}{position} <= :upto "
            f"ORDER BY {position} LIMIT {PAGE_ROWS}"
        )
        bounds = {"upto": upto} | ({} if after is None else {"after": after})
        return self.duty.read(lambda: self.duty.session.all(text, bounds)).value

    def _block(self, position: Any, time: Any, items: str | None) -> Mapping[str, Any]:
        try:
            found = json.loads(items) if items else []
        except ValueError as problem:
            raise Fault(
                f"{self.table}: {self.stream.items} of {self.stream.position} {position} is not JSON ({problem})",
                left_behind="every block before it is taken",
                retry_safe=False,
            ) from problem
        place = int(position) if position == int(position) else position
        return {self.stream.position: place, self.stream.time: time, self.stream.items: found}
