"""The command line: a door to the engine.

Owns: `main`. Promises: results on stdout, progress and logs on stderr, one JSON object with ``--json``; every outcome has one
of the exit codes of `errors.Exit`; ``--help`` loads neither the SQL parser nor a driver.
"""

import sys
from collections.abc import Sequence

from tidemark.cli.arguments import build_parser
from tidemark.cli.dispatch import answer


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; give its exit code."""
    options = build_parser().parse_args(arguments)
    return int(answer(options))


def run_and_exit() -> None:
    """Run one command and end the process with its exit code."""
    sys.exit(main())
