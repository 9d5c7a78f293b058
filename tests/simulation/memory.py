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
from tidemark import first, ratchet

Row = tuple[Any, ...]
Table = Mapping[str, Row]


def remembers(one: Derived) -> bool:
    """Whether a derived table has memory."""
    return bool(one.options.get("keep") or one.options.get("keep_rows"))


def declared(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a case as a declaration takes them."""
    found = dict(options)
    for word in ("columns", "reads", "commit"):
        found.pop(word, None)
    if "keep" in found:
        found["keep"] = {name: _memory(text) for name, text in found["keep"].items()}
    return found


def _memory(text: str) -> Any:
    word, _, when = text.partition(" when ")
    return ratchet() if word == "ratchet" else first(when=when or None)


def fold(one: Derived, stored: Row | None, truth: Row | None) -> Row | None:
    """What is stored next, as values in the order of the option ``columns``."""
    if truth is None:
        return stored if one.options.get("keep_rows") else None
    if stored is None:
        return truth
    names = one.options["columns"]
    before = dict(zip(names, stored, strict=True))
    found = []
    for name, value in zip(names, truth, strict=True):
        kept = one.options.get("keep", {}).get(name, "")
        word, _, when = kept.partition(" when ")
        frozen = before[name] is not None if not when else _is_true(before[when])
        if word == "ratchet":
            found.append(max((value, before[name]), key=_rank))
        elif word == "first" and frozen:
            found.append(before[name])
        else:
            found.append(value)
    return tuple(found)


def _is_true(value: Any) -> bool:
    return value in (1, "t")


def _rank(value: Any) -> tuple[int, Any]:
    """NULL gives way to any value; numbers come as texts from PostgreSQL."""
    if value is None:
        return (0, 0)
    try:
        return (1, float(value))
    except ValueError:
        return (2, value)


def strange(one: Derived, before: Table, after: Table, truth: Table, drained: bool) -> str:
    """A row that is not what the fold gives, in words; empty when there is none."""
    for key in {*before, *after, *truth}:
        folded = fold(one, before.get(key), truth.get(key))
        allowed = [folded] if drained else [folded, before.get(key)]
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
    query = f"SELECT {listed(*key, *columns)} FROM {table.quoted} g{parts.where(table, 'g', 0.4)} GROUP BY {by}"
    options = {"keep": keep, "keep_rows": parts.chance(0.4), "columns": [one.name for one in columns]}
    return Draft(query, draft(query, key, table).key, (table,), options)
