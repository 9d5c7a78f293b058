"""A database that is restored into another cluster, where transactions have other numbers."""

import contextlib
import shutil
import subprocess
from pathlib import Path

import psycopg

from tests.kit.postgres import Server, running_server
from tests.protocols.forum import QUERIES, Forum, declare, open_forum
from tidemark import Tidemark
from tidemark.database.open import open_session


def _is_true(dsn: str) -> bool:
    with psycopg.connect(dsn) as connection:
        for name, (_, query) in QUERIES.items():
            stored = f"SELECT * FROM {name}"
            differs = f"({query}) EXCEPT ALL ({stored}) UNION ALL (({stored}) EXCEPT ALL ({query}))"
            text = f"SELECT count(*) FROM ({differs}) AS d"
            if connection.execute(text.encode()).fetchone() != (0,):
                return False
    return True


def test_positions_of_another_cluster_are_not_believed(pg_database: str) -> None:
    """The tables as a dump of a much busier cluster would bring them: positions far ahead, changes from the future."""
    with open_forum(pg_database) as forum:
        logs = [log for (log,) in forum.user.all("SELECT capture::json ->> 'log' FROM tidemark._capture")]
        assert logs
        forum.write(*forum.change())
        forum.write(
            "UPDATE tidemark._meta SET value = 'cluster 1' WHERE key = 'cluster'",
            "UPDATE tidemark._checkpoint SET snapshot = '900000000:900000000:'",
            *(f"UPDATE {log} SET xid = '899999999'" for log in logs),
        )
        # Before anybody looks, and while the numbers here are far below: nothing of this would ever be sealed.
        forum.write(*forum.change())
        report = forum.tidemark.run(until_idle=True)
        assert not report.failing and not forum.differences()
        assert {derived for state, _, _, derived in _restores(forum)} == set(QUERIES)
        for log in logs:
            assert forum.user.one(f"SELECT count(*) FROM {log} WHERE xid > '800000000'") == (0,)
        forum.write(*forum.change())
        forum.drain()
        assert not forum.differences() and len(_restores(forum)) == len(QUERIES)


def _restores(forum: Forum) -> list[tuple[str, str | None, str | None, str]]:
    past = forum.tidemark.history(limit=1000)
    return [(run.state, run.cause, run.message, run.derived) for run in past if run.kind == "restore"]


def test_positions_that_are_ahead_of_the_same_cluster_are_not_believed(pg_database: str) -> None:
    with open_forum(pg_database) as forum:
        forum.write("UPDATE tidemark._checkpoint SET snapshot = '900000000:900000000:'")
        forum.write(*forum.change())
        forum.drain()
        assert not forum.differences()


def test_a_dump_restored_into_a_new_cluster_is_true_again(postgres: Server) -> None:
    dump = _program(postgres, "pg_dump")
    with (
        postgres.fresh_database() as old,
        running_server() as other,
        other.fresh_database() as new,
    ):
        with open_forum(old) as forum:
            forum.write(*forum.change())
            text = subprocess.run([dump, "--no-owner", old], capture_output=True, text=True, check=True).stdout
        restored = subprocess.run(
            [_program(postgres, "psql"), "-q", "-v", "ON_ERROR_STOP=1", new], input=text, capture_output=True, text=True
        )
        assert restored.returncode == 0, restored.stderr
        with contextlib.closing(open_session(new)) as user, user.transaction():
            user.run("UPDATE posts SET score = score + 1")
        engine = Tidemark(declare(), new)
        assert not engine.run(until_idle=True).failing
        assert _is_true(new) and all(report.clean for report in engine.verify())
        assert {run.derived for run in engine.history(limit=1000) if run.kind == "restore"} == set(QUERIES)


def test_a_copy_of_the_file_goes_on_where_it_was(sqlite_path: Path) -> None:
    with open_forum(f"sqlite:///{sqlite_path}") as forum:
        forum.write(*forum.change())
        copy = sqlite_path.with_name("copy.db")
        forum.user.all(f"VACUUM INTO '{copy}'")
    with contextlib.closing(open_session(f"sqlite:///{copy}", require_wal=False)) as user:
        user.all("PRAGMA journal_mode = WAL")
    engine = Tidemark(declare(), f"sqlite:///{copy}")
    engine.tick()
    assert all(report.clean for report in engine.verify())
    assert not [run for run in engine.history(limit=1000) if run.kind == "restore"]


def _program(server: Server, name: str) -> str:
    beside = server.programs / name if server.programs else None
    found = str(beside) if beside and beside.exists() else shutil.which(name)
    assert found, f"{name} is needed beside the server's programs or on the PATH"
    return found
