"""A session at work on a backfill of the user's: one range after the other, chunk by chunk.

Owns: `Worker`. Promises: what a chunk meets decides what follows: one that meets somebody's lock is halved until the row that is
waited for is the only one in hand, another conflict is tried again, a chunk that takes too long is halved, rows whose data is to
blame are found by halving and quarantined one by one, a lost connection is opened anew, and anything else ends the run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from shlex import quote
from typing import Any

from tidemark.contract.walk import Walk
from tidemark.database.session import Conflict, Exhausted, Taken, TooLong, blames_others
from tidemark.errors import Fault, Refusal, TidemarkError
from tidemark.model import Backfill
from tidemark.runtime.backfill.chunk import (
    QUARANTINED,
    Listed,
    Range,
    Step,
    do_chunk,
    do_key,
    list_chunk,
    next_key,
    prepare,
    quarantine_key,
)
from tidemark.runtime.backfill.ending import STANDS
from tidemark.runtime.backfill.gate import Gate
from tidemark.runtime.backfill.pages import Key
from tidemark.runtime.backfill.tally import Tally
from tidemark.runtime.duty import Duty, Held
from tidemark.runtime.lease import Lost
from tidemark.runtime.pace import Pace, ask, choose_first_pace
from tidemark.telling import tell_problem

TRIES_MAX = 60
RECONNECTS_MAX = 20
RECONNECT_SECONDS_MAX = 5.0


@dataclass
class Worker:
    """A worker on the session of `duty`. `suspects` is how many of the next keys a chunk had that failed or met a lock, 0 = none.
    One that has no others `beside` it locks the table and not its rows while nobody else is connected."""

    duty: Duty
    backfill: Backfill
    walk: Walk
    gate: Gate
    connect: Callable[[], Duty] | None = None
    suspects: int = 0
    beside: bool = False
    may_lock: bool = False
    pace: Pace = field(init=False)
    listed: Listed | None = None

    def __post_init__(self) -> None:
        self.pace = choose_first_pace(self.duty.session.dialect, None)

    @property
    def tally(self) -> Tally:
        """What all workers of the run have done together."""
        return self.gate.tally

    def work(self) -> None:
        """Do what nobody else does until nothing is left. Raises `Ended` and whatever is not the rows' fault."""
        self._persist(self._prepare)
        while (key := self.tally.next_quarantined()) is not None:
            # Done twice it is done once: what was quarantined is closed in the transaction that does it.
            while not self._persist(partial(self._try_again, key)):
                pass
        while (todo := self.tally.next_range()) is not None:
            while not todo.finished:
                known = self._persist(partial(self._advance, todo))
                while not known:
                    known = self._persist(partial(self._refresh, todo))

    def _refresh(self, todo: Range) -> None:
        todo.refresh(self.duty.ledger, self.backfill.name)

    def _prepare(self) -> None:
        self.duty.session.undo_in_memory()
        self.duty.write(partial(prepare, self.duty.session, self.walk))
        self.may_lock = bool(self.walk.may_lock) and self.duty.session.one(self.walk.may_lock) == (True,)

    def _persist(self, step: Callable[[], None]) -> bool:
        """Do a step; after a lost connection open another one and give False: nobody knows whether it was committed."""
        try:
            step()
            return True
        except (TidemarkError, Conflict) as problem:
            if self.duty.session.is_open() or self.connect is None:
                raise
            self._connect_again(self.connect, problem)
            return False

    def _connect_again(self, connect: Callable[[], Duty], problem: Exception) -> None:
        for tried in range(RECONNECTS_MAX):
            if tried == 1:
                self.tally.note(
                    f"the database is away, trying again for a minute or so: {getattr(problem, 'cause', problem)}"
                )
            self.duty.clock.wait(min(RECONNECT_SECONDS_MAX, 0.05 * 2**tried) if tried else 0.0)
            self.gate.check_end()
            try:
                self._take_over(connect())
                self._prepare()
                return
            except (TidemarkError, Conflict) as still:
                if self.duty.session.is_open():
                    raise
                problem = still
        raise problem

    def _take_over(self, opened: Duty) -> None:
        """Work on another session from now on."""
        self.duty.session.close()
        self.duty.ledger = opened.ledger
        if self.duty.lease is not None:
            self.duty.lease.ledger = opened.ledger

    def _advance(self, todo: Range) -> None:
        """Do one chunk and rest, or find out that it has to be a smaller one."""
        self.gate.check()
        self.pace.share((self.tally.begun.rows_total or 0) if self.gate.company else None)
        size = max(1, self.suspects // 2) if self.suspects else self.pace.size
        held = self._attempt(todo, size)
        if held is None:
            return
        step = held.value
        if self.suspects == 0:
            self.pace.record(step.keys, held.hold_ms)
        self.suspects = max(0, self.suspects - step.keys)
        todo.cursor, todo.finished = step.upto, step.finished
        ask(self.pace, step.nice)
        self.duty.nice = step.nice
        self._settle(step.keys, step.written, held)
        self.gate.obey(step.wish)

    def _settle(self, keys: int, written: int, held: Held[Any]) -> None:
        self.tally.settle(self.duty, self.pace, keys, written, held)

    def _attempt(self, todo: Range, size: int) -> Held[Step] | None:
        """A chunk in its transaction; None when the next one is to be smaller, or when a key was quarantined."""
        for tried in range(TRIES_MAX):
            alone = self.may_lock and not self.beside and not self.gate.company
            try:
                work, list_ahead = partial(self._do, todo, size, alone), partial(self._list_ahead, todo, size)
                return self.duty.write(work, mode="chunk", ahead=list_ahead, once=True)
            except TooLong as problem:
                if size > 1:
                    self.pace.size = max(1, size // 2)
                    self.suspects = min(self.suspects, size)
                    return None
                conflict: Conflict = problem
            except Conflict as problem:
                conflict = problem
                if alone:
                    # Somebody has come since it was looked who is there.
                    self.gate.company = True
                    continue
                if isinstance(problem, Taken) and size > 1:
                    self.suspects = size
                    self.duty.wait_for_another_try(0)
                    return None
            except Exception as problem:  # noqa: BLE001 - whatever a row does to a user's function is about that row
                self._check_blame(problem)
                self._bisect(todo, size, problem)
                return None
            self.gate.check_end()
            self.duty.wait_for_another_try(tried)
        raise Fault(
            f"{self.backfill.name} met a conflict {TRIES_MAX} times at one chunk: {conflict}",
            left_behind=f"{STANDS}{conflict.instead}",
        )

    def _list_ahead(self, todo: Range, size: int) -> None:
        """Where all writers wait for whoever has the lock, find the keys of a chunk before it is asked for."""
        if self.duty.session.dialect.writers_wait_in_line:
            work = partial(list_chunk, self.duty.session, self.walk, todo, size)
            self.listed = self.duty.read(work, snapshot=False).value

    def _do(self, todo: Range, size: int, alone: bool) -> Step:
        return do_chunk(self.duty.ledger, self.backfill, self.walk, todo, size, listed=self.listed, alone=alone)

    def _check_blame(self, problem: Exception) -> None:
        """Raises the problem again when it is not the data of some row that is to blame."""
        fatal = isinstance(problem, Exhausted) or isinstance(problem, Fault) and not problem.retry_safe
        fatal = fatal or blames_others(problem)
        if fatal or isinstance(problem, Lost) or not self.duty.session.is_open():
            raise problem
        if isinstance(problem, Refusal):
            # The texts were well when the run began; if they are not without any row either, the schema has changed.
            self._prepare()

    def _bisect(self, todo: Range, size: int, problem: Exception) -> None:
        """Halve what is suspected; the last key that is left is quarantined."""
        self.suspects = size if size > 1 else 0
        if size > 1:
            return
        key = self.duty.write(partial(self._quarantine_next, todo, tell_problem(problem))).value
        if key is not None:
            todo.cursor = key
            self._settle(1, 0, Held(None, 0.0))
            self._check_quarantine(problem)

    def _quarantine_next(self, todo: Range, error: str) -> Key | None:
        key = next_key(self.duty.session, self.walk, todo)
        if key is not None:
            # Else somebody deleted the row meanwhile.
            quarantine_key(self.duty.ledger, self.backfill, key, todo.place, self.tally.begun.attempt, error)
        return key

    def _try_again(self, key: Key) -> None:
        """Do one key that an earlier attempt quarantined."""
        self.gate.check()
        work = partial(do_key, self.duty.ledger, self.backfill, self.walk, key, QUARANTINED)
        try:
            held = self.duty.write(work)
            self._settle(1, held.value, held)
        except Exception as problem:  # noqa: BLE001 - as in a chunk
            self._check_blame(problem)
            told, attempt = tell_problem(problem), self.tally.begun.attempt
            self.duty.write(partial(quarantine_key, self.duty.ledger, self.backfill, key, QUARANTINED, attempt, told))
            self._settle(1, 0, Held(None, 0.0))

    def _check_quarantine(self, problem: Exception) -> None:
        left = int(self.duty.ledger.value("count_quarantine", {"backfill": self.backfill.name}))
        if left > self.backfill.quarantine_max:
            most = self.backfill.quarantine_max
            raise Fault(
                f"{left} keys were quarantined, more than the {most} that may be; the last one: {tell_problem(problem)}",
                left_behind=f"{STANDS}; next: tidemark backfill list {quote(self.backfill.name)}",
                retry_safe=False,
            )
