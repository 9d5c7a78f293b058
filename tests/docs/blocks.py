"""Blocks of code in pages, and writing what a program printed back into them.

Owns: finding the fenced blocks of a page and replacing one. Promises: text outside of the replaced block stays as it is.
"""

import re
from pathlib import Path

from tests.house.tree import ROOT

DOCS = ROOT / "docs"
FENCE = re.compile(r"^```(?P<language>\w+)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)


def find_blocks(page: Path, language: str) -> list[str]:
    """The bodies of every block in that language, each without its last line break."""
    text = page.read_text(encoding="utf-8")
    return [found["body"].removesuffix("\n") for found in FENCE.finditer(text) if found["language"] == language]


def find_block(page: Path, language: str) -> str | None:
    """The body of the first block in that language, without its last line break; None when there is none."""
    return next(iter(find_blocks(page, language)), None)


def replace_block(page: Path, language: str, body: str) -> None:
    """Put `body` into the first block in that language. Raises `LookupError` when the page has none."""
    text = page.read_text(encoding="utf-8")
    match = next((found for found in FENCE.finditer(text) if found["language"] == language), None)
    if match is None:
        raise LookupError(f"{page} has no block of {language}")
    page.write_text(f"{text[: match.start('body')]}{body}\n{text[match.end('body') :]}", encoding="utf-8")
