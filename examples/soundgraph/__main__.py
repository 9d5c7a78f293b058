"""Ingests a file of blocks to its end and leaves every derived table true.

``python -m examples.soundgraph --database soundgraph.db --blocks blocks.jsonl.gz``

Killed at any moment, the same command goes on where the last committed block ended.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from examples.soundgraph import upkeep
from examples.soundgraph.blocks import BadBlock, BlockFile
from examples.soundgraph.indexer import Indexer, Tally
from examples.soundgraph.progress import Progress
from examples.soundgraph.statements import Writer
from examples.soundgraph.stores import DatabaseFailed, Overtaken, Store, open_store

INTERRUPTED = 75


class Ticks:
    """Ticks in between, every so many seconds, so that what is true at ticks follows a long ingest."""

    def __init__(self, database: str, seconds: float) -> None:
        self._database = database
        self._seconds = seconds
        self._last = time.monotonic()

    def perhaps(self) -> None:
        """A tick if it is time for one."""
        if time.monotonic() - self._last >= self._seconds:
            upkeep.drain(self._database)
            self._last = time.monotonic()


def ingest(
    store: Store, blocks: Path, *, writer: Writer, strict: bool, batch: int, label: str, ticks: Ticks | None = None
) -> tuple[Tally, float]:
    """Takes a file of blocks to its end with a progress bar; returns the tally and events per second.

    Raises BadBlock, Overtaken, OSError, or DatabaseFailed.
    """
    indexer = Indexer(store, writer=writer, strict=strict, batch=batch)
    with closing(BlockFile(blocks)) as file:
        progress = Progress(label, "events")

        def after_batch(tally: Tally) -> None:
            progress.show(file.position / max(file.size, 1), tally.events)
            if ticks is not None:
                ticks.perhaps()

        tally = indexer.ingest(file, after_batch)
        return tally, progress.finish(tally.events)


def summary(tally: Tally, rate: float) -> str:
    """What an ingest did, for people."""
    lines = [
        f"{tally.blocks:,} blocks, {tally.events:,} new events ({tally.plays:,} plays), {rate:,.0f} events/s",
        f"{tally.redelivered:,} redelivered events changed nothing",
    ]
    skipped = ", ".join(f"{reason} {count:,}" for reason, count in tally.skipped.most_common())
    lines.append(f"{tally.skipped.total():,} items skipped with evidence" + (f": {skipped}" if skipped else ""))
    return "\n".join(lines)


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m examples.soundgraph", description=__doc__)
    parser.add_argument("--database", required=True, help="a path, sqlite:///path or postgresql://user@host/name")
    parser.add_argument("--blocks", required=True, type=Path, help="JSON lines, plain or gzipped")
    parser.add_argument("--writer", choices=("upsert", "history"), default="upsert", help="default %(default)s")
    parser.add_argument("--strict", action="store_true", help="skip what names an unknown entity; make no stubs")
    parser.add_argument("--batch", type=int, default=1, help="blocks per transaction, default %(default)s")
    parser.add_argument("--tick-every", type=float, default=30.0, help="seconds, default %(default)s")
    parser.add_argument("--no-derive", action="store_true", help="base tables only")
    arguments = parser.parse_args(given)
    if arguments.batch < 1:
        parser.error("--batch must be at least 1")
    return arguments


def run(arguments: argparse.Namespace) -> None:
    """The whole job; prints its result on standard output."""
    with closing(open_store(arguments.database)) as store:
        store.create_schema()
        if not arguments.no_derive:
            upkeep.install(arguments.database)
        tally, rate = ingest(
            store,
            arguments.blocks,
            writer=arguments.writer,
            strict=arguments.strict,
            batch=arguments.batch,
            label="ingest",
            ticks=None if arguments.no_derive else Ticks(arguments.database, arguments.tick_every),
        )
    print(summary(tally, rate))
    if not arguments.no_derive:
        upkeep.drain(arguments.database)
        print(upkeep.describe(arguments.database))


def main(given: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    arguments = _arguments(given)
    try:
        run(arguments)
    except KeyboardInterrupt:
        print("Interrupted; the same command goes on after the last committed block.", file=sys.stderr)
        return INTERRUPTED
    except (BadBlock, Overtaken, OSError, *DatabaseFailed, *upkeep.TidemarkErrors) as error:
        print(f"soundgraph: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
