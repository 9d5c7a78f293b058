"""A server of one's own: the application behind uvicorn.

Owns: `serve`. Promises: listens on this machine only unless told otherwise, and says so when told; ends within a second of
being asked to, however many look, but for a connection that is being tried (ten at most); looks once before anybody asks; writes
no line for a request.
"""

from __future__ import annotations

import ipaddress
import logging
import socket
from collections.abc import Callable, Mapping, Sequence

import uvicorn

from tidemark.engine import Tidemark
from tidemark.errors import Fault
from tidemark.runtime.operate.verdict import Ready
from tidemark.web.application import application

log = logging.getLogger("tidemark.web")

STOP_SECONDS = 1


def serve(
    tidemark: Tidemark,
    *,
    host: str,
    port: int,
    ready_when: Mapping[str, Ready],
    names: bool,
    token: str | None,
    hosts: Sequence[str],
    tell: Callable[[str], object],
    stop: Callable[[], bool],
) -> None:
    """Serve until a signal, or `stop`, says to. `tell` gets the address, and a warning where others reach it; port 0 takes any.

    Who knows `token` may act. A server for this machine alone answers to the names of this machine and to `hosts`, so that a page
    from elsewhere cannot read it through somebody's browser.

    Raises `Fault` when the address cannot be had.
    """
    own = ["localhost", "127.0.0.1", "[::1]"] if is_loopback(host) else ["*"]
    app = application(tidemark, ready_when=ready_when, names=names, token=token, hosts=[*own, *hosts])
    listener = _listen(host, port)
    app.state.house.look_ahead()
    try:
        bound = listener.getsockname()[1]
        shown = f"[{host}]" if ":" in host else host
        tell(f"serving http://{shown}:{bound}/ (Ctrl-C ends it)")
        if not is_loopback(host):
            tell(f"warning: {host} is reachable from other machines, and whoever reaches it may read everything here")
            if token is not None:
                tell("warning: whoever knows the token may act from there; without TLS in front it travels in the open")
        config = uvicorn.Config(
            app,
            access_log=False,
            log_level="warning",
            server_header=False,
            timeout_graceful_shutdown=STOP_SECONDS,
        )
        _Server(config, stop, app.state.house.hush).run(sockets=[listener])
    finally:
        listener.close()


class _Server(uvicorn.Server):
    """A server that also asks whether somebody wanted it to end before it listened to signals; `hush` ends what never ends by
    itself."""

    def __init__(self, config: uvicorn.Config, stop: Callable[[], bool], hush: Callable[[], None]) -> None:
        super().__init__(config)
        self._stop = stop
        self._hush = hush

    async def on_tick(self, counter: int) -> bool:
        """Whether to end, asked ten times a second."""
        over = self._stop() or await super().on_tick(counter)
        if over:
            self._hush()
        return over


def is_loopback(host: str) -> bool:
    """Whether an address leads to this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, OverflowError) as problem:
        raise Fault(f"{host}:{port} is no address to listen on: {problem}") from problem
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)
    except OSError as problem:
        listener.close()
        raise Fault(f"nobody can listen on {host}:{port}: {problem.strerror}") from problem
    return listener
