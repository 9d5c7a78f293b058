"""SQLite: what a statement writes besides its own rows, by triggers of the user's and by foreign keys.

Owns: `read_ways` and `come_first`. Promises: a table that a statement can write is among those that are given; some may be
that it never writes.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from tidemark.database.sqlite.text import Token, tokens

REFERENCES = """
SELECT lower(f."table"), lower(m.name), f.on_update NOT IN ('NO ACTION', 'RESTRICT')
FROM main.sqlite_schema AS m JOIN pragma_foreign_key_list(m.name, 'main') AS f
WHERE m.type = 'table' AND (f.on_update NOT IN ('NO ACTION', 'RESTRICT') OR f.on_delete NOT IN ('NO ACTION', 'RESTRICT'))
"""


# Names of fewer characters than this are never shortened.
NAMES_WHOLE = 40


KEYS = """
SELECT m.name, x.name
FROM main.sqlite_schema AS m JOIN pragma_table_xinfo(m.name, 'main') AS x
WHERE m.type = 'table' AND (x.pk OR x.hidden OR EXISTS (
    SELECT 1 FROM pragma_index_list(m.name, 'main') AS l JOIN pragma_index_xinfo(l.name, 'main') AS i
    WHERE l."unique" AND (l.partial OR (i.key AND ifnull(i.name, x.name) = x.name))))
"""
"""Columns that unique keys may be made of."""
ROWIDS = frozenset({"rowid", "_rowid_", "oid"})


@dataclass(frozen=True)
class TriggerText:
    """What the text of CREATE TRIGGER says: ``before``, ``after`` or ``instead``, every name in its body, the tables that its
    statements write, those into which they insert, (table, column) of what they assign, and whether it may let nothing come after
    it. Names are in lower case."""

    timing: str
    names: frozenset[str]
    written: frozenset[str]
    inserted: frozenset[str]
    assigned: frozenset[tuple[str, str]]
    ends: bool

    def gives_keys(self, table: str, keys: Collection[str]) -> bool:
        """Whether it may give a row of a table other values in some columns, or bring one."""
        return table in self.inserted or any(on == table and column in keys for on, column in self.assigned)


@lru_cache(maxsize=1024)
def read_trigger(sql: str) -> TriggerText:
    """What the text of a trigger says."""
    found = list(tokens(sql))
    begin = next((place for place, one in enumerate(found) if _is(one, "begin")), 0)
    head, body = found[:begin], found[begin:]
    timing = "before"
    for one, following in zip(head, head[1:], strict=False):
        # What the trigger is called may be any word but is no keyword before one of these.
        if _is(one, "after") and following.text.lower() in ("insert", "update", "delete"):
            timing = "after"
        elif _is(one, "instead") and _is(following, "of"):
            timing = "instead"
        else:
            continue
        break
    words = [one.text.lower() for one in found]
    return TriggerText(
        timing,
        frozenset(_name(one) for one in body),
        frozenset(_name(body[place]) for place in _targets(body) if place < len(body)),
        frozenset(_name(two) for one, two in zip(body, body[1:], strict=False) if _is(one, "into")),
        frozenset(pair for place in _targets(body) for pair in _assigned(body, place)),
        any(words[place : place + 3] == ["raise", "(", "ignore"] for place in range(len(words))),
    )


def _targets(body: Sequence[Token]) -> Iterable[int]:
    """Where the names of tables stand that statements write."""
    for place, one in enumerate(body):
        if _is(one, "into") or (_is(one, "from") and place and _is(body[place - 1], "delete")):
            yield place + 1
        elif _is(one, "update"):
            # UPDATE OR REPLACE t
            yield place + (3 if place + 1 < len(body) and _is(body[place + 1], "or") else 1)


def _assigned(body: Sequence[Token], place: int) -> Iterable[tuple[str, str]]:
    """The columns that the UPDATE of the table at a place assigns."""
    begin = next((at for at in range(place, len(body)) if _is(body[at], "set") or body[at].says(";")), len(body))
    depth, open_ = 0, True
    for one in body[begin + 1 :] if begin < len(body) and _is(body[begin], "set") else ():
        if one.says(";") or (not depth and any(_is(one, word) for word in ("where", "from", "returning"))):
            return
        depth += one.says("(") - one.says(")")
        # Names stand at the beginning and behind commas, those of a list in brackets.
        if one.says("="):
            open_ = False
        elif one.says(",") and not depth:
            open_ = True
        elif open_:
            yield _name(body[place]), _name(one)


def _is(token: Token, word: str) -> bool:
    return token.kind == "word" and token.text.lower() == word


def _name(token: Token) -> str:
    """The name that a token is, without its quotes."""
    text = token.text
    if token.kind in ("quoted", "string"):
        text = text[1:-1] if text[0] == "[" else text[1:-1].replace(text[0] * 2, text[0])
    return text.lower()


def _reach(tables: Collection[str], writes: Mapping[str, Collection[str]]) -> set[str]:
    """Tables, and those that triggers on them write, and so on."""
    reached, more = set[str](), set(tables)
    while more:
        reached |= more
        more = {other for table in more for other in writes.get(table, ())} - reached
    return reached


@dataclass
class Ways:
    """What a statement writes besides its own rows, by table in lower case: by foreign keys that act on an update, and by
    triggers and foreign keys of any kind; `named` tells what triggers name, be it to write or to read it."""

    updated: dict[str, set[str]]
    writes: dict[str, set[str]]
    named: dict[str, set[str]]
    early: dict[str, set[str]]
    texts: dict[str, list[TriggerText]]

    def echoing(self) -> frozenset[str]:
        """Tables whose rows an update may write twice: foreign keys act, and so do triggers on the tables where they do,
        before any AFTER trigger on the row that was updated."""
        return frozenset(table for table, some in self.updated.items() if table in _reach(some, self.named))

    def reentered(self) -> frozenset[str]:
        """Tables that a statement on them may write again before it is over."""
        return frozenset(table for table in list(self.named) if table in _reach(self.named[table], self.named))

    def rewritten(self) -> frozenset[str]:
        """Tables with a trigger that comes before a row of theirs is written and may write that row, too."""
        return frozenset(table for table, some in self.early.items() if self.leads(some, table))

    def unfollowed(self, keys: Mapping[str, Collection[str]]) -> frozenset[str]:
        """Those among them where rows may come or be given other `keys` before a row is written: whom REPLACE would delete then,
        and which row it is, nobody can follow."""
        return frozenset(
            table
            for table in self.rewritten()
            for on in {table, *_reach(self.early[table], self.writes)}
            for text in self.texts.get(on, ())
            if text.gives_keys(table, ROWIDS.union(keys.get(table, ())))
        )

    def leads(self, written: Collection[str], table: str) -> bool:
        """Whether what writes some tables may write that one."""
        return table in _reach(written, self.writes)


def read_ways(references: Iterable[tuple[Any, ...]], bodies: Mapping[str, Sequence[str]]) -> Ways:
    """What statements write: `references` are rows of `REFERENCES`, `bodies` the user's triggers by table in lower case."""
    found = Ways(defaultdict(set), defaultdict(set), defaultdict(set), defaultdict(set), {})
    for parent, child, on_update in references:
        found.writes[parent].add(child)
        found.named[parent].add(child)
        if on_update:
            found.updated[parent].add(child)
    known = {*found.named, *bodies}
    for table, texts in bodies.items():
        found.texts[table] = [read_trigger(text) for text in texts]
        for text in found.texts[table]:
            found.named[table] |= text.names & known
            found.writes[table] |= text.written
            if text.timing == "before":
                found.early[table] |= text.written
    return found


def come_first(
    ways: Ways, keys: Mapping[str, Collection[str]], triggers: Sequence[tuple[str, str, str, bool]]
) -> frozenset[str]:
    """The triggers of ours that do not stand where they have to, of all `triggers` (name, text, table, whether it is ours) in the
    order in which they were made.

    SQLite runs the newest trigger of a table first. What one of the user's writes AFTER a row was written has to be told after
    that row was, because the row that ours are shown is then no longer what stands there: so theirs have to be older. What one
    writes BEFORE that has to be there when ours look at what is about to be written: so theirs have to be newer, and there has to
    be one of ours that looks; where it changes `keys`, none can.
    """
    found, ours, early = set[str](), defaultdict[str, list[tuple[str, str]]](list), set[str]()
    for name, sql, table, mine in triggers:
        on, text = table.lower(), read_trigger(sql)
        if mine:
            ours[on].append((name, text.timing))
            if on in early and text.timing == "before":
                found.add(name)
        elif text.timing == "after" and (text.ends or ways.leads(text.written, on)):
            found.update(one for one, _ in ours[on])
        elif text.timing == "before" and ways.leads(text.written, on):
            early.add(on)
    unfollowed = ways.unfollowed(keys)
    for on in early:
        names = [name for name, _ in ours[on]]
        found.update(names if on in unfollowed else ())
        found.update(name for name in names if (looks := _who_looks(name)) and not any(map(looks.fullmatch, names)))
    return frozenset(found)


def _who_looks(name: str) -> re.Pattern[str] | None:
    """The name of the trigger of ours that looks at rows which one for updates tells of; None for any other."""
    for kind in ("tidemark__", "tidemark__capture_"):
        if name.startswith(f"{kind}update_"):
            rest = name.removeprefix(f"{kind}update_")
            # A long name ends in a hash of the whole.
            end = re.escape(rest) if len(rest) < NAMES_WHOLE else f"{re.escape(rest[:NAMES_WHOLE])}.*"
            return re.compile(f"{kind}seen_update_{end}", re.DOTALL)
    return None
