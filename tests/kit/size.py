"""How much of the large suites a test run takes.

Owns: `FULL`, `TURN` and what goes by them. A plain run takes fewer rounds and a fixed part of what there is, always the same
one. Promises: with ``TIDEMARK_TEST_FULL=1`` nothing is left out, and ``TIDEMARK_TEST_TURN`` (a number, 0 when not given) moves
on to another part: as many turns as a part's share see everything.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TypeVar

import pytest

T = TypeVar("T")
FULL = os.environ.get("TIDEMARK_TEST_FULL", "") not in ("", "0")
TURN = int(os.environ.get("TIDEMARK_TEST_TURN", "0"))


def in_turn(number: int, share: int) -> bool:
    """Whether this run takes the thing with that number, when it takes one of `share`."""
    return FULL or number % share == TURN % share


def taken(things: Iterable[T], share: int) -> list[T]:
    """Of these things the ones that this run takes."""
    return [thing for number, thing in enumerate(things) if in_turn(number, share)]


def on_one_engine(number: int) -> pytest.MarkDecorator:
    """Marks a test that asks for `new_database`: on one engine a turn, by `number`, because there is much to install for it."""
    engines = [engine for place, engine in enumerate(("sqlite", "postgresql")) if in_turn(place + number, 2)]
    return pytest.mark.parametrize("new_database", engines, indirect=True)


def on_engines_in_turn(name: str, things: Iterable[object]) -> pytest.MarkDecorator:
    """Marks a test that asks for `engine_url` and for `name`: each of the things is played on one engine a turn, half of them on
    either, and the next turn the other way round."""
    pairs = [
        (engine, thing)
        for number, thing in enumerate(things)
        for place, engine in enumerate(("sqlite", "postgresql"))
        if in_turn(place + number, 2)
    ]
    return pytest.mark.parametrize(("engine_url", name), pairs, indirect=["engine_url"])
