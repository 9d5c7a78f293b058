"""The ASGI application: which address leads where.

Owns: `application`. Promises: works under any prefix, because no address in an answer is absolute; `/livez` asks nothing of
the database; what is open is closed with the lifespan, or by `app.state.house.close()` where a host does not pass that on.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.convertors import StringConvertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Route

from tidemark.declare import Project
from tidemark.engine import Tidemark
from tidemark.errors import TidemarkError
from tidemark.runtime.verdict import Ready
from tidemark.web import files, health, pages
from tidemark.web.answers import Headers, answer_http, answer_problem
from tidemark.web.house import House, Wanted


class _Anything(StringConvertor):
    """A name: whatever a derived table may be called, slashes and line breaks included."""

    regex = "(?s:.+)"


register_url_convertor("any", _Anything())


def application(
    tidemark: Tidemark | Project | None,
    database: str | None = None,
    *,
    ready_when: Mapping[str, Ready] | None = None,
    names: bool = False,
) -> Starlette:
    """The application over a database: `tidemark` is an engine, or a project (None = only what is installed) with the URL or path
    of its `database`.

    `ready_when` says for each derived table what it takes for `/readyz`: ``live`` (where none is named), ``installed`` or
    ``always``. `names` lets the public banner name derived tables and show messages.
    """
    house = House(_engine(tidemark, database), Wanted(dict(ready_when or {}), names))

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        house.close()

    routes = [
        Route("/livez", health.live),
        Route("/readyz", health.ready),
        Route("/readyz/{name:any}", health.ready_one),
        Route("/healthz", health.health),
        Route("/status", pages.status),
        Route("/runs", pages.runs),
        Route("/runs/{id:int}", pages.run),
        Route("/drift", pages.drift),
        Route("/quarantine", pages.quarantine),
        Route("/outbox", pages.outbox),
        Route("/streams", pages.streams),
        Route("/explain/{name:any}", pages.explain),
        Route("/banner.json", pages.banner),
        Route("/schema.json", files.schema),
        Route("/", files.index),
        Route("/{name}", files.file),
    ]
    app = Starlette(
        routes=routes,
        lifespan=lifespan,
        middleware=[Middleware(Headers)],
        exception_handlers={TidemarkError: answer_problem, HTTPException: answer_http},
    )
    app.state.house = house
    return app


def _engine(tidemark: Tidemark | Project | None, database: str | None) -> Tidemark:
    if isinstance(tidemark, Tidemark):
        return tidemark
    if database is None:
        raise TypeError("say which database: application(project, database)")
    return Tidemark(tidemark, database)
