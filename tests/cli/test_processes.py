"""The command line as a process: how fast it starts, how it ends when asked, what survives when it is killed."""

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.size import in_turn

DEFINITIONS = """
from tidemark import Project

project = Project("forum")
project.derive(
    "thread_stats",
    key="thread_id",
    freshness="tick",
    query="SELECT thread_id, count(*) AS reply_count FROM posts GROUP BY thread_id",
)
"""


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """A folder with a database of 3,000 threads and definitions."""
    with contextlib.closing(sqlite3.connect(tmp_path / "app.db")) as connection, connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE posts (id INTEGER PRIMARY KEY, thread_id INTEGER NOT NULL)")
        connection.execute("CREATE INDEX by_thread ON posts (thread_id)")
        rows = ((number % 3000,) for number in range(30_000))
        connection.executemany("INSERT INTO posts (thread_id) VALUES (?)", rows)
    (tmp_path / "derived.py").write_text(DEFINITIONS)
    return tmp_path


@contextlib.contextmanager
def _start(app: Path, *arguments: str) -> "Iterator[subprocess.Popen[str]]":
    """A process, which a test that fails does not wait for."""
    with subprocess.Popen(
        [sys.executable, "-m", "tidemark", *arguments],
        cwd=app,
        env={**os.environ, "TIDEMARK_DATABASE": "app.db"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        except BaseException:
            process.kill()
            raise


def _run(app: Path, *arguments: str) -> tuple[int, str, str]:
    with _start(app, *arguments) as process:
        out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def _expire(app: Path) -> None:
    """Let the time of a killed process's leases be over."""
    with contextlib.closing(sqlite3.connect(app / "app.db")) as connection, connection:
        there = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'tidemark__lease'").fetchone()[0]
        if there:
            connection.execute("UPDATE tidemark__lease SET expires = ''")


def test_help_needs_neither_a_parser_of_sql_nor_a_driver() -> None:
    code = (
        "import sys\nfrom tidemark.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    heavy = {'sqlglot', 'psycopg', 'sqlite3'} & set(sys.modules)\n"
        "    sys.exit(f'loaded {heavy}' if heavy else 0)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert answer.returncode == 0, answer.stderr
    assert "tidemark init, tidemark plan, tidemark apply" in answer.stdout


def test_a_worker_ends_when_it_is_asked_to(app: Path) -> None:
    assert _run(app, "apply", "--yes")[0] == 0
    with _start(app, "run") as process:
        assert process.stderr is not None
        # Its first words say that the loop has begun.
        assert "1 derived table, " in process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "0 problems" in out


def test_an_apply_that_is_killed_again_and_again_arrives(app: Path) -> None:
    """Kills at moments that move on; the clock only chooses them, and whatever moment it is must be harmless.

    A plain run takes every second moment.
    """
    for attempt in (moment for moment in range(8) if in_turn(moment, 2)):
        with _start(app, "apply", "--yes") as process, contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.25 + 0.06 * attempt)
        if process.poll() is None:
            process.kill()
        process.communicate()
        _expire(app)
        with contextlib.closing(sqlite3.connect(app / "app.db")) as connection, connection:
            connection.execute("INSERT INTO posts (thread_id) VALUES (?)", (3000 + attempt,))
    code, out, err = _run(app, "apply", "--yes")
    assert code == 0, (out, err)
    assert _run(app, "tick")[0] == 0
    code, out, err = _run(app, "verify")
    assert code == 0 and "0 drift" in out, (out, err)
    assert _run(app, "plan", "--check")[0] == 0


def test_an_apply_that_is_asked_to_stop_says_how_to_go_on(app: Path) -> None:
    with _start(app, "apply", "--yes") as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        assert "created" in line
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    # It may have been done already: then it says so.
    assert process.returncode in (75, 0), err
    if process.returncode == 75:
        assert "interrupted" in err and "safe to run again" in err
    assert _run(app, "apply", "--yes")[0] == 0
    assert _run(app, "verify")[0] == 0


def test_starting_is_quick() -> None:
    """A bound that only a wrong import breaks: it is ten times what starting takes."""
    began = time.monotonic()
    subprocess.run([sys.executable, "-m", "tidemark", "--help"], capture_output=True, check=True, timeout=60)
    assert time.monotonic() - began < 5.0
