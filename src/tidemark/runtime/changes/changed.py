"""What of a definition is another one now, in words.

Owns: `tell_changed`. Promises: what is said is so, by what readers know of a derived table: its columns, its key, its freshness
and the words of its query. Of how it is kept nothing is said.
"""

from __future__ import annotations

from os.path import commonprefix

from tidemark.contract.script import Script

SHOWN_MAX = 60


def tell_changed(script: Script, before: Script) -> str:
    """How the definition differs from the one before, after a colon; empty where no reader would know, and for supports, which
    follow what they are for."""
    if script.supports:
        return ""
    gained = [name for name in script.columns if name not in before.columns]
    lost = [name for name in before.columns if name not in script.columns]
    said = [f"it gains {', '.join(gained)}"] if gained else []
    said += [f"it has no {', '.join(lost)}"] if lost else []
    said += [f"its key is {', '.join(script.key) or 'none'}"] if script.key != before.key else []
    said += [f"it is kept at {script.freshness}"] if script.freshness != before.freshness else []
    said += _reworded(before.truth.split(), script.truth.split()) if not (gained or lost) else []
    return f": {'; '.join(said)}" if said else ""


def _reworded(before: list[str], now: list[str]) -> list[str]:
    """The words of a query that are others, after two that stayed."""
    if before == now:
        return []
    begins = len(commonprefix([before, now]))
    ends = len(commonprefix([before[begins:][::-1], now[begins:][::-1]]))
    old, new = (" ".join(words[max(0, begins - 2) : len(words) - ends]) for words in (before, now))
    return [f'its query says "{_cut(new)}", and not "{_cut(old)}"']


def _cut(words: str) -> str:
    return words if len(words) <= SHOWN_MAX else f"{words[: SHOWN_MAX - 1].rstrip()}…"
