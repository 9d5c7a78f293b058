"""The ASGI application: which address leads where.

Owns: `application`. Promises: works under any prefix, because no address in an answer is absolute; `/livez` asks nothing of
the database; what is open is closed with the lifespan, or by `app.state.house.close()` where a host does not pass that on.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.convertors import StringConvertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tidemark.declare import Project
from tidemark.engine import Tidemark
from tidemark.errors import TidemarkError
from tidemark.runtime.operate.verdict import Ready
from tidemark.web import files, health, pages
from tidemark.web.actions import Actions, Who, by_token, identify
from tidemark.web.answers import Headers, answer_http, answer_problem
from tidemark.web.house import House, Wanted

Endpoint = Callable[[Request], Awaitable[Response]]


class _Anything(StringConvertor):
    """A name: whatever a derived table may be called, slashes and line breaks included."""

    regex = "(?s:.+)"


register_url_convertor("any", _Anything())


def application(
    tidemark: Tidemark | Project | None,
    database: str | os.PathLike[str] | None = None,
    *,
    ready_when: Mapping[str, Ready] | None = None,
    names: bool = False,
    token: str | None = None,
    may_act: Who | None = None,
    may_read: Who | None = None,
    hosts: Sequence[str] = ("*",),
) -> Starlette:
    """The application over a database: `tidemark` is an engine, or a project (None = only what is installed) with the URL or path
    of its `database`.

    `ready_when` says for each derived table what it takes for `/readyz`: ``live`` (where none is named), ``installed`` or
    ``always``. `names` lets the public banner name derived tables and show messages.

    Nobody may act unless `may_act` gives a name to whoever makes a request, or `token` is theirs. `may_read` does the same for
    reading, which everybody may who is not told otherwise; probes and the banner ask nobody. `hosts` are the names by which it
    may be called, so that no page of another name can read it through a browser of this machine.
    """
    engine = _engine(tidemark, database)
    house = House(engine, Wanted(dict(ready_when or {}), names))
    house.actions = Actions(engine, may_act or (by_token(token) if token is not None else None), house.forget)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        house.close()

    routes = [
        Route("/livez", health.live),
        Route("/readyz", health.ready),
        Route("/readyz/{name:any}", health.ready_one),
        Route("/healthz", health.health),
        *(Route(path, _for_readers(page, may_read)) for path, page in pages.PAGES.items()),
        Route("/actions", house.actions.answer, methods=["POST"]),
        Route("/banner.json", pages.banner),
        Route("/schema.json", files.schema),
        Route("/", files.index),
        Route("/{name}", files.file),
    ]
    app = Starlette(
        routes=routes,
        lifespan=lifespan,
        middleware=[
            Middleware(Headers),
            Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts), www_redirect=False),
        ],
        exception_handlers={TidemarkError: answer_problem, HTTPException: answer_http},
    )
    # A slash too many is an address that is not there: a redirect would name an absolute one, made of what a request says.
    app.router.redirect_slashes = False
    app.state.house = house
    return app


def _for_readers(page: Endpoint, may_read: Who | None) -> Endpoint:
    """The page, for those who may read it."""
    if may_read is None:
        return page
    who = may_read

    async def guarded(request: Request) -> Response:
        await identify(who, request)
        return await page(request)

    return guarded


def _engine(tidemark: Tidemark | Project | None, database: str | os.PathLike[str] | None) -> Tidemark:
    if isinstance(tidemark, Tidemark):
        return tidemark
    if database is None:
        raise TypeError("say which database: application(project, database)")
    return Tidemark(tidemark, database)
