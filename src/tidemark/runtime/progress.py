"""What a long duty tells while it works.

Owns: `Event` and the listener's type. Promises: an event is a plain value; a listener only looks, it cannot change what
happens, and hears one thread at a time. Never says that everything is done before a clean verification: that is a state, not an
event.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import RLock


@dataclass(frozen=True)
class Event:
    """One moment of a duty: `phase` is ``install``, ``fill``, ``tick``, ``verify``, ``repair``, ``cutover``, ``drop``,
    ``wait``, ``convert``, ``count`` or ``stream``.

    `done` of `total` counts keys (0 of 0 where nothing is counted); while it is found out how many there are, there is no total.
    Of a stream, which has none either, it counts blocks, and `place` is the position of the last one. `note` is a sentence for
    people, or empty.
    """

    derived: str
    phase: str
    done: int = 0
    total: int = 0
    note: str = ""
    place: str = ""


Listener = Callable[[Event], None]


def ignore(event: Event) -> None:
    """The listener of those who do not want to know."""


def one_at_a_time(listen: Listener) -> Listener:
    """The same listener, for several threads."""
    lock = RLock()

    def told(event: Event) -> None:
        with lock:
            listen(event)

    return told
