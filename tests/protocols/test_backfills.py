"""Runners of backfills that are killed with no warning; ``python -m tests.backfill.kills -n N`` kills any number."""

import secrets

from tests.kit.size import FULL
from tests.protocols.backfills import kill_backfills

KILLS = 200 if FULL else 16


def test_a_kill_of_a_backfill_at_any_instant_loses_and_doubles_nothing(engine_url: str) -> None:
    seed = secrets.randbelow(10**9)
    print(f"seed {seed}")
    tally = kill_backfills(engine_url, KILLS, seed)
    assert tally.kills >= KILLS and tally.rounds >= 1
