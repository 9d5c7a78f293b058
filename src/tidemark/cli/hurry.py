"""What is done about statements that would keep a process which is asked to end.

Owns: `hurried`. Promises: a transaction has a second or so to come to its end; after that whatever it waits for or works at is
cancelled and rolled back, so that the process ends soon although somebody else has a lock, or a query takes an hour.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LOOK_SECONDS = 0.7


@contextmanager
def hurried(stop: Callable[[], bool], hurry: Callable[[], None]) -> Iterator[None]:
    """Look beside whatever is done inside whether it is to end, and `hurry` it again and again from the second look on."""
    ended = threading.Event()

    def look() -> None:
        was_asked = False
        while not ended.wait(LOOK_SECONDS):
            if was_asked:
                hurry()
            was_asked = stop()

    looker = threading.Thread(target=look, name="tidemark-hurry", daemon=True)
    looker.start()
    try:
        yield
    finally:
        ended.set()
        looker.join()
