"""Columns with memory, as a fold in Python over the states that a derived table passes through.

Owns: what ``keep=`` and ``keep_rows=`` mean, written a second time, and their shape of query. Promises: a row after a duty is
either the row before it or that row folded with the true row of the moment; after a drained tick it is the folded one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.simulation.case import Derived
from tests.simulation.queries import Draft
from tests.simulation.shapes import Column, Parts, draft, listed, shape
from tidemark import first, position, ratchet
from tidemark.runtime.ledger import Ledger
from tidemark.runtime.streams.account import Account

Row = tuple[Any, ...]
Table = Mapping[str, Row]
STREAM = "ledger"
"""The stream that simulated blocks are of."""


def remembers(one: Derived) -> bool:
    """Whether a derived table has memory."""
    return bool(one.options.get("keep") or one.options.get("keep_rows"))


def declared(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a case as a declaration takes them."""
    found = dict(options)
    for word in ("columns", "reads", "commit", "types", "asks", "crossings", "plan"):
        found.pop(word, None)
    if "keep" in found:
        found["keep"] = {name: _memory(text) for name, text in found["keep"].items()}
    return found


def _memory(text: str) -> Any:
    word, _, when = text.partition(" when ")
    moment = position(STREAM) if word == "position" else None
    return ratchet() if word == "ratchet" else first(moment, when=when or None)


def is_dated(one: Derived) -> bool:
    """Whether a derived table keeps which block completed a row."""
    return any(kept.startswith("position") for kept in one.options.get("keep", {}).values())


def fold(one: Derived, stored: Row | None, truth: Row | None, at: int | None) -> Row | None:
    """What is stored next, as values in the order of the option ``columns``, when `at` is the block that was taken last."""
    if truth is None:
        return stored if one.options.get("keep_rows") else None
    truth = _dated(one, truth, at)
    if stored is None:
        return truth
    names = one.options["columns"]
    before = dict(zip(names, stored, strict=True))
    found = []
    for name, value in zip(names, truth, strict=True):
        kept = one.options.get("keep", {}).get(name, "")
        word = kept.partition(" when ")[0]
        if word == "ratchet":
            found.append(max((value, before[name]), key=rank))
        elif word in ("first", "position") and is_frozen(kept, before, name):
            found.append(before[name])
        else:
            found.append(value)
    return tuple(found)


def is_frozen(kept: str, before: Mapping[str, Any], name: str) -> bool:
    """Whether a column that keeps what came first has it, in a row of values by name."""
    word, _, when = kept.partition(" when ")
    return _is_true(before[when]) if when and word != "position" else before[name] is not None


def _dated(one: Derived, truth: Row, at: int | None) -> Row:
    """A true row with the block in the place of what the query says of it."""
    names = one.options["columns"]
    row = dict(zip(names, truth, strict=True))
    for name, kept in one.options.get("keep", {}).items():
        word, _, when = kept.partition(" when ")
        if word == "position":
            # Values come as texts from PostgreSQL.
            said = str(at) if at is not None and isinstance(row[when], str) else at
            row[name] = said if _is_true(row[when]) else None
    return tuple(row.values())


def _is_undated(one: Derived, stored: Row | None) -> bool:
    row = dict(zip(one.options["columns"], stored or (), strict=False))
    dated = [name for name, kept in one.options.get("keep", {}).items() if kept.startswith("position") and row]
    return any(row[name] is None for name in dated)


def _is_true(value: Any) -> bool:
    return value in (1, "t")


def rank(value: Any) -> tuple[int, Any]:
    """NULL gives way to any value; numbers come as texts from PostgreSQL."""
    if value is None:
        return (0, 0)
    try:
        return (1, float(value))
    except ValueError:
        return (2, value)


def strange(one: Derived, before: Table, after: Table, truth: Table, drained: bool, at: int | None) -> str:
    """A row that is not what the fold gives, in words; empty when there is none."""
    for key in {*before, *after, *truth}:
        folded = fold(one, before.get(key), truth.get(key), at)
        allowed = [folded] if drained else [folded, before.get(key)]
        if _is_undated(one, before.get(key)):
            # Complete before any block was taken: a block dates it only when it is computed again.
            allowed.append(fold(one, before.get(key), truth.get(key), None))
        if after.get(key) not in allowed:
            return f"key {key} holds {after.get(key)}; it was {before.get(key)}, and true is {truth.get(key)}"
    return ""


@shape("memory")
def _remembering(parts: Parts) -> Draft:
    table = parts.queries.table()
    by = parts.column(table, "g", ("int", "text"))
    if any(one.collate and one.quoted in by for one in table.fields):
        raise LookupError("a key that may be spelled anew")
    number = parts.column(table, "g", ("int",))
    # Over groups of one table, which are a stage that is true at every commit.
    staged, first_by, of = parts.chance(0.25) and by != number, by, number
    by, number = ("g.n", "g.b") if staged else (by, number)
    key = [Column(by, parts.name())]
    count, done = Column("count(*)", parts.name()), Column(f"count(*) > {parts.rng.randint(1, 2)}", parts.name())
    most, other = Column(f"max({number})", parts.name()), Column(f"sum({number})", parts.name())
    keep = {done.name: "ratchet"}
    for column in (count, most):
        word = parts.rng.choice(("ratchet", "ratchet", "first", f"first when {done.name}", ""))
        if word:
            keep[column.name] = word
    if parts.chance(0.4):
        keep[other.name] = parts.rng.choice(("first", f"first when {done.name}"))
    columns = (count, done, most, other)
    if parts.chance(0.6):
        columns = (*columns, Column("CAST(NULL AS bigint)", parts.name()))
        keep[columns[-1].name] = f"position when {done.name}"
    source = f"{table.quoted} g{parts.where(table, 'g', 0.4)}"
    if staged:
        source = f"(SELECT {first_by} AS a, {of} AS b, count(*) AS n FROM {source} GROUP BY {first_by}, {of}) g"
    query = f"SELECT {listed(*key, *columns)} FROM {source} GROUP BY {by}"
    options = {"keep": keep, "keep_rows": parts.chance(0.4), "columns": [one.name for one in columns]}
    return Draft(query, draft(query, key, table).key, (table,), options)


def take_block(session: Any, position: int) -> None:
    """Have the stream take a block."""
    account = Account(Ledger(session))
    with session.transaction():
        account.run("begin", name=STREAM)
        account.run("enter", name=STREAM, position=position, time=None, moment=None)
