"""Lanes: where a worker's duties run beside each other.

Owns: the threads and their sessions. Promises: a lane does one duty at a time, on a session of its own that is opened when it
is first needed and opened anew when it was lost; a duty whose former run has not ended is never started; long duties leave
one lane to the short ones. As many duties may wait as there are lanes, so that none of these waits for the next look. Without
lanes a duty runs at once, on the session that is given. What a duty raises is its result and reaches whoever collects it.
Threads share nothing but two queues.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from tidemark.database.session import Conflict
from tidemark.errors import TidemarkError
from tidemark.runtime.clock import Clock
from tidemark.runtime.duty import Duty

T = TypeVar("T")
Connect = Callable[[], Duty]


@dataclass(frozen=True)
class Ended(Generic[T]):
    """A duty that ended: what it gave or what it raised, and how many milliseconds it took. Neither, where it was not begun
    because the end is asked for.

    `lost` tells that it was the connection that failed, and not the duty.
    """

    name: str
    value: T | None
    problem: TidemarkError | Conflict | None
    ms: float
    lost: bool = False


class Lanes(Generic[T]):
    """`count` threads, or none. `connect` opens a session for a lane; `here` gives the session for duties without lanes."""

    def __init__(self, count: int, connect: Connect | None, here: Callable[[], Duty], clock: Clock) -> None:
        self._count = count if connect is not None else 0
        self._connect = connect
        self._here = here
        self._clock = clock
        self._running: dict[str, bool] = {}
        self._wanted: SimpleQueue[tuple[str, Callable[[Duty], T]] | None] = SimpleQueue()
        self._ended: SimpleQueue[Ended[T] | BaseException] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    @property
    def busy(self) -> bool:
        """Whether a duty is running."""
        return bool(self._running)

    @property
    def beside(self) -> bool:
        """Whether duties run beside each other."""
        return self._count > 1

    def runs(self, name: str) -> bool:
        """Whether the duty of that name has not ended yet."""
        return name in self._running

    def has_room(self, *, long: bool) -> bool:
        """Whether a duty can start now."""
        if self._count == 0:
            return True
        if self._count == 1:
            return not self._running
        longs = sum(self._running.values())
        return len(self._running) < 2 * self._count and not (long and longs >= self._count - 1)

    def start(self, name: str, work: Callable[[Duty], T], *, long: bool) -> None:
        """Begin a duty in a lane that is free; without lanes, do it."""
        self._running[name] = long
        if self._count == 0:
            self._ended.put(_attempt(name, work, self._here(), self._clock))
            return
        if len(self._threads) < min(self._count, len(self._running)):
            # A thread that dies with the process: the one that is asked to end at once does not wait for a statement.
            thread = threading.Thread(target=self._serve, name=f"tidemark-{len(self._threads)}", daemon=True)
            self._threads.append(thread)
            thread.start()
        self._wanted.put((name, work))

    def collect(self) -> list[Ended[T]]:
        """The duties that ended since the last time. Raises what is no error of ours."""
        found: list[Ended[T]] = []
        while True:
            try:
                ended = self._ended.get_nowait()
            except Empty:
                return found
            if isinstance(ended, BaseException):
                raise ended
            del self._running[ended.name]
            found.append(ended)

    def close(self) -> None:
        """Wait for the duties that run and end the threads."""
        for _ in self._threads:
            self._wanted.put(None)
        for thread in self._threads:
            thread.join()

    def _serve(self) -> None:
        duty: Duty | None = None
        try:
            while (asked := self._wanted.get()) is not None:
                name, work = asked
                if self._here().stop():
                    # It has not begun, and need not.
                    self._ended.put(Ended(name, None, None, 0.0))
                    continue
                if duty is not None and not duty.session.is_current():
                    duty.session.close()
                    duty = None
                if duty is None:
                    opened = self._open(name)
                    if isinstance(opened, Ended):
                        self._ended.put(opened)
                        continue
                    duty = opened
                self._ended.put(_attempt(name, work, duty, self._clock))
        except BaseException as problem:  # noqa: BLE001 - it is raised again by whoever collects
            self._ended.put(problem)
        finally:
            if duty is not None:
                duty.session.close()

    def _open(self, name: str) -> Duty | Ended[T]:
        if self._connect is None:
            raise RuntimeError("a lane without a way to connect")
        try:
            return self._connect()
        except (TidemarkError, Conflict) as problem:
            return Ended(name, None, problem, 0.0, lost=True)


def _attempt(name: str, work: Callable[[Duty], T], duty: Duty, clock: Clock) -> Ended[T]:
    began = clock.now()
    try:
        return Ended(name, work(duty), None, clock.ms_since(began))
    except (TidemarkError, Conflict) as problem:
        return Ended(name, None, problem, clock.ms_since(began), lost=not duty.session.is_open())
