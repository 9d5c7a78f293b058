"""Sessions whose process dies: after a number of commits, or before a statement, nothing of it happens any more."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from tidemark.database.session import Mode, Parameters, Session


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


class Fragile:
    """A session whose process dies before the statement of a given number."""

    def __init__(self, session: Session, statements: int) -> None:
        self._session = session
        self._left = statements

    def __getattr__(self, name: str) -> object:
        return getattr(self._session, name)

    def run(self, sql: str, parameters: Parameters | None = None) -> int:
        if self._left == 0:
            raise Killed
        self._left -= 1
        return self._session.run(sql, parameters)

    def run_all(self, statements: Sequence[str], parameters: Parameters | None = None) -> list[int]:
        return [self.run(statement, parameters) for statement in statements]
