"""What the API reads of the tables.

Owns: the queries, and connections to run them on. Promises: nothing here can write; a connection serves one thread at a
time; while the derived columns are being filled the same answers are computed from the observations instead.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, LifoQueue
from typing import Any

from examples.meshscope.schema import HASH_SIZE, connect_to_read

LIMIT_MAX = 200
HOURS = 48

_STORED = "t.observation_count, t.last_seen, t.best_snr, t.last_observer"
_COMPUTED = """
(SELECT count(*) FROM observations o WHERE o.transmission_id = t.id),
(SELECT coalesce(max(o.timestamp), 0) FROM observations o WHERE o.transmission_id = t.id),
(SELECT max(o.snr) FROM observations o WHERE o.transmission_id = t.id),
(SELECT o.observer_id FROM observations o WHERE o.transmission_id = t.id ORDER BY o.timestamp DESC, o.id DESC LIMIT 1)
"""
_SIZE = f"coalesce(hash_size, {HASH_SIZE})"
_FACTS = f"t.id, t.hash, t.first_seen, t.route_type, t.payload_type, {_SIZE}"
_PACKET = (
    "id",
    "hash",
    "firstSeen",
    "routeType",
    "payloadType",
    "hashSize",
    "observationCount",
    "lastSeen",
    "bestSnr",
    "lastObserver",
)


class Connections:
    """Connections that read, made when they are needed and kept for the next one who asks."""

    def __init__(self, open_one: Callable[[], sqlite3.Connection]) -> None:
        self._open_one = open_one
        self._free: LifoQueue[sqlite3.Connection] = LifoQueue()

    @classmethod
    def to(cls, database: str) -> Connections:
        """Connections to a file."""
        return cls(lambda: connect_to_read(database))

    @contextmanager
    def one(self) -> Iterator[sqlite3.Connection]:
        """A connection for this thread, until the end of the block."""
        try:
            connection = self._free.get_nowait()
        except Empty:
            connection = self._open_one()
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        self._free.put(connection)

    def close(self) -> None:
        """Close those that nobody holds."""
        while not self._free.empty():
            self._free.get_nowait().close()


def read_stats(connection: sqlite3.Connection) -> dict[str, Any]:
    """Counts of everything, and the moment of the newest observation."""
    [(transmissions,)] = connection.execute("SELECT count(*) FROM transmissions")
    [(observations, newest)] = connection.execute("SELECT count(*), max(id) FROM observations")
    [(observers,)] = connection.execute("SELECT count(*) FROM observers")
    moment = connection.execute("SELECT timestamp FROM observations WHERE id = ?", (newest,)).fetchone()
    return {
        "transmissions": transmissions,
        "observations": observations,
        "observers": observers,
        "newestObservation": newest,
        "newestAt": moment[0] if moment else None,
    }


def read_hash_sizes(connection: sqlite3.Connection) -> dict[str, Any]:
    """How many packets use path hashes of one, two and three bytes, in all and in the last hours."""
    rows = connection.execute(
        f"SELECT first_seen / 3600 * 3600, {_SIZE}, count(*) FROM transmissions GROUP BY 1, 2 ORDER BY 1"
    ).fetchall()
    sizes = {"1": 0, "2": 0, "3": 0}
    hours: dict[int, dict[str, int]] = {}
    for hour, size, count in rows:
        sizes[str(size)] = sizes.get(str(size), 0) + count
        hours.setdefault(hour, {"1": 0, "2": 0, "3": 0})[str(size)] = count
    latest = sorted(hours.items())[-HOURS:]
    return {
        "total": sum(sizes.values()),
        "distribution": sizes,
        "hourly": [{"hour": hour, "sizes": counts} for hour, counts in latest],
    }


def read_packets(
    connection: sqlite3.Connection, *, stored: bool, by_last_seen: bool, limit: int, before: int | None
) -> dict[str, Any]:
    """A page of packets. `stored` reads the derived columns, which is what `by_last_seen` (those heard last come first)
    needs; otherwise the newest come first. `before` is the id that the page before ended with."""
    columns, by_last_seen = (_STORED, by_last_seen) if stored else (_COMPUTED, False)
    limit = max(1, min(limit, LIMIT_MAX))
    if by_last_seen:
        where, order = "t.last_seen > 0", "t.last_seen DESC, t.id DESC"
        if before is not None:
            where += " AND (t.last_seen, t.id) < ((SELECT last_seen FROM transmissions WHERE id = :before), :before)"
    else:
        where, order = ("1" if before is None else "t.id < :before"), "t.id DESC"
    sql = f"SELECT {_FACTS}, {columns} FROM transmissions t WHERE {where} ORDER BY {order} LIMIT :limit"
    rows = connection.execute(sql, {"before": before, "limit": limit}).fetchall()
    return {
        "packets": [dict(zip(_PACKET, row, strict=True)) for row in rows],
        "derived": "stored" if stored else "computed",
        "sort": "heard" if by_last_seen else "newest",
        "next": rows[-1][0] if len(rows) == limit else None,
    }


def wal_bytes(database: str) -> int:
    """How long the write-ahead log is; 0 when there is none."""
    log = Path(f"{database}-wal")
    return log.stat().st_size if log.exists() else 0
