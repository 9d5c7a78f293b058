"""A `Town` on either engine, with a table of every kind of column that the cases need."""

from pathlib import Path

import pytest

from tests.bad_input.town import Town

SETUP = (
    "CREATE TABLE t (id INTEGER PRIMARY KEY, g INTEGER, code TEXT UNIQUE, label TEXT NOT NULL, v INTEGER, seen TIMESTAMP)",
    "CREATE TABLE u (id INTEGER PRIMARY KEY, name TEXT)",
    "INSERT INTO t VALUES (1, 1, 'a', 'x', 5, '2024-01-02 03:04:05'), (2, 1, NULL, 'y', 7, NULL)",
    "INSERT INTO t VALUES (3, NULL, NULL, 'x', NULL, NULL)",
    "INSERT INTO u VALUES (1, 'one'), (2, 'two')",
)


@pytest.fixture
def town(engine_url: str, tmp_path: Path) -> Town:
    """A town on each engine in turn."""
    made = Town(engine_url, tmp_path)
    made.run(*SETUP)
    return made


@pytest.fixture
def lite(sqlite_path: Path, tmp_path: Path) -> Town:
    """A town on SQLite."""
    made = Town(f"sqlite:///{sqlite_path}", tmp_path)
    made.run(*SETUP)
    return made


@pytest.fixture
def pg(pg_database: str, tmp_path: Path) -> Town:
    """A town on PostgreSQL."""
    made = Town(pg_database, tmp_path)
    made.run(
        *SETUP,
        "CREATE TABLE z (id int PRIMARY KEY, at timestamptz, d date, f float8, j jsonb, tags text[], price money)",
    )
    return made
