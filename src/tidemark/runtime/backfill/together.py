"""Several sessions at one run of a backfill, each with ranges of its own.

Owns: `work_together` and `tell_alone`. Promises: they work under one lease, whose term each checks inside its own transactions;
when one has to end the others end after the chunk at hand, and what was met first is raised where the run is recorded; what is to
be done between two chunks is done as long as any of them works; that more sessions were wanted than can help, or than can be had,
is told, with why, and ends nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from tidemark.database.session import Conflict
from tidemark.errors import TidemarkError
from tidemark.runtime.duty import Duty
from tidemark.runtime.progress import Event

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

    def note(self, text: str) -> None:
        """Tell whoever listens."""
        ...


def tell_alone(duty: Duty, name: str, why: str, phase: str = "fill") -> None:
    """Tell why one session does what several were wanted for; nothing where nobody wanted them."""
    if duty.crew.wanted > 1:
        why = IN_LINE if duty.session.dialect.writers_wait_in_line else why
        duty.listen(Event(name, phase, note=f"one session works on it, and not {duty.crew.wanted}: {why}"))


def work_together(duty: Duty, shared: Shared, work: Callable[[Duty], None], workers: int) -> None:
    """Do `work` on the session of `duty`, and on `workers` - 1 others of its crew beside it, as far as they can be had.

    Raises what the first of them met that ended before everything was done, after all have ended.
    """
    others = [] if duty.crew.connect is None else _open_others(duty, shared, duty.crew.connect, workers)
    threads = [
        threading.Thread(target=_serve, args=(one, shared, work), name=f"backfill-{number}", daemon=True)
        for number, one in enumerate(others, 1)
    ]
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


def _open_others(duty: Duty, shared: Shared, connect: Callable[[], Duty], workers: int) -> list[Duty]:
    """The same duty on so many sessions less one. Where the server gives no more of them, half of those that it gave are closed
    again: the application will want some."""
    found: list[Duty] = []
    while len(found) + 1 < workers:
        try:
            opened = connect()
        except (TidemarkError, Conflict) as problem:
            kept = (len(found) + 1) // 2
            for one in found[kept:]:
                one.session.close()
            del found[kept:]
            had = "one session works" if not found else f"{len(found) + 1} sessions work"
            shared.note(f"{had} on it, and not {workers}: {getattr(problem, 'cause', problem)}")
            break
        lease = None if duty.lease is None else replace(duty.lease, ledger=opened.ledger)
        found.append(replace(duty, ledger=opened.ledger, lease=lease, meanwhile=lambda: None))
    return found


def _serve(mine: Duty, shared: Shared, work: Callable[[Duty], None]) -> None:
    """Work beside the first session, until nothing is left or somebody ends."""
    try:
        work(mine)
    except BaseException as problem:  # noqa: BLE001 - it is raised again where the run is recorded
        shared.give_up(problem)
    finally:
        mine.session.close()
