"""A database with a workload in it, as an application has it: connections of its own, ordinary statements.

Owns: `Ground` for each engine. Promises: rows are compared as bags of values with their types; nothing of Tidemark is used.
"""

from __future__ import annotations

import contextlib
import itertools
import shutil
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import psycopg

from tests.corpus.queries import schema
from tests.corpus.rows import Rows, Statement
from tests.kit.postgres import Server

ENGINES = ("sqlite", "postgresql")
Bag = Counter[tuple[Any, ...]]
MakeGround = Callable[[], contextlib.AbstractContextManager["Ground"]]


class Ground:
    """One database. `engine` is ``sqlite`` or ``postgresql``, `url` its address."""

    def __init__(self, engine: str, url: str, connection: Any) -> None:
        self.engine = engine
        self.url = url
        self.connection = connection

    def create(self, workload: str, rows: Rows) -> None:
        """Make the tables and fill them."""
        if self.engine == "sqlite":
            self.connection.executescript(schema(workload))
        else:
            self.connection.execute(schema(workload))
        self.connection.execute("BEGIN")
        for table, shape in rows.shapes.items():
            marks = ", ".join("?" for _ in shape.columns)
            text = f"INSERT INTO {table} ({', '.join(shape.columns)}) VALUES ({marks})"
            values = [tuple(row[name] for name in shape.columns) for row in rows.tables[table].values()]
            with contextlib.closing(self.connection.cursor()) as cursor:
                cursor.executemany(self._spelled(text), values)
        self.connection.execute("COMMIT")
        self.connection.execute("ANALYZE")

    def write(self, transactions: Sequence[Sequence[Statement]]) -> float:
        """Run transactions of an application; give the seconds."""
        began = time.perf_counter()
        for statements in transactions:
            self.connection.execute("BEGIN")
            for text, values in statements:
                self.connection.execute(self._spelled(text), values)
            self.connection.execute("COMMIT")
        return time.perf_counter() - began

    def bag(self, text: str) -> Bag:
        """The rows of a query with their numbers."""
        return Counter(tuple(_plain(value) for value in row) for row in self.connection.execute(text))

    def recompute(self, text: str) -> float:
        """Seconds of computing that it takes to compute a query anew and keep its rows in a temporary table."""
        began = self.spent(self.backend)
        self.connection.execute(f"CREATE TEMP TABLE computed_anew AS {text}")
        seconds = self.spent(self.backend) - began
        self.connection.execute("DROP TABLE computed_anew")
        return seconds

    @cached_property
    def backend(self) -> int:
        """The process on the server that does the work of the application's connection; 0 where there is none."""
        if self.engine == "sqlite":
            return 0
        (pid,) = self.connection.execute("SELECT pg_backend_pid()").fetchone()
        return int(pid)

    def spent(self, backend: int) -> float:
        """Seconds of computing so far, of this process and one on the server: what others do on the machine does not count.

        Where the system does not tell, the clock on the wall has to do.
        """
        if backend == 0:
            return time.process_time()
        schedule = Path(f"/proc/{backend}/schedstat")
        if not schedule.exists():
            return time.perf_counter()
        return time.process_time() + int(schedule.read_text().split()[0]) / 1e9

    def _spelled(self, text: str) -> str:
        return text if self.engine == "sqlite" else text.replace("?", "%s")


def _plain(value: Any) -> Any:
    """A value that can be counted. Floating point keeps ten digits: the order of addition is the engine's affair."""
    if isinstance(value, float):
        return ("float", f"{value:.10g}")
    if isinstance(value, bool | list | dict):
        return (type(value).__name__, repr(value))
    return value


@contextlib.contextmanager
def sqlite_ground(path: Path, copy_of: Path | None = None) -> Iterator[Ground]:
    """A new SQLite file in WAL mode, empty or a copy of another."""
    if copy_of is not None:
        shutil.copyfile(copy_of, path)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA busy_timeout = 5000")
        yield Ground("sqlite", f"sqlite:///{path}", connection)


@contextlib.contextmanager
def postgres_ground(server: Server, copy_of: str = "template1") -> Iterator[Ground]:
    """A new database on a running server, empty or a copy of another."""
    with server.fresh_database(template=copy_of) as dsn, psycopg.connect(dsn, autocommit=True) as connection:
        yield Ground("postgresql", dsn, connection)


def filled_sqlite(folder: Path, workload: str, rows: Rows) -> MakeGround:
    """What makes copies of a filled SQLite file; all of them live in `folder`."""
    template, numbers = folder / f"{workload}.db", itertools.count()
    with sqlite_ground(template) as ground:
        ground.create(workload, rows)
        ground.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return lambda: sqlite_ground(folder / f"{workload}-{next(numbers)}.db", template)


def filled_postgres(server: Server, workload: str, rows: Rows) -> MakeGround:
    """What makes copies of a filled database on a running server."""
    name = server.create_database()
    with psycopg.connect(server.dsn(name), autocommit=True) as connection:
        Ground("postgresql", server.dsn(name), connection).create(workload, rows)
    return lambda: postgres_ground(server, name)
