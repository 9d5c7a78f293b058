"""Progress for people, on stderr.

Owns: the bar and the lines. Promises: a bar with rate and remaining time on a terminal, one line every thirty seconds
elsewhere; what changes state is always told; never says 100 % of a filling, because only a clean verification ends it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TextIO

from tidemark.cli.terminal import fit, width_of
from tidemark.runtime.progress import Event
from tidemark.telling import tell_count

LINE_SECONDS = 30.0
BAR_SECONDS = 0.1
MEASURE_SECONDS = 2.0
BAR_CELLS = 24
CELLS_MIN = 4
WORDS = {
    "fill": "filling",
    "verify": "verifying",
    "repair": "repairing",
    "tick": "ticking",
    "backfill": "migrating",
    "stream": "taking",
    "count": "counting the keys for",
}


class Display:
    """A listener that shows what long duties do. `quiet` shows nothing; `width` is that of the terminal, which may change."""

    def __init__(
        self,
        stream: TextIO,
        *,
        quiet: bool = False,
        now: Callable[[], float] = time.monotonic,
        live: bool | None = None,
        width: Callable[[TextIO], int | None] = width_of,
    ) -> None:
        self._stream = stream
        self._quiet = quiet
        self._now = now
        self._width = width
        self._live = stream.isatty() if live is None else live
        self._about = ("", "")
        self._began = self._shown = now()
        self._first = self._done = 0
        self._open = False

    def __call__(self, event: Event) -> None:
        """Show an event, if it is time to."""
        if self._quiet:
            return
        now = self._now()
        # In a log a duty that comes again and again, such as a tick, is not one that has been at it since its first time.
        again = not self._live and event.done <= self._done
        self._done = event.done
        if (event.derived, event.phase) != self._about or again:
            self._about, self._began, self._first = (event.derived, event.phase), now, event.done
            # The first moment of something long is told soon, so that nobody wonders.
            self._shown = now - LINE_SECONDS + 1.0 if not self._live else 0.0
        if event.note:
            self._end_bar()
            self._stream.write(f"{event.derived + ': ' if event.derived else ''}{event.note}\n")
            # What passes until it goes on was no time to work in: how fast it is shows anew.
            self._about = ("", "")
        elif now - self._shown >= (BAR_SECONDS if self._live else LINE_SECONDS):
            self._shown = now
            self._show(event, now)
        self._stream.flush()

    def close(self) -> None:
        """End the bar's line."""
        self._end_bar()
        self._stream.flush()

    def _show(self, event: Event, now: float) -> None:
        width = self._width(self._stream) if self._live else None
        line = self._line(event, now, width)
        if self._live:
            self._stream.write(f"\r\x1b[2K{fit(line, width)}")
            self._open = True
        else:
            self._stream.write(line + "\n")

    def _line(self, event: Event, now: float, width: int | None) -> str:
        share = event.done / event.total if event.total else 0.0
        shown = min(share, 0.99) if event.phase in ("fill", "backfill") else min(share, 1.0)
        seconds = now - self._began
        rate = (event.done - self._first) / seconds if seconds > 0 else 0.0
        if event.place:
            speed = "measuring" if seconds < MEASURE_SECONDS or rate <= 0 else f"{rate:,.0f} blocks/s"
            return (
                f"{WORDS[event.phase]} {event.derived}, {tell_count(event.done, 'block')} up to {event.place}, {speed}"
            )
        if seconds < MEASURE_SECONDS or rate <= 0:
            remains = "measuring"
        else:
            remains = f"{rate:,.0f} keys/s, {_span((event.total - event.done) / rate)} left"
        word = WORDS.get(event.phase, event.phase)
        if event.done and not event.total:
            speed = "" if remains == "measuring" else f", {rate:,.0f} keys/s"
            return f"{word} {event.derived}: {event.done:,}{speed}"
        about, told = f"{word} {event.derived}", f"{shown:4.0%} {event.done:,}/{event.total:,} {remains}"
        # The numbers say more than the bar, which takes the room that they leave.
        cells = BAR_CELLS if width is None else min(BAR_CELLS, width - len(about) - len(told) - 5)
        full = int(shown * cells)
        bar = f" [{'#' * full}{'-' * (cells - full)}]" if cells >= CELLS_MIN else ""
        return f"{about}{bar} {told}"

    def _end_bar(self) -> None:
        if self._open:
            self._stream.write("\r\x1b[2K")
            self._open = False


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
