"""Rows that came into the user's table since the last tick.

Owns: `show_newcomers`, the end of every tick of columns that are kept in a table of the user's on PostgreSQL. Promises: whatever
came before the tick began shows what is stored of its key, in short transactions under the lease; what comes later is left to
the next.
"""

from __future__ import annotations

from functools import partial

from tidemark.contract.script import Script
from tidemark.contract.ways import Newcomers
from tidemark.runtime.duty import Duty
from tidemark.runtime.pace import choose_pace


def show_newcomers(duty: Duty, script: Script) -> None:
    """Bring the rows that came up to what is stored."""
    newcomers = script.tick.newcomers if script.tick is not None else None
    if newcomers is None:
        return
    row = duty.session.one(newcomers.count)
    left = int(row[0]) if row else 0
    pace = choose_pace(duty.session.dialect, duty.hold_ms)
    while left > 0:
        size = min(left, pace.size)
        held = duty.write(partial(_show, duty, newcomers, size))
        pace.record(size, held.hold_ms)
        left -= size


def _show(duty: Duty, newcomers: Newcomers, size: int) -> int:
    duty.session.run_all(newcomers.steer)
    row = duty.session.one(newcomers.show, {"limit": size})
    return int(row[0]) if row else 0
