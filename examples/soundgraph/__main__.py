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
from examples.soundgraph.indexer import Blocks, Tally, take
from examples.soundgraph.progress import Progress
from examples.soundgraph.statements import Writer
from examples.soundgraph.stores import DatabaseFailed, open_store
from tidemark import jsonl

INTERRUPTED = 75


class Ticks:
    """Ticks in between, every so many seconds, so that what is true at ticks follows a long ingest; and with four times as
    much ingest between two of them as the last one took, so that a slow machine gets on all the same."""

    def __init__(self, database: str, seconds: float) -> None:
        self._database = database
        self._seconds = self._pause = seconds
        self._last = time.monotonic()

    def perhaps(self) -> None:
        """A tick if it is time for one."""
        begun = time.monotonic()
        if begun - self._last >= self._pause:
            upkeep.drain(self._database)
            self._last = time.monotonic()
            self._pause = max(self._seconds, 4 * (self._last - begun))


def ingest(
    database: str,
    blocks: Path,
    *,
    writer: Writer,
    strict: bool,
    label: str,
    ticks: Ticks | None = None,
    together: int = 0,
) -> tuple[Tally, float]:
    """Takes a file of blocks to its end with a progress bar; returns the tally and events per second.

    Raises Fault when the stream halts or a line is no block.
    """
    source = jsonl(blocks)
    many = sum(1 for _ in source.blocks(None))
    progress = Progress(label, "blocks")

    def watched() -> Blocks:
        # Between two blocks no transaction is open: the time to look and to tick.
        for number, block in enumerate(source.blocks(None)):
            progress.show(number / many, number)
            if ticks is not None:
                ticks.perhaps()
            yield block

    tally = take(database, watched(), writer=writer, strict=strict, together=together)
    return tally, progress.finish(many) * tally.events / max(tally.blocks, 1)


def summary(tally: Tally, rate: float) -> str:
    """What an ingest did, for people."""
    lines = [
        f"{tally.blocks:,} blocks, {tally.events:,} new events, {rate:,.0f} events/s",
        f"{tally.redelivered:,} redelivered events changed nothing",
    ]
    skipped = ", ".join(f"{reason} {count:,}" for reason, count in tally.skipped.most_common())
    lines.append(f"{tally.skipped.total():,} items quarantined with evidence" + (f": {skipped}" if skipped else ""))
    return "\n".join(lines)


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m examples.soundgraph", description=__doc__)
    parser.add_argument("--database", required=True, help="a path, sqlite:///path or postgresql://user@host/name")
    parser.add_argument("--blocks", required=True, type=Path, help="JSON lines, plain or gzipped")
    parser.add_argument("--writer", choices=("upsert", "history"), default="upsert", help="default %(default)s")
    parser.add_argument("--strict", action="store_true", help="skip what names an unknown entity; make no stubs")
    parser.add_argument("--tick-every", type=float, default=30.0, help="seconds, default %(default)s")
    parser.add_argument(
        "--together", type=int, default=0, metavar="N", help="history: blocks of N transactions in one of the database"
    )
    parser.add_argument("--no-derive", action="store_true", help="base tables only")
    return parser.parse_args(given)


def run(arguments: argparse.Namespace) -> None:
    """The whole job; prints its result on standard output."""
    with closing(open_store(arguments.database)) as store:
        store.create_schema()
    if not arguments.no_derive:
        upkeep.install(arguments.database)
    tally, rate = ingest(
        arguments.database,
        arguments.blocks,
        writer=arguments.writer,
        strict=arguments.strict,
        label="ingest",
        together=arguments.together,
        ticks=None if arguments.no_derive else Ticks(arguments.database, arguments.tick_every),
    )
    print(summary(tally, rate))
    if not arguments.no_derive:
        upkeep.drain(arguments.database)
        upkeep.deliver(arguments.database)
        print(upkeep.describe(arguments.database))


def main(given: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    arguments = _arguments(given)
    try:
        run(arguments)
    except KeyboardInterrupt:
        print("Interrupted; the same command goes on after the last committed block.", file=sys.stderr)
        return INTERRUPTED
    except (OSError, *DatabaseFailed, *upkeep.TidemarkErrors) as error:
        print(f"soundgraph: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
