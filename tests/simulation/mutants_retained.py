"""Deliberate mistakes about pruned sources.

Owns: the list `RETAINED`, of the same kind as `MISTAKES`. Promises: the package is as it was when the hunt ends, and no script
that was compiled with a mistake is used again.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack
from typing import Any
from unittest import mock

from tests.simulation.compiled import SCRIPTS
from tests.simulation.mutants import Met
from tests.simulation.mutants_runtime import Mistake
from tests.simulation.retained import FAMILY
from tidemark.model import Table
from tidemark.render import linear


def _compiled_anew() -> ExitStack:
    SCRIPTS.clear()
    stack = ExitStack()
    stack.callback(SCRIPTS.clear)
    return stack


def taken_back(met: Met) -> AbstractContextManager[Any]:
    """What is deleted from a pruned source is taken back as from any other."""
    real = Table.pruned.fget
    assert real is not None

    def pruned(self: Table) -> bool:
        met["changed"] += real(self)
        return False

    stack = _compiled_anew()
    stack.enter_context(mock.patch.object(Table, "pruned", property(pruned)))
    return stack


def forgotten(met: Met) -> AbstractContextManager[Any]:
    """A key that is computed again forgets what is stored of rows that are gone."""
    real = linear.keep_gone

    def keep(*given: Any) -> tuple[str, ...]:
        met["changed"] += bool(real(*given))
        return ()

    stack = _compiled_anew()
    stack.enter_context(mock.patch.object(linear, "keep_gone", keep))
    return stack


RETAINED: tuple[Mistake, ...] = tuple(
    Mistake(engine, name, mistake, ("group", FAMILY))
    for name, mistake in (("what is pruned is taken back", taken_back), ("what is gone is forgotten", forgotten))
    for engine in ("sqlite", "postgres")
)
