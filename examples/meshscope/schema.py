"""The tables of the application, with and without the derived columns.

Owns: the texts that create them. Promises: a new database has every column from the start; one that was made before
the derived columns existed gets them by `add_columns`, which may be called again and changes no row. ``hash_size`` is NULL
in rows of the time before packets were decoded when they came.
"""

from __future__ import annotations

import sqlite3

HASH_SIZE = "(instr('0123456789abcdef', substr(raw_hex, 3, 1)) - 1) / 4 + 1"
"""How many bytes a packet's path hashes have: the two highest bits of its second byte, and one."""
DERIVED_COLUMNS = {
    "observation_count": "INTEGER NOT NULL DEFAULT 0",
    "last_seen": "INTEGER NOT NULL DEFAULT 0",
    "best_snr": "REAL",
    "last_observer": "INTEGER",
}
"""Columns of ``transmissions`` that Tidemark keeps; 0 in ``last_seen`` is a transmission that nobody has heard."""

_TABLES = """
CREATE TABLE IF NOT EXISTS observers (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS transmissions (
    id INTEGER PRIMARY KEY,
    hash TEXT NOT NULL UNIQUE,
    raw_hex TEXT NOT NULL,
    first_seen INTEGER NOT NULL,
    route_type INTEGER NOT NULL,
    payload_type INTEGER NOT NULL,
    hash_size INTEGER{derived}
);
CREATE TABLE IF NOT EXISTS observations (
    id INTEGER PRIMARY KEY,
    transmission_id INTEGER NOT NULL REFERENCES transmissions (id),
    observer_id INTEGER NOT NULL REFERENCES observers (id),
    snr REAL,
    rssi INTEGER,
    path_json TEXT,
    raw_hex TEXT NOT NULL,
    timestamp INTEGER NOT NULL
);
"""
_INDEXES = """
CREATE UNIQUE INDEX IF NOT EXISTS observations_once ON observations (transmission_id, observer_id, coalesce(path_json, ''));
CREATE INDEX IF NOT EXISTS observations_latest ON observations (transmission_id, timestamp);
"""
# Of a table in which every row says 0 this index is empty, so that it costs one scan to make.
_LATEST = "CREATE INDEX IF NOT EXISTS transmissions_last_seen ON transmissions (last_seen) WHERE last_seen > 0"


def connect(database: str, timeout: float = 5.0) -> sqlite3.Connection:
    """A connection that may write, without implicit transactions. `timeout` is how long it waits for the write lock."""
    connection = sqlite3.connect(database, timeout=timeout, isolation_level=None)
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection


def connect_to_read(database: str) -> sqlite3.Connection:
    """A connection that cannot write, for whichever thread holds it. Raises OperationalError for a missing file."""
    return sqlite3.connect(f"file:{database}?mode=ro", uri=True, isolation_level=None, check_same_thread=False)


def create_tables(connection: sqlite3.Connection, *, derived: bool = True) -> None:
    """The tables of a new database in WAL mode; without `derived` as they were before there were derived columns."""
    columns = "".join(f",\n    {name} {kind}" for name, kind in DERIVED_COLUMNS.items())
    connection.execute("PRAGMA journal_mode = WAL")
    connection.executescript(_TABLES.format(derived=columns if derived else ""))
    if derived:
        connection.execute(_LATEST)


def create_indexes(connection: sqlite3.Connection) -> None:
    """The indexes of the observations; apart, because filling a table is faster without them."""
    connection.executescript(_INDEXES)


def add_columns(connection: sqlite3.Connection) -> list[str]:
    """Add the derived columns that are missing; give their names. No row is rewritten, so it takes no time."""
    present = {row[1] for row in connection.execute("PRAGMA table_info(transmissions)")}
    missing = [name for name in DERIVED_COLUMNS if name not in present]
    connection.execute("BEGIN IMMEDIATE")
    try:
        for name in missing:
            connection.execute(f"ALTER TABLE transmissions ADD COLUMN {name} {DERIVED_COLUMNS[name]}")
        connection.execute(_LATEST)
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    return missing
