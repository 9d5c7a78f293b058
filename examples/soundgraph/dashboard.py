"""Tidemark's dashboard beside what goes on.

Owns: `show_dashboard`. Promises: it listens on this machine only and reads the database on connections of its own; it stays when
the work is done, until Ctrl-C.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from examples.soundgraph import derived
from tidemark.web import application

PORT = 8765


@contextmanager
def show_dashboard(database: str, port: int = PORT) -> Iterator[str]:
    """Serve the dashboard of a database; gives its address. At the end it waits for Ctrl-C."""
    listener = socket.create_server(("127.0.0.1", port))
    address = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    app = application(derived.project, database, names=True)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=5))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        print(f"Dashboard: {address}", flush=True)
        yield address
        print(f"The dashboard stays at {address} until Ctrl-C.", flush=True)
        _stay(thread)
    finally:
        server.should_exit = True
        # Whoever has the page open listens for ever, and the server would wait for them.
        app.state.house.hush()
        thread.join()


def _stay(thread: threading.Thread) -> None:
    try:
        thread.join()
    except KeyboardInterrupt:
        print("Ended.")
