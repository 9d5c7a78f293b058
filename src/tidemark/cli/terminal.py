"""How wide the terminal is, and what fits into it.

Owns: `width_of` and `fit`. Promises: what is no terminal has no width, so that a file or a pipe gets everything.
"""

from __future__ import annotations

import os
from typing import TextIO


def width_of(stream: TextIO) -> int | None:
    """How many columns the terminal behind a stream has; None where there is none, or it does not say."""
    try:
        return (os.get_terminal_size(stream.fileno()).columns or None) if stream.isatty() else None
    except (OSError, ValueError):
        return None


def fit(text: str, width: int | None) -> str:
    """The text in one line of that width: a longer one would begin another line at every drawing."""
    return text if width is None or len(text) < width else text[: max(0, width - 2)] + "…"
