"""Counts, names and problems as messages have them.

Owns: `tell_count`, `tell_doing`, `tell_part`, `tell_near` and `tell_problem`. Promises: one thing is not called many; of the
names that are there the likeliest come first, and a long list is cut.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from tidemark.errors import TidemarkError

NAMES_MAX = 8


def tell_count(count: int, one: str) -> str:
    """So many things, for people: ``1 row``, ``2,000 rows``."""
    return f"{count:,} {one if count == 1 else one + 's'}"


def tell_doing(count: int, one: str, does: str) -> str:
    """So many things that do something: ``1 row differs``, ``2 rows differ``."""
    return f"{tell_count(count, one)} {does}{'s' if count == 1 else ''}"


def tell_part(part: int, whole: int, one: str, does: str) -> str:
    """So many of so many things that do something: ``1 of 2 rows differs``."""
    return f"{part:,} of {tell_count(whole, one)} {does}{'s' if part == 1 else ''}"


def tell_near(wanted: str, names: Iterable[str]) -> str:
    """The names that are there, for a message: those like `wanted` first; empty where there is none at all."""
    there = sorted(set(names))
    like = get_close_matches(wanted.lower(), {name.lower() for name in there}, n=NAMES_MAX)
    there.sort(key=lambda name: like.index(name.lower()) if name.lower() in like else len(like))
    return ", ".join(there[:NAMES_MAX]) + (", …" if len(there) > NAMES_MAX else "")


def tell_problem(problem: BaseException) -> str:
    """A problem as a text for a record: our own say what they are, others by the name of their kind."""
    return str(problem) if isinstance(problem, TidemarkError) else f"{type(problem).__name__}: {problem}"
