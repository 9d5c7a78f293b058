"""A shop as a version installed it whose ledger had an older shape: one frozen database for each engine and shape.

Owns: what is declared, and the files ``shape_N.ENGINE.xz`` beside this module. Promises: a file holds what the version with that
shape installed, filled, ticked, told and verified, and nothing that a later version made. Before a shape is raised
``python -m tests.upgrades --write`` freezes what the version of now installs.
"""

import contextlib
import lzma
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.kit.postgres import Server, running_server
from tidemark import Project, Tidemark, ratchet
from tidemark.database.open import open_session
from tidemark.database.session import Session
from tidemark.runtime.ledger import SHAPE

FOLDER = Path(__file__).parent
SHAPES = ("10", "11")
ENGINES = ("sqlite", "postgres")
SCHEMA = (
    "CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT)",
    "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer INTEGER, amount INTEGER)",
    "CREATE INDEX orders_of ON orders (customer)",
)
FILLED = (
    "INSERT INTO customers VALUES (1, 'ada'), (2, 'bob'), (3, 'cid')",
    "INSERT INTO orders VALUES (1, 1, 100), (2, 1, 20), (3, 2, 5)",
)
# The totals by number of orders read the totals by customer, and come before them by name.
QUERIES = {
    "totals": ("SELECT customer, count(*) AS n, sum(amount) AS total FROM orders GROUP BY customer", "commit"),
    "groups": ("SELECT n, count(*) AS customers FROM totals GROUP BY n", "commit"),
    "names": ("SELECT o.id, c.name, o.amount FROM orders o JOIN customers c ON c.id = o.customer", "tick"),
}
BEST = "SELECT customer, max(amount) AS best FROM orders GROUP BY customer"


def declare() -> Project:
    """What is declared, in words that every version since the oldest shape knows."""
    project = Project("shop")
    for name, (query, freshness) in QUERIES.items():
        declared = project.derive(name, query=query, freshness=freshness)  # type: ignore[arg-type]
        if name == "totals":
            declared.on_crossing("n", at=[2, 3])
    project.derive("bests", query=BEST, freshness="tick", keep={"best": ratchet()})
    return project


@dataclass
class Shop:
    """A database with the shop in it, and a session of the application's."""

    url: str
    user: Session
    tidemark: Tidemark

    def write(self, *statements: str) -> None:
        """What the application writes, in one transaction."""
        with self.user.transaction():
            for statement in statements:
                self.user.run(statement)

    def ledger(self, table: str) -> str:
        """The name of a table of ours."""
        return f"tidemark._{table}" if self.user.dialect.has_schemas else f"tidemark__{table}"

    def wrong(self) -> list[str]:
        """The derived tables that are not what their queries give, but for the one with memory."""
        found = []
        for name, (query, _) in QUERIES.items():
            stored, wanted = self.user.all(f"SELECT * FROM {name}"), self.user.all(query)
            found += [name] if sorted(stored) != sorted(wanted) else []
        return found

    def bests(self) -> dict[Any, Any]:
        """What is remembered, by customer."""
        return dict(self.user.all("SELECT customer, best FROM bests"))


@contextlib.contextmanager
def open_shop(url: str) -> Iterator[Shop]:
    """The shop in a database where its tables are."""
    with contextlib.closing(open_session(url)) as user:
        yield Shop(url, user, Tidemark(declare(), url))


def install(url: str) -> None:
    """Everything that the version of now installs, with something remembered and something told."""
    with contextlib.closing(open_session(url)) as user, user.transaction():
        user.script(*SCHEMA, *FILLED)
    with open_shop(url) as shop:
        shop.tidemark.apply()
        shop.write("UPDATE orders SET amount = 10 WHERE id = 1", "INSERT INTO orders VALUES (4, 2, 7)")
        shop.tidemark.run(until_idle=True)
        shop.tidemark.verify()


def file_of(shape: str, engine: str) -> Path:
    """Where a shop is frozen: SQLite's file as it is, a dump of PostgreSQL's."""
    return FOLDER / f"shape_{shape}.{engine}.xz"


def program(server: Server, name: str) -> str:
    """A program of PostgreSQL's."""
    beside = server.programs / name if server.programs else None
    found = str(beside) if beside and beside.exists() else shutil.which(name)
    assert found, f"{name} is not here"
    return found


def thaw_sqlite(shape: str, path: Path) -> str:
    """The frozen shop in a new file; its address."""
    path.write_bytes(lzma.decompress(file_of(shape, "sqlite").read_bytes()))
    return f"sqlite:///{path}"


def thaw_postgres(shape: str, server: Server, dsn: str) -> str:
    """The frozen shop in an empty database, at home in this cluster as if it had been installed here; its address."""
    text = lzma.decompress(file_of(shape, "postgres").read_bytes()).decode()
    psql = [program(server, "psql"), "-q", "-v", "ON_ERROR_STOP=1", dsn]
    subprocess.run(psql, input=text, capture_output=True, text=True, check=True)
    with contextlib.closing(open_session(dsn)) as user, user.transaction():
        user.run("UPDATE tidemark._checkpoint SET snapshot = pg_current_snapshot()::text")
        home = "SELECT 'cluster ' || system_identifier FROM pg_control_system()"
        user.run(f"UPDATE tidemark._meta SET value = ({home}) WHERE key = 'cluster'")
    return dsn


def _copy_sqlite(folder: Path) -> bytes:
    path = folder / "shop.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    install(f"sqlite:///{path}")
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path.read_bytes()


def _dump_postgres(server: Server) -> bytes:
    with server.fresh_database() as dsn:
        install(dsn)
        dump = [program(server, "pg_dump"), "--no-owner", "--no-privileges", dsn]
        text = subprocess.run(dump, capture_output=True, text=True, check=True).stdout
    # What only a newer server or its own program knows.
    unknown = ("SET transaction_timeout", "\\restrict", "\\unrestrict")
    return "\n".join(line for line in text.splitlines() if not line.startswith(unknown)).encode()


def freeze() -> None:
    """Write what the version of now installs to the files of its shape."""
    with tempfile.TemporaryDirectory() as made:
        _write("sqlite", _copy_sqlite(Path(made)))
    with running_server() as server:
        _write("postgres", _dump_postgres(server))


def _write(engine: str, content: bytes) -> None:
    file_of(SHAPE, engine).write_bytes(lzma.compress(content, preset=9 | lzma.PRESET_EXTREME))
