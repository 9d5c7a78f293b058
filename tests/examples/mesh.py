"""A small mesh for tests: a database, its API asked over ASGI without a server, and a worker that can be killed."""

from __future__ import annotations

import asyncio
import json
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from examples.meshscope.api import Api, make_app
from examples.meshscope.derived import HEARD, HEARD_LAST_BY
from examples.meshscope.generator import fill
from examples.meshscope.packets import Mesh, invent_templates
from examples.meshscope.schema import connect_to_read

TRANSMISSIONS = 120
SEED = 7


def small_mesh() -> Mesh:
    """The same packets wherever tests run."""
    return Mesh(SEED, 6.0, invent_templates())


def make_database(path: Path, transmissions: int = TRANSMISSIONS) -> str:
    """A filled database as it was before the derived columns."""
    fill(str(path), small_mesh(), transmissions)
    return str(path)


@dataclass(frozen=True)
class Answer:
    """A status, headers in lower case, and a body."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as data."""
        return json.loads(self.body)


async def ask(app: Any, path: str, root: str = "") -> Answer:
    """GET over ASGI."""
    path, _, query = path.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": root + path,
        "raw_path": (root + path).encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(b"host", b"mesh")],
        "client": ("127.0.0.1", 1),
        "server": ("mesh", 80),
    }
    found: dict[str, Any] = {"body": b""}
    asked = asyncio.Event()

    async def receive() -> dict[str, Any]:
        if asked.is_set():
            # Whoever asks stays until the answer is complete.
            await asyncio.Future()
        asked.set()
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            found["status"] = message["status"]
            found["headers"] = {name.decode().lower(): value.decode() for name, value in message["headers"]}
        else:
            found["body"] += message.get("body", b"")

    await app(scope, receive, send)
    return Answer(found["status"], found["headers"], found["body"])


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
