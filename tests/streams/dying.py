"""A process that dies between two statements."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

EXPIRE = {
    "sqlite": "UPDATE tidemark__lease SET expires = '1970-01-01T00:00:00.000Z'",
    "postgres": "UPDATE tidemark._lease SET expires = '1970-01-01T00:00:00.000Z'",
}
"""What the time until a dead process's leases end would bring."""


class Dead(BaseException):
    """The process is gone: nothing catches this."""


class Dying:
    """A session whose process dies at a step: every statement, beginning and end of a transaction is one."""

    def __init__(self, session: Any, left: int) -> None:
        self._session = session
        self._left = left

    def _step(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise Dead

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._session, name)
        if name not in ("run", "script", "all", "one", "put_rows", "find_rows"):
            return found

        def stepped(*arguments: Any, **more: Any) -> Any:
            self._step()
            return found(*arguments, **more)

        return stepped

    def run_all(self, statements: Sequence[str], parameters: Any = None) -> list[int]:
        """Each of them is a step."""
        return [self.run(statement, parameters) for statement in statements]

    @contextlib.contextmanager
    def transaction(self, *arguments: Any, **more: Any) -> Iterator[None]:
        """A transaction, with a step before it and one before its commit."""
        self._step()
        with self._session.transaction(*arguments, **more):
            yield
            self._step()
