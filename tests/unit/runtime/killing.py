"""A session whose process dies: after a given number of commits nothing of it happens any more."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from tidemark.database.session import Mode, Session


class Killed(BaseException):
    """The process is gone. No handler of ours may run code of consequence after it: every later call raises it again."""


class MortalSession:
    """A session that dies after `commits` write transactions (0: at the first one)."""

    def __init__(self, session: Session, commits: int) -> None:
        self._session = session
        self._left = commits
        self.dead = False

    def __getattr__(self, name: str) -> Any:
        if self.dead:
            raise Killed
        return getattr(self._session, name)

    def alone(self, sql: str, parameters: Any = None) -> list[tuple[Any, ...]]:
        """One statement, which is a write transaction of its own."""
        if self.dead or self._left == 0:
            self.dead = True
            raise Killed
        self._left -= 1
        return self._session.alone(sql, parameters)

    @contextlib.contextmanager
    def transaction(
        self, mode: Mode = "write", *, snapshot: bool = False, holding: Sequence[str] = ()
    ) -> Iterator[None]:
        if self.dead:
            raise Killed
        if mode != "read" and self._left == 0:
            self.dead = True
            raise Killed
        with self._session.transaction(mode, snapshot=snapshot, holding=holding):
            yield
        if mode != "read":
            self._left -= 1
