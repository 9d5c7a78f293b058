"""Plays on each engine in turn."""

from collections.abc import Iterator

import pytest

from tests.supports.plays import Plays


@pytest.fixture
def place(engine_url: str) -> Iterator[Plays]:
    """Some plays of some users."""
    found = Plays(engine_url)
    found.write(*(found.change() for _ in range(30)))
    yield found
    found.user.close()
