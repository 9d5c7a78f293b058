"""Events: what changed, told to whoever listens, at most once a second.

Owns: ``/events``. Promises: all who listen share one look at the database; who listens is told only what changed since the last
time, and every few seconds that nothing did; a problem in reading is an event of its own, and not silence; when the server ends,
the listening ends.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.requests import Request
from starlette.responses import Response

from tidemark.errors import TidemarkError
from tidemark.runtime.operate.overview import Overview
from tidemark.web import shapes
from tidemark.web.answers import tell_problem
from tidemark.web.cached import YOUNG_SECONDS
from tidemark.web.house import House

PING_SECONDS = 15
# Who listens knows by this that what was told last is still so.
BEAT_SECONDS = 3.0
# What passes by itself is no change.
SPANS = frozenset({"seconds", "updated_seconds", "elapsed_seconds", "started_seconds", "sentence"})
PASSING = SPANS | {"at"}


async def events(request: Request) -> Response:
    """A stream of ``status`` events, of ``beat`` events while nothing changes, and of a ``problem`` event when the database
    cannot be read."""
    house: House = request.app.state.house
    return EventSourceResponse(_tell(house), ping=PING_SECONDS, headers={"cache-control": "no-store"})


async def _tell(house: House) -> AsyncIterator[ServerSentEvent]:
    before: dict[str, Any] = {}
    problem, quiet = "", 0.0
    with house.listening() as over:
        while not over.is_set():
            quiet += YOUNG_SECONDS
            try:
                view = await house.overview()
                told, now = _differ(house, view, before)
                if told is None and problem:
                    told, now = _differ(house, view, {})
                if told is not None:
                    yield ServerSentEvent(json.dumps(told), event="status")
                elif quiet >= BEAT_SECONDS:
                    yield ServerSentEvent(json.dumps({"at": view.at}), event="beat")
                quiet = 0.0 if told is not None or quiet >= BEAT_SECONDS else quiet
                before, problem = now, ""
            except TidemarkError as raised:
                if tell_problem(raised) != problem:
                    problem = tell_problem(raised)
                    yield ServerSentEvent(json.dumps({"error": problem}), event="problem")
            await _rest(over)


async def _rest(over: asyncio.Event) -> None:
    """Wait until there may be something to tell, or until it is over."""
    with suppress(TimeoutError):
        async with asyncio.timeout(YOUNG_SECONDS):
            await over.wait()


def tell_status(house: House, view: Overview) -> dict[str, Any]:
    """Everything at a glance, as plain data."""
    return shapes.of_overview(view, house.find_unready(view), actions=house.actions.allowed)


def tag_status(house: House, view: Overview) -> str:
    """What stays the same as long as only time passes: a weak entity tag of the status."""
    whole = {name: value for name, value in house.once(view, tell_status).items() if name != "at"}
    text = json.dumps(_lasting(whole, SPANS), sort_keys=True, default=str)
    return f'W/"{hashlib.sha256(text.encode(errors="replace")).hexdigest()[:20]}"'


def _parts(house: House, view: Overview) -> dict[str, Any]:
    """What there is to be told, by what it is about, without what passes by itself."""
    whole = house.once(view, tell_status)
    tables = {f"table {one['name']} {one['generation']}": _lasting(one) for one in whole["tables"]}
    return {**{name: _lasting(whole[name]) for name in ("verdict", "backfills", "streams", "outbox")}, **tables}


def _differ(house: House, view: Overview, before: dict[str, Any]) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """What differs from before, or None, and what is there now."""
    whole, now = house.once(view, tell_status), house.once(view, _parts)
    if now is before or now == before:
        return None, now
    changed = [one for one in whole["tables"] if _of(one, before) != _of(one, now)]
    gone = [key.removeprefix("table ") for key in before if key.startswith("table ") and key not in now]
    told = {"at": whole["at"], "verdict": whole["verdict"], "tables": changed, "gone": gone}
    return {**told, "backfills": whole["backfills"]}, now


def _of(table: dict[str, Any], parts: dict[str, Any]) -> Any:
    return parts.get(f"table {table['name']} {table['generation']}")


def _lasting(value: Any, passing: frozenset[str] = PASSING) -> Any:
    """The same without what passes by itself; sentences that tell a span of time are left out too."""
    if isinstance(value, dict):
        return {key: _lasting(inner, passing) for key, inner in value.items() if key not in passing}
    return [_lasting(inner, passing) for inner in value] if isinstance(value, list) else value
