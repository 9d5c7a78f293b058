"""The file of a SQLite database, and that of its log, beside what SQLite does with them.

Owns: `identify` and `sync`. Promises: no file is opened that SQLite locks anything in.
"""

from __future__ import annotations

import os


def identify(path: str) -> tuple[int, int] | None:
    """Which file a path leads to, None where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def sync(path: str) -> None:
    """Wait until what is written of the log is on the disk. SQLite locks nothing in that file, which closing it would let go."""
    try:
        file = os.open(path, os.O_RDWR)
    except OSError:
        # It is gone: the last connection has put everything into the database file, and waited for that.
        return
    try:
        os.fsync(file)
    finally:
        os.close(file)
