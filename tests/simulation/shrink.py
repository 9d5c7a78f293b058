"""Cuts a failing case down to what it needs.

Owns: delta debugging over transactions, statements, derived tables, duties, first rows and setup. Promises: what it gives
back still fails in the same way (same kind of failure), or is the case it was given.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from tests.simulation.case import Case, Failure, Transaction

T = TypeVar("T")
Attempt = Callable[[Case], Failure | None]


def shrink(case: Case, failure: Failure, attempt: Attempt, late: Callable[[], bool]) -> Case:
    """The smallest case found before it was `late`."""

    def fails(candidate: Case) -> bool:
        if late():
            return False
        try:
            again = attempt(candidate)
        except Exception:  # noqa: BLE001 - a cut case may break in any other way, which only means: not this cut.
            return False
        return again is not None and again.kind == failure.kind

    if not fails(case):
        return case
    if fails(replace(case, quick=True)):
        case = replace(case, quick=True)
    case = replace(
        case, transactions=_shortest(case.transactions, lambda kept: fails(replace(case, transactions=kept)))
    )
    if case.duties and fails(replace(case, duties=())):
        case = replace(case, duties=())
    concerned = [one for one in case.derived if one.name == failure.derived]
    if concerned and fails(replace(case, derived=tuple(concerned))):
        case = replace(case, derived=tuple(concerned))
    for _ in range(3):
        before = case
        case = _passes(case, fails)
        if case == before or late():
            break
    return case


def _passes(case: Case, fails: Callable[[Case], bool]) -> Case:
    case = replace(case, transactions=cut(case.transactions, lambda kept: fails(replace(case, transactions=kept))))
    case = replace(case, derived=cut(case.derived, lambda kept: fails(replace(case, derived=kept))))
    case = replace(case, duties=cut(case.duties, lambda kept: fails(replace(case, duties=kept))))
    case = replace(case, fill=cut(case.fill, lambda kept: fails(replace(case, fill=kept))))
    case = replace(case, beside=cut(case.beside, lambda kept: fails(replace(case, beside=kept))))
    if case.install_kill_at is not None and fails(replace(case, install_kill_at=None)):
        case = replace(case, install_kill_at=None)
    for number in range(len(case.transactions)):
        case = _smaller_transaction(case, number, fails)
    return replace(case, setup=cut(case.setup, lambda kept: fails(replace(case, setup=kept))))


def _smaller_transaction(case: Case, number: int, fails: Callable[[Case], bool]) -> Case:
    """The case with one of its transactions cut down."""

    def with_one(one: Transaction) -> Case:
        return replace(case, transactions=(*case.transactions[:number], one, *case.transactions[number + 1 :]))

    one = case.transactions[number]
    kept = cut(one.statements, lambda part: fails(with_one(replace(one, statements=part))))
    one = replace(one, statements=kept)
    if one.prelude and fails(with_one(replace(one, prelude=()))):
        one = replace(one, prelude=())
    if one.begin and len(kept) == 1 and one.end == "commit" and fails(with_one(replace(one, begin=""))):
        one = replace(one, begin="")
    return with_one(one)


def _shortest(items: tuple[T, ...], fails: Callable[[tuple[T, ...]], bool]) -> tuple[T, ...]:
    """The shortest beginning that fails, by halving."""
    low, high = 0, len(items)
    while low < high:
        middle = (low + high) // 2
        if fails(items[:middle]):
            high = middle
        else:
            low = middle + 1
    return items[:high]


def cut(items: Sequence[T], fails: Callable[[tuple[T, ...]], bool]) -> tuple[T, ...]:
    """A smallest part of `items` that still fails, by taking out halves, quarters, … and single ones."""
    kept = tuple(items)
    size = max(1, len(kept) // 2)
    while kept:
        start = 0
        while start < len(kept):
            candidate = kept[:start] + kept[start + size :]
            if fails(candidate):
                kept = candidate
            else:
                start += size
        if size == 1:
            break
        size = max(1, size // 2)
    return kept
