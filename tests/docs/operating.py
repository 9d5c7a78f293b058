"""The transcripts of docs/operate, one page to a question; ``python -m tests.docs.operating --write`` makes them anew.

Owns: which pages there are, and how large the forum is that each speaks of. Promises: those of `tests.docs.shell`.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.docs.blocks import DOCS, find_block, replace_block
from tests.docs.readme import declaration
from tests.docs.shell import commands, make_forum, transcript

FOLDER = DOCS / "operate"
# The questions of operators, and whether the forum is one that takes a while to fill.
QUESTIONS = {
    "worker-dies": True,
    "disk-fills": True,
    "replica-lags": False,
    "drift-appears": False,
    "migration-needed": False,
    "upgrading": False,
    "stopping": False,
}
NEVER_RUN = ("replica-lags",)


def page_of(question: str) -> Path:
    """Where a question is answered."""
    return FOLDER / f"{question}.md"


def tell(question: str, folder: Path) -> str:
    """The transcript of a page, run in an empty folder."""
    make_forum(folder, large=QUESTIONS[question])
    (folder / "derived.py").write_text(declaration(), encoding="utf-8")
    newer = find_block(page_of(question), "python")
    if newer is not None:
        (folder / "new.py").write_text(newer, encoding="utf-8")
    return transcript(folder, commands(find_block(page_of(question), "console") or ""))


if __name__ == "__main__":
    if sys.argv[1:2] != ["--write"]:
        sys.exit("say --write")
    for name in sys.argv[2:] or [one for one in QUESTIONS if one not in NEVER_RUN]:
        with tempfile.TemporaryDirectory() as made:
            replace_block(page_of(name), "console", tell(name, Path(made).resolve()))
