"""Databases that cannot be had, or may not be changed."""

from __future__ import annotations

import contextlib
import functools
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bad_input.town import Town
from tests.findings.place import connect
from tests.kit.postgres import Server
from tidemark import Project, Tidemark
from tidemark.database.open import open_session
from tidemark.errors import Code, Exit
from tidemark.runtime.clock import Clock

GROUPS = "SELECT g, count(*) AS n FROM t GROUP BY g"
ROLE = "bad_input_role"


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("mysql://u:secret@h/d", "sqlite"),
        ("postgresql://u:secret@h:port/d", "postgresql://user"),
        ("sqlite://relative.db", "sqlite:///"),
        ("/nowhere/at/all.db", "folder"),
        ("sqlite:////nowhere/at/all.db", "folder"),
        ("host=h password=secret", "postgresql://"),
        ("nothing.db", "no file"),
    ],
)
def test_an_address_that_is_none(lite: Town, url: str, word: str) -> None:
    lite.declare(GROUPS)
    for command in (("plan",), ("apply", "--yes"), ("status",), ("doctor",), ("uninstall", "--yes")):
        code, answer = lite.ask(*command, url=url)
        assert (code, answer["error"]["code"]) == (Exit.REFUSED, "database-url"), answer
        assert word in str(answer).lower() and "secret" not in str(answer)


def test_no_database_is_named(lite: Town, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("TIDEMARK_DATABASE", raising=False)
    monkeypatch.chdir(tmp_path)
    lite.url = ""
    code, answer = lite.ask("status")
    assert (code, answer["error"]["code"]) == (Exit.REFUSED, "database-url")
    assert "TIDEMARK_DATABASE" in answer["error"]["instead"]


def test_a_server_that_does_not_answer(pg: Town) -> None:
    pg.declare(GROUPS)
    pg.failed("127.0.0.1", url="postgresql://u:secret@127.0.0.1:1/d")
    assert "secret" not in str(pg.ask("plan", url="postgresql://u:secret@127.0.0.1:1/d"))


def test_a_database_and_a_role_that_do_not_exist(pg: Town) -> None:
    pg.declare(GROUPS)
    for url, word in (
        (pg.url + "_absent", "_absent"),
        (pg.url.replace("postgres@", "nobody_of_that_name:secret@"), "nobody_of_that_name"),
    ):
        code, answer = pg.ask("plan", url=url)
        assert code in (Exit.ERROR, Exit.REFUSED) and word in str(answer) and "secret" not in str(answer)


def test_a_search_path_of_schemas_that_do_not_exist(pg: Town) -> None:
    """What stands in quotes is one name, as many as it may look like."""
    database = pg.url.rpartition("/")[2]
    pg.run(f"ALTER DATABASE {database} SET search_path TO 'app, public'")
    for source in ("t", "public.t"):
        pg.declare(GROUPS.replace("FROM t", f"FROM {source}"))
        pg.refused(Code.UNKNOWN_TABLE, "search_path")


@pytest.mark.usefixtures("ended_connections")
def test_a_search_path_that_begins_with_another_schema(pg: Town) -> None:
    database = pg.url.rpartition("/")[2]
    pg.run("CREATE SCHEMA app", "CREATE TABLE app.mine (id int PRIMARY KEY, g int)")
    pg.declare("SELECT g, count(*) AS n FROM mine GROUP BY g")
    pg.run(f"ALTER DATABASE {database} SET search_path TO pg_catalog, app")
    pg.refused(Code.UNSUPPORTED, "search_path begins", "SET search_path TO app, public")
    pg.run(f"ALTER DATABASE {database} SET search_path TO app, public")
    pg.fine("apply", "--yes")
    pg.run("INSERT INTO app.mine VALUES (1, 7)")
    assert pg.rows("SELECT * FROM app.derived_one") == [(7, 1)]
    pg.run(f"ALTER DATABASE {database} SET search_path TO public")
    pg.run("CREATE TABLE mine (id int PRIMARY KEY, g int)")
    pg.refused(Code.UNSUPPORTED, "stands in schema app", 'SET search_path TO "app"')


def test_a_file_that_is_no_database(lite: Town, tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("no database, but long enough to have a header of a hundred bytes " * 5)
    lite.declare(GROUPS)
    code, answer = lite.ask("apply", "--yes", url=str(file))
    assert (code, answer["error"]["code"]) == (Exit.REFUSED, "database-url")
    assert file.read_text().startswith("no database")


def test_a_database_that_is_not_in_wal_mode(lite: Town) -> None:
    lite.run("PRAGMA journal_mode = DELETE")
    lite.declare(GROUPS)
    before = lite.picture()
    code, answer = lite.ask("apply", "--yes")
    assert (code, answer["error"]["code"]) == (Exit.REFUSED, "not-wal")
    assert "journal_mode = WAL" in answer["error"]["instead"]
    assert lite.picture() == before and lite.rows("PRAGMA journal_mode") == [("delete",)]


def test_a_file_that_may_not_be_written(lite: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    # Root may write everything, so the driver is told to open the file as it does for who may not.
    real = sqlite3.connect

    def read_only(database: str, **options: object) -> sqlite3.Connection:
        return real(database.replace("mode=rw", "mode=ro"), **options)  # type: ignore[call-overload,no-any-return]

    lite.declare(GROUPS)
    before = lite.picture()
    monkeypatch.setattr("tidemark.database.sqlite.connect.sqlite3.connect", read_only)
    code, answer = lite.ask("apply", "--yes")
    found = {one["about"]: one for one in lite.fine("doctor")["findings"]}
    monkeypatch.undo()
    assert (code, answer["error"]["code"]) == (Exit.REFUSED, "read-only") and answer["error"]["instead"]
    assert found["writing"]["level"] == "warn" and "cannot be written" in found["writing"]["says"]
    assert "writing" not in {one["about"] for one in lite.fine("doctor")["findings"]}
    assert lite.picture() == before


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits: neither for a lock nor between two attempts."""
    monkeypatch.setattr("tidemark.workshop.open_session", functools.partial(open_session, lock_timeout=0.01))
    monkeypatch.setattr("tidemark.workshop.Clock", functools.partial(Clock, wait=lambda seconds: None))


@contextlib.contextmanager
def held(town: Town, *statements: str) -> Iterator[None]:
    """A client in the middle of a transaction."""
    with contextlib.closing(connect(town.url)) as client:
        for statement in statements:
            client.execute(statement)
        yield
        client.execute("ROLLBACK")


@pytest.mark.usefixtures("impatient")
def test_a_database_that_another_writer_holds(lite: Town) -> None:
    lite.declare(GROUPS)
    before = lite.picture()
    with held(lite, "BEGIN IMMEDIATE", "INSERT INTO t (id, label) VALUES (77, 'x')"):
        lite.fine("plan")
        lite.failed("locked")
    assert lite.picture() == before
    lite.fine("apply", "--yes")
    with held(lite, "BEGIN IMMEDIATE"):
        lite.fine("status")
        lite.failed("locked", command=("repair",))


@pytest.mark.usefixtures("impatient")
def test_a_table_that_another_session_holds(pg: Town) -> None:
    pg.declare(GROUPS)
    with held(pg, "BEGIN", "LOCK TABLE t IN SHARE MODE"):
        code, answer = pg.ask("apply", "--yes")
        assert (code, answer["error"]["family"]) == (Exit.ERROR, "fault"), answer
        assert answer["error"]["retry_safe"] is True
    # The writers of the source have not been disturbed, and the next attempt goes on.
    pg.run("INSERT INTO t (id, label) VALUES (50, 'z')")
    pg.fine("apply", "--yes")
    assert pg.fine("verify")["clean"] is True


@pytest.fixture
def poor(pg: Town) -> Iterator[Town]:
    """The same database as a role that may hardly do anything."""
    pg.run(f"DO $$ BEGIN CREATE ROLE {ROLE} LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
    yield Town(pg.url.replace("postgres@", f"{ROLE}@"), pg.folder)
    pg.run(f"REASSIGN OWNED BY {ROLE} TO postgres", f"DROP OWNED BY {ROLE}")


def test_missing_privileges_one_after_the_other(pg: Town, poor: Town) -> None:
    """Each refusal names the right that is missing, until nothing is."""
    (name,) = pg.rows("SELECT current_database()")[0]
    poor.declare(GROUPS)
    grants = (
        f"GRANT SELECT ON t TO {ROLE}",
        f'GRANT CREATE ON DATABASE "{name}" TO {ROLE}',
        f"GRANT CREATE ON SCHEMA public TO {ROLE}",
        f"ALTER TABLE t OWNER TO {ROLE}",
    )
    for grant in grants:
        before = pg.picture()
        code, answer = poor.ask("apply", "--yes")
        assert (code, answer["error"]["code"]) == (Exit.REFUSED, "privilege"), answer
        assert answer["error"]["instead"] and "None" not in answer["error"]["reason"]
        assert pg.picture() == before
        pg.run(grant)
    poor.fine("apply", "--yes")
    assert poor.fine("verify")["clean"] is True


def test_the_doctor_tells_which_right_to_write_is_missing(pg: Town, poor: Town) -> None:
    pg.declare(GROUPS)
    assert "GRANT CREATE ON DATABASE" in _rights(poor)
    pg.fine("apply", "--yes")
    pg.run(f"GRANT USAGE ON SCHEMA tidemark TO {ROLE}")
    pg.run(f"GRANT SELECT ON ALL TABLES IN SCHEMA tidemark, public TO {ROLE}")
    assert "which postgres made" in _rights(poor)
    assert _rights(pg) == ""


def _rights(town: Town) -> str:
    return "".join(one["says"] for one in town.fine("doctor")["findings"] if one["about"] == "rights")


def test_definitions_that_cannot_be_loaded(lite: Town) -> None:
    for text, word in (
        ("import nothing_of_that_name", "nothing_of_that_name"),
        ("from tidemark import Project\n", "no project"),
        ("from tidemark import Project\na, b = Project('a'), Project('b')\n", "2 projects"),
        ("def (", "derived.py"),
        ("1 / 0", "derived.py:1"),
    ):
        (lite.folder / "derived.py").write_text(text)
        lite.refused(Code.DEFINITIONS, word)


def test_what_is_not_installed(town: Town) -> None:
    town.declare(GROUPS)
    before = town.picture()
    for command in (("status",), ("verify",), ("repair",), ("tick",), ("history",)):
        code, answer = town.ask(*command)
        assert (code, answer["error"]["code"]) == (Exit.REFUSED, "not-installed"), (command, answer)
    assert town.picture() == before
    assert town.ask("explain", "nothing")[0] == Exit.REFUSED
    town.fine("uninstall", "--yes")
    assert town.picture() == before


def test_a_server_that_stores_few_letters(postgres: Server) -> None:
    """What the ledger has of a script is written in letters that every encoding has; names are the user's."""
    name = f"narrow_{postgres.pid}"
    postgres.run(f"CREATE DATABASE {name} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    try:
        with contextlib.closing(connect(postgres.dsn(name))) as user:
            user.execute('CREATE TABLE t (id int PRIMARY KEY, "größe" text)')
            user.execute("INSERT INTO t VALUES (1, 'é'), (2, 'e'), (3, 'é')")
            project = Project("narrow")
            for freshness in ("commit", "tick"):
                query = 'SELECT "größe", count(*) AS n, max(id) AS m FROM t GROUP BY "größe"'
                project.derive(f"sizes_{freshness}", query=query, freshness=freshness)
            tidemark = Tidemark(project, postgres.dsn(name))
            tidemark.apply()
            user.execute("DELETE FROM t WHERE id = 3")
            tidemark.tick()
            assert all(report.clean for report in tidemark.verify())
            assert user.execute("SELECT * FROM sizes_tick ORDER BY m").fetchall() == [("é", 1, 1), ("e", 1, 2)]
    finally:
        postgres.drop_database(name)
