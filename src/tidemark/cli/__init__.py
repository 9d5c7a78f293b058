"""The command line: a door to the engine.

Owns: `main`. Promises: results on stdout, progress and logs on stderr, one JSON object with ``--json``; every outcome has one
of the exit codes of `errors.Exit`, also where what was typed cannot be understood; ``--help`` loads neither the SQL parser nor a
driver.
"""

import json
import sys
from collections.abc import Sequence

from tidemark.cli.arguments import COMMANDS, Usage, build_parser
from tidemark.cli.dispatch import answer


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; give its exit code. Ends the process (exit 2) when what was typed cannot be understood."""
    typed = sys.argv[1:] if arguments is None else list(arguments)
    if not typed:
        build_parser().print_help(sys.stderr)
        raise SystemExit(2)
    try:
        options = build_parser().parse_args(typed)
    except Usage as problem:
        _tell_usage(problem, typed)
        raise SystemExit(2) from None
    return int(answer(options))


def _tell_usage(problem: Usage, typed: Sequence[str]) -> None:
    if "--json" in typed:
        command = next((word for word in typed if word in COMMANDS), "")
        error = {"family": "usage", "cause": problem.message}
        print(json.dumps({"command": command, "exit": 2, "error": error}, ensure_ascii=False))
        return
    print(f"{problem.usage}{problem.message}", file=sys.stderr)


def run_and_exit() -> None:
    """Run one command and end the process with its exit code."""
    sys.exit(main())
