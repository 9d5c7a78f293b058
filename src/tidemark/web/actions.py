"""What may be done from the page: pause, resume, cancel, nice, verify, repair, retry.

Owns: `Actions` and ``POST /actions``. Promises: nothing may be done unless the host of the application said who may;
a request that another site made in somebody's browser does nothing; what takes long goes on in a thread after the answer, one at
a time, and what is short waits for nothing long; who wanted what, and how it ended, is in the audit.
"""

from __future__ import annotations

import base64
import hmac
import inspect
import json
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event, Lock
from typing import Any
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from tidemark.engine import Tidemark
from tidemark.errors import Code, Refusal, TidemarkError
from tidemark.runtime.backfill.runner import Orders
from tidemark.web.answers import Json, tell_problem

log = logging.getLogger("tidemark.web")

Who = Callable[[Request], str | None | Awaitable[str | None]]
"""Who makes a request: a name for the audit, or None for nobody who may act."""

HEADER = "x-tidemark-action"
BODY_MAX = 64 * 1024
TOKEN_MIN = 16
AT_ONCE = ("pause", "resume", "cancel", "nice", "retry-events")
LONG = ("verify", "repair", "retry")
NAMELESS = ("verify", "retry-events")


async def identify(who: Who, request: Request) -> str:
    """The name of whoever makes a request. Raises 401 for nobody."""
    found = who(request)
    named = await found if inspect.isawaitable(found) else found
    if not named:
        raise HTTPException(401, "nobody for whom this is")
    return str(named)


CHALLENGE = "Bearer"


def by_token(token: str) -> Who:
    """Whoever knows the token may act: as ``Bearer``, with a name in ``x-tidemark-who``, or as the password of a name."""
    if len(token) < TOKEN_MIN:
        raise ValueError(f"a token has at least {TOKEN_MIN} characters")

    def who(request: Request) -> str | None:
        named, given = _read_authorization(request.headers.get("authorization", ""))
        named = named or request.headers.get("x-tidemark-who", "")
        named = " ".join(word for word in named[:80].split() if word.isprintable())
        if not hmac.compare_digest(given.encode(errors="replace"), token.encode()):
            raise HTTPException(401, "that is not the token", {"www-authenticate": CHALLENGE})
        return f"{named or 'token'} from {request.client.host if request.client else 'somewhere'}"

    return who


def _read_authorization(header: str) -> tuple[str, str]:
    """The name and the secret of a header; both may be empty."""
    scheme, _, rest = header.partition(" ")
    if scheme.lower() == "bearer":
        return "", rest.strip()
    if scheme.lower() != "basic":
        return "", ""
    try:
        named, _, secret = base64.b64decode(rest, validate=True).decode().partition(":")
    except ValueError:
        return "", ""
    return named, secret


@dataclass(frozen=True)
class Wish:
    """What somebody wants done about what: with `nice`, how much a backfill is to rest; with `keys`, which rows to repair."""

    action: str
    names: tuple[str, ...]
    nice: float | None = None
    keys: tuple[str, ...] = ()


@dataclass
class Actions:
    """The actions on one database. `who` says who makes a request; None allows nothing to anybody."""

    tidemark: Tidemark
    who: Who | None
    done: Callable[[], None]
    _threads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "tidemark-act"))
    _stopping: Event = field(default_factory=Event)
    _lock: Lock = field(default_factory=Lock)
    _busy: set[Wish] = field(default_factory=set)

    @property
    def allowed(self) -> bool:
        """Whether anybody may act at all."""
        return self.who is not None

    async def answer(self, request: Request) -> Response:
        """Do what a request wants: 202, or why not."""
        who = await self._identify(request)
        wish = _read(await _read_body(request))
        engine = self.tidemark.by(who, self._stopping.is_set)
        if wish.action in AT_ONCE:
            try:
                await run_in_threadpool(_act, engine, wish)
            except Refusal as problem:
                missing = problem.code is Code.NOT_INSTALLED
                return Json({"error": tell_problem(problem)}, 404 if missing else 409)
            self.done()
        elif not self._begin(engine, wish):
            return Json({"error": f"{wish.action} of that is under way already"}, 409)
        return Json({"accepted": True, "action": wish.action, "names": list(wish.names), "who": who}, 202)

    async def _identify(self, request: Request) -> str:
        if self.who is None:
            raise HTTPException(403, "actions are off here; the same commands work on the command line")
        _refuse_foreign(request)
        return await identify(self.who, request)

    def _begin(self, engine: Tidemark, wish: Wish) -> bool:
        with self._lock:
            if wish in self._busy:
                return False
            self._busy.add(wish)
        self._threads.submit(self._work, engine, wish)
        return True

    def _work(self, engine: Tidemark, wish: Wish) -> None:
        try:
            _act(engine, wish)
        except Exception as problem:
            # The audit has it; whoever asked is gone.
            about, ours = {"definition": ", ".join(wish.names), "duty": wish.action}, isinstance(problem, TidemarkError)
            log.warning("%s %s: %s", wish.action, ", ".join(wish.names), problem, extra=about, exc_info=not ours)
        finally:
            with self._lock:
                self._busy.discard(wish)
            self.done()

    def close(self) -> None:
        """Let what goes on end after the chunk at hand."""
        self._stopping.set()
        self._threads.shutdown()


def _act(engine: Tidemark, wish: Wish) -> None:
    action, nice = wish.action, wish.nice
    if action == "verify":
        engine.verify(*wish.names)
    elif action == "repair":
        engine.repair(*wish.names, keys=wish.keys)
    elif action == "retry-events":
        engine.retry_events()
    for name in wish.names:
        if action == "pause":
            engine.pause_backfill(name)
        elif action == "resume":
            engine.resume_backfill(name)
        elif action == "cancel":
            engine.cancel_backfill(name)
        elif action == "nice" and nice is not None:
            engine.set_nice(name, nice)
        elif action == "retry":
            engine.backfill(name, Orders(again=True))


def _refuse_foreign(request: Request) -> None:
    """Refuse what a page of another site made a browser send: such a page can set neither this header nor this type unasked."""
    if not request.headers.get(HEADER):
        raise HTTPException(403, f"an action has the header {HEADER}: 1")
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise HTTPException(415, "an action is application/json")
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise HTTPException(403, "an action comes from the page itself")
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc not in _own_hosts(request):
        raise HTTPException(403, "an action comes from the page itself")


def _own_hosts(request: Request) -> set[str]:
    """What this server is called by those who ask; behind a proxy also what the proxy was called."""
    return {request.headers.get("host", ""), request.headers.get("x-forwarded-host", "")} - {""}


async def _read_body(request: Request) -> dict[str, Any]:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > BODY_MAX:
            raise HTTPException(413, "that is too long")
    try:
        wanted: Any = json.loads(body or b"{}")
    except ValueError as problem:
        raise HTTPException(400, "an action is a JSON object") from problem
    if not isinstance(wanted, dict):
        raise HTTPException(400, "an action is a JSON object")
    return wanted


def _read(wanted: dict[str, Any]) -> Wish:
    action, names, nice = wanted.get("action"), wanted.get("names", []), wanted.get("nice")
    keys = wanted.get("keys", [])
    if action not in (*AT_ONCE, *LONG):
        raise HTTPException(400, f"action is one of {', '.join((*AT_ONCE, *LONG))}")
    if not isinstance(names, list) or not all(isinstance(name, str) and name.isprintable() and name for name in names):
        raise HTTPException(400, "names is a list of names")
    if not names and action not in NAMELESS:
        raise HTTPException(400, f"{action} wants names")
    if action == "nice" and (isinstance(nice, bool) or not isinstance(nice, int | float)):
        raise HTTPException(400, "nice is a number")
    if not isinstance(keys, list) or not all(isinstance(key, str) and key for key in keys):
        raise HTTPException(400, "keys is a list of keys, each as the list of what is wrong gives it")
    if keys and (action != "repair" or len(names) != 1):
        raise HTTPException(400, "keys are of one derived table that is to be repaired")
    rest = None if nice is None or isinstance(nice, bool) else float(nice)
    return Wish(str(action), tuple(names), rest, tuple(keys))
