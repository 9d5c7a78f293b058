"""What the routes share: two readers of one database, each with a thread and a connection of its own.

Owns: `House`. Promises: health, status, metrics and banner come from one overview that is read at most once a second however many
ask, on a connection that nothing else uses, so that a probe never waits behind a page; a problem in reading is no answer.
Nothing is opened before somebody asks or `look_ahead` is called, and everything is closed by `close`; `hush` ends what listens.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from tidemark.engine import Tidemark
from tidemark.runtime.operate.figures import Figures
from tidemark.runtime.operate.onlooker import Onlooker
from tidemark.runtime.operate.overview import Overview
from tidemark.runtime.operate.verdict import Finding, Ready, find_unready
from tidemark.web.actions import Actions
from tidemark.web.cached import YOUNG_SECONDS, Cached

T = TypeVar("T")


@dataclass(frozen=True)
class Wanted:
    """How the application is wanted. `ready_when` says for each name what it takes to be ready, `live` where none is named;
    `names` lets the banner name tables."""

    ready_when: Mapping[str, Ready]
    names: bool = False


class House:
    """One database, looked at. `seconds` is how long an overview is good for; `was_installed` is whether anything ever was."""

    def __init__(self, tidemark: Tidemark, wanted: Wanted, *, seconds: float = YOUNG_SECONDS) -> None:
        self.tidemark = tidemark
        self.wanted = wanted
        self._quick, self._slow = tidemark.onlooker(), tidemark.onlooker()
        self._threads = ThreadPoolExecutor(1, "tidemark-look")
        self.actions = Actions(tidemark, None, self.forget)
        self.was_installed = False
        self._cached = Cached(self._read, self._threads, seconds)
        self._figures = Cached(self._quick.figures, self._threads, seconds)
        self._made: dict[Callable[[House, Overview], Any], tuple[Overview, Any]] = {}
        self._listeners: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()

    @property
    def readings(self) -> int:
        """How often the database was read for an overview."""
        return self._cached.readings

    @property
    def declared(self) -> tuple[str, ...]:
        """The derived tables that should be there."""
        return self._quick.declared

    def look_ahead(self) -> None:
        """Open what health is read from and look once, so that the first who asks waits for no connection."""
        self._cached.begin()

    async def overview(self, who: str = "") -> Overview:
        """Everything at a glance; `who` is the name of a prober. Raises `Fault` and `Refusal`."""
        return await self._cached.get(who)

    async def figures(self, who: str = "") -> Figures:
        """Everything that is counted. Raises as `overview` does."""
        return await self._figures.get(who)

    async def look(self, work: Callable[[Onlooker], T]) -> T:
        """Something that is asked for rarely and may take longer."""
        return await run_in_threadpool(work, self._slow)

    def _read(self) -> Overview:
        """An overview, and what every probe asks about it, so that nobody who asks works that out."""
        view = self._quick.overview()
        self.was_installed = self.was_installed or bool(view.tables or view.backfills)
        self.find_unready(view)
        return view

    def find_unready(self, view: Overview) -> tuple[Finding, ...]:
        """What keeps the application from being ready."""
        return self.once(view, _unready)

    def once(self, view: Overview, make: Callable[[House, Overview], T]) -> T:
        """What `make` makes of an overview: made once for each, however many ask."""
        known = self._made.get(make)
        if known is None or known[0] is not view:
            known = self._made[make] = (view, make(self, view))
        made: T = known[1]
        return made

    def forget(self) -> None:
        """Look again at the next request: something was done that shows."""
        self._cached.forget()
        self._figures.forget()

    @contextmanager
    def listening(self) -> Iterator[asyncio.Event]:
        """While somebody listens: what is set when the listening is to end."""
        mine = (asyncio.get_running_loop(), asyncio.Event())
        self._listeners.add(mine)
        try:
            yield mine[1]
        finally:
            self._listeners.discard(mine)

    def hush(self) -> None:
        """Have everybody who listens now listen no more, from any thread: a server that ends waits for open answers."""
        for loop, over in self._listeners.copy():
            loop.call_soon_threadsafe(over.set)

    def close(self) -> None:
        """End the threads, after the chunk at hand, and close the connections."""
        self.hush()
        self.actions.close()
        self._cached.close()
        self._figures.close()
        self._threads.shutdown()
        self._quick.close()
        self._slow.close()


def name_prober(request: Request) -> str:
    """Who asks for what: two who ask the same, each in a rhythm of its own, are expected each for itself."""
    host = request.client.host if request.client else ""
    return f"{request.url.path[:200]} {host} {request.headers.get('user-agent', '')[:80]}"


def _unready(house: House, view: Overview) -> tuple[Finding, ...]:
    return find_unready(view.verdict, view.tables, house.declared, house.wanted.ready_when)
