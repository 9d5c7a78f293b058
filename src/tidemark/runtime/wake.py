"""Waking up: how a worker notices that something waits, without asking each derived table and without being told.

Owns: `Watch`. Promises: while nobody commits, a look costs one query that reads no table; when somebody did, one query asks
for all derived tables together, unless more is known to wait already than can be done now. Nothing is written, and writers tell
nobody. What a look misses, because it was not a commit that made it due, the next unconditional look finds within a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tidemark.database.session import Conflict
from tidemark.errors import TidemarkError
from tidemark.runtime.cascade import is_served, upstream_first
from tidemark.runtime.duty import Duty
from tidemark.runtime.ledger import Installed
from tidemark.runtime.moments import look
from tidemark.runtime.tick import has_work
from tidemark.script import Script

LOOK_SECONDS = 1.0
# SQLite compiles a SELECT of at most 500 branches.
BRANCHES_MAX = 200


@dataclass
class Watch:
    """What a worker knows without asking: the generations there are, upstream first, and those for which something waits.

    `read` brings it up to date on the session of `duty`, which may be another one each time.
    """

    rows: tuple[Installed, ...] = ()
    waiting: frozenset[str] = frozenset()
    _basis: tuple[tuple[object, ...], ...] | None = None
    _marker: str | None = None
    _looked: float = field(default=float("-inf"))

    def read(self, duty: Duty, *, force: bool = False, crowded: bool = False) -> None:
        """Look again. With `force` ask even when nobody seems to have committed; `crowded` tells that there is enough to do."""
        now = duty.clock.now()
        late = now - self._looked >= LOOK_SECONDS
        if crowded and not late:
            return
        marker = duty.session.changes_marker() if duty.turns is None else duty.turns.look(duty.session)
        due = force or late
        if not due and marker == self._marker:
            return
        if due:
            self._read_rows(duty)
            self._looked = now
        # The marker was read first: what is committed after it differs from it at the next look.
        self._marker = marker
        served = [row for row in self.rows if is_served(row, self.rows)]
        self.waiting = find_waiting(duty, [row.script for row in served])

    def take(self, name: str) -> None:
        """Something is done for a derived table: whether more of it waits is asked afterwards."""
        self.waiting -= {name}

    def leave(self, name: str) -> None:
        """What waited for a derived table waits still."""
        self.waiting |= {name}

    def forget(self) -> None:
        """Take nothing for known: the connection was another one."""
        self._basis = self._marker = None
        self._looked = float("-inf")

    def _read_rows(self, duty: Duty) -> None:
        """The generations, read whole only when one came, went or moved."""
        basis = tuple(duty.ledger.all("list_states")) if duty.ledger.exists() else ()
        if basis != self._basis:
            self.rows = upstream_first(duty.ledger.derived())
            self._basis = basis


def find_waiting(duty: Duty, scripts: Sequence[Script]) -> frozenset[str]:
    """Names of the scripts for which a tick would find something."""
    ticking = [script for script in scripts if script.tick is not None]
    found: set[str] = set()
    for start in range(0, len(ticking), BRANCHES_MAX):
        some = ticking[start : start + BRANCHES_MAX]
        try:
            found |= {str(name) for (name,) in duty.session.all(_question(duty, some), look(duty, *some))}
        except (TidemarkError, Conflict):
            if not duty.session.is_open():
                raise
            # One of them is broken; asked alone, each shows whether it is the one.
            found |= {script.name for script in some if _may_have_work(duty, script)}
    return frozenset(found)


def _question(duty: Duty, scripts: Sequence[Script]) -> str:
    literal = duty.session.dialect.literal
    branches = []
    for script in scripts:
        if script.tick is not None:
            branches.append(f"SELECT {literal(script.name)} WHERE {script.tick.waiting}")
    return " UNION ALL ".join(branches)


def _may_have_work(duty: Duty, script: Script) -> bool:
    """True also when the question fails: then the tick will meet the problem and tell it."""
    try:
        return has_work(duty, script)
    except (TidemarkError, Conflict):
        return True
