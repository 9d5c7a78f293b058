"""The door of this room: a URL becomes a session.

Owns: `open_session`. Promises: a driver is loaded only when a database of its engine is opened; everything that can be
wrong with an address, a file or a server is a `Refusal` or a `Fault` of one sentence, without a password in it.
"""

from __future__ import annotations

import importlib
from typing import Literal, cast

from tidemark.database.session import Session
from tidemark.database.urls import read_address
from tidemark.errors import Code, Refusal

Role = Literal["worker", "reader"]
LOCK_TIMEOUT_SECONDS = 5.0


def open_session(
    url: str,
    *,
    role: Role = "worker",
    create: bool = False,
    require_wal: bool | None = None,
    lock_timeout: float = LOCK_TIMEOUT_SECONDS,
) -> Session:
    """A session on the database at `url`.

    A ``reader`` cannot change a SQLite file, but may have temporary tables. `create` makes a missing SQLite file, in WAL
    mode. `require_wal` refuses a SQLite database that is not in WAL mode; unless given, workers require it and
    readers do not. `lock_timeout` (seconds) is how long a statement waits for a lock before it raises `Conflict`.

    Raises `Refusal` (``database-url``, ``read-only``, ``not-wal``, ``engine-version``) and `Fault`.
    """
    address = read_address(url)
    # The driver is loaded by name, so that importing Tidemark costs nothing and psycopg may be absent.
    try:
        module = importlib.import_module(f"tidemark.database.{address.engine}")
    except ImportError as error:
        if (error.name or "").partition(".")[0] != "psycopg":
            raise
        raise Refusal(
            Code.DATABASE_URL,
            "Tidemark needs the driver psycopg for PostgreSQL, and it is not installed.",
            instead="run: pip install 'tidemark[postgres]'",
        ) from error
    session = module.open_address(
        address,
        role=role,
        create=create,
        require_wal=role == "worker" if require_wal is None else require_wal,
        lock_timeout=lock_timeout,
    )
    return cast(Session, session)
