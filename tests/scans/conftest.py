"""A chain on either engine."""

from collections.abc import Iterator

import pytest

from tests.scans.chain import Chain, open_chain


@pytest.fixture
def chain(engine_url: str) -> Iterator[Chain]:
    """A chain on each engine in turn, nothing installed."""
    with open_chain(engine_url) as made:
        yield made


@pytest.fixture
def pg_chain(pg_database: str) -> Iterator[Chain]:
    """A chain on PostgreSQL, nothing installed."""
    with open_chain(pg_database) as made:
        yield made


@pytest.fixture(autouse=True)
def recall_scripts(recalled_scripts: None) -> None:
    """Nothing here changes what compiles, and most of it declares the same."""
