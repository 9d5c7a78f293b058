"""The page of lifecycles, made from the tables of states.

``python -m tests.docs.lifecycles --write`` writes ``docs/lifecycles.md``.
"""

import sys
from collections.abc import Mapping

from tests.docs.blocks import DOCS
from tidemark.states import BACKFILL, DERIVED, RUN, STREAM

PAGE = DOCS / "lifecycles.md"
HEAD = """\
# Lifecycles

Which state may follow which, and when. Made by `python -m tests.docs.lifecycles --write` from the tables that the runtime and the
ledger's CHECK constraints read.
"""


def page() -> str:
    """The text of the page."""
    about = {"A derived table": DERIVED, "A run of a duty": RUN, "A backfill": BACKFILL, "A stream": STREAM}
    return "\n".join([HEAD, *("\n".join(_section(title, states)) for title, states in about.items())])


def _section(title: str, states: Mapping[str, Mapping[str, str]]) -> list[str]:
    rows = [f"| {state} | {after} | {why} |" for state, nexts in states.items() for after, why in nexts.items()]
    ends = ", ".join(state for state, nexts in states.items() if not nexts)
    last = [f"Nothing follows {ends}.", ""] if ends else []
    return [f"## {title}", "", "| from | to | when |", "| --- | --- | --- |", *rows, "", *last]


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit("say --write")
    PAGE.write_text(page(), encoding="utf-8")
