"""The events of crossings and what definitions pass on to each other, told a second time from what readers see.

Owns: `crossed`, which events a step of rows is to give, and `Redefining`, which looks at a table before each transaction of an
apply. Promises: nothing is asked of the package but the number of the generation that readers see, and its outbox.

Within a generation rows move by at most one step in a transaction, and their steps give their events. From one generation to the
next nothing that both remember goes back; where both tell events, nothing waits for either in that transaction, so that each
change is told by exactly one of them.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol
from unittest import mock

from tests.simulation.case import Derived, Failure
from tests.simulation.kept import seen
from tests.simulation.memory import Row, Table, fold, is_frozen, rank, remembers, strange
from tidemark.runtime.changes import cutover

Events = Counter[tuple[str, int | None, float, bool]]


class Looking(Protocol):
    """How a player looks at its database."""

    ledger: str

    def values(self, one: Derived, source: str) -> Table:
        """The values of the columns that are no key, by key, of the stored rows or of a query in parentheses."""
        ...

    def ask(self, sql: str) -> Sequence[Sequence[Any]]:
        """The rows of a query."""
        ...


@dataclass(frozen=True)
class Look:
    """What readers see at a moment: which generation (0: none), its rows, and what was told under its name."""

    generation: int
    rows: Table
    events: Events


def crosses(one: Derived) -> bool:
    """Whether rows of a derived table give events."""
    return bool(one.options.get("crossings"))


def events(compare: Looking, name: str) -> Events:
    """What was told of a derived table: column, key and threshold of each event, and whether it is one for ever."""
    of = f"WHERE derived = {_literal(name)}"
    found = compare.ask(f"SELECT column_name, key, threshold, once FROM {compare.ledger}_outbox {of}")
    return Counter((str(name), _only(json.loads(key)), float(at), bool(int(once))) for name, key, at, once in found)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _only(key: dict[str, Any]) -> int | None:
    (value,) = key.values()
    return None if value is None else int(value)


def crossed(one: Derived, before: Table, after: Table, told: Events) -> Events:
    """The events that a step of rows is to give, `told` being what was told until then."""
    found: Events = Counter()
    for column, how in one.options.get("crossings", {}).items():
        place = one.options["columns"].index(column)
        for key, row in after.items():
            value, old = row[place], before[key][place] if key in before else None
            for at in how["at"]:
                if value is not None and float(value) >= at and (old is None or float(old) < at):
                    event = (column, _key(key), float(at), not how["again"])
                    found[event] += how["again"] or not told[event]
    return +found


def _key(text: str) -> int | None:
    found = re.search(r"-?\d+", text)
    return int(found[0]) if found else None


@contextmanager
def in_haste() -> Iterator[None]:
    """A moment in which nothing waits is looked for however long it takes: who writes between our transactions comes to an end,
    and the clock of a simulation runs fast."""
    with mock.patch.object(cutover, "REST_SECONDS", 1e6):
        yield


class Redefining:
    """Looks at one derived table while a definition takes the place of another. It is `alone` where nobody else writes and
    nothing of it began before."""

    def __init__(self, compare: Looking, old: Derived, new: Derived, *, alone: bool) -> None:
        self.compare, self.old, self.new, self.alone = compare, old, new, alone
        self.begun = self._generation()
        self.first = self.last = self._look()
        self.truths = self._truths()

    def think(self) -> None:
        """See what is true before a transaction of ours."""
        self.truths = self._truths()

    def look(self) -> None:
        """See what the transaction before has done. Raises `Failure`."""
        before, self.last = self.last, self._look()
        if self.last.generation == before.generation:
            self._step(self.new if before.generation != self.begun else self.old, before, self.last)
        elif self.last.generation:
            self._cut(before, self.last)

    def _generation(self) -> int:
        live = f"name = {_literal(self.old.name)} AND live_at IS NOT NULL AND state <> 'retired'"
        ((found,),) = self.compare.ask(f"SELECT max(generation) FROM {self.compare.ledger}_derived WHERE {live}")
        return int(found or 0)

    def _look(self) -> Look:
        generation = self._generation()
        one = self.old if generation == self.begun else self.new
        rows = self.compare.values(one, seen(one)) if generation else {}
        return Look(generation, rows, events(self.compare, one.name))

    def _truths(self) -> dict[str, Table]:
        found = ((word, getattr(self, word)) for word in ("old", "new"))
        return {word: self.compare.values(one, f"({one.query})") for word, one in found}

    def _fail(self, kind: str, detail: str) -> Failure:
        said = f"{detail}\nfrom {self.old.options}\n{self.old.query}\nto {self.new.options}\n{self.new.query}"
        return Failure(kind, self.old.name, said)

    def _step(self, one: Derived, before: Look, after: Look) -> None:
        truth = self.truths["old" if one is self.old else "new"]
        wrong = strange(one, before.rows, after.rows, truth, False, None) if remembers(one) else ""
        if wrong:
            raise self._fail("memory", wrong)
        self._expect(before, after, crossed(one, before.rows, after.rows, before.events))

    def _expect(self, before: Look, after: Look, wanted: Events) -> None:
        if after.events != before.events + wanted:
            extra, missing = after.events - before.events - wanted, wanted - (after.events - before.events)
            raise self._fail("events", f"too many {dict(extra)}, missing {dict(missing)}")

    def _cut(self, before: Look, after: Look) -> None:
        self._expect(before, after, Counter())
        sides = ((self.old, before.rows, self.truths["old"]), (self.new, after.rows, self.truths["new"]))
        for one, rows, truth in sides if crosses(self.old) and crosses(self.new) else ():
            for key in {*rows, *truth}:
                if fold(one, rows.get(key), truth.get(key), None) != rows.get(key):
                    what = f"{key} holds {rows.get(key)} when generations part, and true is {truth.get(key)}"
                    raise self._fail("parted", f"{'new' if one is self.new else 'old'}: {what}")
        if remembers(self.old) and remembers(self.new):
            # A definition by which no key is NULL has no place for a row whose key is.
            lost = {key for key in before.rows if _key(key) is None} - {*after.rows, *self.truths["new"]}
            for key in {*before.rows, *after.rows} - lost:
                wrong = self._passed_on(before.rows.get(key), after.rows.get(key), self.truths["new"].get(key))
                wrong = wrong or (self._exactly(key, before, after) if self.alone else "")
                if wrong:
                    raise self._fail("passed on", f"{key}: {wrong}")

    @property
    def _is_same(self) -> bool:
        """Whether both have one key, of one table."""
        return self.old.key == self.new.key and self.old.options["plan"]["by"] == self.new.options["plan"]["by"]

    @property
    def _keeps_rows(self) -> bool:
        return self._is_same and all(one.options.get("keep_rows") for one in (self.old, self.new))

    def _is_passed_on(self, name: str) -> bool:
        """Whether what the older definition shows in a column says something to the new one."""
        old, new = (one.options.get("keep", {}) for one in (self.old, self.new))
        return (
            self._is_same
            and name in self.old.options["columns"]
            and (self._keeps_rows or (name in old and name in new))
        )

    def _projected(self, row: Row | None) -> Row | None:
        """A row of the older definition with the columns of the new one."""
        if row is None:
            return None
        known = dict(zip(self.old.options["columns"], row, strict=True))
        return tuple(known[name] if self._is_passed_on(name) else None for name in self.new.options["columns"])

    def _passed_on(self, before: Row | None, after: Row | None, truth: Row | None) -> str:
        """What is remembered never goes back, whatever happened meanwhile."""
        known = self._projected(before)
        if known is None:
            return ""
        if after is None:
            return f"{before} is gone" if truth is not None or self._keeps_rows else ""
        names = self.new.options["columns"]
        rows = zip(names, known, after, strict=True)
        for name, old, new in rows:
            kept = self.new.options.get("keep", {}).get(name, "")
            if kept and self._is_passed_on(name):
                frozen = is_frozen(kept, dict(zip(names, known, strict=True)), name)
                if (kept == "ratchet" and rank(new) < rank(old)) or (kept != "ratchet" and frozen and new != old):
                    return f"{name} was {old} and is {new}"
        return ""

    def _exactly(self, key: str, before: Look, after: Look) -> str:
        """Where nobody wrote, rows are what the new definition makes of those of the older one. What it does not remember of rows
        that stay may be of the moment when it took them first."""
        truth, allowed = self.truths["new"].get(key), []
        for rows in (before.rows, self.first.rows):
            known = self._projected(rows.get(key))
            allowed.append(self._folded(known, truth))
        found = after.rows.get(key)
        latest, earliest = allowed
        if found is None or latest is None:
            return "" if found is latest else f"{found} instead of {latest}"
        keep, names = self.new.options.get("keep", {}), self.new.options["columns"]
        for place, name in enumerate(names):
            others = [] if earliest is None or name in keep else [earliest[place]]
            if found[place] not in (latest[place], *others):
                return f"{name} is {found[place]} instead of {latest[place]}, from {before.rows.get(key)} and {truth}"
        return ""

    def _folded(self, known: Row | None, truth: Row | None) -> Row | None:
        found = fold(self.new, known, truth, None)
        if found is None or truth is None:
            return found
        # What nothing is known of begins with what the query says, also where another column has frozen it.
        names = self.new.options["columns"]
        return tuple(
            value if self._is_passed_on(name) else said for name, value, said in zip(names, found, truth, strict=True)
        )
