"""A forum on each engine in turn, or on the one that has what a test is about."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cascade.forum import Forum


@contextmanager
def _open(url: str) -> Iterator[Forum]:
    found = Forum(url)
    found.fill()
    yield found
    found.close()


@pytest.fixture
def place(engine_url: str) -> Iterator[Forum]:
    """A forum with some posts in it."""
    with _open(engine_url) as found:
        yield found


@pytest.fixture
def sqlite_place(sqlite_path: Path) -> Iterator[Forum]:
    """The same on SQLite."""
    with _open(f"sqlite:///{sqlite_path}") as found:
        yield found


@pytest.fixture
def postgres_place(pg_database: str) -> Iterator[Forum]:
    """The same on PostgreSQL."""
    with _open(pg_database) as found:
        yield found


@pytest.fixture(autouse=True)
def recall_scripts(recalled_scripts: None) -> None:
    """Nothing here changes what compiles, and most of it declares the same."""
