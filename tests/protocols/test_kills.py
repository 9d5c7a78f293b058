"""Workers that are killed with no warning, a few dozen of them; ``python -m tests.protocols --kills N`` kills any number."""

import secrets

from tests.protocols.kills import kill_workers


def test_a_kill_at_any_instant_loses_and_doubles_nothing(engine_url: str) -> None:
    seed = secrets.randbelow(10**9)
    print(f"seed {seed}")
    tally = kill_workers(engine_url, 40, seed)
    assert tally.kills == 40 and tally.comparisons == 4
