"""Opening a database: what an address may be, and one helpful sentence for everything that can be wrong with it."""

import contextlib
import gc
import os
import pathlib
import sqlite3
import subprocess
import sys

import psycopg
import pytest
from sqlalchemy import make_url

from tests.conformance.conftest import Opener, execute
from tidemark.database import open as door
from tidemark.database.open import open_session
from tidemark.database.postgres import session as postgres
from tidemark.database.session import Session
from tidemark.database.sqlite import connect as sqlite
from tidemark.database.urls import read_address, write_address
from tidemark.errors import Code, Fault, Refusal


@pytest.mark.parametrize(
    ("url", "target", "label"),
    [
        ("app.db", "app.db", "sqlite:///app.db"),
        (" app.db\n", "app.db", "sqlite:///app.db"),
        ("/data/a b%20?#.db", "/data/a b%20?#.db", "sqlite:////data/a b%20?#.db"),
        ("sqlite:///app.db", "app.db", "sqlite:///app.db"),
        ("sqlite:////data/app.db", "/data/app.db", "sqlite:////data/app.db"),
        ("SQLite:///app.db", "app.db", "sqlite:///app.db"),
        ("sqlite+pysqlite:///app.db", "app.db", "sqlite:///app.db"),
    ],
)
def test_addresses_of_files(url: str, target: str, label: str) -> None:
    address = read_address(url)
    assert (address.engine, address.target, address.label) == ("sqlite", target, label)


@pytest.mark.parametrize(
    ("url", "label"),
    [
        ("postgresql://h/d", "postgresql://h/d"),
        ("postgres://u@h:5433/d", "postgresql://u@h:5433/d"),
        ("postgresql://u:secret@h/d", "postgresql://u:***@h/d"),
        ("postgresql://u:se%40cr%2Fet@[::1]:5432/d", "postgresql://u:***@[::1]:5432/d"),
        ("postgresql:///d?host=/run/postgresql&user=u", "postgresql:///d?host=/run/postgresql&user=u"),
        ("postgresql://h/d?password=secret&sslmode=require", "postgresql://h/d?password=***&sslmode=require"),
        ("postgresql://h", "postgresql://h/"),
        ("postgresql://u:a,b@h1:1,h2:2/d", "postgresql://u:***@h1:1,h2:2/d"),
        ("postgresql://%2Frun%2Fpostgresql/d", "postgresql://%2Frun%2Fpostgresql/d"),
    ],
)
def test_addresses_of_servers(url: str, label: str) -> None:
    address = read_address(url)
    assert (address.engine, address.target, address.label) == ("postgres", url, label)
    assert "secret" not in repr(address)


def test_addresses_as_sqlalchemy_and_others_write_them(tmp_path: pathlib.Path) -> None:
    named = read_address("postgresql+psycopg://u:secret@h/d")
    assert (named.target, named.label) == ("postgresql://u:secret@h/d", "postgresql://u:***@h/d")
    assert write_address(make_url("postgresql+psycopg://u:secret@h/d")) == "postgresql+psycopg://u:secret@h/d"
    assert write_address(tmp_path / "x.db") == str(tmp_path / "x.db")


def test_no_message_holds_a_password() -> None:
    address = read_address("postgresql://u:se%40cret@h/d?sslpassword=other")
    said = address.hide("failed for 'se@cret' and\nse%40cret, sslpassword=other password=unknown")
    assert said == "failed for '***' and ***, sslpassword=*** password=***"
    short = read_address("postgresql://reader:r@h/d")
    assert short.hide("for reader: /r@h") == "for reader: /***@h"


@pytest.mark.parametrize(
    ("url", "instead"),
    [
        ("", "app.db"),
        ("   ", "app.db"),
        ("mysql://h/d", "postgresql://"),
        ("sqlite://x.db", "sqlite:///x.db"),
        ("sqlite://", "sqlite:///app.db"),
        ("sqlite:///", "sqlite:///app.db"),
        ("sqlite:///:memory:", "sqlite:///app.db"),
        (":memory:", "sqlite:///app.db"),
        ("file:x.db?mode=ro", "sqlite:///app.db"),
        ("sqlite:///x.db?timeout=3", "sqlite:///x.db"),
        ("sqlite:x.db", "sqlite:////absolute"),
        ("postgres:/d", "postgresql://"),
        ("host=h password=secret dbname=d", "postgresql://"),
        ("postgresql://u:sec#ret@h/d", "%23"),
        ("postgresql://u:secret@h:port/d", "%3A"),
        ("postgresql://[::1/d", "%3A"),
        ("postgresql://u:sec@ret@h/d", "%40"),
        ("postgresql://h:1:2/d", "%3A"),
        ("a\0b.db", "app.db"),
    ],
)
def test_what_is_no_address_is_refused(url: str, instead: str) -> None:
    with pytest.raises(Refusal) as caught:
        open_session(url)
    assert caught.value.code is Code.DATABASE_URL
    assert instead in caught.value.instead
    assert "secret" not in str(caught.value) and "ret@" not in str(caught.value)


def test_files_that_are_no_database(tmp_path: pathlib.Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("certainly no database, but long enough to have a header of a hundred bytes" * 3)
    for path, word in ((tmp_path, "folder"), (tmp_path / "no" / "x.db", "folder"), (text, "not a SQLite database")):
        with pytest.raises(Refusal, match=word) as caught:
            open_session(str(path))
        assert caught.value.code is Code.DATABASE_URL
    missing = tmp_path / "missing.db"
    with pytest.raises(Refusal, match="no file"):
        open_session(str(missing))
    assert not missing.exists()


def test_a_file_is_made_when_asked(tmp_path: pathlib.Path, opener: Opener) -> None:
    path = tmp_path / "new ü %.db"
    execute(opener(str(path), create=True), "CREATE TABLE t (a integer)")
    assert opener(str(path)).catalog().find("t") is not None
    assert opener(f"sqlite:///{path}").one("PRAGMA journal_mode") == ("wal",)


def test_a_worker_needs_wal_and_changes_nothing(tmp_path: pathlib.Path, opener: Opener) -> None:
    path = tmp_path / "rollback.db"
    with contextlib.closing(sqlite3.connect(path)) as plain:
        plain.execute("CREATE TABLE t (a integer)")
    with pytest.raises(Refusal) as caught:
        open_session(str(path))
    assert caught.value.code is Code.NOT_WAL
    assert "PRAGMA journal_mode = WAL" in caught.value.instead
    assert opener(str(path), role="reader").catalog().find("t") is not None
    assert opener(str(path), require_wal=False).one("PRAGMA journal_mode") == ("delete",)
    with pytest.raises(Refusal):
        open_session(str(path), role="reader", require_wal=True)


def test_a_reader_cannot_write(sqlite_session: Session, sqlite_path: pathlib.Path, opener: Opener) -> None:
    execute(sqlite_session, "CREATE TABLE t (a integer)")
    reader = opener(str(sqlite_path), role="reader")
    with pytest.raises(Refusal) as caught, reader.transaction("read"):
        reader.run("INSERT INTO t VALUES (1)")
    assert caught.value.code is Code.READ_ONLY
    assert [column.name for column in reader.describe("SELECT a FROM t")] == ["a"]


def test_a_worker_on_a_file_that_may_not_be_written(sqlite_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Root may write everything, so the driver is told to open the file as it does for who may not.
    real = sqlite3.connect

    def read_only(database: str, **options: object) -> sqlite3.Connection:
        return real(database.replace("mode=rw", "mode=ro"), **options)  # type: ignore[call-overload,no-any-return]

    monkeypatch.setattr(sqlite.sqlite3, "connect", read_only)
    with pytest.raises(Refusal) as caught:
        open_session(str(sqlite_path))
    assert caught.value.code is Code.READ_ONLY


def test_opening_does_not_wait_for_a_writer(sqlite_session: Session, sqlite_path: pathlib.Path, opener: Opener) -> None:
    with sqlite_session.transaction():
        sqlite_session.run("CREATE TABLE t (a integer)")
        assert opener(str(sqlite_path), lock_timeout=0).catalog().tables == {}


def test_a_database_that_is_locked_whole_is_a_fault(sqlite_path: pathlib.Path) -> None:
    with contextlib.closing(sqlite3.connect(sqlite_path, isolation_level=None)) as plain:
        plain.execute("PRAGMA locking_mode = EXCLUSIVE")
        plain.execute("BEGIN IMMEDIATE")
        with pytest.raises(Fault, match="locked") as caught:
            open_session(str(sqlite_path), lock_timeout=0)
    assert caught.value.retry_safe


def test_foreign_keys_are_left_as_they_are(sqlite_session: Session) -> None:
    assert sqlite_session.one("PRAGMA foreign_keys") == (0,)
    assert sqlite_session.one("PRAGMA recursive_triggers") == (0,)


def test_old_engines_are_refused(engine_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "VERSION_MIN", (99, 1, 0))
    monkeypatch.setattr(postgres, "VERSION_MIN", 99)
    with pytest.raises(Refusal) as caught:
        open_session(engine_url)
    assert caught.value.code is Code.ENGINE_VERSION
    assert "99" in caught.value.reason


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:s%40cret@127.0.0.1:1/d",
        "postgresql://u:s%40cret@no-such-host.invalid/d",
        "postgresql://127.0.0.1:1/d?user=u&password=s%40cret",
    ],
)
def test_a_server_that_does_not_answer_is_a_fault(url: str) -> None:
    with pytest.raises(Fault, match="cannot connect") as caught:
        open_session(url)
    said = str(caught.value)
    assert "s@cret" not in said and "s%40cret" not in said and "\n" not in said


def test_a_database_that_is_not_there_is_a_fault(pg_database: str) -> None:
    with pytest.raises(Fault, match="does not exist"):
        open_session(pg_database + "_not")
    with pytest.raises(Fault, match="does not exist"):
        open_session(pg_database.replace("postgres@", "nobody_at_all:secret@"))


def test_options_that_the_driver_does_not_know_are_refused(pg_database: str) -> None:
    with pytest.raises(Refusal) as caught:
        open_session(f"{pg_database}?color=red")
    assert caught.value.code is Code.DATABASE_URL


def test_without_the_driver_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> object:
        raise ModuleNotFoundError("No module named 'psycopg'", name="psycopg")

    monkeypatch.setattr(door.importlib, "import_module", missing)
    with pytest.raises(Refusal, match="psycopg") as caught:
        open_session("postgresql://h/d")
    assert "tidemark[postgres]" in caught.value.instead


def test_no_driver_is_loaded_before_a_database_is_opened() -> None:
    script = "import sys, tidemark.database.open; print([m for m in ('psycopg', 'sqlite3') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=os.environ)
    assert done.stdout.strip() == "[]"


def test_a_read_only_server_refuses_what_writes(pg_database: str, opener: Opener) -> None:
    session = opener(pg_database)
    with pytest.raises(Refusal) as caught, session.transaction():
        session.script("SET TRANSACTION READ ONLY")
        session.run("CREATE TABLE t (a integer)")
    assert caught.value.code is Code.READ_ONLY


def test_a_session_that_lost_its_tables_is_told_of_poolers(pg_database: str, opener: Opener) -> None:
    session = opener(pg_database)
    with pytest.raises(Refusal, match="pooler gives") as caught, session.transaction():
        session.run("SELECT * FROM pg_temp.what_was_there")
    assert caught.value.code is Code.UNSUPPORTED and "own address" in caught.value.instead


def test_missing_rights_say_what_to_grant(pg_database: str, opener: Opener) -> None:
    owner = opener(pg_database)
    role = "r_" + pg_database.rsplit("/", 1)[1]
    execute(
        owner, "CREATE TABLE t (a integer)", "CREATE SCHEMA s", "CREATE SCHEMA tidemark", f'CREATE ROLE "{role}" LOGIN'
    )
    try:
        guest = opener(pg_database.replace("postgres@", f"{role}:pw@"))
        for sql, grant in (
            ("SELECT * FROM t", f'GRANT SELECT, TRIGGER ON "t" TO "{role}"'),
            ("SELECT * FROM s.t", f'GRANT USAGE, CREATE ON SCHEMA "s" TO "{role}"'),
            ("CREATE SCHEMA q", "GRANT CREATE, TEMPORARY ON DATABASE"),
            ("DROP TABLE t", "connect as the owner of t"),
            ("SELECT * FROM tidemark._lease", f'GRANT USAGE ON SCHEMA tidemark TO "{role}"'),
        ):
            with pytest.raises(Refusal) as caught, guest.transaction():
                guest.run(sql)
            assert caught.value.code is Code.PRIVILEGE
            assert grant in caught.value.instead
        with pytest.raises(Refusal) as caught:
            guest.describe("SELECT a FROM t")
        assert caught.value.code is Code.PRIVILEGE
        guest.close()
    finally:
        with contextlib.closing(psycopg.connect(pg_database, autocommit=True)) as admin:
            admin.execute(f'DROP OWNED BY "{role}"')
            admin.execute(f'DROP ROLE "{role}"')


def test_sessions_that_are_closed_leave_nothing_in_the_process(engine_url: str) -> None:
    """Whoever ticks from a scheduler opens one each time, for months."""

    def count() -> int:
        with contextlib.closing(open_session(engine_url)) as session:
            session.all("SELECT 1")
        gc.collect()
        return len(gc.get_objects())

    _, second, *_, last = [count() for _ in range(8)]
    assert last - second < 50, (second, last)
