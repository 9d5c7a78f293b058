"""The page of commands, made from the parser of the command line.

``python -m tests.docs.commands --write`` writes ``docs/commands.md``.
"""

import argparse
import sys

from tests.docs.blocks import DOCS
from tidemark.cli.arguments import build_parser
from tidemark.errors import Exit

PAGE = DOCS / "commands.md"
SHARED = ("--database", "--definitions", "--json")
EXITS = {
    Exit.OK: "fine",
    Exit.ERROR: "a fault: the message says what was left behind and whether to run it again",
    Exit.USAGE: "what was typed cannot be understood, or nobody could be asked (say `--yes`)",
    Exit.CHANGES: "`plan --check` found changes",
    Exit.DRIFT: "`verify` found drift",
    Exit.REFUSED: "[refused](refusals/README.md): nothing was changed",
    Exit.HELD: "another runner holds the lease",
    Exit.QUARANTINED: "finished, with rows quarantined: `backfill list NAME` says which, and why; `backfill retry` tries again",
    Exit.INTERRUPTED: "interrupted; run it again and it goes on",
}
HEAD = """\
# Commands

Made from the command line's own parser by `python -m tests.docs.commands --write`. Results go to stdout, progress to stderr; with
`--json` a command answers with one JSON object, its keys in snake_case. Nothing is asked where there is no terminal.
"""


def parsers() -> dict[str, argparse.ArgumentParser]:
    """The parser of each command, by name, in the order of the help text."""
    for action in build_parser()._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    raise LookupError("the command line has no commands")


def page() -> str:
    """The text of the page."""
    found = parsers()
    parts = [HEAD, "| option of every command | |", "| --- | --- |"]
    parts += [_row(action) for action in _options(next(iter(found.values()))) if action.option_strings[0] in SHARED]
    for name, parser in found.items():
        own = [a for a in _options(parser) if not a.option_strings or a.option_strings[0] not in SHARED]
        parts += ["", f"## tidemark {name}", "", parser.description or ""]
        parts += ["", "| | |", "| --- | --- |", *map(_row, own)] if own else []
    parts += ["", "## Exit codes", "", "| code | means |", "| --- | --- |"]
    parts += [f"| {int(code)} | {EXITS[code]} |" for code in Exit]
    return "\n".join(parts) + "\n"


def _options(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    return [action for action in parser._actions if not isinstance(action, argparse._HelpAction)]


def _row(action: argparse.Action) -> str:
    metavar = action.metavar if isinstance(action.metavar, str) else ""
    name = (
        f"{action.option_strings[0]} {metavar}".strip() if action.option_strings else f"{metavar} {action.nargs or ''}"
    )
    return f"| `{name.replace(' *', ' …').replace(' ?', '').strip()}` | {action.help} |"


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit("say --write")
    PAGE.write_text(page(), encoding="utf-8")
