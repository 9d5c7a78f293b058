"""The clock as a tick sees it: one recorded moment for each derived table that reads the time.

Owns: moving the moment on. Promises: units that differ between the recorded moment and the new one are dirty in the
transaction that records it; every row is computed for the recorded moment, by ticks, verification and repair alike.
"""

from __future__ import annotations

from tidemark.contract.script import Script
from tidemark.runtime.duty import Duty


def look(duty: Duty, *scripts: Script) -> dict[str, object]:
    """The parameters with which the conditions of these scripts' ticks are asked: the time, where one of them reads it."""
    reads = any(script.due is not None for script in scripts)
    return {"at": duty.clock.today()} if reads else {}


def let_time_pass(duty: Duty, script: Script) -> None:
    """Make dirty what has become due and record the moment, in the caller's transaction."""
    if script.due is None:
        return
    at = {"at": duty.clock.today() or duty.ledger.value("read_clock")}
    for statement in script.due.statements:
        duty.session.run(statement, at)
    duty.ledger.run("set_moment", {"derived": script.name, "generation": script.generation, **at})
