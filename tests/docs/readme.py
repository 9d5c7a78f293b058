"""The transcript of the README: its own commands, and what they print.

Owns: which declaration they are about. Promises: those of `tests.docs.shell`.

``python -m tests.docs.readme --write`` puts the transcript into the README.
"""

import sys
import tempfile
from pathlib import Path

from tests.docs.blocks import find_block, replace_block
from tests.docs.shell import commands, make_forum
from tests.docs.shell import transcript as run
from tests.house.tree import ROOT

README = ROOT / "README.md"


def declaration() -> str:
    """The ten lines."""
    return find_block(README, "python") or ""


def transcript(folder: Path) -> str:
    """Every command of the README with what it prints, run in an empty folder."""
    make_forum(folder)
    (folder / "derived.py").write_text(declaration(), encoding="utf-8")
    return run(folder, commands(find_block(README, "console") or ""))


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit("say --write")
    with tempfile.TemporaryDirectory() as made:
        replace_block(README, "console", transcript(Path(made).resolve()))
