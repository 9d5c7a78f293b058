"""What can happen to a worker between two of its statements.

Owns: `WatchedSession`, a session that counts its steps and does something at one of them, and the things it can do: its
connection is closed, the server ends it, another holder takes its duty, the clock jumps; and statements that cannot read what
changed. Promises: a step is every
statement, every beginning and every end of a transaction; after a theft no write of the robbed worker may be committed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from tests.simulation.case import Failure
from tests.simulation.upkeep import Killed
from tidemark.contract.script import Script
from tidemark.contract.ways import following
from tidemark.database.session import Unacceptable
from tidemark.runtime.ticks.apart import begins_with_changes

COUNTED = frozenset({"run", "all", "one", "alone"})
WRITES = frozenset({"write", "chunk"})
# A worker that lost its duty may still write down that its run has ended, and gives back what is not its own any more.
HARMLESS = re.compile(r"tidemark(__|\._)(run|lease)\b")
RUNS = re.compile(r"tidemark(__|\._)run\b")
LEASES = {"sqlite": "tidemark__lease", "postgres": "tidemark._lease"}
UNREAD = 7
"""In every tick of so many what changed cannot be read."""
Act = Callable[["WatchedSession"], bool]


class WatchedSession:
    """A session that calls `act` at step number `at` and, while that answers False, at each step after it; `between` is done
    before each transaction."""

    def __init__(self, session: Any, between: Callable[[], None] = lambda: None) -> None:
        self.session = session
        self.between = between
        self.at: int | None = None
        self.act: Act = never
        self.count = 0
        self.inside = ""
        self.steps_inside = 0
        self.killed = False
        self.robbed = False
        self.unread: Mapping[str, str] = {}
        self.readable = 0
        self._written: list[str] = []
        self._first = ""

    def arm(self, at: int | None, act: Act) -> None:
        """Count from the beginning; do `act` at that step (None: never)."""
        self.count, self.at, self.act = 0, at, act
        self.killed = self.robbed = False

    @property
    def is_fenced(self) -> bool:
        """Whether a write transaction is open that has looked at its lease. Who begins with its run writes down its bad end."""
        return self.inside in WRITES and self.steps_inside > 1 and not RUNS.search(self._first)

    def _step(self) -> None:
        self.count += 1
        self.steps_inside += 1
        if self.at is not None and self.count >= self.at:
            at, self.at = self.at, None
            if not self.act(self):
                self.at = at

    def misread(self, script: Script, ticks: int) -> None:
        """Where a tick of this number meets a value that is gone, let nothing of what changed be read from some statement on; but
        where rows begin with a change, each that is read alone."""
        self.unread, self.readable = readers(script) if ticks % UNREAD == 0 else {}, ticks // UNREAD % 4

    def _read(self, sql: str) -> None:
        """Fail at what cannot be read, once so many statements could."""
        if sql in self.unread:
            slice_ = self.unread[sql]
            if slice_ and self.session.all(f"SELECT count(*) FROM {slice_}") <= [(1,)]:
                return
            self.readable -= 1
            if self.readable < 0:
                raise Unacceptable("a value that is gone cannot be read")

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.session, name)
        if name not in COUNTED:
            return found

        def counted(sql: str, *rest: Any) -> Any:
            self._step()
            self._read(sql)
            self._first = self._first or sql
            if self.inside in WRITES and name == "run":
                self._written.append(sql)
            return found(sql, *rest)

        return counted

    def run_all(self, statements: Sequence[str], parameters: Any = None) -> list[int]:
        """Each of them is a step; where one may be the one at which something happens, they go to the database one by one."""
        if self.at is not None:
            return [self.run(statement, parameters) for statement in statements]
        for statement in statements:
            self._step()
            self._read(statement)
            self._first = self._first or statement
        self._written += statements if self.inside in WRITES else []
        return list(self.session.run_all(statements, parameters))

    def script(self, *texts: str) -> None:
        """Each of them is a step; they go to the database one by one where something is about to happen."""
        if self.at is not None:
            for text in texts:
                self._step()
                self.session.script(text)
        else:
            for _ in texts:
                self._step()
            self.session.script(*texts)
        self._written += texts if self.inside in WRITES else ()

    @contextmanager
    def transaction(
        self, mode: str = "write", *, snapshot: bool = False, holding: Sequence[str] = ()
    ) -> Iterator[None]:
        """A transaction of the session, with a step before it, and one before it is committed; others may write before it."""
        self.between()
        self._step()
        self._written, self._first = [], ""
        self.steps_inside = 0
        try:
            with self.session.transaction(mode, snapshot=snapshot, holding=holding):
                self.inside = mode
                yield
                self._step()
        finally:
            self.inside = ""
        harmful = [text for text in self._written if not HARMLESS.search(text)]
        if self.robbed and mode in WRITES and harmful:
            raise Failure("fencing", "", f"a worker that had lost its duty committed {harmful[:3]}")


def readers(script: Script) -> dict[str, str]:
    """The statements of a tick that read what changed, and evaluate expressions of the query over it; with the slice that each
    reads where nothing but a change tells of the rows that begin with it."""
    tick = script.tick
    if tick is None:
        return {}
    found = [(log.slice, text) for log in tick.logs for text in (*following(log.affected, script.sources), *log.added)]
    found += [(scan.slice, one.text) for scan in tick.scans for one in scan.affected]
    found += [("", one.add) for one in (tick.products.products if tick.products else ())]
    alone = begins_with_changes(script)
    return {text: slice_ if alone else "" for slice_, text in found}


def nothing() -> None:
    """Nobody writes."""


def never(_: WatchedSession) -> bool:
    """Nothing happens."""
    return True


def close(session: WatchedSession) -> bool:
    """The process dies: its connection is closed."""
    session.killed = True
    session.session.close()
    raise Killed(f"at step {session.count}")


def terminate(session: WatchedSession) -> bool:
    """The server ends the connection; the worker learns of it at its next statement. SQLite has no server."""
    if session.session.dialect.name == "sqlite":
        return close(session)
    session.killed = True
    connection = session.session._connection
    with connection.__class__.connect(connection.info.dsn, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", (connection.info.backend_pid,))
    return True


def expire(engine: str) -> str:
    """The statement that ends every lease."""
    return f"UPDATE {LEASES[engine]} SET expires = '1970-01-01T00:00:00.000Z' WHERE expires > '1970-01-02'"
