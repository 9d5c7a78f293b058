"""The command that opens the other door.

Owns: `serve`. Promises: the web is loaded by name and only here, so that neither door leans on the other and the rest of the
command line works without the extra.
"""

from __future__ import annotations

import argparse
import http.client
import importlib
import json
import os
import sys
from collections.abc import Callable

from tidemark.cli.outcome import Outcome
from tidemark.engine import Tidemark
from tidemark.errors import Code, Exit, Refusal

POLICIES = ("live", "installed", "always")
TOKEN = "TIDEMARK_TOKEN"
TOKEN_MIN = 16
PROBE_SECONDS = 5.0


def serve_web(engine: Tidemark, options: argparse.Namespace, stop: Callable[[], bool]) -> Outcome:
    """Serve the page, health and metrics until stopped. Raises `Refusal` without the extra and `Fault` without the address."""
    policy = {}
    for stated in options.ready_when:
        name, _, ready = stated.rpartition("=")
        if not name or ready not in POLICIES:
            return _misused(f"--ready-when is NAME=POLICY, with one of {', '.join(POLICIES)}; not {stated!r}")
        policy[name] = ready
    token = os.environ.get(TOKEN) or None
    if token is not None and len(token) < TOKEN_MIN:
        return _misused(f"{TOKEN} has less than {TOKEN_MIN} characters, which is no secret")
    try:
        web = importlib.import_module("tidemark.web.serve")
    except ImportError as problem:
        if (problem.name or "").partition(".")[0] not in ("starlette", "uvicorn", "sse_starlette"):
            raise
        raise Refusal(
            Code.DEFINITIONS,
            f"serving needs {problem.name}, and it is not installed",
            instead="run: pip install 'tidemark[server]'",
        ) from problem
    web.serve(
        engine,
        host=options.host,
        port=options.port,
        ready_when=policy,
        names=options.banner_names,
        token=token,
        hosts=options.allow_host,
        tell=_tell,
        stop=stop,
    )
    return Outcome("", {"served": True})


def probe(host: str, port: int) -> Outcome:
    """Ask a server how it is: what a container's health check runs where there is no other program to ask with."""
    asked = http.client.HTTPConnection(host, port, timeout=PROBE_SECONDS)
    try:
        asked.request("GET", "/healthz")
        answer = asked.getresponse()
        told = json.loads(answer.read())
    except (OSError, http.client.HTTPException, ValueError) as problem:
        return Outcome(f"nobody answers on {host}:{port}: {problem}", {"status": "fail"}, Exit.ERROR)
    finally:
        asked.close()
    said = {"status": told.get("status", "fail"), "output": told.get("output", "")}
    return Outcome(f"{said['status']}: {said['output']}", said, Exit.OK if answer.status == 200 else Exit.ERROR)


def _misused(said: str) -> Outcome:
    return Outcome(said, {"error": {"family": "usage", "cause": said}}, Exit.USAGE)


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
