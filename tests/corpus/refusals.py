"""The queries that are refused, and under which code: ``refused.txt``, one line ``engine name code`` each.

Owns: that list. Promises: it is short because only mathematics is a reason to be on it; what is listed is refused with that
code, and what is not listed is kept true. ``python -m tests.corpus --admit --list`` writes it anew.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

LIST = Path(__file__).with_name("refused.txt")


def expected() -> dict[tuple[str, str], str]:
    """The code by engine and name."""
    lines = [line.split() for line in LIST.read_text(encoding="utf-8").splitlines() if line.strip()]
    return {(engine, name): code for engine, name, code in lines}


def write(found: Iterable[tuple[str, str, str]]) -> None:
    """Write the list anew."""
    LIST.write_text("".join(f"{engine} {name} {code}\n" for engine, name, code in sorted(found)), encoding="utf-8")
