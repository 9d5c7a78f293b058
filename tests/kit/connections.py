"""Connections that the engine closed and that serve it again.

Owns: `Connections`. Promises: who closes a connection has none any more, and the server has forgotten what was set, prepared,
locked and made for a while on it, as if it had ended; whoever connects to the same database in the same way gets the server
process that was left, and with it what that has read of the catalog: to read it anew is a third of what a small program costs on
PostgreSQL. Connections of others, and those that end inside a transaction, are ended.
"""

from __future__ import annotations

import contextlib
import select
import threading
from collections import deque
from collections.abc import Iterator
from typing import Any
from unittest import mock

import psycopg
from psycopg.pq import ConnStatus, ExecStatus, PGconn, TransactionStatus

KEPT_MAX = 12
OURS = "tidemark"


class Connections:
    """What `psycopg.connect` is while tests run: remembers what sessions of the engine left."""

    def __init__(self) -> None:
        self._idle: deque[tuple[object, PGconn]] = deque()
        self._guard = threading.Lock()
        self._keeps = True

    def connect(self, target: str, **options: Any) -> psycopg.Connection[Any]:
        """A connection to the same place in the same way as one that was left, or a new one."""
        if options.get("application_name") != OURS:
            return psycopg.Connection.connect(target, **options)
        way = (target, tuple(options.items()))
        left = self._take(way)
        if left is None:
            made = _Lent.connect(target, **options)
        else:
            made = _Lent(left)
            made._autocommit, made.prepare_threshold = options["autocommit"], options["prepare_threshold"]
        made.lent = (self, way)
        return made

    def _take(self, way: object) -> PGconn | None:
        with self._guard:
            found = next((one for one in self._idle if one[0] == way), None)
            if found is None:
                return None
            self._idle.remove(found)
        if _is_quiet(found[1]):
            return found[1]
        found[1].finish()
        return self._take(way)

    def leave(self, way: object, left: PGconn) -> None:
        """Somebody closes a connection."""
        if (
            not self._keeps
            or left.status != ConnStatus.OK
            or left.transaction_status != TransactionStatus.IDLE
            or left.exec_(b"DISCARD ALL").status != ExecStatus.COMMAND_OK
        ):
            left.finish()
        else:
            with self._guard:
                self._idle.append((way, left))
            self._end(KEPT_MAX)

    def _end(self, left_max: int) -> None:
        while len(self._idle) > left_max:
            with self._guard:
                _, oldest = self._idle.popleft()
            oldest.finish()

    @contextlib.contextmanager
    def none(self) -> Iterator[None]:
        """Nothing is kept for the length of the block: who closes a connection ends it."""
        self._keeps = False
        self.end()
        try:
            yield
        finally:
            self._keeps = True

    def end(self) -> None:
        """End everything that is kept."""
        self._end(0)


class _Lent(psycopg.Connection[Any]):
    """A connection whose end leaves it to the next one."""

    lent: tuple[Connections, object]

    def close(self) -> None:
        """Leave it; this object is closed."""
        if self.closed:
            return
        left, self.pgconn, self._closed = self.pgconn, _ENDED, True
        connections, way = self.lent
        connections.leave(way, left)


def _is_quiet(left: PGconn) -> bool:
    """Whether the server says nothing, as it does when it ends."""
    watch = select.poll()
    watch.register(left.socket, select.POLLIN)
    return not watch.poll(0)


def _ended() -> PGconn:
    ended = PGconn.connect_start(b"host=127.0.0.1")
    ended.finish()
    return ended


_ENDED = _ended()


@contextlib.contextmanager
def kept_connections() -> Iterator[Connections]:
    """What the engine connects to is kept for the length of the block."""
    connections = Connections()
    with mock.patch.object(psycopg, "connect", connections.connect):
        try:
            yield connections
        finally:
            connections.end()
