"""What must come out the same: at commit, by ticks and computed anew; in many batches and in one; on both engines.

A plain run takes half of the ways on each engine, so that each is taken on one of them, and the next turn the others.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.size import in_turn
from tests.simulation.both_engines import draw, play
from tests.simulation.case import Case, Duty
from tests.simulation.keeper import make_keeper
from tests.simulation.programs import draw_case
from tests.simulation.run import Ground, attempt, ground, script
from tests.simulation.tally import Tally

SEEDS = ("one", "two")
ADDED = ("group", "universe", "copy")
RECOMPUTED = ("inner-join", "left-join", "exists", "not-in-correlated", "grouped-join", "window", "union")
WAYS = [
    pytest.param(engine, merged, families, id=f"{engine}-{'merged' if merged else 'split'}-{name}")
    for name, families in {"added": ADDED, "recomputed": RECOMPUTED}.items()
    for merged in (False, True)
    for engine in ("sqlite", "postgres")
]
# One engine of each pair, not always the same one.
TAKEN = [way for number, way in enumerate(WAYS) if in_turn(number + number // 2, 2)]


@pytest.fixture(scope="module")
def grounds() -> Iterator[dict[str, Ground]]:
    with ground("sqlite", make_keeper) as one, ground("postgres", make_keeper) as other:
        yield {"sqlite": one, "postgres": other}


def triplets(case: Case, merged: bool) -> Case:
    """Every derived table a second time by ticks, and a third time computed anew at the end; `merged`: one tick for all."""
    short = {one.name: f"twin {number}" for number, one in enumerate(case.derived)}
    by_ticks = tuple(dataclasses.replace(one, name=short[one.name], freshness="tick") for one in case.derived)
    anew = tuple(dataclasses.replace(one, name=f"{short[one.name]} anew") for one in case.derived)
    until = max(one.end_at for one in case.transactions) + 10
    declared = tuple(Duty(until + number, "declare", declare=number) for number in range(len(anew)))
    ticks = () if merged else tuple(Duty(until * place / 40, "tick") for place in range(40))
    return dataclasses.replace(case, derived=(*case.derived, *by_ticks), later=anew, duties=(*ticks, *declared))


@pytest.mark.parametrize(("engine", "merged", "families"), TAKEN)
def test_commit_tick_and_rebuild_agree(
    engine: str, merged: bool, families: tuple[str, ...], grounds: dict[str, Ground]
) -> None:
    drawn = draw_case("agree/1", engine, 60 if families != RECOMPUTED else 30, 3, kills=False, families=families)
    if families == RECOMPUTED:
        asked = tuple(dataclasses.replace(one, freshness="commit") for one in drawn.derived)
        drawn = dataclasses.replace(drawn, derived=asked)
    case = triplets(drawn, merged)
    failure = attempt(grounds[engine], case)
    assert failure is None, f"{failure}\n{script(case)}"


@pytest.mark.parametrize("seed", SEEDS)
def test_both_engines_store_the_same(seed: str, grounds: dict[str, Ground], tmp_path: Path) -> None:
    tally = Tally()
    compared = play(draw(f"both/{seed}"), tmp_path, grounds["postgres"].url, tally)
    print(f"{seed}: {compared} comparisons, {tally.total} statements, refused {dict(tally.refused)}")
    assert compared > 0
