"""Several sessions at one run of a backfill, each with ranges of its own.

Owns: `work_together` and `tell_alone`. Promises: they work under one lease, whose term each checks inside its own transactions;
when one has to end the others end after the chunk at hand, and what was met first is raised where the run is recorded; what is to
be done between two chunks is done as long as any of them works; that more sessions were wanted than can help is told, with why.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from tidemark.runtime.duty import Duty
from tidemark.runtime.progress import Event, Listener

LOOK_SECONDS = 0.1
IN_LINE = "writers wait in line here, and more sessions would only wait for each other"
RANGES_EACH = 4
"""Ranges for each session, so that those who are done early find another one."""


class Shared(Protocol):
    """What sessions at one run share: the `problem` that ends it, None while all is well."""

    problem: BaseException | None

    @property
    def has_ranges(self) -> bool:
        """Whether there is a range that nobody has."""
        ...

    def give_up(self, problem: BaseException) -> None:
        """Have everybody end after the chunk at hand."""
        ...


def tell_alone(duty: Duty, name: str, listen: Listener, why: str, phase: str = "fill") -> None:
    """Tell why one session does what several were wanted for; nothing where nobody wanted them."""
    if duty.workers > 1:
        why = IN_LINE if duty.session.dialect.writers_wait_in_line else why
        listen(Event(name, phase, note=f"one session works on it, and not {duty.workers}: {why}"))


def work_together(
    duty: Duty, shared: Shared, work: Callable[[Duty], None], connect: Callable[[], Duty] | None, workers: int
) -> None:
    """Do `work` on the session of `duty`, and on `workers` - 1 others beside it that `connect` opens.

    Raises what the first of them met that ended before everything was done, after all have ended.
    """
    threads = []
    if connect is not None:
        for number in range(1, workers):
            given = (duty, shared, work, connect)
            threads.append(threading.Thread(target=_serve, args=given, name=f"backfill-{number}", daemon=True))
    for thread in threads:
        thread.start()
    try:
        work(duty)
        for thread in threads:
            while thread.is_alive():
                thread.join(LOOK_SECONDS)
                duty.meanwhile()
        if shared.has_ranges:
            # What one of them gave back when it lost its connection is left to whoever is still there.
            work(duty)
    except BaseException as problem:
        shared.give_up(problem)
        raise
    finally:
        for thread in threads:
            thread.join()
    if shared.problem is not None:
        raise shared.problem


def _serve(duty: Duty, shared: Shared, work: Callable[[Duty], None], connect: Callable[[], Duty]) -> None:
    """Work beside the first session, until nothing is left or somebody ends."""
    mine: Duty | None = None
    try:
        opened = connect()
        lease = None if duty.lease is None else replace(duty.lease, ledger=opened.ledger)
        mine = replace(duty, ledger=opened.ledger, lease=lease, meanwhile=lambda: None)
        work(mine)
    except BaseException as problem:  # noqa: BLE001 - it is raised again where the run is recorded
        shared.give_up(problem)
    finally:
        if mine is not None:
            mine.session.close()
