"""One duty being done: its session, its lease, its clock and the wish to stop.

Owns: the transaction that every duty uses. Promises: a write happens under the lease's term, is tried again after a
transient conflict, and tells how long it held its locks; nothing here waits inside a transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Generic, TypeVar

from tidemark.contract.tick import SourceLog
from tidemark.database.session import Conflict, Mode, Session
from tidemark.errors import Exit, Fault
from tidemark.processors import Functions
from tidemark.runtime.clock import Clock
from tidemark.runtime.lease import Lease, name_holder, take_lease, try_lease
from tidemark.runtime.ledger import Ledger
from tidemark.runtime.progress import Event, Listener, ignore
from tidemark.runtime.throttle import Limits
from tidemark.runtime.turns import Turn, Turns

T = TypeVar("T")

CONFLICTS_MAX = 60
CONFLICT_SECONDS_MAX = 30.0
STOP_SECONDS = 0.5
TELL_SECONDS = 2.0
WAIT_SECONDS_MIN = 0.005
WAIT_SECONDS_MAX = 0.25


@dataclass(frozen=True)
class Held(Generic[T]):
    """What a transaction gave, how long it held its locks, and how long it waited before it could begin, in milliseconds."""

    value: T
    hold_ms: float
    wait_ms: float = 0.0


def interrupted(what: str) -> Fault:
    """The fault of a duty that was asked to stop: resumable, exit 75."""
    return Fault(
        f"{what} was interrupted", left_behind="everything up to the last chunk is committed", exit=Exit.INTERRUPTED
    )


@dataclass
class Calm:
    """How long nobody else has committed anything, as far as a duty has looked, by its session's marker: that `began` then."""

    marker: str = ""
    began: float = 0.0

    def lasts(self, marker: str, now: float) -> float:
        """For how many seconds the marker has been what it is now."""
        if marker != self.marker:
            self.marker, self.began = marker, now
        return now - self.began


@dataclass(frozen=True)
class Crew:
    """How many sessions are wanted for what goes by ranges of keys, of which each does some; those beside the first are opened
    with `connect`, if any can be."""

    wanted: int = 1
    connect: Callable[[], Duty] | None = None


@dataclass
class Duty:
    """What a duty needs while it works."""

    ledger: Ledger
    clock: Clock
    lease: Lease | None = None
    """Under whose term it writes; there may be none for reads."""
    stop: Callable[[], bool] = field(default=lambda: False)
    """Answers True when the duty is asked to end early."""
    limits: Limits = Limits()
    """What the database may be under while something long goes on."""
    functions: Functions = field(default_factory=dict)
    """What computes the rows of processors."""
    hold_ms: float | None = None
    """How long a transaction may hold its locks, where somebody says that it disturbs nobody."""
    meanwhile: Callable[[], object] = field(default=lambda: None)
    """Done between two chunks of what takes long: whoever does that holds what others would need to do it."""
    holding: tuple[str, ...] = ()
    """The quoted names of tables that nobody empties while a transaction that sees one moment goes on."""
    crew: Crew = Crew()
    turns: Turns | None = None
    """There where writers wait in line, and others are to get in between: not for whoever writes what the application would."""
    nice: float | None = None
    """How many seconds to rest there for each second of holding the lock, where somebody says so."""
    spent: dict[str, SourceLog] | None = None
    """Gathers the logs of which something was sealed, by source, where whoever does several ticks lets go of it after all of
    them; None where each tick does."""
    patience_seconds: float = CONFLICT_SECONDS_MAX
    """How long a transaction is tried again that meets somebody's lock, at least once."""
    held: tuple[Lease, ...] = ()
    """Other leases that are in hand meanwhile."""
    calm: Calm = field(default_factory=Calm)
    """Known to all that work on one session."""
    looked: dict[tuple[str, int], tuple[str, float]] = field(default_factory=dict)
    """Of generations for whose changes nothing was missed: the session's marker of the schema then, and when that was."""
    listen: Listener = ignore

    @property
    def hands(self) -> int:
        """How many sessions may work beside each other: one where writers wait in line."""
        alone = self.crew.connect is None or self.session.dialect.writers_wait_in_line
        return 1 if alone else max(1, self.crew.wanted)

    def under(self, lease: Lease) -> Duty:
        """The same duty under a lease."""
        return replace(self, lease=lease)

    @property
    def in_passing(self) -> Duty:
        """The same for a tick that something else needs: nobody is told how far it is."""
        return replace(self, listen=lambda event: None if event.phase == "tick" else self.listen(event))

    @property
    def unfenced(self) -> Duty:
        """The same for what it says of its own end: without a lease, which may be the reason, and without a turn."""
        return replace(self, lease=None, turns=None)

    @contextmanager
    def leased(self, duty: str, wait_seconds: float = 10.0) -> Iterator[Duty]:
        """The same under the lease of another duty, waited for, and given back in the end. A session that the duty opened anew,
        because its connection was lost, ends with it. Raises what `take_lease` does."""
        lease = take_lease(self.ledger, self.clock, duty, self._name(), wait_seconds, stop=self.stop)
        try:
            yield self.under(lease)
        finally:
            lease.release()
            if lease.ledger is not self.ledger:
                lease.ledger.session.close()

    @contextmanager
    def leased_if_free(self, duty: str, holder: str = "", *, yields: bool = False) -> Iterator[Duty | None]:
        """As `leased`, and None where another has that lease, without waiting. `holder` and `yields` are as in `try_lease`."""
        lease = try_lease(self.ledger, self.clock, duty, holder or self._name(), yields=yields)
        try:
            yield None if lease is None else self.under(lease)
        finally:
            if lease is not None:
                lease.release()

    def _name(self) -> str:
        return self.lease.deputy if self.lease is not None else name_holder()

    @property
    def leases(self) -> tuple[Lease, ...]:
        """Every lease in hand."""
        return self.held if self.lease is None else (*self.held, self.lease)

    @property
    def session(self) -> Session:
        """The session that everything runs on."""
        return self.ledger.session

    def write(
        self,
        work: Callable[[], T],
        *,
        snapshot: bool = False,
        mode: Mode = "write",
        ahead: Callable[[], None] | None = None,
        once: bool = False,
    ) -> Held[T]:
        """Do `work` in a write transaction under the lease; as a ``chunk`` where what comes after it goes on where its own record
        says. What is to be read `ahead` is read at the last moment before the lock is asked for, each time anew. With `once`
        nothing is tried again: `Conflict` reaches the caller, who knows what to do about it.

        Raises `Lost` when the lease is gone, and `Fault` when the database stays locked: soon (exit 75) where somebody wants the
        duty to end.
        """

        def fenced() -> T:
            if self.lease is not None:
                self.lease.check()
            return work()

        do = partial(self._take_turn, fenced, mode, snapshot, ahead)
        return do() if once else self._persist(do)

    def read(self, work: Callable[[], T], *, snapshot: bool = True) -> Held[T]:
        """Do `work` in a read transaction that sees one moment."""
        return self._persist(partial(self._work, work, "read", snapshot, Turn()))

    def check_stop(self, what: str) -> None:
        """Do what is to be done between two chunks. Raises the resumable `Fault` when somebody wants the duty to end."""
        if self.stop():
            raise interrupted(what)
        self.meanwhile()

    def _persist(self, do: Callable[[], Held[T]]) -> Held[T]:
        conflict = Conflict("nothing was tried")
        first, tried, told = self.clock.now(), 0, False
        while tried < CONFLICTS_MAX and (tried == 0 or self.clock.now() - first < self.patience_seconds):
            try:
                return do()
            except Conflict as problem:
                conflict = problem
            waited = self.clock.now() - first
            if waited >= STOP_SECONDS and self.stop():
                raise Fault(
                    f"it was asked to stop while {conflict.meanwhile}: {conflict}",
                    left_behind="what was committed before stands",
                    exit=Exit.INTERRUPTED,
                ) from conflict
            if not told and waited >= TELL_SECONDS:
                told = True
                self.listen(Event("", "wait", note=f"waiting, and trying again: {conflict}"))
            self.wait_for_another_try(tried)
            tried += 1
        raise Fault(
            f"{conflict.lasting} {tried} attempts: {conflict}",
            left_behind=f"this transaction was rolled back; what was committed before stands{conflict.instead}",
        ) from conflict

    def _take_turn(
        self, work: Callable[[], T], mode: Mode, snapshot: bool, ahead: Callable[[], None] | None
    ) -> Held[T]:
        if self.turns is not None:
            with self.turns.take(self.session, self.nice, self.stop, patient=mode == "chunk", ahead=ahead) as turn:
                return self._work(work, mode, snapshot, turn)
        if ahead is not None:
            ahead()
        return self._work(work, mode, snapshot, Turn())

    def _work(self, work: Callable[[], T], mode: Mode, snapshot: bool, turn: Turn) -> Held[T]:
        asked, began, renewed = self.clock.now(), None, self.lease.renewed if self.lease is not None else 0.0
        try:
            with self.session.transaction(mode, snapshot=snapshot, holding=self.holding if snapshot else ()):
                began = self.clock.now()
                value = work()
                worked_ms = self.clock.ms_since(began)
            hold_ms = self._hold_ms(mode, worked_ms, self.clock.ms_since(began))
        except BaseException:
            if self.lease is not None:
                # That it was extended is rolled back, too.
                self.lease.renewed = renewed
            raise
        finally:
            turn.held_seconds = 0.0 if began is None else self.clock.now() - began
        turn.held_seconds, turn.freed = hold_ms / 1000, began + hold_ms / 1000
        return Held(value, hold_ms, (began - asked) * 1000)

    def _hold_ms(self, mode: Mode, worked_ms: float, held_ms: float) -> float:
        # What a commit takes longer than half of the work did is a checkpoint of SQLite's: it comes when the lock is given back.
        # On PostgreSQL it is the triggers that wait for the commit, and they have every lock in hand.
        checkpointed = mode == "chunk" and self.session.dialect.writers_wait_in_line
        return min(held_ms, 1.5 * worked_ms) if checkpointed else held_ms

    def wait_for_another_try(self, tried: int) -> None:
        """Wait after a conflict, longer after many, and never as long as somebody else who met the same one."""
        longest = min(WAIT_SECONDS_MAX, WAIT_SECONDS_MIN * 2 ** min(tried, 10))
        self.clock.wait(longest * (0.5 + self.clock.chance() / 2))
