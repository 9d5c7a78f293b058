"""What derived tables at tick freshness may hold between two drained ticks.

Owns: `History`. Promises: a stored row is compared by its key with the rows of all moments at which a tick could have seen
the sources since the table was last drained: it must be the row of one of them, absence included. The players run one
statement at a time, so the moments at which duties begin and end are all of them, unless an application that waited for a
lock went on while a duty was done: then there were moments that nobody looked at, and nothing is said until the next
drained tick.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

Rows = Mapping[str, str]


def numbered(rows: Iterable[str | None]) -> Rows:
    """Rows that nothing identifies: how often each is there."""
    return {row: str(often) for row, often in Counter(row or "" for row in rows).items()}


class History:
    """The true rows of each derived table, by name, at every moment since it was last drained."""

    def __init__(self) -> None:
        self._moments: dict[str, list[Rows]] = {}
        self._doubted: set[str] = set()

    def remember(self, name: str, truth: Rows) -> None:
        """The query's rows now, by key."""
        moments = self._moments.setdefault(name, [])
        if not moments or moments[-1] != truth:
            moments.append(truth)

    def doubt(self, name: str) -> None:
        """There were moments that nobody looked at."""
        self._doubted.add(name)

    def settle(self, name: str, truth: Rows) -> None:
        """A duty that applied everything ends, and these are the query's rows: what was before it counts no more."""
        self._moments[name] = self._moments.get(name, [])[-1:]
        self._doubted.discard(name)
        self.remember(name, truth)

    def forget(self, name: str) -> None:
        """The table begins anew."""
        self._moments.pop(name, None)

    def strange(self, name: str, stored: Rows, cut: bool = False) -> str:
        """A stored row (or its absence) that no moment explains, in words; empty when there is none.

        `cut` tells that the rows are the first of more: which those are follows from rows of several moments.
        """
        moments = self._moments.get(name, [])
        if name in self._doubted:
            return ""
        for key in {*stored, *(key for moment in moments for key in moment if not cut)}:
            if not any(moment.get(key) == stored.get(key) for moment in moments):
                known = [moment.get(key) for moment in moments]
                return f"key {key} holds {stored.get(key)}, and was {known} since the last drained tick"
        return ""
