"""Where a range of keys begins and ends in the session's list of every key.

Owns: `places_between`. Promises: both ends are among them; what is no key of the table is refused before anything is looked at.
"""

from __future__ import annotations

from typing import Any

from tidemark.errors import Code, Refusal
from tidemark.runtime.duty import Duty
from tidemark.runtime.fill import list_every_key
from tidemark.runtime.values import show
from tidemark.script import Script

Key = tuple[Any, ...]
Between = tuple[Key | None, Key | None]


def places_between(duty: Duty, script: Script, between: Between) -> range:
    """List every key, and give the places from one key to another one, counted from 0; None is the first key, or the last.

    Raises `Refusal` (``declaration``) for a key with another number of columns, and where there are no keys.
    """
    applier = script.applier
    first, last = 1, list_every_key(duty, script)
    for key, text in zip(between, (applier.begins_at, applier.ends_at), strict=True):
        if key is None:
            continue
        if not text or len(key) != len(applier.units):
            raise Refusal(
                Code.DECLARATION,
                f"({', '.join(map(show, key))}) is no key of {script.name}",
                instead=f"give {', '.join(applier.units)}, as a JSON list where they are several"
                if text
                else "name no keys, for all of it",
            )
        row = duty.session.one(text, {f"k{place}": value for place, value in enumerate(key)})
        found = None if row is None else row[0]
        if text == applier.begins_at:
            first = last + 1 if found is None else int(found)
        else:
            last = 0 if found is None else int(found)
    return range(first - 1, max(last, first - 1))
