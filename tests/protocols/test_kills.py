"""Workers that are killed with no warning, a few of them; ``python -m tests.protocols --kills N`` kills any number."""

import secrets

from tests.kit.size import FULL
from tests.protocols.kills import CHECK_EVERY, kill_workers

KILLS = 40 if FULL else 10


def test_a_kill_at_any_instant_loses_and_doubles_nothing(engine_url: str) -> None:
    seed = secrets.randbelow(10**9)
    print(f"seed {seed}")
    tally = kill_workers(engine_url, KILLS, seed)
    assert tally.kills == KILLS and tally.comparisons == KILLS // CHECK_EVERY
