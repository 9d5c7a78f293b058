"""One value that is expensive to read, for many who ask at once.

Owns: `Cached`. Promises: while a value is young enough nobody reads; otherwise one reads and everybody waits for that one
reading; an error reaches everybody who waited and is not kept, so that the next one asks again; whoever gives up waiting
stops nobody else. Readings run in threads, never in the event loop.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Generic, TypeVar

T = TypeVar("T")
YOUNG_SECONDS = 5.0


class Cached(Generic[T]):
    """`read` is called in `threads`, at most once at a time; what it gives is good for `seconds` of the clock `now`."""

    def __init__(
        self,
        read: Callable[[], T],
        threads: Executor | None = None,
        seconds: float = YOUNG_SECONDS,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._threads = threads
        self._seconds = seconds
        self._now = now
        self._kept: tuple[float, T] | None = None
        self._flight: asyncio.Future[T] | None = None

    async def get(self) -> T:
        """The value, at most `seconds` old. Raises what reading raised."""
        if self._kept is not None and self._now() - self._kept[0] < self._seconds:
            return self._kept[1]
        if self._flight is None:
            self._flight = asyncio.get_running_loop().run_in_executor(self._threads, self._read)
            self._flight.add_done_callback(self._land)
        return await asyncio.shield(self._flight)

    def _land(self, flight: asyncio.Future[T]) -> None:
        self._flight = None
        if not flight.cancelled() and flight.exception() is None:
            self._kept = (self._now(), flight.result())
