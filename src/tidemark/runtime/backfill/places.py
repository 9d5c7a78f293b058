"""Where a range of keys begins and ends in the session's list of every key.

Owns: `places_between`, `cut_places`, `key_at` and `place_of`. Promises: both ends are among them, and every key between them is
in one part; what is no key of the table is refused before anything is looked at.
"""

from __future__ import annotations

from tidemark.contract.script import Script
from tidemark.database.session import Unacceptable
from tidemark.errors import Code, Refusal
from tidemark.runtime.backfill.fill_listed import list_every_key
from tidemark.runtime.backfill.filling import Part
from tidemark.runtime.backfill.pages import Key, is_storable, read_key
from tidemark.runtime.backfill.together import RANGES_EACH
from tidemark.runtime.duty import Duty
from tidemark.runtime.values import show

Between = tuple[Key | None, Key | None]


def places_between(duty: Duty, script: Script, between: Between) -> range:
    """List every key, and give the places from one key to another one, counted from 0; None is the first key, or the last.

    Raises `Refusal` (``declaration``) for a key with another number of columns, or of a type that the engine takes for none
    of the table's, and where there are no keys.
    """
    applier = script.applier
    first, last = 1, list_every_key(duty, script)
    for key, text in zip(between, (applier.begins_at, applier.ends_at), strict=True):
        if key is None:
            continue
        if not text or len(key) != len(applier.units):
            raise _refuse(script, key, text)
        try:
            row = duty.session.one(text, {f"k{place}": value for place, value in enumerate(key)})
        except Unacceptable as problem:
            raise _refuse(script, key, text) from problem
        found = None if row is None else row[0]
        if text == applier.begins_at:
            first = last + 1 if found is None else int(found)
        else:
            last = 0 if found is None else int(found)
    return range(first - 1, max(last, first - 1))


def _refuse(script: Script, key: Key, text: str) -> Refusal:
    named = f"give {', '.join(script.applier.units)}, as a JSON list where they are several"
    return Refusal(
        Code.DECLARATION,
        f"({', '.join(map(show, key))}) is no key of {script.name}",
        instead=named if text else "name no keys, for all of it",
    )


def cut_places(duty: Duty, script: Script, places: range, crew: int) -> list[Part] | None:
    """A range of the list as ranges of keys, a few for each of so many sessions; None where keys cannot be listed by pages.

    What is born between two of its keys meanwhile is wholly captured, whichever range it falls into.
    """
    pages = script.applier.pages
    if pages is None or not script.applier.indexed:
        return None
    last = read_key(duty.session, pages.place, places.stop)
    # The key that is NULL is last in the list, and first where keys are listed by pages: beside whatever has no key before it.
    null = len(places) > 0 and last is not None and last[0] is None
    within = range(places.start, places.stop - null)
    each = max(1, -(-len(within) // (crew * RANGES_EACH)))
    ends = [within.start, *(min(low + each, within.stop) for low in within[::each])]
    keys = [read_key(duty.session, pages.place, end) for end in ends]
    if any(key is not None and (None in key or not is_storable(key)) for key in keys):
        return None
    return [*zip(keys, keys[1:], strict=False), *([(None, (None,))] if null and (within.start or not within) else [])]


def key_at(duty: Duty, script: Script, place: int) -> Key | None:
    """The unit at a place of the session's list, which is counted from 1; None before the first."""
    # What takes units into a batch reads them, too.
    text = f"SELECT {script.applier.take_todo.partition(') SELECT ')[2]}"
    row = duty.session.one(text, {"low": place - 1, "high": place})
    return None if row is None else tuple(row[1:])


def place_of(duty: Duty, script: Script, key: Key) -> int | None:
    """How many keys of the session's list are not after that one; None where it cannot be compared with."""
    text = script.applier.ends_at
    if not text or None in key or not is_storable(key):
        return None
    row = duty.session.one(text, {f"k{place}": value for place, value in enumerate(key)})
    return 0 if row is None or row[0] is None else int(row[0])
