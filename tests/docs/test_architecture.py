"""The page that follows one change shows text that the renderers really write."""

import contextlib
import re
import sqlite3
from pathlib import Path

import psycopg

from tests.docs.blocks import DOCS, FENCE, find_block
from tests.docs.refusals import declared
from tidemark import Tidemark

PAGE = DOCS / "architecture.md"
SCHEMA = """
CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE posts (id INTEGER PRIMARY KEY, thread_id INTEGER NOT NULL, author_id INTEGER, created_at TEXT NOT NULL);
"""


def test_every_text_on_the_page_is_rendered(sqlite_path: Path, pg_database: str) -> None:
    with contextlib.closing(sqlite3.connect(sqlite_path)) as connection:
        connection.executescript(SCHEMA)
    with psycopg.connect(pg_database, autocommit=True) as server:
        server.execute(SCHEMA)
    project = declared(find_block(PAGE, "python") or "")
    doors = [Tidemark(project, url) for url in (str(sqlite_path), pg_database)]
    scripts = [script for door in doors for script in door.sql()]
    captures = [capture for door in doors for capture in door.captures(door.sql())]
    assert [(script.klass, script.freshness) for script in scripts] == [("linear", "commit"), ("keyed", "tick")] * 2
    rendered = _bare(" ".join(piece.create for one in (*scripts, *captures) for piece in one.pieces))
    shown = [found["body"] for found in _indented() if found["language"] == "sql"]
    assert shown
    assert [text for text in shown if _bare(text) not in rendered] == []


def _indented() -> list[re.Match[str]]:
    """The page's blocks, those inside of lists too."""
    text = re.sub(r"^ {3}", "", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return list(FENCE.finditer(text))


def _bare(text: str) -> str:
    """The text without white space and parentheses, which the renderers are generous with."""
    return re.sub(r"[\s()]+", "", text)
