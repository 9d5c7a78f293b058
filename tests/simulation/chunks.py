"""Chunks of a few rows, so that small tables are filled, sealed and applied in many transactions.

Owns: `chunks_of`. Promises: within the block every room of the runtime that asks for a pace gets one that stays at the size, and
ranges of keys are cut as small; and what is remembered of earlier ticks differs from tick to tick, as if units had been huge and
changes had reached far, the same for the same program. No turn follows from the one before: whoever asks once more where changes
reach far would meet that at each attempt.
"""

from __future__ import annotations

import contextlib
import random
import sys
from collections.abc import Iterator
from unittest import mock

from tidemark.contract.script import Script
from tidemark.dialect import Dialect
from tidemark.runtime import pace
from tidemark.runtime.backfill import fill_pages
from tidemark.runtime.duty import Duty
from tidemark.runtime.ticks import at_once, portions


@contextlib.contextmanager
def chunks_of(size: int | None) -> Iterator[None]:
    """Chunks of that many rows for the length of the block, however long anybody may hold; None leaves them to adapt."""
    with contextlib.ExitStack() as stack:
        begin = _forgetful(random.Random("portions"))
        for room in (portions, at_once):
            stack.enter_context(mock.patch.object(room, "begin", begin))
        if size is not None:
            _keep_size(stack, size)
        yield


def _keep_size(stack: contextlib.ExitStack, size: int) -> None:
    stack.enter_context(mock.patch.object(fill_pages, "PART_KEYS", size))

    def choose(dialect: Dialect, hold_ms: float | None = None) -> pace.Pace:
        return pace.Pace(100.0, dialect.writers_wait_in_line, size=size, size_min=size, size_max=size)

    rooms = [room for name, room in sys.modules.items() if name.startswith("tidemark.runtime.")]
    for room in rooms:
        for name in {"choose_pace", "choose_patient_pace"} & set(vars(room)):
            stack.enter_context(mock.patch.object(room, name, choose))


def _forgetful(rng: random.Random) -> object:
    """What begins with a portion, which is what the ledger says in one turn of three only."""
    original = portions.begin

    def begin(duty: Duty, script: Script, pace: pace.Pace, units: int | None, far: int) -> portions.Portion:
        turn = rng.randrange(3)
        return original(duty, script, pace, 1 if turn == 1 else units, 1 if turn == 2 else far)

    return begin
