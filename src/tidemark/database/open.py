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
LOCK_SECONDS = 5.0
# Whoever writes tries again, and looks between two attempts whether it is to stop. It gives way before PostgreSQL looks for a
# deadlock, which it does after a second, so that it is never the application that has to; and what queues behind a lock that we
# wait for waits no longer than that.
WRITE_LOCK_SECONDS = 0.8


def open_session(
    url: str,
    *,
    role: Role = "worker",
    create: bool = False,
    require_wal: bool | None = None,
    lock_timeout: float | None = None,
) -> Session:
    """A session on the database at `url`.

    A ``reader`` cannot change a SQLite file, but may have temporary tables. `create` makes a missing SQLite file, in WAL
    mode. `require_wal` refuses a SQLite database that is not in WAL mode; unless given, workers require it and
    readers do not. `lock_timeout` (seconds) is how long a statement waits for a lock before it raises `Conflict`; None = what
    suits, which is less for a worker's transactions that write.

    Raises `Refusal` (``database-url``, ``read-only``, ``not-wal``, ``engine-version``) and `Fault`.
    """
    address = read_address(url)
    # The driver is loaded by name, so that importing Tidemark costs nothing and psycopg may be absent.
    try:
        module = importlib.import_module(f"tidemark.database.{address.engine}.connect")
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
        lock_timeout=LOCK_SECONDS if lock_timeout is None else lock_timeout,
    )
    if lock_timeout is None and role == "worker":
        session.set_write_lock_timeout(WRITE_LOCK_SECONDS)
    return cast(Session, session)
