"""Connecting to a PostgreSQL server.

Owns: `open_address`. Promises: an address that cannot be read is refused without its password; a session that fails its checks is
closed.
"""

from __future__ import annotations

import psycopg

from tidemark.database.postgres.errors import explain_connection
from tidemark.database.postgres.session import PostgresSession
from tidemark.database.urls import Address
from tidemark.errors import Code, Refusal

CONNECT_TIMEOUT_SECONDS = 10


def open_address(
    address: Address, *, role: str, create: bool, require_wal: bool, lock_timeout: float
) -> PostgresSession:
    """A session on the server at `address`. Raises `Refusal` and `Fault`, as `open_session` says."""
    try:
        connection = psycopg.connect(
            address.target,
            autocommit=True,
            prepare_threshold=None,
            application_name="tidemark",
            client_encoding="utf8",
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
        )
    except psycopg.ProgrammingError as error:
        raise Refusal(
            Code.DATABASE_URL,
            f"The PostgreSQL URL cannot be read: {address.hide(str(error))}.",
            instead="write postgresql://user:password@host:5432/database",
        ) from error
    except psycopg.Error as error:
        raise explain_connection(error, address) from error
    session = PostgresSession(connection, address)
    try:
        session.prepare(lock_timeout)
    except BaseException:
        session.close()
        raise
    return session
