"""How long things took, for people: quantiles of the latest of each name.

Owns: `Timings`, and `quantiles` of any list. Promises: a bounded number of samples is kept for each name; names are the
application's routes, so that nobody can make more of them.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping, Sequence

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SAMPLES_MAX = 2_000
NAMES_MAX = 32


def quantiles(samples: Sequence[float]) -> dict[str, float | int]:
    """Number, p50, p95, p99 and the greatest of some samples; zeros where there are none."""
    ordered = sorted(samples)

    def at(share: float) -> float:
        return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))], 2) if ordered else 0.0

    return {"count": len(ordered), "p50": at(0.5), "p95": at(0.95), "p99": at(0.99), "max": at(1.0)}


class Timings:
    """Milliseconds of answers by route."""

    def __init__(self) -> None:
        self._kept: dict[str, deque[float]] = {}

    def add(self, name: str, ms: float) -> None:
        """One more sample."""
        if name in self._kept or len(self._kept) < NAMES_MAX:
            self._kept.setdefault(name, deque(maxlen=SAMPLES_MAX)).append(ms)

    def as_json(self) -> dict[str, dict[str, float | int]]:
        """Quantiles by route."""
        return {name: quantiles(list(samples)) for name, samples in sorted(self._kept.items())}

    def around(self, app: ASGIApp, headers: Mapping[str, str]) -> ASGIApp:
        """An application that times another one and adds headers to every answer."""

        async def timed(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return

            async def send_with(message: Message) -> None:
                if message["type"] == "http.response.start":
                    MutableHeaders(scope=message).update(headers)
                await send(message)

            begun = time.perf_counter()
            try:
                await app(scope, receive, send_with)
            finally:
                route = scope.get("path", "").removeprefix(scope.get("root_path", ""))
                self.add(route if route.startswith("/api/") else "page", (time.perf_counter() - begun) * 1000)

        return timed
