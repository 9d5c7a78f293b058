"""What readers see while another generation is filled beside it: it is ticked all the same.

Owns: `keeping`, `holding`. Promises: between two chunks of a filling, and of the verification after it, what waits for the older
generation is applied, in the transactions and under the bounds of any tick; the lease that both need is held by whoever fills.
A tick that fails is told, tried again later, and stops no filling. A lease that spans many steps is held on to between chunks.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from tidemark.database.session import Conflict
from tidemark.errors import TidemarkError, is_interruption
from tidemark.runtime.duty import Duty
from tidemark.runtime.lease import Lease, Lost
from tidemark.runtime.ledger import Installed
from tidemark.runtime.tick import tick

log = logging.getLogger("tidemark.fill")

EVERY_SECONDS = 0.25
RETRY_SECONDS = 5.0
TICK_MS_MAX = 250.0


def keeping(duty: Duty, before: Installed | None) -> Duty:
    """The duty that ticks `before`, which readers see, between its chunks; the same where nothing ever waits for that."""
    if before is None or before.state != "live" or before.script.tick is None:
        return duty
    return replace(duty, meanwhile=_Keeper(duty, before))


def holding(duty: Duty, lease: Lease) -> Duty:
    """The duty that holds on to one more lease between its chunks. They raise `Lost` when another has taken that one."""

    def hold() -> None:
        if lease.is_old:
            hold_on(duty, lease)

    return replace(duty, meanwhile=hold, held=(*duty.held, lease))


def hold_on(duty: Duty, lease: Lease) -> None:
    """Prove that a lease is still ours, in a transaction of its own, and extend it in time. Raises `Lost` when it is not."""
    duty.under(lease).write(lambda: None)


class _Keeper:
    """Ticks a generation now and then."""

    def __init__(self, duty: Duty, kept: Installed) -> None:
        self._duty, self._kept = duty, kept
        self._not_before = duty.clock.now()

    def __call__(self) -> None:
        self._duty.meanwhile()
        now = self._duty.clock.now()
        if now < self._not_before:
            return
        self._not_before = now + EVERY_SECONDS
        try:
            tick(self._duty, self._kept.script, max_ms=TICK_MS_MAX)
        except (TidemarkError, Conflict) as problem:
            ends = isinstance(problem, Lost) or is_interruption(problem)
            if ends or not self._duty.session.is_open():
                raise
            self._not_before = self._duty.clock.now() + RETRY_SECONDS
            about = {"definition": self._kept.name, "duty": "tick", "retry_seconds": RETRY_SECONDS}
            log.warning("%s: %s; trying again in %.0f s", self._kept.name, problem, RETRY_SECONDS, extra=about)
