"""Deliberate mistakes are found.

A plain run plays a fixed part of them, one of `SHARE` in the order of their lists; ``TIDEMARK_TEST_TURN`` chooses another
part, ``TIDEMARK_TEST_FULL=1`` plays all of them. Whichever is played must be found, and every pinned case always holds.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kit.size import in_turn
from tests.simulation.keeper import make_keeper
from tests.simulation.mutants import MUTANTS, Mutant, hunt
from tests.simulation.mutants_added import ADDED
from tests.simulation.mutants_assigned import ASSIGNED
from tests.simulation.mutants_changes import CHANGES
from tests.simulation.mutants_commit import COMMIT
from tests.simulation.mutants_copies import ALIKE, ALIKE_MISTAKES
from tests.simulation.mutants_costs import COSTS
from tests.simulation.mutants_given import GIVEN
from tests.simulation.mutants_joined import JOINED
from tests.simulation.mutants_keyed import KEYED
from tests.simulation.mutants_own import OWN, OWN_MISTAKES
from tests.simulation.mutants_redefined import REDEFINED
from tests.simulation.mutants_retained import RETAINED
from tests.simulation.mutants_runtime import MISTAKES, Mistake, pursue
from tests.simulation.mutants_spelled import SPELLED
from tests.simulation.mutants_support import SUPPORTED
from tests.simulation.mutants_unlike import UNLIKE
from tests.simulation.run import Ground, attempt, ground

SHARE = 32
EVERY = (*MUTANTS, *KEYED, *ADDED, *SUPPORTED, *COSTS, *COMMIT, *OWN, *GIVEN, *ALIKE, *ASSIGNED)
TAKEN = [mutant for number, mutant in enumerate(EVERY) if in_turn(number, SHARE)]
EVERY_MISTAKE = (*MISTAKES, *CHANGES, *RETAINED, *UNLIKE, *SPELLED, *OWN_MISTAKES, *REDEFINED, *ALIKE_MISTAKES, *JOINED)
MISTAKEN = [mistake for number, mistake in enumerate(EVERY_MISTAKE) if in_turn(number, SHARE)]
TRANSACTIONS_MAX = {"sqlite": 4000, "postgres": 1500}


@pytest.fixture(scope="module")
def grounds() -> Iterator[dict[str, Ground]]:
    with ground("sqlite", make_keeper) as one, ground("postgres", make_keeper) as other:
        yield {"sqlite": one, "postgres": other}


@pytest.mark.parametrize("mutant", TAKEN, ids=lambda mutant: mutant.name)
def test_the_simulation_kills(mutant: Mutant, grounds: dict[str, Ground]) -> None:
    found, transactions, met = hunt(grounds[mutant.engine], mutant, TRANSACTIONS_MAX[mutant.engine])
    assert met["changed"], "the mutant changes nothing: its pattern no longer fits the generated SQL"
    assert found is not None, f"{mutant.name} survived {transactions} transactions: {met}"
    print(f"{mutant.name}: {found.kind} after {transactions} transactions")


@pytest.mark.parametrize("one", [one for one in (*EVERY, *MISTAKES, *JOINED) if one.first], ids=lambda one: one.name)
def test_a_pinned_case_holds_without_its_mistake(one: Mutant | Mistake, grounds: dict[str, Ground]) -> None:
    assert one.first is not None
    assert attempt(grounds[one.engine], one.first) is None


@pytest.mark.parametrize("mistake", MISTAKEN, ids=lambda mistake: mistake.name)
def test_the_simulation_finds(mistake: Mistake, grounds: dict[str, Ground]) -> None:
    found, met = pursue(grounds[mistake.engine], mistake, TRANSACTIONS_MAX[mistake.engine])
    assert met["changed"], "nothing meets the mistake: its place has moved"
    assert found is not None, f"{mistake.name} survived {met}"
    print(f"{mistake.name}: {found.kind}")
