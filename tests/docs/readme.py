"""The transcript of the README: its own commands, run on a real SQLite file, and what they print.

Owns: the small forum that the README speaks of, and running the commands. Promises: nothing is typed by hand but the commands;
only times and the folder's name are replaced.

``python -m tests.docs.readme --write`` puts the transcript into the README.
"""

import contextlib
import io
import re
import shlex
import sqlite3
import sys
import tempfile
from pathlib import Path

from tests.docs.blocks import find_block, replace_block
from tests.house.tree import ROOT
from tidemark.cli import main

README = ROOT / "README.md"
DATABASE = "forum.db"
SECONDS = re.compile(r"\b\d+\.\d\d s$", re.MULTILINE)
SCHEMA = """
CREATE TABLE threads (id INTEGER PRIMARY KEY, title TEXT NOT NULL);
CREATE TABLE posts (
    id INTEGER PRIMARY KEY, thread_id INTEGER NOT NULL, created_at TEXT NOT NULL, is_deleted INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX posts_thread_id ON posts (thread_id);
INSERT INTO threads (title) VALUES ('Tides'), ('Moons'), ('Nobody answered');
INSERT INTO posts (thread_id, created_at, is_deleted) VALUES
    (1, '2026-01-01', 0), (1, '2026-01-02', 1), (1, '2026-01-03', 0), (2, '2026-01-04', 0), (2, '2026-01-02', 0);
"""


def commands() -> list[str]:
    """The commands of the README's transcript, in order."""
    block = find_block(README, "console") or ""
    return [line.removeprefix("$ ") for line in block.splitlines() if line.startswith("$ ")]


def transcript(folder: Path) -> str:
    """Every command of the README with what it prints, run in an empty folder."""
    declaration = find_block(README, "python") or ""
    lines = []
    path = list(sys.path)
    with contextlib.chdir(folder):
        with contextlib.closing(sqlite3.connect(DATABASE)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(SCHEMA)
        for command in commands():
            said = _run(command)
            if command.startswith("tidemark init"):
                Path("derived.py").write_text(declaration, encoding="utf-8")
            lines += [f"$ {command}", *said.splitlines()]
    sys.path[:] = path
    return SECONDS.sub("0.01 s", "\n".join(lines)).replace(f"{folder}/", "")


def _run(command: str) -> str:
    words = shlex.split(command)
    if words[0] == "sqlite3":
        # The shell of SQLite need not be installed: this prints rows as it does.
        with contextlib.closing(sqlite3.connect(words[1])) as connection, connection:
            rows = connection.execute(words[2]).fetchall()
        return "\n".join("|".join("" if value is None else str(value) for value in row) for row in rows)
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(io.StringIO()):
        main(words[1:])
    return said.getvalue()


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit("say --write")
    with tempfile.TemporaryDirectory() as made:
        replace_block(README, "console", transcript(Path(made).resolve()))
