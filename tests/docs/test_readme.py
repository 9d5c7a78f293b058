"""The README shows what its commands print, and its links to files and claims of size hold."""

import re
from pathlib import Path

from tests.docs.blocks import DOCS, find_block
from tests.docs.readme import README, transcript

# One screen, the picture aside.
LINES_MAX = 80
COST = re.compile(r"^\| (?:16 clients|SQLite)[^|]*\|(.+)\|$", re.MULTILINE)


def test_the_transcript_is_what_the_commands_print(tmp_path: Path) -> None:
    assert find_block(README, "console") == transcript(tmp_path), "run: python -m tests.docs.readme --write"


def test_the_transcript_tells_a_story() -> None:
    told = find_block(README, "console") or ""
    for part in ("1 to create", "live and verified", "Everything is true.", "truth 1", "1 row repaired"):
        assert part in told


def test_the_readme_stays_short() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= LINES_MAX


def test_what_it_costs_is_what_the_page_of_benchmarks_says() -> None:
    measured = {tuple(row.split()) for row in re.sub(r"[|+]", " ", (DOCS / "benchmarks.md").read_text()).splitlines()}
    costs = [tuple(row.replace("|", " ").replace("+", " ").split()) for row in COST.findall(README.read_text())]
    assert len(costs) == 4
    for bare, *rest in costs:
        there = [row for row in measured if bare in row and all(figure in row for figure in rest)]
        assert there, f"no benchmark says {bare} {rest}"
