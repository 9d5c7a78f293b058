"""Plays every kind of statement on each engine and holds ``docs/statements.md`` to what was counted."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.simulation.case import Engine
from tests.simulation.keeper import make_keeper
from tests.simulation.run import Ground, ground
from tests.statements.table import TITLES, count, page

PAGE = Path(__file__).parents[2] / "docs" / "statements.md"


@pytest.fixture(scope="module")
def grounds() -> Iterator[dict[Engine, Ground]]:
    with ground("sqlite", make_keeper) as one, ground("postgres", make_keeper) as other:
        yield {"sqlite": one, "postgres": other}


def test_every_statement_keeps_every_table_true_and_the_page_says_so(grounds: dict[Engine, Ground]) -> None:
    counted = {(title, engine): found for engine in TITLES for title, found in count(engine, grounds[engine]).items()}
    assert all(found.commit and found.tick for found in counted.values())
    text = page(counted)
    if os.environ.get("TIDEMARK_WRITE_DOCS"):
        PAGE.write_text(text)
    assert PAGE.read_text() == text, "docs/statements.md is not what was counted; see its first lines"
