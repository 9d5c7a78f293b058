"""The kit's server is what tests believe it to be: set up for every kind of test, fresh for each, gone with its owner."""

import contextlib
import os
import select
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from tests.house.tree import ROOT
from tests.kit import postgres as kit

CHILD = """
import sys
from tests.kit.postgres import running_server
with running_server() as server:
    print(server.pid, server.log.parent, flush=True)
    sys.stdin.read()
"""


def test_server_allows_what_tests_need(postgres: kit.Server) -> None:
    with psycopg.connect(postgres.dsn()) as connection:
        facts = {
            name: connection.execute("SELECT current_setting(%s)", (name,)).fetchone()
            for name in ("max_prepared_transactions", "max_connections", "wal_level", "synchronous_commit", "TimeZone")
        }
    assert facts == {
        "max_prepared_transactions": ("20",),
        "max_connections": ("80",),
        "wal_level": ("logical",),
        "synchronous_commit": ("on",),
        "TimeZone": ("UTC",),
    }


def test_two_databases_know_nothing_of_each_other(postgres: kit.Server, pg_database: str) -> None:
    with postgres.fresh_database() as other:
        assert other != pg_database
        with psycopg.connect(pg_database, autocommit=True) as connection:
            connection.execute("CREATE TABLE t ()")
        with psycopg.connect(other) as connection:
            assert connection.execute("SELECT to_regclass('t')").fetchone() == (None,)


def test_a_database_goes_though_a_session_and_a_prepared_transaction_hold_it(postgres: kit.Server) -> None:
    with postgres.fresh_database() as dsn:
        holder = psycopg.connect(dsn, autocommit=True)
        holder.execute("BEGIN")
        holder.execute("CREATE TABLE t ()")
        holder.execute("PREPARE TRANSACTION 'left behind'")
    with pytest.raises(psycopg.OperationalError):
        holder.execute("SELECT 1")
    holder.close()
    with psycopg.connect(postgres.dsn()) as connection:
        assert connection.execute("SELECT count(*) FROM pg_prepared_xacts").fetchone() == (0,)


def test_both_engines_have_a_url(engine_url: str) -> None:
    scheme, _, rest = engine_url.partition("://")
    if scheme == "postgresql":
        with psycopg.connect(engine_url) as connection:
            assert connection.execute("SELECT count(*) FROM pg_stat_user_tables").fetchone() == (0,)
    else:
        with contextlib.closing(sqlite3.connect(rest)) as file:
            assert file.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_killed_owner_takes_its_server_along_and_the_next_one_sweeps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(kit.DSN_VARIABLE, raising=False)
    with subprocess.Popen(
        [sys.executable, "-c", CHILD], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        pid, folder = child.stdout.readline().split()
        # A pidfd becomes readable when its process has ended; it is Linux's, like the promise that is tried here.
        server = os.pidfd_open(int(pid))
        os.kill(child.pid, signal.SIGKILL)
        assert select.select([server], [], [], 20)[0]
        os.close(server)
    with kit.running_server():
        assert not Path(folder).exists()


def test_no_server_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(kit.DSN_VARIABLE, raising=False)
    monkeypatch.setenv(kit.BIN_VARIABLE, str(tmp_path))
    with pytest.raises(kit.NoServer, match="there is no initdb in it"), kit.running_server():
        raise AssertionError("a server was found where there is none")
    assert "make install" in kit.ADVICE
    assert kit.BIN_VARIABLE in kit.ADVICE
