"""A progress bar on a terminal, one line every thirty seconds elsewhere. Standard error only."""

from __future__ import annotations

import sys
import time
from typing import TextIO

BAR_WIDTH = 28
TERMINAL_EVERY = 0.2
LINE_EVERY = 30.0


class Progress:
    """Says how far a job of known size is, and at what rate (``unit`` per second). Call :meth:`finish` at the end."""

    def __init__(self, label: str, unit: str, out: TextIO | None = None) -> None:
        self._label = label
        self._unit = unit
        self._out = sys.stderr if out is None else out
        self._terminal = self._out.isatty()
        self._started = time.monotonic()
        self._shown = self._started if not self._terminal else 0.0

    def show(self, share: float, count: int) -> None:
        """Shows progress if it is time to: ``share`` of the whole (0 to 1) and the units done so far."""
        now = time.monotonic()
        if now - self._shown < (TERMINAL_EVERY if self._terminal else LINE_EVERY):
            return
        self._shown = now
        self._write(share, count, now)

    def finish(self, count: int) -> float:
        """Shows the last state; returns units per second over the whole job."""
        now = time.monotonic()
        self._write(1.0, count, now)
        if self._terminal:
            self._out.write("\n")
            self._out.flush()
        return count / max(now - self._started, 1e-9)

    def _write(self, share: float, count: int, now: float) -> None:
        rate = count / max(now - self._started, 1e-9)
        full = round(BAR_WIDTH * share)
        line = f"{self._label} {share:4.0%}  {count:,} {self._unit}  {rate:,.0f} {self._unit}/s"
        if self._terminal:
            self._out.write(f"\r\x1b[K{'█' * full}{'░' * (BAR_WIDTH - full)} {line}")
        else:
            self._out.write(f"{line}\n")
        self._out.flush()
