"""Long conditions: what is true of all columns of a wide table, or of one of them.

Owns: `all_of` and `any_of`. Promises: however many tests there are, the expression is no deeper than SQLite reads, 1,000 levels;
a few are written one behind the other.
"""

from __future__ import annotations

from collections.abc import Sequence

# SQLite reads `a AND b AND c` as ((a AND b) AND c), one level for each.
ROW_MAX = 150


def all_of(tests: Sequence[str]) -> str:
    """True when all tests are; empty without any."""
    return _chain(" AND ", tests)


def any_of(tests: Sequence[str]) -> str:
    """True when one of the tests is; empty without any."""
    return _chain(" OR ", tests)


def _chain(word: str, tests: Sequence[str]) -> str:
    if len(tests) <= ROW_MAX:
        return word.join(tests)
    parts = [tests[at : at + ROW_MAX] for at in range(0, len(tests), ROW_MAX)]
    return word.join(f"({word.join(part)})" for part in parts)
