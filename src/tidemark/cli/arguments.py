"""What can be typed: commands and their options.

Owns: the parser. Promises: nothing heavy is imported here; every command takes ``--database``, ``--definitions`` and
``--json``; each help text is one sentence; a number that means nothing is no more understood than a word that is none.
"""

from __future__ import annotations

import argparse
import importlib
import math
from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn

EPILOG = """\
exit codes: 0 fine, 1 error, 2 usage, 3 plan --check has changes, 4 drift found, 5 refused,
            6 another runner holds the lease, 7 finished with rows quarantined, 75 interrupted and resumable
first steps: tidemark init, tidemark plan, tidemark apply, tidemark verify
"""

COMMANDS = {
    "init": "Write a first definitions file.",
    "plan": "Show what apply would do; changes nothing.",
    "apply": "Install, fill, verify and show what is declared; after a kill, run it again and it goes on.",
    "tick": "Apply once what waits for tables at tick freshness.",
    "run": "Work until stopped: fill, tick, and finish what was interrupted.",
    "status": "Show how every derived table is doing.",
    "explain": "Show how one derived table is kept true, what that costs and why.",
    "verify": "Compare every stored row with its query; exits 4 when one differs.",
    "repair": "Verify, then repair every row that differs.",
    "adopt": "Compare columns that other code keeps with their query, and take over when told; exits 4 when they differ.",
    "diff": "Compare the tables of two writers column by column; exits 4 when they differ.",
    "uninstall": "Remove everything of Tidemark from the database.",
    "doctor": "Look for problems in the database and in what is installed.",
    "sql": "Print the objects of derived tables as SQL.",
    "backfill": "Run, watch and steer backfills: list, run, pause, resume, cancel, retry.",
    "stream": "Run, watch and steer streams: run, status, retry, skip.",
    "outbox": "List, deliver and try again the events of crossings.",
    "history": "Show what was done, newest first.",
    "export": "Print a dashboard for Grafana, or alert rules for Prometheus.",
    "serve": "Serve the page, health, status and metrics of a database over HTTP, until stopped.",
}

BACKFILL_ACTIONS = ("list", "run", "pause", "resume", "cancel", "retry")


class Usage(Exception):
    """What was typed cannot be understood: why, and how it is typed."""

    def __init__(self, message: str, usage: str) -> None:
        self.message, self.usage = message, usage
        super().__init__(message)


class Parser(argparse.ArgumentParser):
    """A parser that leaves it to its caller how a mistake is told. `parse_args` raises `Usage`."""

    def error(self, message: str) -> NoReturn:
        """Raises `Usage`."""
        raise Usage(f"{self.prog}: error: {message}", self.format_usage())


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        # Asked of the distribution, as the page does, and only when it is wanted: reading that takes a while.
        print(f"tidemark {importlib.import_module('importlib.metadata').version('tidemark')}")
        parser.exit()


def build_parser() -> Parser:
    """The parser of the command line; `options.command` is one of `COMMANDS`."""
    parser = Parser(
        prog="tidemark",
        description="Keeps derived tables true inside your SQLite or PostgreSQL database.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    made = {name: commands.add_parser(name, help=says, description=says) for name, says in COMMANDS.items()}
    for command in made.values():
        command.add_argument("--database", metavar="URL", help="the database: a URL or the path of a SQLite file")
        command.add_argument(
            "--definitions", metavar="WHERE", help="the module or file with the declarations (default derived.py)"
        )
        command.add_argument("--json", action="store_true", help="answer with one JSON object")
    _add_options(made)
    _add_serving(made["serve"])
    made["status"].add_argument("--watch", action="store_true", help="show it again and again, until Ctrl-C")
    made["status"].add_argument("--check", action="store_true", help="exit 1 when something needs attention")
    made["export"].add_argument("what", choices=("grafana", "alerts"), metavar="WHAT", help="grafana, alerts")
    return parser


def _add_options(made: Mapping[str, argparse.ArgumentParser]) -> None:
    made["plan"].add_argument("--explain", action="store_true", help="print every statement")
    made["plan"].add_argument("--check", action="store_true", help="exit 3 when there are changes")
    made["apply"].add_argument("--yes", action="store_true", help="do not ask")
    made["apply"].add_argument("--detach", action="store_true", help="leave the filling to a worker (tidemark run)")
    made["apply"].add_argument("--create-indexes", action="store_true", help="first make the indexes that plan names")
    made["apply"].add_argument("--allow-drop", action="store_true", help="drop tables that are not declared any more")
    made["uninstall"].add_argument("--yes", action="store_true", help="do not ask")
    made["uninstall"].add_argument("--keep-data", action="store_true", help="leave plain tables under the public names")
    made["explain"].add_argument("name", metavar="NAME", help="the derived table")
    made["adopt"].add_argument("name", metavar="NAME", help="the derived table, declared with columns_of")
    how = made["adopt"].add_mutually_exclusive_group()
    how.add_argument("--take-over", action="store_true", help="apply: the query keeps the columns from now on")
    how.add_argument("--shadow", action="store_true", help="keep the query's rows beside the table until --take-over")
    how.add_argument("--baseline", action="store_true", help="take over from the values that are there, right or wrong")
    _add_action(made["backfill"], BACKFILL_ACTIONS)
    made["backfill"].add_argument(
        "name", nargs="?", default="", metavar="NAME", help="the backfill (list: default all)"
    )
    made["backfill"].add_argument(
        "--nice",
        type=float,
        metavar="N",
        help="rest N seconds for each second of holding locks, from the next chunk on, 4 seconds at a time at most",
    )
    made["backfill"].add_argument(
        "--max-duration",
        metavar="TIME",
        help="stop after this long, such as 30s, 10m or 2h; it can be continued (exit 75)",
    )
    made["backfill"].add_argument(
        "--anew", action="store_true", help="retry: do every row again, from the first key on"
    )
    for command in ("tick", "verify", "repair", "sql"):
        made[command].add_argument("names", nargs="*", metavar="NAME", help="derived tables (default: all)")
    made["verify"].add_argument(
        "--catalog",
        action="store_true",
        help="check only captures and the columns that are read; compare no rows",
    )
    made["verify"].add_argument(
        "--as-written",
        action="store_true",
        help="evaluate each query as it is written and compare its rows, however they are kept",
    )
    made["tick"].add_argument(
        "--max-ms", type=_from_zero("milliseconds"), metavar="MS", help="stop after so many milliseconds"
    )
    made["tick"].add_argument("--max-batches", type=_whole, metavar="N", help="stop after so many transactions")
    made["run"].add_argument("--until-idle", action="store_true", help="end when nothing is left to do")
    made["run"].add_argument(
        "--lanes", type=_whole, metavar="N", help="how many duties run beside each other (default: 2 or 4)"
    )
    made["run"].add_argument(
        "--slow", metavar="TIME", help="report ticks that take longer than this, such as 500ms (default 1s)"
    )
    made["run"].add_argument("--deliver", action="store_true", help="deliver events to their handlers too")
    made["run"].add_argument(
        "--stream", action="append", default=[], metavar="NAME", help="take the blocks of a stream too; may be repeated"
    )
    made["history"].add_argument("name", nargs="?", default="", metavar="NAME", help="a derived table (default: all)")
    made["history"].add_argument("--limit", type=_whole, default=30, metavar="N", help="how many runs (default 30)")
    _add_workers(made)
    _add_crossings(made)
    _add_keys(made["repair"])
    _add_range(made["verify"], "compare only the rows")
    _add_diff(made["diff"])


def _whole(text: str) -> int:
    """A whole number from 1 on."""
    if not text.strip().isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"say a whole number from 1 on, not {text}")
    return int(text)


def _port(text: str) -> int:
    if not text.strip().isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"say a number from 0 to 65535, not {text}")
    return int(text)


def _from_zero(what: str) -> Callable[[str], float]:
    """A reader of numbers from 0 on, of which there is no last one but an end."""

    def read(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not 0 <= number < math.inf:
            raise argparse.ArgumentTypeError(f"say {what} from 0 on, not {text}")
        return number

    return read


def _add_action(parser: argparse.ArgumentParser, actions: Sequence[str]) -> None:
    first, *others = actions
    said = f"{first} (default), {', '.join(others)}"
    parser.add_argument("action", nargs="?", default=first, choices=actions, metavar="ACTION", help=said)


def _add_workers(made: Mapping[str, argparse.ArgumentParser]) -> None:
    floor = "hold back while less than this is free on the disk of a SQLite file, such as 64MB (default 256MB; not PostgreSQL's)"
    said = "how many sessions share the work by ranges of keys (PostgreSQL; says why when only one does it)"
    for command in ("apply", "run", "repair", "backfill"):
        made[command].add_argument("--workers", type=_whole, default=1, metavar="N", help=said)
        made[command].add_argument("--disk-floor", metavar="SIZE", help=floor)


def _add_keys(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--key",
        action="append",
        default=[],
        dest="keys",
        metavar="KEY",
        help="only this row, written as verify shows it: a value or a JSON list; may be repeated",
    )
    _add_range(parser, "compute every row anew")


def _add_range(parser: argparse.ArgumentParser, does: str) -> None:
    for flag, said in (("from", f"{does} from this key on"), ("to", "up to and including this key")):
        parser.add_argument(f"--{flag}", dest=f"{flag}_key", metavar="KEY", help=f"{said}: a value or a JSON list")


def _add_crossings(made: Mapping[str, argparse.ArgumentParser]) -> None:
    _add_action(made["stream"], ("status", "run", "retry", "skip"))
    made["stream"].add_argument("name", nargs="?", default="", metavar="NAME", help="the stream (status: default all)")
    made["stream"].add_argument("--blocks", type=_whole, metavar="N", help="run: stop after so many blocks")
    made["stream"].add_argument(
        "--position", type=int, metavar="N", help="skip: the block to give up (default: the one that halts the stream)"
    )
    _add_action(made["outbox"], ("list", "deliver", "retry"))
    made["outbox"].add_argument(
        "--state", default="", choices=("", "waiting", "delivered", "failed"), help="list: only these"
    )
    made["outbox"].add_argument("--limit", type=_whole, default=30, metavar="N", help="list: how many (default 30)")


def _add_diff(command: argparse.ArgumentParser) -> None:
    command.add_argument("tables", nargs="+", metavar="TABLE", help="a table of both sides, or LEFT=RIGHT")
    command.add_argument("--with", dest="other", metavar="DATABASE", help="the other database (default: the same)")
    command.add_argument("--where", default="", metavar="SQL", help="compare only these rows, on both sides")
    command.add_argument(
        "--tolerance",
        type=_from_zero("a share"),
        default=0.0,
        metavar="SHARE",
        help="let counts and sums differ by this share (default 0)",
    )
    command.add_argument(
        "--modulo", type=_whole, metavar="N", help="sample one key of N (default: about a thousand rows)"
    )


def _add_serving(command: argparse.ArgumentParser) -> None:
    command.add_argument("--host", default="127.0.0.1", metavar="HOST", help="where to listen (default 127.0.0.1)")
    command.add_argument("--port", type=_port, default=8765, metavar="N", help="on which port (default 8765)")
    command.add_argument(
        "--ready-when",
        action="append",
        default=[],
        metavar="NAME=POLICY",
        help="when /readyz takes a table for ready: live (default), installed or always; may be repeated",
    )
    command.add_argument(
        "--banner-names", action="store_true", help="let the public banner name derived tables and show messages"
    )
    command.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="another host name that requests may use, as behind a proxy; may be repeated",
    )
    command.add_argument(
        "--probe",
        action="store_true",
        help="serve nothing: ask /healthz of the server at that host and port, and exit 0 or 1",
    )
