"""From what was typed to an outcome on the screen.

Owns: loading what a command needs, catching what it raises, printing what it answers. Promises: exactly one answer on stdout;
a first Ctrl-C or SIGTERM lets the transaction at hand finish and exits 75, a second one ends at once.
"""

from __future__ import annotations

import argparse
import importlib
import json
import logging
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from tidemark.cli.outcome import Outcome, describe_problem
from tidemark.errors import Exit, TidemarkError


def answer(options: argparse.Namespace) -> Exit:
    """Run the command and print its outcome; give the exit code."""
    with _stopping() as stop:
        outcome = _attempt(options, stop)
    problem = "error" in outcome.data
    try:
        if options.json:
            body = {"command": options.command, "exit": int(outcome.exit), **outcome.data}
            print(json.dumps(body, ensure_ascii=False, default=str))
        elif outcome.text:
            print(outcome.text, file=sys.stderr if problem else sys.stdout)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our answer has seen enough; the rest goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return outcome.exit


def _attempt(options: argparse.Namespace, stop: Callable[[], bool]) -> Outcome:
    try:
        # The commands bring the SQL parser and a driver; --help never gets here.
        commands = importlib.import_module("tidemark.cli.commands")
        outcome = commands.run_command(options, stop)
    except TidemarkError as problem:
        return describe_problem(problem)
    except KeyboardInterrupt:
        said = "interrupted: the transaction at hand was rolled back, and what was committed stands; safe to run again"
        return Outcome(said, {"error": {"family": "fault", "cause": "interrupted"}}, Exit.INTERRUPTED)
    except Exception as problem:  # noqa: BLE001 - the door answers whatever happens, with a sentence and an exit code
        logging.getLogger("tidemark").debug("%s", traceback.format_exc())
        cause = f"{type(problem).__name__}: {problem}"
        if os.environ.get("TIDEMARK_DEBUG"):
            traceback.print_exc()
        text = f"failed: this is a fault of Tidemark, please report it: {cause} (TIDEMARK_DEBUG=1 shows where)"
        return Outcome(text, {"error": {"family": "fault", "cause": cause}}, Exit.ERROR)
    if not isinstance(outcome, Outcome):
        raise TypeError(f"{options.command} gave {type(outcome).__name__}")
    return outcome


@contextmanager
def _stopping() -> Iterator[Callable[[], bool]]:
    """A wish to stop that the signals of ending a process set."""
    asked = False

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
