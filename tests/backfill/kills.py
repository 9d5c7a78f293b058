"""``python -m tests.backfill.kills -n 300``: kill runners of backfills at random instants while an application writes.

Owns: the command, and the line that it prints for each engine. Promises: after every round each row is done exactly once and
the table equals its query, both ways; every second round fills a column that the definition gained; an `AssertionError` with
the seed ends it. What a round is says `tests.protocols.backfills`.
"""

from __future__ import annotations

import argparse
import contextlib
import secrets
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.kit.postgres import running_server
from tests.protocols.backfills import kill_backfills

ENGINES = ("sqlite", "postgresql")


@contextlib.contextmanager
def database(engine: str) -> Iterator[str]:
    """An empty database on an engine."""
    if engine == "sqlite":
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "songs.db"
            with contextlib.closing(sqlite3.connect(path)) as connection:
                connection.execute("PRAGMA journal_mode = WAL")
            yield f"sqlite:///{path}"
        return
    with running_server() as server, server.fresh_database() as dsn:
        yield dsn


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.backfill.kills", description=__doc__)
    parser.add_argument("-n", type=int, default=300, metavar="N", help="how many runners to kill on each engine")
    parser.add_argument("--seed", type=int, default=None, help="begin from this seed")
    parser.add_argument("--engine", choices=("both", *ENGINES), default="both")
    options = parser.parse_args()
    seed = secrets.randbelow(10**9) if options.seed is None else options.seed
    for engine in ENGINES if options.engine == "both" else (options.engine,):
        print(f"{engine}: seed {seed}", flush=True)
        began = time.monotonic()
        with database(engine) as url:
            tally = kill_backfills(url, options.n, seed)
        took = time.monotonic() - began
        told = f"{tally.kills} kills in {tally.rounds} rounds, {tally.transactions:,} transactions meanwhile"
        print(f"{engine}: {told}, {took:.0f} s: every row exact", flush=True)


if __name__ == "__main__":
    main()
