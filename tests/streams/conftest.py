"""The ground of the tests of streams, on each engine in turn."""

from collections.abc import Iterator

import pytest

from tests.streams.ground import Ledger, open_ledger


@pytest.fixture
def ledger(engine_url: str) -> Iterator[Ledger]:
    """An empty ledger on each engine."""
    with open_ledger(engine_url) as found:
        yield found


@pytest.fixture(autouse=True)
def recall_scripts(recalled_scripts: None) -> None:
    """Nothing here changes what compiles, and most of it declares the same."""
