"""Listing every key of a derived table a page at a time, so that no transaction lasts as long as there are keys.

Owns: `Book`. Promises: keys come in order, each once, up to the greatest one when the walk began: a key that is born above it is
wholly captured; each page is read in a moment of its own and holds nobody up. A place in a page is a key, so that what is
resumed goes on after the last key that was done, whatever came or went meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tidemark.contract.script import Script
from tidemark.contract.walk import Pages
from tidemark.database.session import Session
from tidemark.runtime.duty import Duty
from tidemark.runtime.ticks.batch import prepare
from tidemark.runtime.values import is_utf8

Key = tuple[Any, ...]
PAGE_KEYS = 50_000


@dataclass
class Book:
    """The keys after `after` (None = from the first) up to `upto` (None = there is none), in pages. `total` counts them all."""

    duty: Duty
    script: Script
    pages: Pages
    upto: Key | None
    after: Key | None = None

    def count(self, first: int) -> int:
        """How many keys there are, read in hops; `first` of them are on the first page: all of them, unless it is full."""
        return first if first < PAGE_KEYS else sum(keys for _, keys in self.hops(PAGE_KEYS))

    def hops(self, keys_max: int) -> Iterator[tuple[Key | None, int]]:
        """The last of each `keys_max` keys in order, and how many they are; what is left at the end is up to `upto`."""
        after, more = self.after, int(self._has_null(self.after))
        names = ", ".join(self.duty.session.dialect.quote(name) for name in self.script.applier.units)
        while self.upto is not None:
            keys, bounds = self._keys(after), {**self._bounds(after), "limit": keys_max}
            skip = {**bounds, "skip": keys_max - 1}
            found = self.duty.session.one(f"SELECT * FROM ({keys}) AS h ORDER BY {names} LIMIT 1 OFFSET :skip", skip)
            if found is None:
                row = self.duty.session.one(f"SELECT count(*) FROM ({keys}) AS h", bounds)
                more += int(row[0]) if row else 0
                break
            yield tuple(found), keys_max + more
            after, more = tuple(found), 0
            self.duty.check_stop(f"the count of the keys of {self.script.name}")
        if more:
            yield self.upto, more

    def turn(self) -> Iterator[int]:
        """List one page after the other in the session's list; give the number of keys in each."""
        while True:
            count = self.duty.read(self._list, snapshot=False).value
            if count == 0:
                return
            last = self.key_at(count)
            yield count
            if last[0] is None and len(last) == 1:
                # Nothing but the key that is NULL was there.
                return
            self.after = last

    def key_at(self, place: int) -> Key:
        """The key at a place of the page."""
        return read_key(self.duty.session, self.pages.place, place) or ()

    def _list(self) -> int:
        session, applier = self.duty.session, self.script.applier
        prepare(session, self.script)
        session.run(applier.list_keys[0])
        count = 0
        if self._has_null(self.after):
            count += session.run(f"{self.pages.into} {self.pages.nulls}")
        if self.upto is not None:
            keys = f"{self.pages.into} {self._keys(self.after)}"
            count += session.run(keys, self._bounds(self.after))
        return count

    def _has_null(self, after: Key | None) -> bool:
        return after is None and bool(self.pages.nulls) and self.duty.session.one(self.pages.nulls) is not None

    def _keys(self, after: Key | None) -> str:
        return self.pages.keys.replace("{after}", self.pages.after if after is not None else "")

    def _bounds(self, after: Key | None) -> dict[str, Any]:
        begins = {f"a{place}": value for place, value in enumerate(after or ())}
        ends = {f"z{place}": value for place, value in enumerate(self.upto or ())}
        return {**begins, **ends, "limit": PAGE_KEYS}


def open_book(duty: Duty, script: Script, after: Key | None = None, upto: Key | None = None) -> Book | None:
    """The keys of a script in pages, from a key on; None where they have to be listed whole. Without `upto` up to the
    greatest key that there is now."""
    pages = script.applier.pages
    if pages is None or not script.applier.indexed:
        return None
    if after is not None and after[0] is None:
        # The key that is NULL comes first and is not compared with any other.
        after = None
    last = upto or duty.session.one(pages.last)
    if last is not None and not is_storable(tuple(last)):
        return None
    return Book(duty, script, pages, None if last is None else tuple(last), after)


def read_key(session: Session, text: str, place: int) -> Key | None:
    """The key at a place of a list, as that text tells it; None before the first."""
    row = session.one(text, {"place": place})
    return None if row is None else tuple(row)


def is_storable(key: Key) -> bool:
    """Whether a key can be written down and compared with again: a text that is no UTF-8 cannot."""
    return all(is_utf8(value) for value in key if isinstance(value, str))
