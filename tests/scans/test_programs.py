"""Random programs over scans stay true, and deliberate mistakes in scanning are found by them.

A plain run plays `PROGRAMS` programs on each engine and one of `SHARE` mistakes; ``TIDEMARK_TEST_FULL=1`` plays all of them.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kit.size import FULL, TURN, in_turn
from tests.simulation.keeper import make_keeper
from tests.simulation.mutants_scans import SCANNING, ScanMistake, chase
from tests.simulation.run import Ground, ground
from tests.simulation.scans import play

PROGRAMS = {"sqlite": 60, "postgres": 40} if FULL else {"sqlite": 6, "postgres": 3}
SHARE = 12
TAKEN = [mistake for number, mistake in enumerate(SCANNING) if in_turn(number, SHARE)]


@pytest.fixture(scope="module")
def grounds() -> Iterator[dict[str, Ground]]:
    with ground("sqlite", make_keeper) as one, ground("postgres", make_keeper) as other:
        yield {"sqlite": one, "postgres": other}


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_random_programs_over_scans_stay_true(engine: str, grounds: dict[str, Ground]) -> None:
    for number in range(PROGRAMS[engine]):
        play(grounds[engine], f"turn {TURN}/{number}")


@pytest.mark.parametrize("mistake", TAKEN, ids=lambda mistake: mistake.name)
def test_random_programs_find_a_mistake(mistake: ScanMistake, grounds: dict[str, Ground]) -> None:
    found, met = chase(grounds[mistake.engine], mistake, 60)
    assert met["changed"], "nothing meets the mistake: its place has moved"
    assert found is not None, f"{mistake.name} survived {met}"
    print(f"{mistake.name}: {found}")
