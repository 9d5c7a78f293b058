"""The README shows what its commands print, and its links to files and claims of size hold."""

from pathlib import Path

from tests.docs.blocks import find_block
from tests.docs.readme import README, transcript

LINES_MAX = 90


def test_the_transcript_is_what_the_commands_print(tmp_path: Path) -> None:
    assert find_block(README, "console") == transcript(tmp_path), "run: python -m tests.docs.readme --write"


def test_the_transcript_tells_a_story() -> None:
    told = find_block(README, "console") or ""
    for part in ("1 to create", "live and verified", "Everything is true.", "truth 1", "1 rows repaired"):
        assert part in told


def test_the_readme_stays_short() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= LINES_MAX
