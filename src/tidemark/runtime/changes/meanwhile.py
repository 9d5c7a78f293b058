"""What readers see while another generation is filled beside it: it is ticked all the same.

Owns: `keeping`, `holding`. Promises: between two chunks of a filling, and of the verification after it, what waits for the older
generation is applied, in the transactions and under the bounds of any tick; the lease that both need is held by whoever fills.
A tick that fails is told, tried again later, and stops no filling. A lease that spans many steps is held on to between chunks.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from tidemark.database.session import Conflict
from tidemark.errors import TidemarkError, is_interruption
from tidemark.runtime.duty import Duty
from tidemark.runtime.lease import Lost
from tidemark.runtime.ledger import Installed
from tidemark.runtime.ticks.tick import tick

log = logging.getLogger("tidemark.fill")

EVERY_SECONDS = 0.25
RETRY_SECONDS = 5.0
TICK_MS_MAX = 250.0


def keeping(duty: Duty, before: Installed | None) -> Duty:
    """The duty that ticks `before`, which readers see, between its chunks; the same where nothing ever waits for that."""
    if before is None or before.state != "live" or before.script.tick is None:
        return duty
    return replace(duty, meanwhile=_Keeper(duty, before))


@contextmanager
def holding(duty: Duty, other: str) -> Iterator[Duty]:
    """The duty with the lease of another one in hand, which it holds on to between its chunks: they raise `Lost` when somebody
    has taken that. Raises what `take_lease` does."""
    with duty.leased(other) as mine:
        both = replace(duty, held=mine.leases)
        yield replace(both, meanwhile=partial(hold_on, both))


def hold_on(duty: Duty, *, anyway: bool = False) -> None:
    """Prove that what is in hand beside the lease is still ours, each in a transaction of its own, and extend it: what is old, or
    `anyway`. Raises `Lost` when it is not."""
    for lease in duty.held:
        if anyway or lease.is_old:
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
            tick(self._duty.in_passing, self._kept.script, max_ms=TICK_MS_MAX)
        except (TidemarkError, Conflict) as problem:
            ends = isinstance(problem, Lost) or is_interruption(problem)
            if ends or not self._duty.session.is_open():
                raise
            self._not_before = self._duty.clock.now() + RETRY_SECONDS
            about = {"definition": self._kept.name, "duty": "tick", "retry_seconds": RETRY_SECONDS}
            log.warning("%s: %s; trying again in %.0f s", self._kept.name, problem, RETRY_SECONDS, extra=about)
