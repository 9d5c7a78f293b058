"""What failed under a mistake in a way that proves nothing about it, played again without the mistake.

Owns: `Aside`. Promises: one case of each kind of such a failure is played again; where it fails then, what is tested is to blame,
and the hunt ends with that failure instead of looking past it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from types import TracebackType

from tests.simulation.case import Failure


class Aside:
    """Cases that were put aside; leaving the block, in which the mistake is made, plays them again. `met` counts them."""

    def __init__(self, met: Counter[str]) -> None:
        self._met = met
        self._again: dict[str, Callable[[], None]] = {}

    def put(self, failure: Failure, again: Callable[[], None]) -> None:
        """Count a failure that proves nothing; `again` plays the case without the mistake."""
        self._met[f"proves nothing: {failure.kind}"] += 1
        self._again.setdefault(failure.kind, again)

    def __enter__(self) -> Aside:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, where: TracebackType | None
    ) -> None:
        for again in self._again.values() if problem is None else ():
            try:
                again()
            except Failure as failure:
                raise AssertionError(f"it fails without the mistake, too: {failure}") from failure
