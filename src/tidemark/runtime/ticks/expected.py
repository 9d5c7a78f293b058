"""What is read in one go, and the leases that have to last for it.

Owns: `expect_reading`. Promises: nobody takes a duty for free because its holder does nothing but read: every lease in hand lasts
for as long as that may take, by the size of what is read. Else two workers would begin it anew in turns for ever.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import partial

from tidemark.runtime.duty import Duty

BYTES_EACH_SECOND = 10 * 1024**2
"""So slowly everything is read, grouped and compared at worst; five times as slowly as is usual."""
SECONDS_MAX = 1_800.0
SHORT_SECONDS = 10.0
"""What takes no longer needs nothing: any lease lasts longer."""


def expect_reading(duty: Duty, sources: Iterable[str]) -> None:
    """Hold on to every lease for as long as it may take to read the sources, named by their labels. Raises `Lost` when one of
    them is not ours any more."""
    if not duty.leases:
        return
    size = int(duty.ledger.value("measure_sources", {"sources": json.dumps([*sources])}) or 0)
    seconds = min(SECONDS_MAX, size / BYTES_EACH_SECOND)
    for lease in duty.leases if seconds > SHORT_SECONDS else ():
        duty.under(lease).write(partial(lease.extend, seconds))
