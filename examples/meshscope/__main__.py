"""The application's commands: add the derived columns, ingest, serve.

``python -m examples.meshscope upgrade --database mesh.db``   adds and fills them while others write; again after a kill
``python -m examples.meshscope serve --database mesh.db``     the page and the API
``python -m examples.meshscope work --database mesh.db``      keeps what is true at ticks, and fills what was left
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import uvicorn

from examples.meshscope import upkeep
from examples.meshscope.api import Api, make_app

INTERRUPTED = 75


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m examples.meshscope", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb in ("upgrade", "serve", "work"):
        one = verbs.add_parser(verb)
        one.add_argument("--database", required=True, help="a database that the generator made")
        if verb == "serve":
            one.add_argument("--host", default="127.0.0.1", help="default %(default)s")
            one.add_argument("--port", type=int, default=8765, help="default %(default)s; 0 takes one that is free")
    return parser.parse_args(given)


def main(given: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    arguments = _arguments(given)
    if not Path(arguments.database).exists():
        print(f"meshscope: {arguments.database} does not exist", file=sys.stderr)
        return 1
    try:
        if arguments.verb == "upgrade":
            upkeep.upgrade(arguments.database)
        elif arguments.verb == "work":
            upkeep.work(arguments.database)
        else:
            app = make_app(Api(arguments.database))
            uvicorn.run(app, host=arguments.host, port=arguments.port, log_level="warning", access_log=False)
    except KeyboardInterrupt:
        print("Interrupted; the same command goes on.", file=sys.stderr)
        return INTERRUPTED
    except upkeep.TidemarkErrors as error:
        print(f"meshscope: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
