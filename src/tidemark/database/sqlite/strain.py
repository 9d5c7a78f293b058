"""What a SQLite database is under: the log that cannot be emptied, and the disk that fills up.

Owns: `read_strain` and `size_of`. Promises: opens no file of the database (closing one would drop the locks of this process);
asks SQLite only when the log is big, and then for what a commit of any connection asks by itself.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from tidemark.database.session import Strain

# From a thousand pages on the commits of anybody ask for it, and a log that is emptied as it should be stays near them. Below,
# the file is taken for what is left in it: no limit is as low.
LOOK_BYTES = 4 * 1024 * 1024


class Reader(Protocol):
    """What reads rows."""

    def all(self, sql: str) -> list[tuple[Any, ...]]:
        """Every row of a statement."""
        ...


def read_strain(reader: Reader) -> tuple[Strain, ...]:
    """Every respect. Between transactions only."""
    file = next((row[2] for row in reader.all("PRAGMA database_list") if row[1] == "main"), "")
    if not file:
        return ()
    return (_read_log(reader, Path(f"{file}-wal")), _read_disk(Path(file)))


def _read_log(reader: Reader, log: Path) -> Strain:
    try:
        size = log.stat().st_size
    except FileNotFoundError:
        return Strain("wal_bytes", 0)
    except OSError as error:
        return Strain("wal_bytes", None, f"{log.name} cannot be looked at: {error.strerror}")
    if size <= LOOK_BYTES:
        return Strain("wal_bytes", size)
    try:
        # A file that was big once stays big; what counts is what is left in it.
        _, pages, done = _numbers(reader.all("PRAGMA main.wal_checkpoint(PASSIVE)"))
        (page_size,) = _numbers(reader.all("PRAGMA main.page_size"))
    except sqlite3.Error as error:
        return Strain("wal_bytes", None, f"SQLite says: {error}")
    return Strain("wal_bytes", max(0, pages - done) * page_size)


def size_of(file: str) -> int:
    """The size of a file in bytes, 0 where it cannot be looked at."""
    try:
        return os.stat(file).st_size
    except OSError:
        return 0


def _numbers(rows: Sequence[Sequence[Any]]) -> tuple[int, ...]:
    return tuple(int(value) for value in rows[0])


def _read_disk(file: Path) -> Strain:
    try:
        return Strain("free_bytes", shutil.disk_usage(os.path.realpath(file.parent)).free)
    except OSError as error:
        return Strain("free_bytes", None, f"the disk cannot be looked at: {error.strerror}")
