"""The ground of the tests of backfills, on each engine in turn."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.backfill.place import Songs, open_songs


@pytest.fixture
def songs(engine_url: str) -> Iterator[Songs]:
    """An empty table of songs on each engine."""
    with open_songs(engine_url) as found:
        yield found


@pytest.fixture
def file_songs(sqlite_path: Path) -> Iterator[Songs]:
    """An empty table of songs on SQLite, for what does not depend on the engine."""
    with open_songs(f"sqlite:///{sqlite_path}") as found:
        yield found
