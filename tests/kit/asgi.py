"""Asking an ASGI application without a server and without another library.

Owns: `ask` and `get`. Promises: a request as a server would pass it on, under any prefix; whoever asks stays until the answer is
whole.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Answer:
    """A status, headers in lower case, and a body."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as data; what JSON does not have is an error."""
        return json.loads(self.body, parse_constant=_refuse)

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()


def _refuse(word: str) -> None:
    raise ValueError(f"JSON has no {word}")


async def ask(
    app: Any,
    path: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    client: str = "127.0.0.1",
) -> Answer:
    """One request over ASGI."""
    path, _, query = path.partition("?")
    given = {"host": "tests", **(headers or {})}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(errors="replace"),
        "root_path": "",
        "query_string": query.encode(errors="replace"),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in given.items()],
        "client": (client, 1),
        "server": ("tests", 80),
    }
    found: dict[str, Any] = {"body": b""}
    asked = asyncio.Event()

    async def receive() -> dict[str, Any]:
        if asked.is_set():
            await asyncio.Future()
        asked.set()
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            found["status"] = message["status"]
            found["headers"] = {name.decode().lower(): value.decode() for name, value in message["headers"]}
        else:
            found["body"] += message.get("body", b"")

    await app(scope, receive, send)
    return Answer(found["status"], found["headers"], found["body"])


def get(app: Any, path: str, **how: Any) -> Answer:
    """One request, in an event loop of its own."""
    return asyncio.run(ask(app, path, **how))
