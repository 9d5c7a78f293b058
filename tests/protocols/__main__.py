"""``python -m tests.protocols --kills N``: kill N workers on each engine and compare; prints the seed and the tally."""

import argparse
import contextlib
import secrets
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.kit.postgres import running_server
from tests.protocols.backfills import kill_backfills
from tests.protocols.kills import kill_workers


@contextlib.contextmanager
def _database(engine: str) -> Iterator[str]:
    if engine == "sqlite":
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "forum.db"
            with contextlib.closing(sqlite3.connect(path)) as connection:
                connection.execute("PRAGMA journal_mode = WAL")
            yield f"sqlite:///{path}"
    else:
        with running_server() as server, server.fresh_database() as dsn:
            yield dsn


def main() -> None:
    """Run what was asked for; an `AssertionError` ends it."""
    parser = argparse.ArgumentParser(prog="python -m tests.protocols", description=__doc__)
    parser.add_argument("--kills", type=int, default=100, metavar="N", help="how many workers to kill on each engine")
    parser.add_argument("--seed", type=int, default=None, help="begin from this seed")
    parser.add_argument("--engine", choices=("sqlite", "postgresql"), help="only this engine")
    parser.add_argument("--backfills", action="store_true", help="kill runners of backfills, not workers that tick")
    options = parser.parse_args()
    kill = kill_backfills if options.backfills else kill_workers
    seed = secrets.randbelow(10**9) if options.seed is None else options.seed
    for engine in ("sqlite", "postgresql") if options.engine is None else (options.engine,):
        print(f"{engine}: seed {seed}", flush=True)
        with _database(engine) as url:
            print(f"{engine}: {kill(url, options.kills, seed)}", flush=True)


if __name__ == "__main__":
    main()
