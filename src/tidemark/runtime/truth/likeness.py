"""How a stored row and the true one are alike, and how they differ.

Owns: what of a difference is no drift, and its wording. Promises: values are the same when they are of one type and equal, NaN
too; only floating point that depends on the order of addition may be a little off.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from tidemark.contract.script import Applier, Script
from tidemark.runtime.ticks.batch import Difference
from tidemark.runtime.values import show

RELATIVE = 1e-9


def is_close(applier: Applier, difference: Difference) -> bool:
    """Whether only tolerant columns differ, and only by what the order of addition explains."""
    if difference.kind != "different" or not applier.tolerant:
        return False
    stored, truth = difference.stored or (), difference.truth or ()
    return all(
        _same(mine, true) or (name in applier.tolerant and _near(mine, true))
        for name, mine, true in zip(applier.compared_columns, stored, truth, strict=True)
    )


def is_unfilled(script: Script, difference: Difference) -> bool:
    """Whether nothing differs but columns that are being filled and that nobody sees yet."""
    unfilled = script.wide.unfilled
    if not unfilled or (difference.kind != "different" and script.klass != "linear"):
        return False
    names = script.applier.compared_columns
    # Where rows are added up, one that is not stored is one to which nothing contributes.
    stored, truth = (row or (None,) * len(names) for row in (difference.stored, difference.truth))
    return all(
        name in unfilled or _same(mine or None, true or None)
        if difference.kind != "different"
        else name in unfilled or _same(mine, true) or (name in script.applier.tolerant and _near(mine, true))
        for name, mine, true in zip(names, stored, truth, strict=True)
    )


def is_stale(applier: Applier, difference: Difference) -> bool:
    """Whether nothing differs but what may be behind a sampled input."""
    if difference.kind != "different":
        return applier.samples_rows
    stored, truth = difference.stored or (), difference.truth or ()
    return all(
        name in applier.sampled or _same(mine, true) or (name in applier.tolerant and _near(mine, true))
        for name, mine, true in zip(applier.compared_columns, stored, truth, strict=True)
    )


def tell_difference(key_columns: Sequence[str], columns: Sequence[str], one: Difference) -> str:
    """A difference as people read it: the key, and the values that are not the same."""
    key = ", ".join(f"{name}={show(value)}" for name, value in zip(key_columns, one.key, strict=True)) or "the one row"
    if one.stored is None:
        return f"{key}: missing, truth {_tell_row(columns, one.truth)}"
    if one.truth is None:
        return f"{key}: extra, stored {_tell_row(columns, one.stored)}"
    wrong = [
        f"{name} stored {show(mine)}, truth {show(true)}"
        for name, mine, true in zip(columns, one.stored, one.truth, strict=True)
        if type(mine) is not type(true) or mine != true
    ]
    return f"{key}: {'; '.join(wrong)}"


def _tell_row(columns: Sequence[str], values: Sequence[Any] | None) -> str:
    return ", ".join(f"{name}={show(value)}" for name, value in zip(columns, values or (), strict=False))


def _same(mine: Any, true: Any) -> bool:
    # NaN is no number's equal in Python, and is its own in both engines.
    return type(mine) is type(true) and bool(mine == true or (mine != mine and true != true))


def _near(mine: Any, true: Any) -> bool:
    if not isinstance(mine, float | int) or not isinstance(true, float | int):
        return False
    return math.isclose(mine, true, rel_tol=RELATIVE, abs_tol=RELATIVE)
