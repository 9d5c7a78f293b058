"""The status again and again, until somebody has seen enough.

Owns: `watch`. Promises: on a terminal one picture that is drawn over the last one, elsewhere a picture only when something
changed; what cannot be read is said and looked at again; colours only on a terminal whose user wants them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import TextIO

from tidemark.cli.outcome import Outcome, table
from tidemark.cli.reports import status_text
from tidemark.cli.terminal import width_of
from tidemark.engine import Tidemark
from tidemark.errors import Exit, TidemarkError
from tidemark.runtime.backfill.record import BackfillStatus
from tidemark.runtime.operate.overview import Overview
from tidemark.runtime.operate.verdict import Verdict, tell_span

EVERY_SECONDS = 1.0
NAP_SECONDS = 0.1
BAR_CELLS = 24
WIDE = 100
COLORS = {"pass": "32", "warn": "33", "fail": "31"}
HOME, REST = "\x1b[H", "\x1b[J"
CLEAR = "\x1b[2J"


def wants_color(stream: TextIO, environment: Mapping[str, str] | None = None) -> bool:
    """Whether a stream is a terminal whose user wants colours (``NO_COLOR`` and a dumb terminal say no)."""
    known = os.environ if environment is None else environment
    return stream.isatty() and not known.get("NO_COLOR") and known.get("TERM") != "dumb"


def paint(text: str, level: str, *, color: bool) -> str:
    """The text in the colour of a level."""
    return f"\x1b[{COLORS[level]}m{text}\x1b[0m" if color and level in COLORS else text


def watch(
    engine: Tidemark, stream: TextIO, stop: Callable[[], bool], nap: Callable[[float], None] = time.sleep
) -> Outcome:
    """Show the status until `stop`."""
    eye, live, color, shown = engine.onlooker(), stream.isatty(), wants_color(stream), ""
    if live:
        stream.write(CLEAR)
    try:
        while not stop():
            text = _picture(eye.overview, color, width_of(stream))
            if live:
                stream.write(HOME + text.replace("\n", "\x1b[K\n") + "\x1b[K\n" + REST)
            elif text != shown:
                stream.write(text + "\n")
            stream.flush()
            shown = text
            for _ in range(int(EVERY_SECONDS / NAP_SECONDS)):
                if not stop():
                    nap(NAP_SECONDS)
    finally:
        eye.close()
    return Outcome("", {"watched": True}, Exit.OK)


def _picture(look: Callable[[], Overview], color: bool, width: int | None) -> str:
    try:
        view = look()
    except TidemarkError as problem:
        return paint(f"The database cannot be read: {problem}", "fail", color=color)
    return overview_text(view, color=color, width=width)


def overview_text(view: Overview, *, color: bool = False, width: int | None = None) -> str:
    """Everything at a glance: the tables, what is under way, what needs somebody, and the verdict."""
    parts = [status_text(view.tables, verdict=False, width=width)] if view.tables else []
    working = [one for one in view.backfills if one.running]
    if working:
        head = ("under way", "", "done", "of", "rate", "left")
        cells = BAR_CELLS if width is None or width >= WIDE else BAR_CELLS // 2
        parts.append(table(head, [_row(one, cells) for one in working]))
    parts += [f"{one.name} holds back: {reason}" for one in working for reason in one.reasons]
    parts.append(verdict_text(view.verdict, color=color))
    return "\n".join(parts)


def _row(one: BackfillStatus, cells: int) -> tuple[object, ...]:
    share = one.progress
    full = 0 if share is None else int(share * cells)
    bar = "?" * cells if share is None else "#" * full + "-" * (cells - full)
    left = one.state if one.eta_seconds is None else tell_span(one.eta_seconds)
    return (
        one.name,
        f"[{bar}] {'' if share is None else f'{share:.0%}'}".rstrip(),
        f"{one.rows_done:,}",
        "?" if one.rows_total is None else f"{one.rows_total:,}",
        "measuring" if one.rate is None else f"{one.rate:,.0f}/s",
        left,
    )


def verdict_text(verdict: Verdict, *, color: bool = False) -> str:
    """Every finding with its next command, and the sentence."""
    found = []
    for one in verdict.findings:
        next_ = f" Next: {one.next}" if one.next else ""
        found.append(
            f"{paint(one.level, one.level, color=color)}  {one.name or one.kind} {one.says.rstrip('.')}.{next_}"
        )
    return "\n".join([*found, paint(verdict.sentence, verdict.level, color=color)])
