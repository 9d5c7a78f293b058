"""``python -m tests.joins``: every way of a join through the same random batches, for as long as one likes."""

from __future__ import annotations

import argparse
import contextlib
import sqlite3
import sys
import tempfile
import time
from pathlib import Path

from tests.joins.equal import QUERIES, play, world
from tests.kit.postgres import running_server


def main() -> int:
    """Run; the exit code is 1 when something differed."""
    parser = argparse.ArgumentParser(prog="python -m tests.joins", description=__doc__)
    parser.add_argument("--engine", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--seed", default="joins")
    parser.add_argument("-n", "--batches", type=int, default=2000, help="batches, each for every query")
    parser.add_argument("--minutes", type=float, default=60.0, help="stop earlier")
    options = parser.parse_args()
    began, done, worlds = time.monotonic(), 0, 0
    while done < options.batches and time.monotonic() - began < options.minutes * 60:
        some = min(200, options.batches - done)
        wrong = _world(options.engine, f"{options.seed}/{worlds}", some)
        done, worlds = done + some, worlds + 1
        seconds = time.monotonic() - began
        print(f"{done} batches, {done * len(QUERIES)} of a query, {seconds:.0f} s", flush=True)
        if wrong:
            print(wrong)
            return 1
    return 0


def _world(engine: str, seed: str, batches: int) -> str:
    if engine == "sqlite":
        memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
        with tempfile.TemporaryDirectory(dir=memory) as folder:
            path = Path(folder) / "joins.db"
            with contextlib.closing(sqlite3.connect(path)) as connection:
                connection.execute("PRAGMA journal_mode = WAL")
            return _play(f"sqlite:///{path}", seed, batches)
    with running_server({"synchronous_commit": "off"}) as server, server.fresh_database() as url:
        return _play(url, seed, batches)


def _play(url: str, seed: str, batches: int) -> str:
    with world(url) as place:
        wrong = play(place, seed, batches)
        print(dict(place.met))
        return wrong


if __name__ == "__main__":
    sys.exit(main())
