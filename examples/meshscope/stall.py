"""How it was: one connection for everything, and one UPDATE.

``python -m examples.meshscope.stall --database mesh.db --port 8765`` serves the same API, with the ingestors as threads of
the same process; everything takes turns on one connection. A line on standard input begins the UPDATE; a sample on
standard output tells its end. Only there to be compared with.
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import uvicorn

from examples.meshscope.api import Api, make_app
from examples.meshscope.ingestor import Ingestor
from examples.meshscope.load import tell, timetable
from examples.meshscope.migrations import DONE, RUNNING, Migration
from examples.meshscope.packets import Mesh, messages
from examples.meshscope.reads import Connections
from examples.meshscope.schema import add_columns

UPDATE = """
UPDATE transmissions SET
    observation_count = (SELECT count(*) FROM observations o WHERE o.transmission_id = transmissions.id),
    last_seen = (SELECT coalesce(max(o.timestamp), 0) FROM observations o WHERE o.transmission_id = transmissions.id),
    best_snr = (SELECT max(o.snr) FROM observations o WHERE o.transmission_id = transmissions.id),
    last_observer = (SELECT o.observer_id FROM observations o WHERE o.transmission_id = transmissions.id
                     ORDER BY o.timestamp DESC, o.id DESC LIMIT 1)
"""
UPDATED = "update"


class OneConnection(Connections):
    """A single connection that everybody takes turns on."""

    def __init__(self, database: str) -> None:
        self.connection = sqlite3.connect(database, isolation_level=None, check_same_thread=False)
        self.lock = threading.Lock()
        self._state = RUNNING
        super().__init__(lambda: self.connection)

    @contextmanager
    def one(self) -> Iterator[sqlite3.Connection]:
        """The connection, when it is free."""
        with self.lock:
            yield self.connection

    def close(self) -> None:
        """Close it."""
        self.connection.close()

    def update(self) -> None:
        """The whole migration in one statement."""
        with self.one() as connection:
            connection.execute(UPDATE)
            self._state = DONE

    def migrations(self) -> list[Migration]:
        """What health tells; it reads over the same connection."""
        with self.one() as connection:
            [(total,)] = connection.execute("SELECT max(id) FROM transmissions")
            return [Migration("tx_last_seen", self._state, 0, total or 0)]


def _write(shared: OneConnection, rate: float, mesh: Mesh, first: int, step: int) -> None:
    ingestor, coming = Ingestor(shared.connection), messages(mesh, first, step)
    for due in timetable(rate, time.monotonic, time.sleep):
        packet = next(coming)
        with shared.one():
            ingestor.take(packet)
        tell(sys.stdout, "write", due, True)


def _update_when_told(shared: OneConnection) -> None:
    for _ in sys.stdin:
        begun = time.monotonic()
        shared.update()
        tell(sys.stdout, UPDATED, begun, True)


def main(given: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m examples.meshscope.stall", description=__doc__)
    parser.add_argument("--database", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--writers", type=int, default=4)
    parser.add_argument("--rate", type=float, default=25.0, help="of each writer, in a second")
    parser.add_argument("--first", type=int, default=0, help="number of the first packet that is new")
    parser.add_argument("--mean", type=float, default=21.0)
    arguments = parser.parse_args(given)
    shared = OneConnection(arguments.database)
    add_columns(shared.connection)
    mesh = Mesh(1, arguments.mean)
    for place in range(arguments.writers):
        work = (shared, arguments.rate, mesh, arguments.first + place, arguments.writers)
        threading.Thread(target=_write, args=work, daemon=True).start()
    threading.Thread(target=_update_when_told, args=(shared,), daemon=True).start()
    app = make_app(Api(arguments.database, connections=shared, migrations=shared.migrations))
    uvicorn.run(app, port=arguments.port, log_level="warning", access_log=False)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
