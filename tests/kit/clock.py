"""A clock for tests of those who wait.

Owns: `hurried`. Promises: time goes on as it does elsewhere, and what somebody waits for has passed at once.
"""

from __future__ import annotations

import time

from tidemark.runtime.clock import Clock


def hurried() -> Clock:
    """A clock whose `wait` moves it on and returns; leases that the database itself times are not shortened."""
    skipped = 0.0

    def wait(seconds: float) -> None:
        nonlocal skipped
        skipped += seconds

    return Clock(now=lambda: time.monotonic() + skipped, wait=wait)
