"""Packets into the base tables, one transaction for each message.

Owns: the statements that write. Promises: a message that comes again changes nothing, except that a signal-to-noise
ratio which was missing is taken from it; derived columns are never named here.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from examples.meshscope.packets import Observation, Packet

_TRANSMISSION = """
INSERT INTO transmissions (hash, raw_hex, first_seen, route_type, payload_type, hash_size) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (hash) DO UPDATE SET first_seen = excluded.first_seen WHERE excluded.first_seen < first_seen
"""
_OBSERVATION = """
INSERT INTO observations (transmission_id, observer_id, snr, rssi, path_json, raw_hex, timestamp)
SELECT id, ?, ?, ?, ?, ?, ? FROM transmissions WHERE hash = ?
ON CONFLICT (transmission_id, observer_id, coalesce(path_json, '')) DO UPDATE
SET snr = excluded.snr, rssi = excluded.rssi WHERE snr IS NULL AND excluded.snr IS NOT NULL
"""


@dataclass
class Tally:
    """What came: messages, and how many observations were new, completed an older one, or changed nothing."""

    messages: int = 0
    new: int = 0
    duplicates: int = 0


class Ingestor:
    """Writes messages over one connection, which is not shared."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.tally = Tally()

    def take(self, packet: Packet) -> int:
        """One message; gives how many observations were new. Raises sqlite3.OperationalError, and nothing was written."""
        connection, new = self._connection, 0
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.execute(
                _TRANSMISSION,
                (
                    packet.hash,
                    packet.raw_hex,
                    packet.first_seen,
                    packet.route_type,
                    packet.payload_type,
                    packet.hash_size,
                ),
            )
            for observation in packet.observations:
                new += self._observe(packet, observation)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        self.tally.messages += 1
        self.tally.new += new
        self.tally.duplicates += len(packet.observations) - new
        return new

    def _observe(self, packet: Packet, one: Observation) -> int:
        values = (one.observer_id, one.snr, one.rssi, one.path, packet.raw_hex, one.timestamp, packet.hash)
        return self._connection.execute(_OBSERVATION, values).rowcount
