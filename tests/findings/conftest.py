"""A `Place` on either engine."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.findings.place import Place, connect


@contextmanager
def _opened(url: str) -> Iterator[Place]:
    place = Place(url, connect(url))
    try:
        yield place
    finally:
        place.close()


@pytest.fixture
def lite(sqlite_path: Path) -> Iterator[Place]:
    """A place on SQLite."""
    with _opened(f"sqlite:///{sqlite_path}") as place:
        yield place


@pytest.fixture
def pg(pg_database: str) -> Iterator[Place]:
    """A place on PostgreSQL."""
    with _opened(pg_database) as place:
        yield place


@pytest.fixture
def place(engine_url: str) -> Iterator[Place]:
    """A place on each engine in turn."""
    with _opened(engine_url) as place:
        yield place
