"""Leases: one holder per duty, fenced by a term.

Owns: taking, checking, renewing and giving back. Promises: `Lease.check` inside a transaction proves that nobody has taken
the duty since, and keeps anyone from taking it until that transaction ends; so a holder that slept through the end of its
time does no harm when it wakes. Nobody takes a duty of a ledger of another shape, and a conversion takes all of them away. The
time of a lease is the database's clock and only decides when another may *try*: a
holder that is late but not replaced goes on. A killed holder's duty is free when its time is over, and at once for whoever
sees on the same machine that its process is gone. Asking for a duty that somebody holds writes nothing.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tidemark.database.session import Conflict
from tidemark.errors import Exit, Fault
from tidemark.runtime.clock import Clock
from tidemark.runtime.ledger import SHAPE, Ledger

TERM_SECONDS = 30.0
POLL_SECONDS = 0.2
BUSY_SECONDS = 5.0
PLACE_DIGITS = 6
WISH = "wish to "
# What was given back in this process and is still on record, since the database was locked just then.
_left: set[tuple[str, str]] = set()


class Lost(Fault):
    """Another holder took the duty. What this one committed before stands; what it was doing is rolled back."""


def name_holder() -> str:
    """A name for this process that people recognise and that no other process has."""
    return f"{socket.gethostname()}:{os.getpid()}:{_place()}{secrets.token_hex(3)}"


def is_gone(holder: str) -> bool:
    """Whether the process of a holder is known to have ended. False for holders elsewhere, of whom nothing is known.

    That a process which is gone comes back as another one of the same number only means waiting for the end of its time.
    """
    host, _, rest = holder.rpartition(":")[0].rpartition(":")
    place = holder.rpartition(":")[2][:PLACE_DIGITS]
    if host != socket.gethostname() or place != _place() or not rest.isdigit():
        return False
    try:
        os.kill(int(rest), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False


@cache
def _place() -> str:
    """Digits that tell apart, under one host name, boots of a machine and containers that do not see each other's processes.

    Empty where the system tells neither, and then no holder counts as gone.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return hashlib.sha256(f"{boot} {os.readlink('/proc/self/ns/pid')}".encode()).hexdigest()[:PLACE_DIGITS]
    except OSError:
        return ""


@dataclass
class Lease:
    """A duty that we hold. `term` is its fencing token, `renewed` the moment of our clock when it was last extended."""

    ledger: Ledger
    clock: Clock
    duty: str
    holder: str
    term: int
    renewed: float

    @property
    def deputy(self) -> str:
        """In whose name more duties are done for the sake of this one. Its holder may be doing one of them beside it in another
        lane, and who asks in his name is taken for himself, come back after his connection was lost."""
        return f"{self.holder}.{hashlib.sha256(self.duty.encode()).hexdigest()[:PLACE_DIGITS]}"

    @property
    def is_old(self) -> bool:
        """Whether a third of its time is over."""
        return self.clock.now() - self.renewed > TERM_SECONDS / 3

    def check(self) -> None:
        """Prove, inside a write transaction, that the term is the newest; extend it when a third of it is over.

        Raises `Lost` when it is not.
        """
        parameters = {"duty": self.duty, "holder": self.holder, "term": self.term}
        if self.is_old:
            self.extend(0.0)
        elif self.ledger.value("check_lease", parameters) is None:
            raise self._lost()

    def extend(self, seconds: float) -> None:
        """Let it last, inside a write transaction, for so many seconds longer than is usual. Raises `Lost` as `check` does."""
        parameters = {"duty": self.duty, "holder": self.holder, "term": self.term}
        if self.ledger.run("renew_lease", {**parameters, "seconds": TERM_SECONDS + seconds}) != 1:
            raise self._lost()
        self.renewed = self.clock.now()

    def _lost(self) -> Lost:
        return Lost(
            f"another worker has taken over {self.duty}",
            left_behind="what was committed stands, the rest was rolled back",
            exit=Exit.HELD,
        )

    def release(self) -> None:
        """Give the duty back. Safe to call when it is lost."""
        parameters = {"duty": self.duty, "holder": self.holder, "term": self.term}
        try:
            self.ledger.alone("release_lease", parameters)
        except (Conflict, Fault):
            # The duty falls free by itself when its time is over, and for whoever asks in this process at once.
            _left.add((self.duty, self.holder))


def try_lease(ledger: Ledger, clock: Clock, duty: str, holder: str, *, yields: bool = False) -> Lease | None:
    """Take a duty, or None when somebody holds it or the database is too busy to say.

    Whoever does it all the time `yields` it to those who wait for it. A duty that `holder` itself took and never gave back,
    because its connection was lost, is taken anew.
    """
    try:
        return _ask(ledger, clock, duty, holder, yields)
    except Conflict:
        return None


def take_lease(
    ledger: Ledger,
    clock: Clock,
    duty: str,
    holder: str,
    wait_seconds: float = 10.0,
    *,
    stop: Callable[[], bool] = lambda: False,
) -> Lease:
    """Take a duty, waiting for its holder for a while, and ahead of workers that would take it again and again. Who locks the
    database need not hold it, and is waited for although the holder is not. `stop` answers True when nobody wants it any more.

    Raises `Fault` when it stays held (exit 6), or the database locked, and the resumable one (exit 75) when asked to stop.
    """
    began = clock.now()
    wish: Lease | None = None
    try:
        while True:
            busy: Conflict | None = None
            try:
                lease = _ask(ledger, clock, duty, holder)
            except Conflict as problem:
                lease, busy = None, problem
            if lease is not None:
                return lease
            if stop():
                left = "what was committed before stands"
                raise Fault(f"it was asked to stop while it waited to {duty}", left_behind=left, exit=Exit.INTERRUPTED)
            if clock.now() - began >= (wait_seconds if busy is None else max(wait_seconds, BUSY_SECONDS)):
                raise _tell(ledger, duty, busy)
            if wish is None and busy is None:
                wish = try_lease(ledger, clock, f"{WISH}{duty}", holder)
            clock.wait(POLL_SECONDS)
    finally:
        if wish is not None:
            wish.release()


def _ask(ledger: Ledger, clock: Clock, duty: str, holder: str, yields: bool = False) -> Lease | None:
    """Take a duty, or None when somebody holds it. Raises `Conflict` when the database is too busy to say, and `Fault` when the
    ledger is another version's."""
    parameters = {"duty": duty, "holder": holder, "seconds": TERM_SECONDS, "replaced": "", "shape": SHAPE}
    found = dict(ledger.all("read_leases", {"duty": duty, "wish": f"{WISH}{duty}" if yields else ""}))
    if any(name != duty and not _is_free(name, who) for name, who in found.items()):
        return None
    if duty in found:
        if found[duty] != holder and not _is_free(duty, found[duty]):
            return None
        parameters["replaced"] = found[duty]
    rows = ledger.alone("take_lease", parameters)
    if rows:
        _left.discard((duty, holder))
    else:
        ledger.check_shape()
    return Lease(ledger, clock, duty, holder, int(rows[0][0]), clock.now()) if rows else None


def _is_free(duty: str, holder: str) -> bool:
    """Whether whoever has a duty on record is known to be done with it."""
    return is_gone(holder) or (duty, holder) in _left


def _tell(ledger: Ledger, duty: str, busy: Conflict | None) -> Fault:
    """Why a duty could not be had. Who locks a database need not hold any duty of ours."""
    if busy is not None:
        return Fault(f"{duty} could not begin, since {busy.meanwhile}: {busy}")
    row = ledger.session.one(ledger.text("read_lease"), {"duty": duty})
    who = f"{row[0]} until {row[2]}" if row else "somebody"
    return Fault(f"{duty} is held by {who}", exit=Exit.HELD)
