"""In other people's applications: FastAPI, Starlette and Django, under a prefix, with what they have of their own."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import django
import pytest
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpResponse
from django.test import override_settings
from django.urls import path as django_path
from fastapi import Depends, FastAPI, HTTPException, Request
from starlette.applications import Starlette
from starlette.routing import Mount

from tests.kit.asgi import Answer, ask, get
from tests.web.conftest import Forum
from tests.web.schema import check
from tidemark.web import application

PREFIX = "/a/b/derived"
TOLD_WITHIN_SECONDS = 20
urlpatterns = [django_path("hello/", lambda request: HttpResponse("hello"))]


def find_user(request: Request) -> str | None:
    """How the host knows its users: a name in a header, which a real one would not believe."""
    return request.headers.get("x-user")


def require_user(request: Request) -> str:
    """The same as a dependency of FastAPI."""
    if (name := find_user(request)) is None:
        raise HTTPException(401, "nobody")
    return name


def in_fastapi(app: Any) -> Any:
    """Mounted into FastAPI, which closes it when it ends."""

    @asynccontextmanager
    async def lifespan(host: FastAPI) -> AsyncIterator[None]:
        yield
        app.state.house.close()

    host = FastAPI(lifespan=lifespan)

    @host.get("/hello/")
    def hello(user: str = Depends(require_user)) -> dict[str, str]:
        return {"hello": user}

    host.mount(PREFIX, app)
    return host


def in_starlette(app: Any) -> Any:
    """Mounted into Starlette."""
    return Starlette(routes=[Mount(PREFIX, app)])


def set_django_up() -> None:
    """Whichever test is the first to need it."""
    if not settings.configured:
        settings.configure(DATABASES={}, INSTALLED_APPS=[], USE_TZ=True)
        django.setup()


def beside_django(app: Any) -> Any:
    """Mounted beside Django, which has no mounts of its own."""
    set_django_up()
    return Starlette(routes=[Mount(PREFIX, app), Mount("/", get_asgi_application())])


HOSTS = (in_fastapi, in_starlette, beside_django)


async def hear(app: Any, path: str) -> tuple[dict[str, str], str]:
    """The headers and the first events of a stream, which the listener then leaves."""
    asked, gone = asyncio.Event(), asyncio.Event()
    headers: dict[str, str] = {}
    said = b""

    async def receive() -> dict[str, Any]:
        if not asked.is_set():
            asked.set()
            return {"type": "http.request", "body": b"", "more_body": False}
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        nonlocal said
        if message["type"] == "http.response.start":
            headers.update({name.decode().lower(): value.decode() for name, value in message["headers"]})
        said += message.get("body", b"")
        if b"\r\n\r\n" in said:
            gone.set()

    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "scheme": "http",
    }
    scope |= {"asgi": {"version": "3.0"}, "http_version": "1.1", "query_string": b"", "headers": [(b"host", b"tests")]}
    async with asyncio.timeout(TOLD_WITHIN_SECONDS):
        await app({**scope, "client": ("127.0.0.1", 1), "server": ("tests", 80)}, receive, send)
    return headers, said.decode()


def act(host: Any, wish: dict[str, Any], **headers: str) -> Answer:
    """One action, as the page would send it."""
    given = {"x-tidemark-action": "1", "content-type": "application/json", **headers}
    return asyncio.run(ask(host, f"{PREFIX}/actions", method="POST", headers=given, body=json.dumps(wish).encode()))


@pytest.mark.parametrize("mount", HOSTS)
def test_everything_works_in_another_application(well_forum: Forum, mount: Callable[[Any], Any]) -> None:
    app = application(well_forum.tidemark, may_act=find_user)
    host = mount(app)
    for page in ("healthz", "readyz", "livez", "status", "perf"):
        answer = get(host, f"{PREFIX}/{page}")
        assert answer.status == 200, (page, answer.text)
        check(page, answer.json)
    page = get(host, f"{PREFIX}/")
    assert page.status == 200 and "default-src 'none'" in page.headers["content-security-policy"]
    named = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    files = [name for name in named if not name.startswith(("#", "data:"))]
    assert files and not [name for name in files if name.startswith("/") or ":" in name]
    assert {get(host, f"{PREFIX}/{name}").status for name in files} == {200}
    if mount is not beside_django:
        # Without the slash nothing relative is found. Beside a host that answers every other address, that host answers.
        assert get(host, PREFIX).headers["location"].endswith(f"{PREFIX}/")
    headers, said = asyncio.run(hear(host, f"{PREFIX}/events"))
    assert headers["content-type"].startswith("text/event-stream") and said.startswith("event: status\r\ndata: {")
    wish = {"action": "nice", "names": ["thread_posts"], "nice": 2}
    assert act(host, wish).status == 401, "nobody may act whom the host does not know"
    done = act(host, wish, **{"x-user": "ada"})
    assert (done.status, done.json["who"]) == (202, "ada"), done.text
    assert act(host, wish, **{"x-user": "ada", "origin": "https://elsewhere.example"}).status == 403
    assert get(host, f"{PREFIX}/audit").json["audit"][0]["who"] == "ada"
    app.state.house.close()


def test_the_hosts_own_pages_and_dependencies_stay_their_own(well_forum: Forum) -> None:
    app = application(well_forum.tidemark, may_read=find_user)
    host = in_fastapi(app)
    assert get(host, "/hello/").status == 401 and get(host, f"{PREFIX}/status").status == 401
    assert get(host, f"{PREFIX}/healthz").status == 200, "probes ask nobody"
    known = {"x-user": "ada"}
    assert get(host, "/hello/", headers=known).json == {"hello": "ada"}
    assert get(host, f"{PREFIX}/status", headers=known).status == 200
    assert PREFIX not in get(host, "/openapi.json").text

    async def end() -> None:
        async with host.router.lifespan_context(host):
            assert (await ask(host, f"{PREFIX}/healthz")).status == 200

    asyncio.run(end())
    assert app.state.house._quick._duty is None, "it was closed with the host"
    set_django_up()
    with override_settings(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"]):
        assert get(beside_django(well_forum.app), "/hello/").text == "hello"
