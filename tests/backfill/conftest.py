"""The ground of the tests of backfills, on each engine in turn."""

from collections.abc import Iterator

import pytest

from tests.backfill.place import Songs, open_songs


@pytest.fixture
def songs(engine_url: str) -> Iterator[Songs]:
    """An empty table of songs on each engine."""
    with open_songs(engine_url) as found:
        yield found
