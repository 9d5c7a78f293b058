"""The transcripts of pages: their commands, run on a real SQLite file, and what they print.

Owns: the small forum that the pages speak of, and what a command line means. Promises: nothing is typed by hand but the commands;
only times and the folder's name are replaced.

A line is ``tidemark …``, ``sqlite3 FILE SQL``, ``cp FROM TO`` or ``export NAME=VALUE``, with these of a shell: ``| grep WORD``,
``> /dev/null``, ``; echo $?``, ``tidemark run &`` and ``kill -9 %1``, and ``(ulimit -f BLOCKS; …)`` for a full disk.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import resource
import shlex
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from tests.house.tree import ROOT
from tidemark.cli import main

DATABASE = "forum.db"
SECONDS = re.compile(r"\b\d+\.\d\d s$", re.MULTILINE)
AGO = re.compile(r"\d+ (?:s|min) ago")
SHAPES = re.compile(r"has shape '\d+', this version reads shape '\d+'")
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
PATIENCE_SECONDS = 60.0
BLOCK_BYTES = 1024
SCHEMA = (ROOT / "examples" / "forum.sql").read_text(encoding="utf-8")
MANY = """
WITH RECURSIVE n(i) AS (SELECT 4 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)
INSERT INTO threads SELECT i, 'Thread ' || i FROM n;
INSERT INTO posts (thread_id, created_at) SELECT id, '2026-02-01' FROM threads;
"""


def make_forum(folder: Path, *, large: bool = False) -> None:
    """A forum in a folder: three threads, or some thousand."""
    with contextlib.closing(sqlite3.connect(folder / DATABASE)) as connection:
        connection.executescript(SCHEMA + (MANY if large else ""))


def commands(block: str) -> list[str]:
    """The commands of a transcript, in order."""
    return [line.removeprefix("$ ") for line in block.splitlines() if line.startswith("$ ")]


def transcript(folder: Path, wanted: Sequence[str], after: Callable[[str], object] = lambda command: None) -> str:
    """Every command with what it prints, run in that folder; `after` is told of each command that was run."""
    lines, path, known = [], list(sys.path), dict(os.environ)
    with contextlib.chdir(folder), contextlib.ExitStack() as stack:
        # Another process has the same sources, wherever it stands.
        os.environ["PYTHONPATH"] = str(ROOT / "src")
        jobs: list[subprocess.Popen[bytes]] = []
        stack.callback(lambda: [_end(job) for job in jobs])
        for command in wanted:
            lines += [f"$ {command}", *_run(command, jobs).splitlines()]
            after(command)
    sys.path[:] = path
    os.environ.clear()
    os.environ.update(known)
    told = SECONDS.sub("0.01 s", "\n".join(lines)).replace(f"{folder}/", "")
    told = SHAPES.sub("has shape '8', this version reads shape '9'", told)
    return AGO.sub("1 s ago", MOMENT.sub("2026-03-14T10:42:13.000Z", told))


# Some of the rows are there, and not all of them: every thread has one.
FILLING = "SELECT count(*) BETWEEN 1 AND (SELECT count(*) FROM threads) - 1 FROM tidemark_thread_stats"


def _run(line: str, jobs: list[subprocess.Popen[bytes]]) -> str:
    command, _, then = line.partition("; echo $?")
    limited = re.fullmatch(r"\(ulimit -f (\d+); (.*)\)", command)
    if limited:
        return _run_limited(limited[2], int(limited[1]) * BLOCK_BYTES)
    if command == "kill -9 %1":
        _kill_at_work(jobs.pop())
        return ""
    if command.endswith(" &"):
        jobs.append(subprocess.Popen([sys.executable, "-m", *shlex.split(command)[:-1]], stderr=subprocess.DEVNULL))
        return ""
    command, _, word = command.partition(" | grep ")
    command, silent, _ = command.partition(" > /dev/null")
    said, code = _say(shlex.split(command))
    shown = [one for one in said.splitlines() if word in one and not silent]
    return "\n".join([*shown, *([str(code)] if line.endswith("; echo $?") else [])])


def _say(words: list[str]) -> tuple[str, int]:
    if words[0] == "cp":
        shutil.copy(words[1], words[2])
        return "", 0
    if words[0] == "export":
        name, _, value = words[1].partition("=")
        os.environ[name] = value
        return "", 0
    if words[0] == "sqlite3":
        return _ask_sqlite(words[1], words[2])
    said, aside = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(aside):
        code = main(words[1:])
    # Progress goes to stderr, and is not shown; a command that does nothing says there why.
    return said.getvalue() or (aside.getvalue() if code else ""), int(code)


def _ask_sqlite(file: str, text: str) -> tuple[str, int]:
    # The shell of SQLite need not be installed: this prints rows as it does.
    with contextlib.closing(sqlite3.connect(file)) as connection, connection:
        rows = [row for sql in text.split("; ") for row in connection.execute(sql)]
    return "\n".join("|".join("" if value is None else str(value) for value in row) for row in rows), 0


def _run_limited(command: str, size: int) -> str:
    """What a command says that may make no file larger than that; what a shell does with ``ulimit -f``."""
    words = shlex.split(command)
    if words[0] == "sqlite3":
        program = f"import sqlite3; c = sqlite3.connect({words[1]!r}); c.execute({words[2]!r}); c.commit()"
        run = [sys.executable, "-c", program]
    else:
        run = [sys.executable, "-m", *words]
    limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (size, size))
    done = subprocess.run(run, preexec_fn=limit, capture_output=True, text=True, check=False)
    said = (done.stdout + done.stderr).strip().splitlines()[-1]
    return said.replace("sqlite3.OperationalError:", "Error:")


def _kill_at_work(worker: subprocess.Popen[bytes]) -> None:
    """Kill a worker with no warning while it fills: it cannot go on while somebody else has the lock of writers."""
    end = time.monotonic() + PATIENCE_SECONDS
    with contextlib.closing(sqlite3.connect(DATABASE, timeout=0, isolation_level=None)) as eye:
        while not _holds_a_part(eye):
            assert time.monotonic() < end and worker.poll() is None, "the worker fills nothing"
        _end(worker)


def _holds_a_part(eye: sqlite3.Connection) -> bool:
    """Take the lock of writers where a part of the rows is there. Asking without a pause gets it between two chunks."""
    with contextlib.suppress(sqlite3.OperationalError):
        if eye.execute(FILLING).fetchone()[0]:
            eye.execute("BEGIN IMMEDIATE")
            if eye.execute(FILLING).fetchone()[0]:
                return True
            eye.execute("ROLLBACK")
    return False


def _end(worker: subprocess.Popen[bytes]) -> None:
    worker.kill()
    worker.wait()
