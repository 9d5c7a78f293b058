"""The read API and the page, as an ASGI application that can be mounted anywhere.

Owns: the routes and what each answers. Promises: reads only, on connections that no writer has; what is expensive is read
once in five seconds, however many ask; health and progress are those of Tidemark's own application, which is mounted beside
and has a thread and a connection of its own, so that they never wait behind a query; when the progress cannot be read, health
says so and counts as still migrating. Answers carry a strict content security policy; the page names everything by relative
addresses.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route

from examples.meshscope import derived, reads
from examples.meshscope.cache import YOUNG_SECONDS, Cached
from examples.meshscope.migrations import CANCELLED, DONE, Migration, Unreadable, read_migration
from examples.meshscope.timings import Timings
from tidemark import Fault, Refusal
from tidemark.web import application

log = logging.getLogger("meshscope")

T = TypeVar("T")
PAGE = Path(__file__).parent / "page"
FILES = {
    "index.html": "text/html",
    "style.css": "text/css",
    "page.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
KEPT = frozenset(one.name for one in derived.project.declarations)
ERROR_HEADER = "x-async-migrations-error"


class Api:
    """What the routes need. `connections` and `migrations` can be given by who wants to share or to break something; the
    progress is else that of `tidemark`, the application that is mounted beside."""

    def __init__(
        self,
        database: str,
        *,
        connections: reads.Connections | None = None,
        migrations: Callable[[], list[Migration]] | None = None,
        seconds: float = YOUNG_SECONDS,
    ) -> None:
        self.database = database
        self.timings = Timings()
        self.tidemark = application(derived.project, database, names=True)
        self._connections = connections or reads.Connections.to(database)
        self._slow = ThreadPoolExecutor(2, "slow")
        self._given = migrations
        self._stats = Cached(lambda: self._read(reads.read_stats), self._slow, seconds)
        self._sizes = Cached(lambda: self._read(reads.read_hash_sizes), self._slow, seconds)

    def _read(self, query: Callable[..., T], **options: Any) -> T:
        with self._connections.one() as connection:
            return query(connection, **options)

    def close(self) -> None:
        """End the threads and close the connections."""
        self.tidemark.state.house.close()
        self._slow.shutdown()
        self._connections.close()

    async def stats(self, request: Request) -> Response:
        """Counts of everything."""
        return await self._answer(await self._stats.get())

    async def hash_sizes(self, request: Request) -> Response:
        """Path hashes by size."""
        return await self._answer(await self._sizes.get())

    async def packets(self, request: Request) -> Response:
        """A page of packets: ``limit``, ``before`` (an id), ``sort`` (``newest`` or ``heard``)."""
        limit, before = _number(request, "limit"), _number(request, "before")
        by_last_seen = request.query_params.get("sort") == "heard"
        page = await run_in_threadpool(
            self._read,
            reads.read_packets,
            stored=await self._are_true(),
            by_last_seen=by_last_seen,
            limit=50 if limit is None else limit,
            before=before,
        )
        return await self._answer(page)

    async def perf(self, request: Request) -> Response:
        """How long answers took, how long the write-ahead log is, and every migration."""
        migrations, problem = await self._look()
        found = {
            "requests": self.timings.as_json(),
            "walBytes": reads.wal_bytes(self.database),
            "asyncMigrations": [one.as_json() for one in migrations],
        }
        return JSONResponse(found, headers=_flag(problem))

    async def migrations(self, request: Request) -> Response:
        """Every migration; 500 when they cannot be read."""
        migrations, problem = await self._look()
        if problem is not None:
            return JSONResponse({"error": problem}, 500, headers=_flag(problem))
        return JSONResponse([one.as_json() for one in migrations])

    async def healthz(self, request: Request) -> Response:
        """Whether the application is ready (503 when it is not), and what is being migrated."""
        migrations, problem = await self._look()
        goes_on = any(one.unfinished for one in migrations)
        wrong = [] if problem is not None else await self._find_wrong(goes_on)
        found: dict[str, Any] = {
            "async_migrations": [one.as_json() for one in migrations],
            "async_migrations_running": problem is not None or goes_on,
        }
        if problem is not None:
            found["async_migrations_error"] = problem
        found["reason"] = "; ".join([one for one in (_why_not_ready(migrations, problem), *wrong) if one])
        found["ready"] = not found["reason"]
        return JSONResponse(found, 200 if found["ready"] else 503, headers=_flag(problem))

    async def file(self, request: Request) -> Response:
        """The page, or one of the files that it names."""
        name = request.path_params.get("name", "index.html")
        if name not in FILES:
            return JSONResponse({"error": "there is no such page"}, 404)
        return FileResponse(PAGE / name, media_type=FILES[name])

    async def _look(self) -> tuple[list[Migration], str | None]:
        try:
            if self._given is not None:
                return self._given(), None
            view = await self.tidemark.state.house.overview()
            return [read_migration(one) for one in view.backfills], None
        except (Unreadable, Fault, Refusal) as problem:
            log.warning("the migrations cannot be read: %s", problem)
            return [], str(problem)

    async def _find_wrong(self, goes_on: bool) -> list[str]:
        """What Tidemark knows to be wrong about derived columns that readers have. While the migrations go on, those that are not
        begun have their turn to come."""
        if self._given is not None:
            return []
        try:
            view = await self.tidemark.state.house.overview()
        except (Fault, Refusal) as problem:
            return [str(problem)]
        shown = {one.name for one in view.tables if one.shown}
        findings = [one for one in view.verdict.findings if one.kind == "table" and one.level == "fail"]
        absent = KEPT - {one.name for one in view.backfills} if view.backfills and not goes_on else ()
        return [f"{one.name} {one.says}" for one in findings if one.name in shown] + [
            f"{name} is not installed" for name in sorted(absent)
        ]

    async def _are_true(self) -> bool:
        """Whether every derived column may be shown; False when that is not known."""
        migrations, problem = await self._look()
        done = {one.name for one in migrations if one.status == DONE}
        # What is not installed yet is in no list.
        return problem is None and done >= KEPT and len(done) == len(migrations)

    async def _answer(self, found: Any) -> Response:
        _, problem = await self._look()
        return JSONResponse(found, headers=_flag(problem))


def _why_not_ready(migrations: list[Migration], problem: str | None) -> str:
    """A migration that runs does not keep the application from serving; one that failed must not read as all fine."""
    if problem is not None:
        return f"the migrations cannot be read: {problem}"
    if not migrations:
        return "the derived columns are not installed"
    bad = [one for one in migrations if not one.unfinished and one.status not in (DONE, CANCELLED)]
    return "; ".join(f"{one.name} is {one.status}" for one in bad)


def _flag(problem: str | None) -> dict[str, str]:
    # A header is latin-1 and has one line.
    return {} if problem is None else {ERROR_HEADER: " ".join(problem.split()).encode("ascii", "replace").decode()}


def _number(request: Request, name: str) -> int | None:
    given = request.query_params.get(name)
    if given is None:
        return None
    if not (given.isascii() and given.isdigit() and len(given) < 19):
        raise HTTPException(400, f"{name} is a whole number")
    return int(given)


def make_app(api: Api) -> Starlette:
    """The application over an `Api`, which is closed with it. Below `/derived` are Tidemark's own pages, with its banner."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        api.close()

    routes = [
        Route("/api/stats", api.stats),
        Route("/api/packets", api.packets),
        Route("/api/analytics/hash-sizes", api.hash_sizes),
        Route("/api/perf", api.perf),
        Route("/api/migrations", api.migrations),
        Route("/api/healthz", api.healthz),
        Mount("/derived", app=api.tidemark),
        Route("/", api.file),
        Route("/{name}", api.file),
    ]
    headers = {"content-security-policy": POLICY, "x-content-type-options": "nosniff", "referrer-policy": "no-referrer"}
    return Starlette(routes=routes, lifespan=lifespan, middleware=[Middleware(api.timings.around, headers=headers)])
