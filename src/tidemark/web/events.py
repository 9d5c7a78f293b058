"""Events: what changed, told to whoever listens, at most once a second.

Owns: ``/events``. Promises: all who listen share one look at the database; who listens is told only what changed since the last
time; a problem in reading is an event of its own, and not silence; when the server ends, the listening ends.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.requests import Request
from starlette.responses import Response

from tidemark.errors import TidemarkError
from tidemark.web import shapes
from tidemark.web.answers import tell_problem
from tidemark.web.cached import YOUNG_SECONDS
from tidemark.web.house import House

PING_SECONDS = 15
# What passes by itself is no change.
PASSING = frozenset({"seconds", "updated_seconds", "elapsed_seconds", "at"})


async def events(request: Request) -> Response:
    """A stream of ``status`` events, and of ``problem`` events while the database cannot be read."""
    house: House = request.app.state.house
    return EventSourceResponse(_tell(house), ping=PING_SECONDS, headers={"cache-control": "no-store"})


async def _tell(house: House) -> AsyncIterator[ServerSentEvent]:
    before: dict[str, Any] = {}
    problem = ""
    while True:
        try:
            told, now = await _look(house, before)
            if told is not None or problem:
                yield ServerSentEvent(json.dumps(told or await _whole(house)), event="status")
            before, problem = now, ""
        except TidemarkError as raised:
            if tell_problem(raised) != problem:
                problem = tell_problem(raised)
                yield ServerSentEvent(json.dumps({"error": problem}), event="problem")
        await asyncio.sleep(YOUNG_SECONDS)


async def _whole(house: House) -> dict[str, Any]:
    told, _ = await _look(house, {})
    return told or {}


async def _look(house: House, before: dict[str, Any]) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """What differs from before, or None, and what is there now."""
    view = await house.overview()
    whole = shapes.of_overview(view, house.find_unready(view), actions=house.actions.allowed)
    tables = {f"{one['name']} {one['generation']}": one for one in whole["tables"]}
    now = {
        "verdict": _lasting(whole["verdict"]),
        "backfills": _lasting(whole["backfills"]),
        **{f"table {key}": _lasting(one) for key, one in tables.items()},
    }
    if now == before:
        return None, now
    changed = [one for key, one in tables.items() if before.get(f"table {key}") != now[f"table {key}"]]
    gone = [key.removeprefix("table ") for key in before if key.startswith("table ") and key not in now]
    told = {"at": whole["at"], "verdict": whole["verdict"], "tables": changed, "gone": gone}
    return {**told, "backfills": whole["backfills"]}, now


def _lasting(value: Any) -> Any:
    """The same without what passes by itself; sentences that tell a span of time are left out too."""
    if isinstance(value, dict):
        return {key: _lasting(inner) for key, inner in value.items() if key not in PASSING and key != "sentence"}
    return [_lasting(inner) for inner in value] if isinstance(value, list) else value
