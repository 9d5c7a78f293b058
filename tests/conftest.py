"""What every test may ask for: a database on either engine, fresh each time, and a server that lives for the session.

Under pytest-xdist each worker has a PostgreSQL cluster of its own.
"""

import contextlib
import gc
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import hypothesis
import pytest

from tests.kit.compiled import Compiler
from tests.kit.connections import Connections, kept_connections
from tests.kit.postgres import NoServer, Server, running_server
from tidemark.compiler import once

hypothesis.settings.register_profile("tidemark", deadline=None, print_blob=True)
hypothesis.settings.load_profile("tidemark")


def pytest_collection_finish() -> None:
    """What is loaded by now stays until the end: to look through it for garbage again and again is a tenth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """The session's PostgreSQL server. No server is a failure of every test that needs one."""
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(running_server())
        except NoServer as problem:
            pytest.fail(str(problem), pytrace=False)
        yield server


@pytest.fixture(scope="session", autouse=True)
def connections() -> Iterator[Connections]:
    """What the engine's sessions of one test leave serves its next ones."""
    with kept_connections() as kept:
        yield kept


@pytest.fixture
def ended_connections(connections: Connections) -> Iterator[None]:
    """Whoever closes a connection ends it: for tests of who is connected."""
    with connections.none():
        yield


@pytest.fixture
def pg_database(postgres: Server) -> Iterator[str]:
    """The DSN of an empty PostgreSQL database: ``postgresql://postgres@127.0.0.1:PORT/NAME``."""
    with postgres.fresh_database() as dsn:
        yield dsn


@pytest.fixture(scope="session")
def compiler() -> Compiler:
    """What remembers what the tests of a session compiled."""
    return Compiler()


@pytest.fixture
def recalled_scripts(request: pytest.FixtureRequest, compiler: Compiler) -> Iterator[None]:
    """What one test declares as another one did is compiled once for both; not where a test puts something in the place of
    ours, which may be what compiles."""
    with contextlib.ExitStack() as stack:
        if "monkeypatch" not in request.fixturenames:
            stack.enter_context(mock.patch.object(once, "compile_derived", compiler))
        yield


@pytest.fixture
def sqlite_path(tmp_path: Path) -> Path:
    """The absolute path of an empty SQLite database in WAL mode."""
    path = tmp_path / "test.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def engine_url(request: pytest.FixtureRequest) -> str:
    """An empty database on each engine in turn: ``sqlite:////absolute/path`` or a PostgreSQL DSN."""
    if request.param == "sqlite":
        return f"sqlite:///{request.getfixturevalue('sqlite_path')}"
    return str(request.getfixturevalue("pg_database"))
