"""A race of a second: writers, workers and whoever compares run."""

from tests.simulation.keeper import make_keeper
from tests.simulation.race import run_world
from tests.simulation.run import ground
from tests.simulation.tally import Tally


def test_everybody_runs_and_what_is_kept_is_true() -> None:
    tally = Tally()
    with ground("sqlite", make_keeper) as place:
        run_world(place, "short-3", 1.0, tally)
    assert tally.transactions["commit"] + tally.transactions["autocommit"] > 0, tally.transactions
    assert tally.comparisons.total() > 0
