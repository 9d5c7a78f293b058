"""``python -m examples.meshscope.generator``: a database of any size, as it was before the derived columns.

Owns: filling the tables in bulk. Promises: the same options give the same rows; among them transmissions that nobody
heard, transmissions without any signal-to-noise ratio, and observations whose transmission is gone.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from examples.meshscope.packets import OBSERVERS, Mesh
from examples.meshscope.schema import connect, create_indexes, create_tables

TRANSMISSIONS = 71_000
OBSERVATIONS = 1_500_000
ORPHANS_EVERY = 5_000
"""Of so many observations one belongs to a transmission that is gone."""
GONE = 1_000_000_000
"""Transmissions of this number and above do not exist."""
_CHUNK = 2_000

Row = tuple[object, ...]


@dataclass(frozen=True)
class Filled:
    """How many rows were made, and how many bytes the file has."""

    transmissions: int
    observations: int
    orphans: int
    bytes: int


def mesh_of(transmissions: int, observations: int, seed: int) -> Mesh:
    """The mesh whose first packets fill a database of that size."""
    return Mesh(seed, observations / max(1, transmissions))


def fill(
    database: str,
    mesh: Mesh,
    transmissions: int,
    *,
    derived: bool = False,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> Filled:
    """Make a new database with the first packets of a mesh; `tell` hears how many of them are done."""
    with closing(connect(database)) as connection:
        # Nothing but this process knows of the file yet.
        connection.execute("PRAGMA synchronous = OFF")
        create_tables(connection, derived=derived)
        connection.executemany(
            "INSERT INTO observers VALUES (?, ?)", [(one, f"observer {one}") for one in range(1, OBSERVERS + 1)]
        )
        for start in range(0, transmissions, _CHUNK):
            _fill_chunk(connection, mesh, start, min(start + _CHUNK, transmissions), derived)
            tell(start, transmissions)
        create_indexes(connection)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        [(count,)] = connection.execute("SELECT count(*) FROM observations")
        [(orphans,)] = connection.execute("SELECT count(*) FROM observations WHERE transmission_id >= ?", (GONE,))
    # On the disk before anybody measures: else the first commit of an application that checkpoints waits for all of it.
    with open(database, "rb+") as file:
        os.fsync(file.fileno())
    tell(transmissions, transmissions)
    return Filled(transmissions, int(count), int(orphans), Path(database).stat().st_size)


def _fill_chunk(connection: sqlite3.Connection, mesh: Mesh, start: int, end: int, decoded: bool) -> None:
    packets = [mesh.packet(number) for number in range(start, end)]

    def heard() -> Iterator[Row]:
        for number, packet in enumerate(packets, start + 1):
            for place, one in enumerate(packet.observations):
                gone = (number * 31 + place) % ORPHANS_EVERY == 0
                owner = GONE + number if gone else number
                yield owner, one.observer_id, one.snr, one.rssi, one.path, packet.raw_hex, one.timestamp

    connection.execute("BEGIN")
    connection.executemany(
        "INSERT INTO transmissions (id, hash, raw_hex, first_seen, route_type, payload_type, hash_size) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (number, p.hash, p.raw_hex, p.first_seen, p.route_type, p.payload_type, p.hash_size if decoded else None)
            for number, p in enumerate(packets, start + 1)
        ],
    )
    connection.executemany(
        "INSERT INTO observations (transmission_id, observer_id, snr, rssi, path_json, raw_hex, timestamp) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        heard(),
    )
    connection.execute("COMMIT")


def main(given: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m examples.meshscope.generator", description=__doc__)
    parser.add_argument("--database", required=True, help="a file that does not exist yet")
    parser.add_argument("--transmissions", type=int, default=TRANSMISSIONS, help="default %(default)s")
    parser.add_argument("--observations", type=int, default=OBSERVATIONS, help="about so many, default %(default)s")
    parser.add_argument("--seed", type=int, default=1, help="default %(default)s")
    arguments = parser.parse_args(given)
    if Path(arguments.database).exists():
        parser.error(f"{arguments.database} exists")
    begun = time.monotonic()

    def tell(done: int, total: int) -> None:
        if sys.stderr.isatty():
            print(f"\r\x1b[K{done / max(1, total):4.0%} of {total:,} transmissions", end="", file=sys.stderr)

    mesh = mesh_of(arguments.transmissions, arguments.observations, arguments.seed)
    made = fill(arguments.database, mesh, arguments.transmissions, tell=tell)
    print(
        f"{made.transmissions:,} transmissions, {made.observations:,} observations ({made.orphans:,} orphans), "
        f"{made.bytes / 1e6:,.0f} MB, {time.monotonic() - begun:.0f} s"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
