"""How often Python looks for garbage while many blocks are taken at once.

Owns: `rarely_collected`. Promises: the process collects as before once nobody takes blocks any more, however many streams
run beside each other.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

OBJECTS_BETWEEN = 200_000
"""About what the blocks of one transaction are made of: they come and go together, and looking through them finds nothing."""

_lock = Lock()
_before: list[tuple[int, int, int]] = []


@contextmanager
def rarely_collected() -> Iterator[None]:
    """Garbage is looked for after so many new objects, where Python would after 700. Blocks end in no circles, so that what
    they were made of goes by itself, and a process that makes circles still has them collected."""
    with _lock:
        _before.append(gc.get_threshold())
        if len(_before) == 1 and 0 < _before[0][0] < OBJECTS_BETWEEN:
            gc.set_threshold(OBJECTS_BETWEEN, *_before[0][1:])
    try:
        yield
    finally:
        with _lock:
            first, _ = _before[0], _before.pop()
            if not _before:
                gc.set_threshold(*first)
