"""A small mesh for tests: a database, its API asked over ASGI without a server, and a worker that can be killed."""

from __future__ import annotations

import asyncio
from contextlib import closing
from pathlib import Path
from typing import Any

from examples.meshscope.api import Api, make_app
from examples.meshscope.derived import HEARD, HEARD_LAST_BY
from examples.meshscope.generator import fill
from examples.meshscope.packets import Mesh, invent_templates
from examples.meshscope.schema import connect_to_read
from tests.kit.asgi import Answer, ask

TRANSMISSIONS = 120
SEED = 7


def small_mesh() -> Mesh:
    """The same packets wherever tests run."""
    return Mesh(SEED, 6.0, invent_templates())


def make_database(path: Path, transmissions: int = TRANSMISSIONS) -> str:
    """A filled database as it was before the derived columns."""
    fill(str(path), small_mesh(), transmissions)
    return str(path)


def get(api: Api, *paths: str) -> list[Answer]:
    """Several answers of one application, one after the other."""

    async def work() -> list[Answer]:
        app = make_app(api)
        return [await ask(app, path) for path in paths]

    try:
        return asyncio.run(work())
    finally:
        api.close()


def rows(database: str, sql: str) -> list[tuple[Any, ...]]:
    """Rows of a query."""
    with closing(connect_to_read(database)) as connection:
        return connection.execute(sql).fetchall()


def untrue(database: str) -> list[tuple[Any, ...]]:
    """Rows of ``transmissions`` whose derived columns are not what the queries say now."""
    stored = "SELECT id, observation_count, last_seen, best_snr FROM transmissions"
    by = "SELECT id, last_observer FROM transmissions"
    found = rows(database, f"SELECT * FROM ({stored}) EXCEPT SELECT * FROM ({HEARD})")
    return found + rows(database, f"SELECT * FROM ({by}) EXCEPT SELECT * FROM ({HEARD_LAST_BY})")
