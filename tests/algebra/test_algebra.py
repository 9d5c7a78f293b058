"""Every operator, kept true by ticks over random changes, on both engines.

A plain run makes `ROUNDS` rounds of changes for each operator, one with ``TIDEMARK_TEST_FULL=1`` `ROUNDS_FULL`; the first are
the same, and every operator is in both.
"""

import random

import pytest

from tests.algebra.cases import CASES as PLAIN
from tests.algebra.cases import Case
from tests.algebra.partitions import PARTITIONS
from tests.algebra.recursions import RECURSIONS
from tests.algebra.spellings import SPELLINGS
from tests.algebra.world import Place
from tests.kit.size import FULL
from tidemark.declare import Project

CASES = (*PLAIN, *RECURSIONS, *SPELLINGS, *PARTITIONS)
SEED = 20261122
ROUNDS = 3
ROUNDS_FULL = 12
GROUP = 12


def _groups() -> list[tuple[Case, ...]]:
    return [CASES[start : start + GROUP] for start in range(0, len(CASES), GROUP)]


@pytest.mark.parametrize("cases", _groups(), ids=lambda cases: f"{cases[0].name}-{cases[-1].name}")
def test_random_changes_are_followed(cases: tuple[Case, ...], engine_url: str) -> None:
    engine = "postgres" if engine_url.startswith("postgres") else "sqlite"
    project = Project("algebra")
    chosen = [case for case in cases if case.engine in (None, engine)]
    for case in chosen:
        project.derive(case.name, query=case.query, key=case.key, freshness="tick", allow_global=case.klass == "global")
    place = Place.make(engine_url, project, SEED)
    rng = random.Random(SEED)
    try:
        wide = {case.name for case in chosen if place.tidemark.explain(case.name).klass == "global"}
        assert wide == {case.name for case in chosen if case.klass == "global"}
        for number in range(ROUNDS_FULL if FULL else ROUNDS):
            done = place.step(rng, rng.choice((1, 1, 2, 5)))
            for case in chosen:
                shown, truth = place.bag(f"SELECT * FROM {case.name}"), place.bag(case.query)
                assert shown == truth, (case.name, number, SEED, done, shown - truth, truth - shown)
        assert all(report.clean for report in place.tidemark.verify())
    finally:
        place.user.close()
