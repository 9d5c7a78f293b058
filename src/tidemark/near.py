"""What somebody may have meant who named a thing that is not there.

Owns: `tell_near`. Promises: the likeliest names come first, and a long list is cut.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

NAMES_MAX = 8


def tell_near(wanted: str, names: Iterable[str]) -> str:
    """The names that are there, for a message: those like `wanted` first; empty where there is none at all."""
    there = sorted(set(names))
    like = get_close_matches(wanted.lower(), {name.lower() for name in there}, n=NAMES_MAX)
    there.sort(key=lambda name: like.index(name.lower()) if name.lower() in like else len(like))
    return ", ".join(there[:NAMES_MAX]) + (", …" if len(there) > NAMES_MAX else "")
