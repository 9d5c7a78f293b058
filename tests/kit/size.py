"""How much of the large suites a test run takes.

Owns: `FULL` and `TURN`. A plain run takes fewer rounds and a fixed part of what there is, always the same one; each suite
says in its docstring which. Promises: with ``TIDEMARK_TEST_FULL=1`` nothing is left out, and ``TIDEMARK_TEST_TURN`` (a number,
0 when not given) moves on to another part: as many turns as a part's share see everything.
"""

from __future__ import annotations

import os

FULL = os.environ.get("TIDEMARK_TEST_FULL", "") not in ("", "0")
TURN = int(os.environ.get("TIDEMARK_TEST_TURN", "0"))


def in_turn(number: int, share: int) -> bool:
    """Whether this run takes the thing with that number, when it takes one of `share`."""
    return FULL or number % share == TURN % share
