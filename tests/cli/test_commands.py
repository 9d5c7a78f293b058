"""The command line: outputs, exit codes and JSON, on both engines; every door answers with one sentence and a next command."""

import contextlib
import inspect
import io
import json
import os
import sqlite3
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tidemark.cli import main
from tidemark.database.open import open_session
from tidemark.names import ledger
from tidemark.runtime.duty import Duty

DEFINITIONS = """
from tidemark import Project

project = Project("forum")
project.derive(
    "thread_stats",
    key="thread_id",
    query="SELECT thread_id, count(*) AS reply_count, sum(score) AS total FROM posts GROUP BY thread_id",
)
"""


class Shell:
    """A folder with definitions, a database beside it, and what the last command said."""

    def __init__(self, url: str, folder: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.url = url
        self.folder = folder
        self._capture = capture
        self.out = ""
        self.err = ""

    def __call__(self, *arguments: str) -> int:
        code = main(arguments)
        self.out, self.err = self._capture.readouterr()
        return code

    def json(self, *arguments: str) -> dict[str, Any]:
        """The JSON object of a command, which says its exit code."""
        code = self(*arguments, "--json")
        answer = json.loads(self.out)
        assert isinstance(answer, dict)
        assert answer["exit"] == code
        assert self.out.count("\n") == 1
        return answer

    def write(self, sql: str) -> None:
        """The user writes."""
        with contextlib.closing(open_session(self.url)) as session, session.transaction():
            session.run(sql)

    def declare(self, text: str) -> None:
        (self.folder / "derived.py").write_text(text)


@pytest.fixture
def shell(
    engine_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Shell]:
    folder = tmp_path / "app"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("TIDEMARK_DATABASE", engine_url)
    monkeypatch.delenv("TIDEMARK_DEFINITIONS", raising=False)
    made = Shell(engine_url, folder, capsys)
    made.write("CREATE TABLE posts (id INTEGER PRIMARY KEY, thread_id INTEGER NOT NULL, score INTEGER NOT NULL)")
    made.write("INSERT INTO posts VALUES " + ", ".join(str((n, n % 5, n % 3)) for n in range(50)))
    made.declare(DEFINITIONS)
    yield made


@pytest.fixture
def installed(shell: Shell) -> Shell:
    assert shell("apply", "--yes") == 0
    return shell


def _store(shell: Shell) -> str:
    with contextlib.closing(open_session(shell.url)) as session:
        return session.dialect.ours_prefix + "thread_stats"


def test_the_first_ten_minutes(shell: Shell) -> None:
    assert shell("plan") == 0
    assert "+ create thread_stats" in shell.out and "Next: tidemark apply" in shell.out
    assert shell("plan", "--check") == 3
    assert shell("apply", "--yes") == 0
    assert "live and verified: thread_stats" in shell.out
    assert shell("plan", "--check") == 0
    assert shell("apply", "--yes") == 0 and "Nothing to do" in shell.out
    assert shell("status") == 0 and "The one derived table is true; last full verification" in shell.out
    assert shell("verify") == 0 and "Everything is true." in shell.out
    shell.write(f"UPDATE {_store(shell)} SET _rows = 99 WHERE thread_id = 3")
    assert shell("verify") == 4
    assert "thread_id=3" in shell.out and "stored 99, truth 10" in shell.out and "Next: tidemark repair" in shell.out
    assert shell("status") == 0 and "tidemark repair" in shell.out
    assert shell("repair") == 0 and "1 row repaired" in shell.out
    assert shell("verify") == 0
    assert shell("uninstall", "--yes") == 0
    assert shell("status") == 5 and "not-installed" in shell.err


def test_a_range_says_what_was_compared_and_what_is_no_key(installed: Shell) -> None:
    shell = installed
    assert shell("verify", "thread_stats", "--from", "2", "--to", "2") == 0
    assert "True as far as that goes: 1 row, and no other was compared." in shell.out
    assert shell("verify", "thread_stats", "--from", "900", "--to", "901") == 0
    assert "No key lies in that range" in shell.out and "true" not in shell.out.lower()
    # SQLite compares a text with numbers, PostgreSQL takes it for none.
    code = shell("verify", "thread_stats", "--from", "x", "--to", "901")
    assert "No key lies in that range" in shell.out if code == 0 else code == 5 and "('x') is no key" in shell.err


def test_rows_that_are_computed_anew_were_not_wrong(installed: Shell) -> None:
    assert installed("repair", "thread_stats", "--from", "2", "--to", "3") == 0
    assert "thread_stats: 2 rows computed anew, 0 rows written" in installed.out
    assert installed("repair", "thread_stats", "--from", "900", "--to", "901") == 0 and "No key lies" in installed.out


def test_a_plan_prints_every_statement(shell: Shell) -> None:
    assert shell("plan", "--explain") == 0
    for words in ("CREATE TABLE", "CREATE TRIGGER", "CREATE VIEW", "-- the ledger", "_checkpoint"):
        assert words in shell.out
    assert shell("status") == 5


def test_apply_asks_for_consent_where_nobody_can_answer(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert shell("apply") == 2
    assert "--yes" in shell.err and "create thread_stats" in shell.err
    assert shell("plan", "--check") == 3
    assert shell("uninstall") == 2


def test_every_command_answers_with_one_json_object(installed: Shell) -> None:
    shell = installed
    assert shell.json("plan")["changes"] is False
    assert shell.json("status")["tables"][0]["state"] == "live"
    assert shell.json("explain", "thread_stats")["class"] == "linear"
    assert shell.json("verify")["clean"] is True
    assert shell.json("repair")["tables"] == [{"derived": "thread_stats", "keys": 0, "rows_written": 0}]
    some = shell.json("repair", "thread_stats", "--from", "2", "--to", "[3]")
    assert some["tables"] == [{"derived": "thread_stats", "keys": 2, "rows_written": 0}]
    seen = shell.json("verify", "thread_stats", "--from", "2", "--to", "[3]")
    assert (seen["clean"], seen["tables"][0]["keys"]) == (True, 2)
    assert shell.json("tick")["ticks"] == []
    assert shell.json("run", "--until-idle")["interrupted"] is False
    assert shell.json("history")["runs"][-1]["kind"] == "apply"
    assert shell.json("doctor")["findings"]
    assert shell.json("sql")["scripts"][0]["name"] == "thread_stats"
    nothing = {"live": [], "begun": [], "dropped": [], "indexes": [], "given_up": [], "shapes": []}
    assert shell.json("apply", "--yes") == {"command": "apply", "exit": 0, **nothing}
    assert shell.json("uninstall", "--yes")["removed"] == ["thread_stats"]
    assert shell.json("status")["error"]["code"] == "not-installed"
    assert shell.err == ""


def test_who_has_declared_nothing_is_not_told_that_it_is_installed(shell: Shell) -> None:
    shell.declare('from tidemark import Project\nproject = Project("forum")\n')
    for command in (("plan",), ("apply", "--yes")):
        assert shell(*command) == 0 and "no derived table is declared" in shell.out and "project.derive" in shell.out


def test_names_that_are_not_there_bring_those_that_are(installed: Shell) -> None:
    shell = installed
    assert shell("explain", "thread_stat") == 5 and "name one of: thread_stats." in shell.err
    assert shell("history", "thread_stat") == 0 and "There is no record of thread_stat" in shell.out
    assert shell("backfill", "run", "shout") == 5 and "project.backfill(…)" in shell.err
    assert shell("stream", "run", "ledger") == 5 and "project.stream(…)" in shell.err
    assert shell.json("backfill")["backfills"][0]["name"] == "thread_stats"
    shell.declare(DEFINITIONS.replace("sum(score)", "sum(scores)"))
    assert shell("plan") == 5 and "one of its columns: score, " in shell.err
    shell.declare(DEFINITIONS.replace("FROM posts", "FROM post"))
    assert shell("plan") == 5 and "tables that exist: " in shell.err and "posts" in shell.err


STREAM = """
import itertools
from tidemark import iterable

blocks = [{"block": n, "timestamp": f"2026-01-0{n}", "txs": [{"type": "post", "id": 900 + n // 2}]} for n in range(1, 5)]
stream = project.stream("ledger", source=iterable(lambda after: blocks), settle="block")

@stream.on("post")
def post(db, event):
    db.run("INSERT INTO posts VALUES (:id, 1, 1)", {"id": event.data["id"]})
"""


def test_a_stream_says_what_it_does_without_and_what_it_quarantined(shell: Shell) -> None:
    shell.declare(DEFINITIONS + STREAM)
    assert shell("stream", "run", "ledger", "--blocks", "1") == 0
    assert "not settled block by block: thread_stats. Next: tidemark apply" in shell.err
    assert shell("apply", "--yes") == 0
    assert shell("stream", "run", "ledger") == 0 and "not settled" not in shell.err
    assert shell("stream") == 0 and "0 blocks and 1 event wait" in shell.out and "IntegrityError" not in shell.out
    assert shell("stream", "status", "ledger") == 0
    assert "  event of block 3, post: " in shell.out and "Next: tidemark stream retry ledger" in shell.out
    told = shell.json("stream", "status", "ledger")
    assert [one["position"] for one in told["quarantine"]] == [3] and told["gaps"] == []
    assert shell("stream", "retry", "ledger") == 7 and "Next: tidemark stream status ledger" in shell.out


def test_the_doctor_finds_what_the_verdict_says(installed: Shell) -> None:
    shell = installed
    assert shell("doctor") == 0 and "thread_stats: It is live and captured." in shell.out
    shell.write(f"UPDATE {_store(shell)} SET _rows = 99 WHERE thread_id = 3")
    assert shell("verify") == 4
    assert shell("doctor") == 1 and "It has 1 row that is known to be wrong. Next: tidemark repair" in shell.out
    assert "live and captured" not in shell.out
    (finding,) = shell.json("status")["verdict"]["findings"]
    assert (finding["name"], finding["level"], finding["next"]) == ("thread_stats", "fail", "tidemark repair")
    assert shell("repair") == 0
    with contextlib.closing(open_session(shell.url)) as session:
        run, name = ledger(session.dialect, "run"), "thread_stats"
    shell.write(f"UPDATE {run} SET state = 'failed', cause = 'no room' WHERE id = (SELECT max(id) FROM {run})")
    found = [one for one in shell.json("doctor")["findings"] if one["about"] == name]
    assert [(one["level"], one["next"]) for one in found] == [("fail", f"tidemark history {name}")]
    assert found[0]["says"].startswith("It failed at its last ") and "no room" in found[0]["says"]
    # An apply fails of what the filling inside it fails of: that is said once.
    shell.write(f"UPDATE {run} SET state = 'failed', cause = 'no room (make some; again)'")
    shell.write(f"UPDATE {run} SET cause = 'no room (make some)' WHERE kind = 'fill'")
    shell.write(f"DELETE FROM {run} WHERE kind NOT IN ('apply', 'fill')")
    found = [one for one in shell.json("doctor")["findings"] if one["about"] == name]
    assert len(found) == 1 and found[0]["says"].startswith("It failed at its last fill")
    shell.write(f"UPDATE {run} SET cause = 'no rights' WHERE kind = 'apply'")
    assert len([one for one in shell.json("doctor")["findings"] if one["about"] == name]) == 2


def test_a_removed_declaration_wants_consent_to_drop(installed: Shell) -> None:
    installed.declare('from tidemark import Project\nproject = Project("forum")\n')
    assert installed("plan") == 0 and "--allow-drop" in installed.out
    assert installed("apply", "--yes") == 5 and "drop-not-allowed" in installed.err
    assert installed("apply", "--yes", "--allow-drop") == 0 and "dropped: thread_stats" in installed.out
    assert installed("status") == 0 and "Nothing is installed" in installed.out


def test_a_changed_definition_is_replaced(installed: Shell) -> None:
    installed.declare(DEFINITIONS.replace("sum(score)", "sum(score * 2)"))
    assert installed("plan", "--check") == 3 and "~ replace thread_stats" in installed.out
    assert installed("apply", "--yes") == 0
    assert installed("plan", "--check") == 0
    assert installed.json("status")["tables"][0]["generation"] == 2


def test_uninstall_can_keep_the_data(installed: Shell) -> None:
    with contextlib.closing(open_session(installed.url)) as session:
        before = sorted(session.all("SELECT * FROM thread_stats"))
    assert installed("uninstall", "--yes", "--keep-data") == 0
    with contextlib.closing(open_session(installed.url)) as session:
        assert sorted(session.all("SELECT * FROM thread_stats")) == before
        assert session.installed() == {}


def test_tick_drains_a_table_at_tick_freshness(shell: Shell) -> None:
    shell.declare(DEFINITIONS.replace('key="thread_id",', 'key="thread_id", freshness="tick",'))
    assert shell("apply", "--yes") == 0 and "kept true by ticks: thread_stats. Next: tidemark run" in shell.out
    shell.write("INSERT INTO posts VALUES (1000, 3, 5)")
    assert shell.json("status")["tables"][0]["pending"] == 1
    assert shell("tick") == 0 and "drained" in shell.out
    assert shell.json("status")["tables"][0]["pending"] == 0
    assert shell("verify", "thread_stats") == 0
    assert shell("verify", "nonsense") == 5


def test_a_detached_apply_is_finished_by_a_worker(shell: Shell) -> None:
    assert shell("apply", "--yes", "--detach") == 0 and "tidemark run" in shell.out
    for looks in (("status",), ("backfill", "list")):
        assert shell(*looks) == 0 and "tidemark run" in shell.out and "tidemark apply" not in shell.out
    assert shell("run", "--until-idle") == 0 and "1 table brought to life" in shell.out
    assert shell("status") == 0 and "The one derived table is true; last full verification" in shell.out


def test_definitions_are_read_as_they_are_now(installed: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python keeps compiled code by the second and the size of a file, and an edit may share both."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    assert installed("plan", "--check") == 0
    file = installed.folder / "derived.py"
    times = file.stat()
    installed.declare(DEFINITIONS.replace("sum(score)", "max(score)"))
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert installed("plan", "--check") == 3
    assert not (installed.folder / "__pycache__").exists()


def test_a_held_duty_exits_six(installed: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspect.unwrap(Duty.leased), "__defaults__", (0.0,))
    with contextlib.closing(open_session(installed.url)) as session:
        prefix = "tidemark._" if session.dialect.has_schemas else "tidemark__"
    soon = (datetime.now(UTC) + timedelta(seconds=20)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    installed.write(f"UPDATE {prefix}lease SET expires = '{soon}', holder = 'somebody' WHERE duty = 'apply'")
    installed.declare(DEFINITIONS.replace("sum(score)", "max(score)"))
    assert installed("apply", "--yes") == 6 and "somebody" in installed.err


BROKEN: list[tuple[str, str, str]] = [
    ("SELECT thread_id, count(*) AS n FROM nowhere GROUP BY thread_id", "thread_id", "unknown-table"),
    ("SELECT thread_id, count(nothing) AS n FROM posts GROUP BY thread_id", "thread_id", "unknown-column"),
    ("SELEC thread_id FROM posts", "thread_id", "parse"),
]


@pytest.mark.parametrize(("query", "key", "code"), BROKEN)
def test_a_bad_query_is_refused_with_its_code_and_nothing_changes(
    shell: Shell, query: str, key: str, code: str
) -> None:
    text = (
        f'from tidemark import Project\nproject = Project("x")\nproject.derive("d", key="{key}", query="""{query}""")\n'
    )
    shell.declare(text)
    for command in (["plan"], ["apply", "--yes"]):
        assert shell(*command) == 5, shell.err
        assert f"[{code}] (d)" in shell.err and shell.out == ""
    assert shell("status") == 5
    assert shell.json("plan")["error"]["code"] == code


DEFINITION_FAULTS = [
    ("raise ValueError('oh')", "ValueError: oh"),
    ("x = 1", "no project"),
    ("from tidemark import Project\na = Project('a')\nb = Project('b')", "2 projects"),
    ("def (", "SyntaxError"),
    ("import no_such_module_anywhere", "no_such_module_anywhere"),
]


@pytest.mark.parametrize(("text", "words"), DEFINITION_FAULTS)
def test_definitions_that_cannot_be_loaded_are_refused(shell: Shell, text: str, words: str) -> None:
    shell.declare(text)
    assert shell("plan") == 5
    assert words in shell.err and "definitions" in shell.err


@pytest.mark.parametrize(
    "url", ["", "nowhere://x", "postgresql://u:secret@127.0.0.1:1/x", "sqlite:////no/such/folder/app.db", "no-such.db"]
)
def test_a_bad_address_is_one_sentence_without_the_password(shell: Shell, url: str) -> None:
    code = shell("status", "--database", url) if url else shell("status", "--database", " ")
    assert code in (1, 5)
    assert shell.err.count("\n") == 1 and "secret" not in shell.err and shell.out == ""


def test_a_database_that_is_not_in_wal_mode_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with contextlib.closing(sqlite3.connect("old.db")) as connection:
        connection.execute("CREATE TABLE posts (id INTEGER PRIMARY KEY, thread_id INTEGER NOT NULL, score INTEGER)")
    Path("derived.py").write_text(DEFINITIONS)
    assert main(["apply", "--yes", "--database", "old.db"]) == 5
    assert "not-wal" in capsys.readouterr().err
    assert main(["plan", "--database", "old.db"]) == 0
    said = capsys.readouterr().out
    assert (
        "1 to create. Nothing was changed. Apply would be refused: [not-wal]" in said
        and "Next: tidemark apply" not in said
    )
    assert main(["plan", "--json", "--database", "old.db"]) == 0
    assert json.loads(capsys.readouterr().out)["refused"]["code"] == "not-wal"


def test_init_writes_an_example_and_never_overwrites(shell: Shell) -> None:
    assert shell("init") == 5 and "there already" in shell.err
    (shell.folder / "derived.py").unlink()
    (shell.folder / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert shell("init") == 0 and "tidemark plan" in shell.out
    assert "posts" in (shell.folder / "derived.py").read_text()
    assert "[tool.tidemark]" in (shell.folder / "pyproject.toml").read_text()
    assert shell("plan") == 0 and "Nothing to do" in shell.out


def test_settings_come_from_pyproject(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TIDEMARK_DATABASE")
    assert shell("status") == 5 and "TIDEMARK_DATABASE" in shell.err
    inner = shell.folder / "deep" / "inside"
    inner.mkdir(parents=True)
    (shell.folder / "pyproject.toml").write_text(
        f"[tool.tidemark]\ndatabase = '{shell.url}'\ndefinitions = 'derived.py'\n"
    )
    monkeypatch.chdir(inner)
    assert shell("plan") == 0 and "create thread_stats" in shell.out


PROCESSOR = (
    DEFINITIONS
    + """

@project.processor("sums", key="thread_id", by="thread_id", reads={"posts": "thread_id"}, columns={"n": "bigint"})
def sums(db, batch):
    for thread in batch.values("thread_id"):
        yield {"thread_id": thread, "n": db.one("SELECT count(*) FROM posts WHERE thread_id = :t", {"t": thread})[0]}
"""
)


def test_a_worker_has_the_functions_of_definitions_that_it_finds_by_itself(shell: Shell) -> None:
    shell.declare(PROCESSOR)
    assert shell("apply", "--yes") == 0
    shell.write("INSERT INTO posts VALUES (100, 1, 1)")
    assert shell("run", "--until-idle") == 0
    assert shell("verify", "sums") == 0
    shell.declare("raise ValueError('oh')")
    shell.write("INSERT INTO posts VALUES (101, 2, 1)")
    assert shell("verify", "thread_stats") == 0
    assert "ValueError: oh" in shell.err and "Going on with what is installed" in shell.err
