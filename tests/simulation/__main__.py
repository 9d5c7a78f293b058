"""``python -m tests.simulation``: random programs from a seed, on one engine or both."""

from __future__ import annotations

import argparse
import secrets
import sys
from pathlib import Path

from tests.simulation.case import Case
from tests.simulation.keeper import make_keeper
from tests.simulation.run import SEEDS, Budget, MakeUpkeep, attempt, campaign, ground, script


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--engine", choices=("sqlite", "postgres", "both"), default="both")
    parser.add_argument("--seed", default=None, help="default: a new one, which is printed")
    parser.add_argument("-n", "--transactions", type=int, default=20_000, help="on each engine")
    parser.add_argument("--minutes", type=float, default=None, help="stop earlier, per engine")
    parser.add_argument("--per-world", type=int, default=120, help="transactions in one schema")
    parser.add_argument("--failures", type=int, default=1, help="stop after so many failures")
    parser.add_argument("--views", action="store_true", help="plain views instead of derived tables: tries the harness")
    parser.add_argument("--replay", type=Path, default=None, help="a case that was recorded")
    parser.add_argument("--seeds", type=Path, default=SEEDS, help="where cases that fail are written")
    parser.add_argument("--without", default="", help="kinds of statements to leave out, with commas")
    parser.add_argument("--shrink", type=float, default=90.0, help="seconds for cutting down one failure")
    return parser.parse_args()


def main() -> int:
    """Run; the exit code is 1 when something untrue was found."""
    options = arguments()
    make: MakeUpkeep | None = None
    if not options.views:
        make = make_keeper
    if options.replay is not None:
        return replay(options.replay, make)
    seed = options.seed or secrets.token_hex(4)
    engines = ("sqlite", "postgres") if options.engine == "both" else (options.engine,)
    failed = False
    for engine in engines:
        print(f"seed {seed} on {engine}", flush=True)
        with ground(engine, make) as place:
            tally, found = campaign(
                place,
                seed,
                Budget(options.transactions, options.minutes),
                per_world=options.per_world,
                failures_max=options.failures,
                seeds=options.seeds,
                without=frozenset(options.without.split(",")),
                shrink_seconds=options.shrink,
            )
        print(tally.text(f"{engine} seed {seed}"), flush=True)
        failed = failed or bool(found)
    return 1 if failed else 0


def replay(path: Path, make: MakeUpkeep | None) -> int:
    """Play a recorded case."""
    case = Case.from_json(path.read_text())
    print(script(case))
    with ground(case.engine, make) as place:
        failure = attempt(place, case)
    print(f"FAILED {failure}" if failure else "passed")
    return 1 if failure else 0


if __name__ == "__main__":
    sys.exit(main())
