"""Which commands want definitions, and what each of them is given.

Owns: `project_for`. Promises: what a command cannot do without is loaded or refused; what it only gains by is loaded if it is
there.
"""

from __future__ import annotations

import argparse

from tidemark.cli.asking import tell
from tidemark.cli.definitions import has_definitions, load_project
from tidemark.cli.settings import Settings
from tidemark.declare import Project
from tidemark.errors import TidemarkError

_NEED_THEM = frozenset({"adopt", "plan", "apply", "explain", "sql"})


def project_for(options: argparse.Namespace, settings: Settings) -> Project | None:
    """The project that a command works with, or None. Raises `Refusal` where one is needed and cannot be loaded."""
    return load_project(settings) if _needs_definitions(options) else _found_project(options, settings)


def _needs_definitions(options: argparse.Namespace) -> bool:
    if options.command in ("run", "serve", "tick", "verify", "repair"):
        # None needs definitions; where they are named a worker honours their cadence and has the functions of processors, and a
        # server knows what should be there.
        asked = options.command == "run" and (options.deliver or options.stream)
        return options.definitions is not None or bool(asked)
    acts = {"backfill": ("run", "retry"), "stream": ("run", "retry", "skip"), "outbox": ("deliver",)}
    return options.command in _NEED_THEM or (options.command in acts and options.action in acts[options.command])


def _found_project(options: argparse.Namespace, settings: Settings) -> Project | None:
    """What a worker finds declared where it stands: the functions of processors, cadences. It works without, and says so."""
    lists = options.command == "backfill" and options.action == "list"
    if not (lists or options.command in ("run", "tick", "verify", "repair")) or not has_definitions(settings):
        return None
    try:
        return load_project(settings)
    except TidemarkError as problem:
        also = "" if lists else "; changes wait that only a function of processors can compute"
        tell(f"{problem}\nGoing on with what is installed{also}.")
        return None
