"""The world of the runtime's tests, on each engine in turn."""

from collections.abc import Iterator

import pytest

from tests.unit.runtime.place import World, open_world


@pytest.fixture
def world(engine_url: str) -> Iterator[World]:
    with open_world(engine_url) as made:
        yield made
