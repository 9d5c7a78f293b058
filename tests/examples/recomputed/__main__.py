"""``python -m tests.examples.recomputed -n 300``: random base rows, and every declared query held against plain Python."""

from __future__ import annotations

import argparse
import contextlib
import secrets
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from examples.soundgraph.stores import open_store
from tests.examples.recomputed.comparison import compare, declared_queries
from tests.examples.recomputed.random_rows import fill
from tests.kit.postgres import running_server

ENGINES = ("sqlite", "postgresql")
Databases = Callable[[], contextlib.AbstractContextManager[str]]


@contextlib.contextmanager
def databases(engine: str) -> Iterator[Databases]:
    """Makes empty databases on an engine, one after another."""
    if engine == "sqlite":
        yield _file
        return
    with running_server() as server:
        yield server.fresh_database


@contextlib.contextmanager
def _file() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        yield f"sqlite:///{Path(folder) / 'network.db'}"


def main() -> int:
    """Runs what was asked for; the exit code is 1 when something differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.examples.recomputed", description=__doc__)
    parser.add_argument("-n", type=int, default=100, metavar="N", help="how many databases on each engine")
    parser.add_argument("--seed", type=int, default=None, help="begin from this seed")
    parser.add_argument("--engine", choices=("both", *ENGINES), default="both")
    options = parser.parse_args()
    first = secrets.randbelow(10**9) if options.seed is None else options.seed
    differing = 0
    for engine in ENGINES if options.engine == "both" else (options.engine,):
        print(f"{engine}: seeds {first} to {first + options.n - 1}", flush=True)
        with databases(engine) as fresh:
            for seed in range(first, first + options.n):
                with fresh() as address, contextlib.closing(open_store(address)) as store:
                    store.create_schema()
                    fill(store, seed)
                    findings = compare(store, declared_queries(engine))
                for finding in findings:
                    print(f"{engine}: seed {seed}: {finding}", flush=True)
                differing += bool(findings)
    print(f"{differing} databases with differences")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
