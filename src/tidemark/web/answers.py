"""How answers leave: JSON, security headers, and errors that are told as what they are.

Owns: `Json`, `Headers` and the answers to problems. Promises: every answer carries a strict content security policy and
is kept by no cache that would go on to say something old; a text that is no UTF-8 and a number that JSON does not have still
make valid JSON.
"""

from __future__ import annotations

import json
import math
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tidemark.errors import Code, Refusal, TidemarkError

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "no-store",
}


class Json(Response):
    """Plain data as JSON."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """The bytes: ASCII, so that what is no UTF-8 in the database is written as escapes."""
        try:
            return json.dumps(content, separators=(",", ":"), allow_nan=False).encode("ascii")
        except ValueError:
            return json.dumps(_finite(content), separators=(",", ":"), allow_nan=False).encode("ascii")


def _finite(value: Any) -> Any:
    """The same without numbers that JSON does not have: those become texts."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    return [_finite(inner) for inner in value] if isinstance(value, list | tuple) else value


class Headers:
    """Adds the security headers to every answer that does not bring its own."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def add(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, add)


def tell_problem(problem: Exception) -> str:
    """A problem as one line; nothing of Python's own about what is not ours."""
    said = str(problem) if isinstance(problem, TidemarkError) else f"{type(problem).__name__}"
    return " ".join(said.split())


async def answer_problem(request: Request, problem: Exception) -> Response:
    """Something of ours that was raised: what is asked for is not there, or the database cannot be read."""
    missing = isinstance(problem, Refusal) and problem.code in (Code.DECLARATION, Code.UNKNOWN_TABLE)
    return Json({"error": tell_problem(problem)}, 404 if missing else 503)


async def answer_http(request: Request, problem: Exception) -> Response:
    """A request that is none of ours, or not one that we understand."""
    if isinstance(problem, HTTPException):
        return Json({"error": str(problem.detail)}, problem.status_code, headers=problem.headers)
    return Json({"error": tell_problem(problem)}, 500)
