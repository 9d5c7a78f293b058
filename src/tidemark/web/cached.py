"""One value that is expensive to read, for many who ask at once.

Owns: `Cached`. Promises: while a value is young enough nobody waits; whoever asks when half of its time is over has it read anew
for those who come after; when all of it is over one reads and everybody waits for that one reading. An error reaches everybody
who waited and is not kept, so that the next one asks again; whoever gives up waiting stops nobody else. Readings run in a
thread, never in an event loop, and serve any number of loops. Whoever asks by a name and comes more seldom is expected to come
again after as long: the value is read anew shortly before, so that a probe waits for no reading however long one takes. That is
one reading for each time that somebody comes, as it would be without; who stays away costs one. While nobody asks nothing
happens, but for one reading where `begin` is called.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")
YOUNG_SECONDS = 1.0
# Whoever is expected finds a value of this age, in parts of the time that it is good for: a bit early or late is no matter, and
# it is not yet time to read anew for those who come after.
AHEAD = 0.4
EXPECTED_SECONDS_MAX = 60.0
# More than that many are not known apart, so that names made up by anybody take no room.
NAMES_MAX = 64


class Cached(Generic[T]):
    """`read` is called in `threads`, at most once at a time; what it gives is good for `seconds` of the clock `now`. `later`
    calls something after so many seconds, None = as the event loop does of whoever asks."""

    def __init__(
        self,
        read: Callable[[], T],
        threads: Executor,
        seconds: float = YOUNG_SECONDS,
        now: Callable[[], float] = time.monotonic,
        later: Callable[[float, Callable[[], None]], object] | None = None,
    ) -> None:
        self._read = read
        self._later = later
        self._threads = threads
        self._seconds = seconds
        self._now = now
        self._lock = Lock()
        self._kept: tuple[float, T] | None = None
        self._flight: Future[T] | None = None
        self._came: dict[str, float] = {}
        self._is_over = False
        self._times_forgotten = 0
        self.readings = 0

    def begin(self) -> None:
        """Have it read before anybody asks, from any thread; a problem is met again by who asks."""
        with self._lock:
            self._ask()

    async def get(self, who: str = "") -> T:
        """The value, at most `seconds` old; `who` is a name of somebody who may come regularly. Raises what reading raised."""
        if who:
            self._expect(who)
        with self._lock:
            if self._kept is not None:
                age = self._now() - self._kept[0]
                if age < self._seconds:
                    if age >= self._seconds / 2:
                        self._ask()
                    return self._kept[1]
            flight = self._ask()
        return await asyncio.shield(asyncio.wrap_future(flight))

    def _expect(self, who: str) -> None:
        now = self._now()
        with self._lock:
            gap = now - self._came.pop(who, now)
            self._came[who] = now
            if len(self._came) > NAMES_MAX:
                del self._came[next(iter(self._came))]
        if self._seconds < gap <= EXPECTED_SECONDS_MAX:
            later = self._later or asyncio.get_running_loop().call_later
            later(gap - AHEAD * self._seconds, self._ask_ahead)

    def _ask_ahead(self) -> None:
        with self._lock:
            age = self._seconds if self._kept is None else self._now() - self._kept[0]
            if age >= self._seconds / 2 and not self._is_over:
                self._ask()

    def _ask(self) -> Future[T]:
        """The reading that is under way, or a new one."""
        if self._flight is None:
            self._flight = self._threads.submit(self._take_off, self._times_forgotten)
        return self._flight

    def _take_off(self, times_forgotten: int) -> T:
        value: T | None = None
        landed, begun = False, self._now()
        try:
            value = self._read()
            landed = True
            return value
        finally:
            with self._lock:
                self.readings += 1
                # What was begun before something was done may not show it.
                if times_forgotten == self._times_forgotten:
                    self._flight = None
                    if landed and value is not None:
                        self._kept = (begun, value)

    def forget(self) -> None:
        """Take nothing for known: something was done that shows."""
        with self._lock:
            self._kept = self._flight = None
            self._times_forgotten += 1

    def close(self) -> None:
        """Expect nobody any more: the threads are about to end."""
        with self._lock:
            self._is_over = True
