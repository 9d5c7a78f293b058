"""A database that is restored into another cluster, where transactions have other numbers."""

import contextlib
import shutil
import sqlite3
import subprocess
from collections import Counter
from pathlib import Path

import psycopg
import pytest

from tests.kit.postgres import Server, running_server
from tests.protocols.forum import QUERIES, Forum, declare, open_forum
from tidemark import Tidemark
from tidemark.errors import Fault, TidemarkError
from tidemark.runtime.changes import restored
from tidemark.runtime.operate.verdict import Verdict

ALL_TABLES = {
    "sqlite": "SELECT '\"' || name || '\"' FROM sqlite_master WHERE type = 'table' AND name <> 'sqlite_sequence' "
    "ORDER BY name LIKE 'tidemark%'",
    "postgres": "SELECT CAST(CAST(c.oid AS regclass) AS text) FROM pg_class AS c "
    "JOIN pg_namespace AS n ON n.oid = c.relnamespace "
    "WHERE c.relkind = 'r' AND n.nspname IN ('public', 'tidemark') ORDER BY n.nspname",
}
ODD = (
    "CREATE TABLE odd (id integer PRIMARY KEY, n numeric, f float8, c char(3), j jsonb)",
    "INSERT INTO odd VALUES (1, 1.0, 0, 'a', '{}'), (2, 1.00, 2, NULL, NULL)",
)


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


def test_a_dump_restored_into_a_new_cluster_is_true_again(postgres: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything that was written there before the first tick has numbers below those of the checkpoints that came along, and the
    tick begins when the numbers are above them: who believes the checkpoints misses all of it, and nothing looks odd."""
    with postgres.fresh_database() as old, running_server() as other:
        with open_forum(old) as forum:
            forum.write(*ODD)
            _odd(forum.url).apply()
            _spend_numbers(old, 5000)
            forum.write(*forum.change())
            forum.drain()
            text, beyond = _run(postgres, "pg_dump", "--no-owner", old), _spend_numbers(old, 0)
        with other.fresh_database() as new, other.fresh_database() as believed:
            for url in (new, believed):
                _run(other, "psql", "-q", "-v", "ON_ERROR_STOP=1", url, text=text)
                with psycopg.connect(url) as user:
                    user.execute("UPDATE posts SET score = score + 1")
                    user.execute("UPDATE odd SET n = n + 1, c = 'b'")
            _spend_numbers(new, beyond)
            engine = _odd(new)
            before = _verdict(engine)
            assert before.level == "warn" and "restored" in before.findings[0].says
            assert not engine.run(until_idle=True).failing and _is_true(new)
            restores = Counter(run.derived for run in engine.history(limit=1000) if run.kind == "restore")
            assert restores == Counter({*QUERIES, "odd_sums"})
            # What is kept at every commit came along as it was, and so did what the dump may have left out.
            assert {one.name for one in engine.status() if one.verified_at is None} == {"odd_sums"}
            assert all(report.clean for report in engine.verify()) and _verdict(engine).level == "pass"
            # Who does not fill anew is found.
            monkeypatch.setattr(restored, "FILLED", ())
            assert not _odd(believed).run(until_idle=True).failing and not _is_true(believed)


def _verdict(engine: Tidemark) -> Verdict:
    with contextlib.closing(engine.onlooker()) as eye:
        return eye.overview().verdict


def _odd(url: str) -> Tidemark:
    """The forum, and a table whose columns have several spellings of equal values."""
    project = declare()
    project.derive(
        "odd_sums", query="SELECT f, sum(n) AS n, count(j) AS js, max(c) AS c FROM odd GROUP BY f", freshness="commit"
    )
    return Tidemark(project, url)


def _spend_numbers(url: str, beyond: int) -> int:
    """Begin transactions until one has a greater number, and give that."""
    with psycopg.connect(url, autocommit=True) as user:
        until = f"pg_current_xact_id() > '{beyond}'"
        user.execute(f"DO $$ BEGIN WHILE NOT ({until}) LOOP COMMIT; END LOOP; END $$".encode())
        row = user.execute("SELECT CAST(CAST(pg_current_xact_id() AS text) AS bigint)").fetchone()
        assert row is not None
        return int(row[0])


def _run(server: Server, name: str, *arguments: str, text: str | None = None) -> str:
    done = subprocess.run([_program(server, name), *arguments], input=text, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("way", ["backup", "vacuum", "dump"])
def test_a_copy_of_the_file_goes_on_where_it_was(sqlite_path: Path, way: str) -> None:
    """Whichever way it is copied while changes wait: nothing of it is filled anew, and nothing is missed."""
    path = sqlite_path.with_name("copy.db")
    with open_forum(f"sqlite:///{sqlite_path}") as forum, contextlib.closing(sqlite3.connect(path)) as copy:
        forum.write(*forum.change())
        with contextlib.closing(sqlite3.connect(sqlite_path)) as old:
            if way == "backup":
                old.backup(copy)
            elif way == "vacuum":
                old.execute(f"VACUUM INTO '{path}'")
            else:
                copy.executescript(_dump(old))
        copy.execute("PRAGMA journal_mode = WAL")
        copy.execute("UPDATE posts SET score = score + 1")
        copy.commit()
    engine = Tidemark(declare(), f"sqlite:///{path}")
    assert _verdict(engine).level == "pass"
    engine.tick()
    assert all(report.clean for report in engine.verify()) and {one.state for one in engine.status()} == {"live"}
    assert not [run for run in engine.history(limit=1000) if run.kind == "restore"]


def _dump(old: sqlite3.Connection) -> str:
    """As `.dump` of the shell writes it: tables with their rows in the order of the schema, then all else in that order."""
    found, rest = ["BEGIN"], []
    for kind, name, text in old.execute("SELECT type, name, sql FROM sqlite_master WHERE sql NOT NULL").fetchall():
        if kind != "table":
            rest.append(text)
            continue
        found.append(text if name != "sqlite_sequence" else "DELETE FROM sqlite_sequence")
        columns = [column for _, column, *_ in old.execute(f"PRAGMA table_info('{name}')")]
        quoted = " || ', ' || ".join(f'quote("{column}")' for column in columns)
        found += [f'INSERT INTO "{name}" VALUES ({row})' for (row,) in old.execute(f'SELECT {quoted} FROM "{name}"')]
    return ";\n".join([*found, *rest, "COMMIT", ""])


def _program(server: Server, name: str) -> str:
    beside = server.programs / name if server.programs else None
    found = str(beside) if beside and beside.exists() else shutil.which(name)
    assert found, f"{name} is needed beside the server's programs or on the PATH"
    return found


def test_definitions_without_rows_are_told_and_can_be_cleared_away(engine_url: str) -> None:
    """What a dump of the schema alone leaves: every object of ours, and a ledger that knows of none."""
    with open_forum(engine_url) as forum:
        tables = forum.user.all(ALL_TABLES[forum.user.dialect.name])
        forum.write(
            "CREATE VIEW stands_on AS SELECT * FROM thread_sums", *(f"DELETE FROM {name}" for (name,) in tables)
        )
        for verb in (forum.tidemark.status, forum.tidemark.plan, forum.tidemark.apply):
            with pytest.raises(Fault, match="run `tidemark uninstall`, then `tidemark apply`"):
                verb()
        if forum.user.dialect.has_schemas:
            with pytest.raises(TidemarkError, match="stands_on"):
                forum.tidemark.uninstall()
        forum.write("DROP VIEW stands_on")
        forum.tidemark.uninstall()
        assert set(forum.tidemark.apply().live) == set(QUERIES)
        forum.write(*forum.change())
        forum.drain()
        assert not forum.differences()
