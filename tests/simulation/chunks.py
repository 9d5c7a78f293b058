"""Chunks of a few rows, so that small tables are filled, sealed and applied in many transactions.

Owns: `chunks_of`. Promises: within the block every room of the runtime that asks for a pace gets one that stays at the size.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from unittest import mock

from tidemark.dialect import Dialect
from tidemark.runtime import pace


@contextlib.contextmanager
def chunks_of(size: int | None) -> Iterator[None]:
    """Chunks of that many rows for the length of the block, however long anybody may hold; None leaves them to adapt."""
    if size is None:
        yield
        return

    def choose(dialect: Dialect, hold_ms: float | None = None) -> pace.Pace:
        return pace.Pace(100.0, dialect.writers_wait_in_line, size=size, size_min=size, size_max=size)

    rooms = [room for name, room in sys.modules.items() if name.startswith("tidemark.runtime.")]
    with contextlib.ExitStack() as stack:
        for room in rooms:
            if hasattr(room, "choose_pace"):
                stack.enter_context(mock.patch.object(room, "choose_pace", choose))
        yield
