"""A server of the page over made-up worlds.

Owns: `Served` and `python -m tests.page.serving`. Promises: it is the real application, with its routes, headers and shapes; only
the onlooker is made up. It can go away and come back at the same address.
"""

from __future__ import annotations

import socket
import sys
import threading
from typing import Any, cast

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from tests.page.scenes import SCENES
from tests.page.worlds import Eye, World
from tidemark.engine import Tidemark
from tidemark.web.application import application
from tidemark.web.house import House, Wanted


class _Roof:
    """What a house asks of an engine."""

    def __init__(self, eye: Eye) -> None:
        self._eye = eye

    def onlooker(self) -> Eye:
        """The eye of the made-up world."""
        return self._eye


def serve_world(eye: Eye, *, names: bool = True) -> Starlette:
    """The application over a made-up world; what it sees is asked for at every request."""
    app = application(None, "sqlite:///made-up.db", names=names)
    app.state.house = House(cast(Tidemark, _Roof(eye)), Wanted({}, names), seconds=0.0)
    return app


class Served:
    """A running server under a prefix; `address` ends with a slash."""

    def __init__(self, world: World, prefix: str = "") -> None:
        self.eye = Eye(world)
        self._inner = self.make(self.eye)
        self.app: Any = self.wrap(self._inner, prefix)
        self._port = 0
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self._prefix = prefix
        self.start()

    def make(self, eye: Eye) -> Starlette:
        """The application."""
        return serve_world(eye)

    def wrap(self, inner: Starlette, prefix: str) -> Any:
        """The application, under its prefix."""
        return Starlette(routes=[Mount(prefix, app=inner)]) if prefix else inner

    @property
    def address(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self._port}{self._prefix}/"

    def start(self) -> None:
        """Begin to answer."""
        listening = socket.create_server(("127.0.0.1", self._port), reuse_port=False)
        self._port = listening.getsockname()[1]
        config = uvicorn.Config(self.app, log_level="error", lifespan="off", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [listening]}, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Answer no more; who listens is sent away first, or the server would wait for them."""
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._inner.state.house.hush()
            self._thread.join(10)
            assert not self._thread.is_alive(), "the server goes on"
            self._server = None

    def close(self) -> None:
        """Answer no more, ever."""
        self.stop()
        self._inner.state.house.close()


if __name__ == "__main__":
    chosen = sys.argv[1] if len(sys.argv) > 1 else "live"
    served = Served(SCENES[chosen]())
    print(served.address, flush=True)
    threading.Event().wait()
