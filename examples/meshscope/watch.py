"""A bar on a terminal, one line every few seconds elsewhere; standard error only.

Owns: how progress looks. Promises: never 100 % of something that runs, for only a clean comparison ends it; a time that is
left only where a rate is known.
"""

from __future__ import annotations

import sys
import time
from typing import TextIO

from examples.meshscope.migrations import Migration

CELLS = 24
TERMINAL_EVERY = 0.1
LINE_EVERY = 2.0


class Watch:
    """Shows how far one thing is. Call `end` when it is over."""

    def __init__(self, label: str, unit: str, out: TextIO | None = None) -> None:
        self._label = label
        self._unit = unit
        self._out = sys.stderr if out is None else out
        self._terminal = self._out.isatty()
        self._shown = float("-inf")

    def tell(self, one: Migration, beside: str) -> None:
        """Show a migration: how far, how fast, how long still, why it waits, and what is said beside it."""
        parts = [] if one.status == "running" or one.throttle_reasons else [one.status]
        parts += ["counting its rows"] if one.status == "running" and one.rows_total is None else []
        parts += [f"{one.rate:,.0f} rows/s"] if one.rate else []
        parts += [f"{one.eta_seconds:.0f} s left"] if one.eta_seconds is not None else []
        parts += [f"throttled: {', '.join(one.throttle_reasons)}"] if one.throttle_reasons else []
        self.show(one.rows_processed, one.rows_total or 0, ", ".join([*parts, beside]))

    def show(self, done: int, total: int, beside: str) -> None:
        """Show it, if it is time to."""
        now = time.monotonic()
        if now - self._shown < (TERMINAL_EVERY if self._terminal else LINE_EVERY):
            return
        self._shown = now
        share = min(0.99, done / total) if total else 0.0
        full = int(share * CELLS)
        bar = f"{'█' * full}{'░' * (CELLS - full)} "
        of = f"{total:,}" if total else "?"
        line = f"{self._label:<14}{bar if self._terminal else ''}{share:4.0%}  {done:,}/{of} {self._unit}  {beside}"
        self._out.write(f"\r\x1b[K{line}" if self._terminal else f"{line}\n")
        self._out.flush()

    def end(self) -> None:
        """End the bar's line."""
        if self._terminal:
            self._out.write("\r\x1b[K")
            self._out.flush()
