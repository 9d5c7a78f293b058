"""A forum on each engine in turn."""

from collections.abc import Iterator

import pytest

from tests.cascade.forum import Forum


@pytest.fixture
def place(engine_url: str) -> Iterator[Forum]:
    """A forum with some posts in it."""
    found = Forum(engine_url)
    found.fill()
    yield found
    found.close()
