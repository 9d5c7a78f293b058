"""A first filling beside INSERT … SELECT, and a verification beside the bare GROUP BY, at both freshnesses on both engines.

``python -m bench --parts fills --rows 3000000``

Owns: one table of plays, by user. Promises: the filling is timed by itself, without installation and verification; what it is
compared with writes the same rows into an empty table with the same key; nobody else is connected meanwhile; rounds take
turns, and the middle one counts.
"""

from __future__ import annotations

import sqlite3
import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psycopg

from bench.budgets import Figure, ratio
from bench.duties import GROUPS, QUERY, seconds_of
from bench.writers import SETTINGS
from tests.kit.postgres import running_server
from tidemark import Project, Tidemark
from tidemark.model import Freshness
from tidemark.runtime.backfill.fill import fill

FRESHNESSES: tuple[Freshness, ...] = ("commit", "tick")
ONCE = "CREATE TABLE once (user_id bigint NOT NULL PRIMARY KEY, n bigint NOT NULL, most bigint)"
_TABLE = "CREATE TABLE plays (id bigint PRIMARY KEY, user_id bigint NOT NULL, ms bigint NOT NULL)"
_VALUES = f"SELECT i, 1 + (CAST(i AS bigint) * 7919) % {GROUPS}, i % 100000"
_SQLITE = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows}) INSERT INTO plays {values} FROM n"
_POSTGRES = "INSERT INTO plays {values} FROM generate_series(1, {rows}) AS i"

Connect = Callable[[], Any]


@contextmanager
def _sqlite(rows: int) -> Iterator[tuple[str, Connect]]:
    with tempfile.TemporaryDirectory(prefix="fills-", dir=Path.cwd()) as folder:
        path = str(Path(folder) / "bench.db")

        def connect() -> Any:
            connection = sqlite3.connect(path, isolation_level=None)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            return connection

        _prepare(connect, _SQLITE.format(rows=rows, values=_VALUES))
        yield path, connect


@contextmanager
def _postgres(rows: int) -> Iterator[tuple[str, Connect]]:
    with running_server(SETTINGS) as server, server.fresh_database() as dsn:

        def connect() -> Any:
            return psycopg.connect(dsn, autocommit=True)

        _prepare(connect, _POSTGRES.format(rows=rows, values=_VALUES))
        with closing(connect()) as connection:
            connection.execute("VACUUM ANALYZE plays")
        yield dsn, connect


PLACES: dict[str, Callable[[int], AbstractContextManager[tuple[str, Connect]]]] = {
    "sqlite": _sqlite,
    "postgresql": _postgres,
}


def _prepare(connect: Connect, filled: str) -> None:
    with closing(connect()) as connection:
        for statement in (_TABLE, "CREATE INDEX plays_user ON plays (user_id, ms)", filled, "ANALYZE", ONCE):
            connection.execute(statement)


def _timed(url: str, freshness: Freshness) -> tuple[float, float]:
    """Seconds of a filling and of a verification, from nothing to nothing."""
    project, filled = Project("bench"), []
    project.derive("totals", key="user_id", query=QUERY, freshness=freshness)

    def watched(*given: Any, **named: Any) -> Any:
        found: list[Any] = []
        filled.append(seconds_of(lambda: found.append(fill(*given, **named))))
        return found[0]

    ours = Tidemark(project, url)
    with patch("tidemark.runtime.changes.apply.fill", watched):
        ours.apply()
    verify = seconds_of(ours.verify)
    ours.uninstall()
    return sum(filled), verify


def _bare(connect: Connect) -> tuple[float, float]:
    """Seconds of the INSERT … SELECT and of the query alone."""
    with closing(connect()) as connection:
        written = seconds_of(lambda: connection.execute(f"INSERT INTO once {QUERY}"))
        grouped = seconds_of(lambda: connection.execute(QUERY).fetchall())
        connection.execute("DELETE FROM once")
    return written, grouped


def measure(*, rows: int, rounds: int, engines: Sequence[str], say: Callable[[str], None]) -> list[Figure]:
    """Both freshnesses on each engine."""
    figures = []
    for engine in engines or tuple(PLACES):
        with PLACES[engine](rows) as (url, connect):
            for freshness in FRESHNESSES:
                measured = [(*_bare(connect), *_timed(url, freshness)) for _ in range(rounds)]
                written, grouped, filled, verified = (
                    statistics.median(column) for column in zip(*measured, strict=True)
                )
                name = f"{engine}, {rows:,} rows in {GROUPS:,} groups, {freshness}"
                say(
                    f"{name}: {written:.2f} s INSERT, {filled:.2f} s fill, {grouped:.2f} s GROUP BY, {verified:.2f} s verify"
                )
                figures += [
                    Figure(f"{name}: fill", ratio(filled, written), "× INSERT … SELECT", 1.5, at_least=False),
                    Figure(f"{name}: verify", rows / verified, "rows/s", 1_000_000.0),
                    Figure(f"{name}: verify", ratio(verified, grouped), "× bare GROUP BY", 1.5, at_least=False),
                ]
    return figures
