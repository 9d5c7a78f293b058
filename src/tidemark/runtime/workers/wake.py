"""Waking up: how a worker notices that something waits, without asking each derived table and without being told.

Owns: `Watch`. Promises: while nobody commits, a look costs one query that reads no table; when somebody did, one query asks
what waits in all logs and one what waits in all dirty sets, of one moment, unless more is known to wait already than can be done
now. Nothing is written, and writers tell nobody. What a look misses, because it was not a commit that made it due, the next
unconditional look finds within a second.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from tidemark.contract.script import Script
from tidemark.contract.tick import Tick
from tidemark.database.session import Conflict
from tidemark.errors import TidemarkError
from tidemark.runtime.cascade import is_served, upstream_first
from tidemark.runtime.duty import Duty
from tidemark.runtime.ledger import Installed
from tidemark.runtime.ticks.moments import look
from tidemark.runtime.ticks.tick import has_work

LOOK_SECONDS = 1.0
# SQLite compiles a SELECT of at most 500 branches, and one of 2000 columns; PostgreSQL gives rows of 1664.
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
        duty.ledger.check_shape()
        basis = tuple(duty.ledger.all("list_states")) if duty.ledger.exists() else ()
        if basis != self._basis:
            self.rows = upstream_first(duty.ledger.derived())
            self._basis = basis


def find_waiting(duty: Duty, scripts: Sequence[Script]) -> frozenset[str]:
    """Names of the scripts for which a tick would find something."""
    ticking = {(script.name, script.generation): script for script in scripts if script.tick is not None}
    try:
        with duty.session.transaction("look"):
            found = _find_in_logs(duty, ticking.values()) | _find_beside(duty, ticking.values())
    except (TidemarkError, Conflict):
        if not duty.session.is_open():
            raise
        # One of them is broken; asked alone, each shows whether it is the one.
        return frozenset(script.name for script in ticking.values() if _may_have_work(duty, script))
    return frozenset(name for name, generation in found if (name, generation) in ticking)


def _find_in_logs(duty: Duty, scripts: Collection[Script]) -> set[tuple[str, int]]:
    """Generations for which something waits in a log of these scripts: a branch for each log, whoever reads it."""
    literal, found = duty.session.dialect.literal, set[tuple[str, int]]()
    logs = {log.source: log.log for script in scripts for log in script.logs}
    texts = [duty.ledger.text("find_unsealed", log=log, source=literal(source)) for source, log in logs.items()]
    for start in range(0, len(texts), BRANCHES_MAX):
        rows = duty.session.all(" UNION ALL ".join(texts[start : start + BRANCHES_MAX]))
        found |= {(str(name), int(generation)) for name, generation in rows}
    return found


def _find_beside(duty: Duty, scripts: Collection[Script]) -> set[tuple[str, int]]:
    """Generations for which something waits that no log has: a column for each, which is planned sooner than a branch."""
    asked = [(script, tests) for script in scripts if script.tick is not None and (tests := _beside_logs(script.tick))]
    found, at = set[tuple[str, int]](), look(duty, *scripts)
    for start in range(0, len(asked), BRANCHES_MAX):
        some = asked[start : start + BRANCHES_MAX]
        columns = ", ".join(f"CASE WHEN {' OR '.join(tests)} THEN 1 ELSE 0 END" for _, tests in some)
        (row,) = duty.session.all(f"SELECT {columns}", at)
        found |= {(script.name, script.generation) for (script, _), waits in zip(some, row, strict=True) if waits}
    return found


def _beside_logs(tick: Tick) -> list[str]:
    """Conditions, one of which is true when a tick would find something that no log has."""
    found = [f"EXISTS (SELECT 1 FROM {tick.dirty})"] if tick.dirty else []
    found += [scan.waiting for scan in tick.scans]
    found += [f"({tick.due.waiting})"] if tick.due is not None else []
    return [*found, *([f"({tick.newcomers.count}) > 0"] if tick.newcomers is not None else [])]


def _may_have_work(duty: Duty, script: Script) -> bool:
    """True also when the question fails: then the tick will meet the problem and tell it."""
    try:
        return has_work(duty, script)
    except (TidemarkError, Conflict):
        return True
