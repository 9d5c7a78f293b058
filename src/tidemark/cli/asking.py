"""Telling and asking whoever runs a command, beside its result.

Owns: `tell` and `ask`. Promises: both go to stderr; nobody is asked where nobody can answer.
"""

from __future__ import annotations

import sys
from typing import Any

from tidemark.cli.outcome import Outcome
from tidemark.errors import Exit


def tell(text: str) -> None:
    """Say something beside the result."""
    print(text, file=sys.stderr, flush=True)


def ask(question: str) -> Outcome | None:
    """None when the answer is yes, else the outcome to end with. Never asks where nobody can answer."""
    data: dict[str, Any] = {"error": {"family": "usage", "cause": "no consent"}}
    if not sys.stdin.isatty():
        return Outcome("nothing was changed: without a terminal, say --yes", data, Exit.USAGE)
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() in ("y", "yes"):
        return None
    return Outcome("nothing was changed", data, Exit.USAGE)
