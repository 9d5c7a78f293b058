"""Turns at a file whose writers wait in line: what is left to others between two transactions of ours.

Owns: `Turns`. Promises: the sessions of one process take turns, so that a gap is a gap whichever of them comes next. While others
commit, the gaps are longer than the holds, and now and then one is long enough for a writer who looks rarely. A gap that came
by itself, because something was read or computed meanwhile, is one. Nobody rests for nobody, but for a moment now and then:
who waits cannot commit to show that it is there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock, RLock
from weakref import WeakKeyDictionary

from tidemark.database.session import Conflict, Session
from tidemark.runtime.clock import Clock

# Gaps longer than holds: a writer who came at the wrong moment is then served at its fourth or fifth look, 8 or 18 ms later.
# Where nobody waits for the work, fewer of them are to meet a hold at all.
NICE, PATIENT_NICE = 1.5, 2.0
# Short holds of ticks are rested for together: a gap of less is over before somebody who waits looks again.
REST_SECONDS_MIN = 0.005
# Whoever lost a few times looks 25 ms later again, until it has waited for 128 ms, and then ten times a second only.
LONG_REST_SECONDS = 0.025
# In company they fall into the holds for ever where these come as regularly. Near somebody who writes now and then, each write is
# to be served before it looks so rarely. Where nobody was for long, little is spent on somebody who may come.
LONG_REST_IN_COMPANY_SECONDS = 0.05
LONG_REST_NEAR_SECONDS = 0.1
LONG_REST_EVERY_SECONDS = 0.25
# A commit of somebody else is news for so long: they write again before we would notice that they do not.
COMPANY_SECONDS = 1.0
NEAR_SECONDS = 60.0
PATIENCE_SECONDS = 5.0


@dataclass
class Turn:
    """A session's turn. `held_seconds` is how long it had the lock, and `freed` the moment at which it gave it back (None = when
    the turn ends), to be said before the turn ends."""

    held_seconds: float = 0.0
    freed: float | None = None


class Turns:
    """The turns of one process at one file."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock, self._counting = RLock(), Lock()
        self._ended = clock.now()
        self._held = self._busy = self._ahead = 0.0
        self._came = float("-inf")
        self._taken = 0
        self._seen: WeakKeyDictionary[Session, tuple[str, int]] = WeakKeyDictionary()

    @contextmanager
    def take(
        self,
        session: Session,
        nice: float | None = None,
        stop: Callable[[], bool] = lambda: False,
        *,
        patient: bool = False,
        ahead: Callable[[], None] | None = None,
    ) -> Iterator[Turn]:
        """A turn of a session that is about to write, once others have had theirs. `nice` is how many seconds to rest for each
        second of holding, company or not; None = what suits, which is more where the work is `patient` because nobody waits for
        it. `stop` ends a rest. What is to be read `ahead` of the lock is read at the end of the rest, as a part of it. Raises
        `Conflict` when another session does not end its own turn."""
        if not self._lock.acquire(timeout=PATIENCE_SECONDS):
            raise Conflict("another lane writes for longer than that")
        try:
            self._rest(session, nice, stop, patient, 0.0 if ahead is None else self._ahead)
            if ahead is not None:
                began = self._clock.now()
                ahead()
                self._ahead = self._clock.now() - began
            turn = Turn()
            try:
                yield turn
            finally:
                self._end(session, turn)
        finally:
            self._lock.release()

    @contextmanager
    def aside(self, session: Session) -> Iterator[None]:
        """A commit of ours that takes no turn, because it is over at once; counted before and after it, since whoever looks
        meanwhile cannot tell whose it is."""
        self._count(session)
        try:
            yield
        finally:
            self._count(session)

    def look(self, session: Session) -> str:
        """The marker of a session; who has written while none of ours did is noticed, unless one of ours does now."""
        if not self._lock.acquire(blocking=False):
            return session.changes_marker()
        try:
            return self._look(session, self._clock.now())
        finally:
            self._lock.release()

    def _rest(
        self, session: Session, nice: float | None, stop: Callable[[], bool], patient: bool, ahead: float
    ) -> None:
        """Leave the file alone for what it was held and not yet left alone for, by so many seconds `ahead` of the lock."""
        now, suits = self._clock.now(), PATIENT_NICE if patient else NICE
        gap, each = now - self._ended, suits if nice is None else nice
        self._held = max(0.0, self._held - gap / each) if each else 0.0
        self._busy = max(0.0, self._busy - gap)
        self._look(session, now)
        at_once = patient or nice is not None
        rest = self._find_rest(now - self._came, each * self._held, insists=nice is not None, at_once=at_once)
        if rest > 0:
            # What took long once, because the machine did something else, may be quick now.
            self._clock.rest(rest - min(ahead, rest / 4), stop)
            self._held, self._busy = 0.0, 0.0 if rest >= LONG_REST_SECONDS else self._busy
            # None of ours commits meanwhile, so that whoever did is somebody else, however many sessions we have.
            self._look(session, self._clock.now())

    def _find_rest(self, since: float, owed: float, *, insists: bool, at_once: bool) -> float:
        """How long to rest where so many seconds are owed to company, and somebody came so many seconds ago; `at_once` for
        however little."""
        alone = LONG_REST_NEAR_SECONDS if since < NEAR_SECONDS else LONG_REST_EVERY_SECONDS
        every = LONG_REST_IN_COMPANY_SECONDS if since < COMPANY_SECONDS else alone
        owed = owed if since < COMPANY_SECONDS or insists else 0.0
        if self._busy >= every:
            return max(LONG_REST_SECONDS, owed)
        return owed if at_once or owed >= REST_SECONDS_MIN else 0.0

    def _look(self, session: Session, now: float) -> str:
        """Notice somebody who committed since this session looked last, unless it may have been one of ours."""
        marker = session.changes_marker()
        before, taken = self._seen.get(session, (marker, self._taken))
        if marker != before and taken == self._taken:
            self._came = now
        self._seen[session] = marker, self._taken
        return marker

    def _end(self, session: Session, turn: Turn) -> None:
        now = self._clock.now()
        self._ended = now if turn.freed is None else turn.freed
        if now - self._came >= COMPANY_SECONDS:
            # What was held before anybody came is nobody's loss.
            self._held = 0.0
        self._held += turn.held_seconds
        self._busy += turn.held_seconds
        self._count(session)

    def _count(self, session: Session) -> None:
        """One of ours commits, which is no news to itself."""
        with self._counting:
            marker, taken = self._seen.get(session, ("", -1))
            if taken == self._taken:
                self._seen[session] = marker, taken + 1
            self._taken += 1
