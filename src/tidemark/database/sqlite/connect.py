"""Opening a SQLite file.

Owns: `open_address`. Promises: what is wrong with a path, a file or its rights is told in one sentence; a file is made only where
that was asked for.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from urllib.parse import quote

from tidemark.database.session import Conflict
from tidemark.database.sqlite.errors import primary_code, translate
from tidemark.database.sqlite.session import SqliteSession
from tidemark.database.urls import Address
from tidemark.errors import Code, Fault, Refusal

VERSION_MIN = (3, 40, 0)
STEPS = 1_000_000


def open_address(address: Address, *, role: str, create: bool, require_wal: bool, lock_timeout: float) -> SqliteSession:
    """A session on the file at `address`. Raises `Refusal` and `Fault`, as `open_session` says."""
    if sqlite3.sqlite_version_info < VERSION_MIN:
        raise Refusal(
            Code.ENGINE_VERSION,
            f"This Python has SQLite {sqlite3.sqlite_version}; Tidemark needs {'.'.join(map(str, VERSION_MIN[:2]))} or newer.",
            instead="use a Python that is built with a newer SQLite",
        )
    made = _check_path(address, create)
    mode = "ro" if role == "reader" and not made else "rwc" if made else "rw"
    try:
        connection = sqlite3.connect(
            f"file:{quote(address.target)}?mode={mode}",
            uri=True,
            isolation_level=None,
            timeout=lock_timeout,
            check_same_thread=False,
        )
    except sqlite3.Error as error:
        raise _explain_open(error, address) from error
    # Python hears a signal in its own code alone, and a statement may take an hour.
    connection.set_progress_handler(lambda: 0, STEPS)
    session = SqliteSession(connection, address.label, address.target)
    try:
        session.prepare(made=made, may_write=role != "reader", require_wal=require_wal)
    except Conflict as conflict:
        session.close()
        raise Fault(f"{conflict}; another process holds the whole file") from conflict
    except BaseException:
        session.close()
        raise
    return session


def _check_path(address: Address, create: bool) -> bool:
    """True when the file is to be made. Raises `Refusal` when the path cannot be a database."""
    path = Path(address.target)
    if path.is_dir():
        raise Refusal(Code.DATABASE_URL, f"{path} is a folder.", instead="name the database file in it")
    if path.exists():
        if not os.access(path, os.R_OK):
            raise Refusal(Code.PRIVILEGE, f"{path} may not be read by this user.", instead="make the file readable")
        return False
    if not path.parent.is_dir():
        raise Refusal(Code.DATABASE_URL, f"There is no folder {path.parent}.", instead="name a file that exists")
    if not create:
        raise Refusal(
            Code.DATABASE_URL,
            f"There is no file {path}.",
            instead="name the database that your application uses; Tidemark does not make one",
        )
    return True


def _explain_open(error: sqlite3.Error, address: Address) -> Exception:
    if primary_code(error) == sqlite3.SQLITE_CANTOPEN:
        return Fault(f"{address.label} cannot be opened: {error}; check the rights on the file and on its folder")
    return translate(error, address.label)
