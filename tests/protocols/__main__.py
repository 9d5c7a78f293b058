"""``python -m tests.protocols --kills N``: kill N workers on each engine and compare; prints the seed and the tally."""

import argparse
import secrets

from tests.backfill.kills import database
from tests.protocols.kills import kill_workers


def main() -> None:
    """Run what was asked for; an `AssertionError` ends it."""
    parser = argparse.ArgumentParser(prog="python -m tests.protocols", description=__doc__)
    parser.add_argument("--kills", type=int, default=100, metavar="N", help="how many workers to kill on each engine")
    parser.add_argument("--seed", type=int, default=None, help="begin from this seed")
    parser.add_argument("--engine", choices=("sqlite", "postgresql"), help="only this engine")
    options = parser.parse_args()
    seed = secrets.randbelow(10**9) if options.seed is None else options.seed
    for engine in ("sqlite", "postgresql") if options.engine is None else (options.engine,):
        print(f"{engine}: seed {seed}", flush=True)
        with database(engine) as url:
            print(f"{engine}: {kill_workers(url, options.kills, seed)}", flush=True)


if __name__ == "__main__":
    main()
