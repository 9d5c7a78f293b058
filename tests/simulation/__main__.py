"""``python -m tests.simulation``: random programs from a seed, on one engine or both."""

from __future__ import annotations

import argparse
import json
import secrets
import sys
from pathlib import Path

from tests.simulation.case import Case
from tests.simulation.catalogue import FAMILIES, names
from tests.simulation.keeper import make_keeper
from tests.simulation.run import SEEDS, Budget, Ground, MakeUpkeep, attempt, campaign, ground, script


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
    parser.add_argument("--shape", default="", help="only these shapes, with commas; `all` for one after another")
    parser.add_argument("--batches", type=int, default=None, help="stop earlier, per shape and engine")
    parser.add_argument("--unlike", action="store_true", help="types that are compared with others in each world")
    parser.add_argument("--steady", action="store_true", help="a tick after each transaction, and no disturbances")
    parser.add_argument("--record", type=Path, default=None, help="append the tally of each shape to this file")
    parser.add_argument("--version", default="", help="what was run, for the record")
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
            for word, families in chosen(options.shape, engine):
                failed = run(place, options, seed, word, families) or failed
    return 1 if failed else 0


def chosen(shapes: str, engine: str) -> list[tuple[str, tuple[str, ...]]]:
    """What is run one after another: a word to print, and the families to draw from."""
    if not shapes:
        return [("", FAMILIES)]
    known = names(engine)
    wanted = known if shapes == "all" else shapes.split(",")
    return [(word, (word,)) for word in wanted if word in known]


def run(place: Ground, options: argparse.Namespace, seed: str, word: str, families: tuple[str, ...]) -> bool:
    """One campaign; whether it found something untrue."""
    tally, found = campaign(
        place,
        f"{seed}-{word}" if word else seed,
        Budget(options.transactions, options.minutes, options.batches),
        dense=bool(word),
        steady=options.steady,
        is_unlike=options.unlike or None,
        per_world=options.per_world,
        failures_max=options.failures,
        seeds=options.seeds,
        without=frozenset(options.without.split(",")),
        families=families,
        shrink_seconds=options.shrink,
    )
    print(tally.text(f"{place.engine} {word} seed {seed}") if not word else tally.line(word), flush=True)
    if options.record is not None:
        with options.record.open("a") as file:
            file.write(json.dumps(tally.record(place.engine, word, seed, options.version, len(found))) + "\n")
    return bool(found)


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
