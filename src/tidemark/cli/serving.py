"""The command that opens the other door.

Owns: `serve`. Promises: the web is loaded by name and only here, so that neither door leans on the other and the rest of the
command line works without the extra.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable

from tidemark.cli.outcome import Outcome
from tidemark.engine import Tidemark
from tidemark.errors import Code, Exit, Refusal

POLICIES = ("live", "installed", "always")


def serve(
    engine: Tidemark, host: str, port: int, ready_when: list[str], names: bool, stop: Callable[[], bool]
) -> Outcome:
    """Serve the page, health and metrics until stopped. Raises `Refusal` without the extra and `Fault` without the address."""
    policy = {}
    for stated in ready_when:
        name, _, wanted = stated.rpartition("=")
        if not name or wanted not in POLICIES:
            said = f"--ready-when is NAME=POLICY, with one of {', '.join(POLICIES)}; not {stated!r}"
            return Outcome(said, {"error": {"family": "usage", "cause": said}}, Exit.USAGE)
        policy[name] = wanted
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
    web.serve(engine, host=host, port=port, ready_when=policy, names=names, tell=_tell, stop=stop)
    return Outcome("", {"served": True})


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
