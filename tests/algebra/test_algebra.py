"""Every operator, kept true by ticks over random changes, on both engines.

A plain run makes `ROUNDS` rounds of changes for each operator, on one engine and in the next turn on the other one; one with
``TIDEMARK_TEST_FULL=1`` makes `ROUNDS_FULL` on both.
"""

import random

import pytest

from tests.algebra.cases import CASES as PLAIN
from tests.algebra.cases import Case
from tests.algebra.partitions import PARTITIONS
from tests.algebra.recursions import RECURSIONS
from tests.algebra.spellings import SPELLINGS
from tests.algebra.world import Place
from tests.kit.size import FULL, in_turn
from tidemark.declare import Project

CASES = (*PLAIN, *RECURSIONS, *SPELLINGS, *PARTITIONS)
SEED = 20261122
ROUNDS = 2
ROUNDS_FULL = 12
GROUP = 12


def _groups() -> list[tuple[str, tuple[Case, ...]]]:
    """What a run plays on each engine, a few operators in one database."""
    found: list[tuple[str, tuple[Case, ...]]] = []
    for place, (url, engine) in enumerate({"sqlite": "sqlite", "postgresql": "postgres"}.items()):
        chosen = tuple(
            case
            for number, case in enumerate(CASES, place)
            if case.engine in (None, engine) and in_turn(number, 3 if case.engine else 2)
        )
        found += [(url, chosen[start : start + GROUP]) for start in range(0, len(chosen), GROUP)]
    return found


@pytest.mark.parametrize(
    ("engine_url", "cases"),
    _groups(),
    ids=lambda one: one if isinstance(one, str) else f"{one[0].name}-{one[-1].name}",
    indirect=["engine_url"],
)
def test_random_changes_are_followed(engine_url: str, cases: tuple[Case, ...]) -> None:
    project = Project("algebra")
    for case in cases:
        wide, support = case.klass == "global", case.support
        project.derive(case.name, query=case.query, key=case.key, freshness="tick", allow_global=wide, support=support)
    place = Place.make(engine_url, project, SEED)
    rng = random.Random(SEED)
    try:
        wide = {case.name for case in cases if place.tidemark.explain(case.name).klass == "global"}
        assert wide == {case.name for case in cases if case.klass == "global"}
        for number in range(ROUNDS_FULL if FULL else ROUNDS):
            done = place.step(rng, rng.choice((1, 1, 2, 5)))
            for case in cases:
                shown, truth = place.bag(f"SELECT * FROM {case.name}"), place.bag(case.query)
                assert shown == truth, (case.name, number, SEED, done, shown - truth, truth - shown)
        assert all(report.clean for report in place.tidemark.verify())
    finally:
        place.user.close()
